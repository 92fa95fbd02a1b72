//go:build interop

package monitoring

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

// writeModel writes a model with statistics, with its weights times sign.
func writeModel(t *testing.T, dir string, sign float64) {
	t.Helper()
	table, err := features.NewTable([]string{"bad", "good"})
	check(t, err)
	v, err := features.New(features.DefaultConfig(), table, nil)
	check(t, err)
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v})
	check(t, err)
	parts := model.Parts{
		Features: model.Features{Cleaning: text.Options{Lowercase: true}, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: []float64{-sign, sign}, Example: "good",
	}
	ctx := context.Background()
	plain := filepath.Join(t.TempDir(), "plain")
	_, err = model.Write(ctx, plain, parts)
	check(t, err)
	m, err := model.Open(plain)
	check(t, err)
	parts.Statistics, err = m.Collect(ctx, []string{"good", "bad", "good good", "bad bad", "good bad"}, 1)
	check(t, err)
	_, err = model.Write(ctx, dir, parts)
	check(t, err)
}

func buildFlow(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("FLOW_TEST_FLOW"); given != "" {
		return given
	}
	path := filepath.Join(t.TempDir(), "flow")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/flow").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// server is a flow serve.
type server struct {
	address string
	cmd     *exec.Cmd
}

func startFlow(t *testing.T, flow string, args ...string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(flow, append([]string{"serve", "--address", "127.0.0.1:0", "--log", "none", "--drain-timeout", "1s"}, args...)...)}
	dir := t.TempDir()
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+dir, "MLFLOW_TRACKING_URI=")
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	check(t, err)
	check(t, s.cmd.Start())
	t.Cleanup(s.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	s.address = strings.TrimPrefix(regexp.MustCompile(`http://\S+`).FindString(line), "http://")
	return s
}

func (s *server) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

func (s *server) send(body io.Reader) {
	a, err := http.Post("http://"+s.address+"/api/v1/predict", "application/json", body)
	if err != nil {
		return // it was stopped
	}
	_, _ = io.Copy(io.Discard, a.Body)
	a.Body.Close()
}

func (s *server) post(body string) { s.send(strings.NewReader(body)) }

// postSlowly makes a request that takes most of a second.
func (s *server) postSlowly() {
	in, out := io.Pipe()
	go func() {
		_, _ = io.WriteString(out, `{"text":`)
		time.Sleep(700 * time.Millisecond)
		_, _ = io.WriteString(out, `"good"}`)
		out.Close()
	}()
	s.send(in)
}
