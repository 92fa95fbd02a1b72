//go:build unix

package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/flowrepro/flow/remote/remotetest"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
	"github.com/flowrepro/flow/track"
)

// writeModel writes the model of scripts, with its weights times sign.
func writeModel(t *testing.T, dir string, sign float64) {
	t.Helper()
	table, err := features.NewTable([]string{"bad", "good"})
	mustDo(t, err)
	v, err := features.New(features.DefaultConfig(), table, nil)
	mustDo(t, err)
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v})
	mustDo(t, err)
	_, err = model.Write(context.Background(), dir, model.Parts{
		Features: model.Features{Cleaning: text.Options{Lowercase: true}, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: []float64{-sign, sign}, Example: "good",
	})
	mustDo(t, err)
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// flowProcess is flow in a directory, with a home of its own.
func flowProcess(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	mustDo(t, err)
	c := exec.Command(self)
	c.Args = append([]string{"flow"}, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "MLFLOW_TRACKING_URI=", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	return c
}

func flowOutput(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := flowProcess(t, dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("flow %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serving is a server and what it says first.
type serving struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  string
	url   string
	fault bytes.Buffer
}

func startServing(t *testing.T, dir string, env []string, args ...string) *serving {
	t.Helper()
	s := &serving{t: t, cmd: flowProcess(t, dir, append([]string{"serve"}, args...)...)}
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stderr = &s.fault
	out, err := s.cmd.StdoutPipe()
	mustDo(t, err)
	mustDo(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	s.said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = s.cmd.Wait()
		t.Fatalf("nothing is served: %s", s.fault.String())
	}
	s.url = regexp.MustCompile(`http://\S+`).FindString(s.said)
	return s
}

func (s *serving) ask() string {
	s.t.Helper()
	a, err := http.Post(s.url+"/api/v1/predict", "application/json", strings.NewReader(`{"text":"good"}`))
	mustDo(s.t, err)
	defer a.Body.Close()
	data, err := io.ReadAll(a.Body)
	mustDo(s.t, err)
	return string(data)
}

func (s *serving) metrics() string {
	s.t.Helper()
	a, err := http.Get(s.url + "/metrics")
	mustDo(s.t, err)
	defer a.Body.Close()
	data, err := io.ReadAll(a.Body)
	mustDo(s.t, err)
	return string(data)
}

// until asks until the answer has a part.
func (s *serving) until(part string) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(s.ask(), part); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("no answer with %s: %s", part, s.ask())
		}
	}
}

func TestServeDirectory(t *testing.T) {
	dir := t.TempDir()
	writeModel(t, filepath.Join(dir, "m"), 1)
	s := startServing(t, dir, []string{"FLOW_SERVE_ADDRESS=127.0.0.1:0", "FLOW_SERVE_POLL=1h"}, "--model", "m", "--log", "json")
	if !regexp.MustCompile(`^Serving m [0-9a-f]{12} of m at http://127\.0\.0\.1:\d+\n$`).MatchString(s.said) {
		t.Errorf("said %q", s.said)
	}
	s.until(`"class":"positive"`)
	address := strings.TrimPrefix(s.url, "http://")
	if out := flowOutput(t, dir, "serve", "--healthcheck", "--address", address); out != "ready\n" {
		t.Errorf("healthcheck: %s", out)
	}
	writeModel(t, filepath.Join(dir, "m"), -1)
	mustDo(t, s.cmd.Process.Signal(syscall.SIGHUP))
	s.until(`"class":"negative"`)
	mustDo(t, s.cmd.Process.Signal(syscall.SIGTERM))
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, s.fault.String())
	}
	if !strings.Contains(s.fault.String(), `"msg":"model loaded"`) {
		t.Errorf("log: %s", s.fault.String())
	}
	if out, err := flowProcess(t, dir, "serve", "--healthcheck", "--address", address).CombinedOutput(); err == nil {
		t.Errorf("healthcheck of nothing: %s", out)
	}
}

// Requests are traced to the collector that the environment names, the last
// ones when the server stops. One that is away or misnamed costs nothing.
func TestServeTraces(t *testing.T) {
	dir := t.TempDir()
	writeModel(t, filepath.Join(dir, "m"), 1)
	got := make(chan *collector.ExportTraceServiceRequest, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m collector.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, proto.Unmarshal(body, &m)); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		got <- &m
	}))
	defer server.Close()
	stop := func(s *serving) {
		t.Helper()
		s.until(`"class":"positive"`)
		mustDo(t, s.cmd.Process.Signal(syscall.SIGTERM))
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v\n%s", err, s.fault.String())
		}
	}
	arguments := []string{"--model", "m", "--address", "127.0.0.1:0", "--log", "json"}
	stop(startServing(t, dir, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_SERVICE_NAME=reviews"}, arguments...))
	select {
	case m := <-got:
		if text := m.String(); !strings.Contains(text, "POST /api/v1/predict") || !strings.Contains(text, "reviews") {
			t.Errorf("exported %s", text)
		}
	default:
		t.Error("nothing is exported")
	}
	for endpoint, want := range map[string]string{"http://127.0.0.1:1": "traces are not exported", "collector:4317": "want an address such as"} {
		s := startServing(t, dir, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint}, arguments...)
		stop(s)
		if !strings.Contains(s.fault.String(), want) {
			t.Errorf("%s: %s", endpoint, s.fault.String())
		}
	}
}

// Without arguments flow serves what is in production, and follows it.
func TestServePromoted(t *testing.T) {
	dir := t.TempDir()
	flowOutput(t, dir, "init", "--no-scm")
	mustDo(t, os.MkdirAll(filepath.Join(dir, "reports"), 0o777))
	mustDo(t, os.WriteFile(filepath.Join(dir, "params.yaml"), []byte("model_registration: {name: sentiment}\n"), 0o666))
	register := func(version int, sign float64) {
		t.Helper()
		writeModel(t, filepath.Join(dir, "models", "sentiment"), sign)
		digest, err := track.DirDigest(filepath.Join(dir, "models", "sentiment"))
		mustDo(t, err)
		mustDo(t, os.WriteFile(filepath.Join(dir, "reports", "experiment_info.json"), fmt.Appendf(nil, `{"run_id": "%032d", "model_path": "model", "experiment": "sentiment", "key": "k%d", "model_digest": %q}`, version, version, digest), 0o666))
		flowOutput(t, dir, "model", "register")
		flowOutput(t, dir, "model", "promote", "sentiment")
	}
	register(1, 1)
	s := startServing(t, dir, nil, "--address", "127.0.0.1:0", "--poll", "50ms")
	if !strings.HasPrefix(s.said, "Serving sentiment version 1 of models:/sentiment@production at ") {
		t.Errorf("said %q", s.said)
	}
	s.until(`"class":"positive"`)
	register(2, -1)
	s.until(`"class":"negative"`)
	s.until(`"version":"2"`)
	flowOutput(t, dir, "model", "rollback", "sentiment")
	s.until(`"version":"1"`)
	if out := flowOutput(t, dir, "predict", "models:/sentiment@production", "--text", "good"); !strings.Contains(out, "positive") {
		t.Errorf("predict: %s", out)
	}
}

// A model in a bucket is served and followed, without a project.
func TestServeObjects(t *testing.T) {
	server := remotetest.StartS3(t)
	dir := t.TempDir()
	at := filepath.Join(server.Dir, remotetest.Bucket, "teams", "model")
	writeModel(t, at, 1)
	env := []string{
		"AWS_ENDPOINT_URL=" + server.Endpoint, "AWS_ACCESS_KEY_ID=" + server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + server.SecretKey,
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}
	address := "s3://" + remotetest.Bucket + "/teams/model"
	s := startServing(t, dir, env, "--model", address, "--address", "127.0.0.1:0", "--poll", "50ms")
	s.until(`"class":"positive"`)
	predict := flowProcess(t, dir, "predict", address, "--text", "good")
	predict.Env = append(predict.Env, env...)
	if out, err := predict.CombinedOutput(); err != nil || !strings.Contains(string(out), "positive") {
		t.Errorf("predict: %v\n%s", err, out)
	}
	// A damaged object is not served; the good model goes on.
	weights := filepath.Join(at, model.HeaderFile)
	good, err := os.ReadFile(weights)
	mustDo(t, err)
	mustDo(t, os.WriteFile(weights, good[:len(good)/2], 0o666))
	refused := regexp.MustCompile(`flow_model_reload_total\{result="error"\} [1-9]`)
	for end := time.Now().Add(20 * time.Second); !refused.MatchString(s.metrics()); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the damaged model was not noticed")
		}
	}
	s.until(`"class":"positive"`)
	writeModel(t, at, -1)
	s.until(`"class":"negative"`)
	missing := flowProcess(t, dir, "predict", "s3://"+remotetest.Bucket+"/nothing", "--text", "good")
	missing.Env = append(missing.Env, env...)
	if out, err := missing.CombinedOutput(); err == nil || !strings.Contains(string(out), "there are no objects") {
		t.Errorf("predict with no model: %v\n%s", err, out)
	}
}
