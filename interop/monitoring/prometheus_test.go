//go:build interop

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tool returns an executable of Prometheus, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FLOW_TEST_PROMETHEUS")
	if dir == "" {
		dir = "/usr/bin"
	}
	path, err := exec.LookPath(filepath.Join(dir, name))
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v; FLOW_TEST_PROMETHEUS names the directory of prometheus and promtool", err)
	}
	t.Skipf("%v; FLOW_TEST_PROMETHEUS names the directory of prometheus and promtool", err)
	return ""
}

// The rules are well formed, and their unit tests hold.
func TestRules(t *testing.T) {
	promtool := tool(t, "promtool")
	dir := t.TempDir()
	writeRules(t, filepath.Join(dir, "rules.yml"), rules(t))
	tests, err := os.ReadFile(filepath.Join(committed, "rules_test.yaml"))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "tests.yml"), tests, 0o666))
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "tests.yml"}} {
		c := exec.Command(promtool, args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, g := range rules(t) {
		for _, r := range g.Rules {
			if r.Alert != "" && !strings.Contains(string(tests), "alertname: "+r.Alert+"\n") {
				t.Errorf("alert %s has no unit test", r.Alert)
			}
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// prometheus scrapes and evaluates every second.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, targets []string) *prometheus {
	t.Helper()
	binary, dir := tool(t, "prometheus"), t.TempDir()
	groups := rules(t)
	for i := range groups {
		groups[i].Interval = "1s"
		for k := range groups[i].Rules {
			groups[i].Rules[k].For = ""
		}
	}
	writeRules(t, filepath.Join(dir, "rules.yml"), groups)
	list, err := json.Marshal(targets)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil,
		"global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"+
			"scrape_configs:\n- job_name: flow\n  static_configs: [{targets: %s, labels: {namespace: test}}]\n", list), 0o666))
	p := &prometheus{t: t}
	address := freeAddress(t)
	p.url = "http://" + address
	log, err := os.Create(filepath.Join(dir, "log"))
	check(t, err)
	t.Cleanup(func() { log.Close() })
	c := exec.Command(binary, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+address)
	c.Dir, c.Stdout, c.Stderr = dir, log, log
	check(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	waitFor(t, "Prometheus is ready", func() error { return get(p.url + "/-/ready") })
	return p
}

func get(address string) error {
	a, err := http.Get(address)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, a.Body)
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, a.Status)
	}
	return nil
}

func waitFor(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Errorf("not in a minute: %s: %v", what, err)
}

// query returns an error unless an expression has a result.
func (p *prometheus) query(expr string) error {
	a, err := http.PostForm(p.url+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return err
	}
	defer a.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(a.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", expr, answer.Error)
	}
	if len(answer.Data.Result) == 0 {
		return fmt.Errorf("%s: no data", expr)
	}
	return nil
}

func (p *prometheus) firing(alert string) func() error {
	return func() error { return p.query(fmt.Sprintf("ALERTS{alertname=%q,alertstate=\"firing\"}", alert)) }
}

// Every query of the dashboard and every rule has data from real servers, and
// the alerts fire when there is what they are for.
func TestPrometheus(t *testing.T) {
	tool(t, "prometheus")
	flow := buildFlow(t)
	good := filepath.Join(t.TempDir(), "sentiment")
	writeModel(t, good, 1)
	other := filepath.Join(t.TempDir(), "sentiment")
	writeModel(t, other, -1)
	healthy := startFlow(t, flow, "--model", good, "--shadow", other, "--drift-window", "100", "--drift-least", "20", "--poll", "1s")
	differing := startFlow(t, flow, "--model", other, "--timeout", "1ns")
	empty := startFlow(t, flow, "--model", filepath.Join(t.TempDir(), "absent"), "--wait", "--poll", "1s")
	p := startPrometheus(t, []string{healthy.address, differing.address, empty.address})

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			for _, s := range []*server{healthy, differing, empty} {
				s.post(`{"text":"quite another text, which the vocabulary does not know"}`)
			}
			healthy.post(`{"text":""}`)
			healthy.post(`{"text":`)
			healthy.post(`{"text":7}`)
			if n%4 == 0 {
				healthy.postSlowly()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	defer func() { stop(); <-done }()

	for panel, list := range queries(t) {
		for _, q := range list {
			waitFor(t, "panel "+panel, func() error { return p.query(q) })
		}
	}
	for _, g := range rules(t) {
		for _, r := range g.Rules {
			switch r.Alert {
			case "":
				waitFor(t, r.Record, func() error { return p.query(r.Record) })
			case "FlowPanics": // nothing that a client sends makes one
				waitFor(t, r.Alert, func() error { return p.query(operand(r.Expr)) })
			case "FlowServerDown", "FlowServersGone": // below
			default:
				waitFor(t, r.Alert, p.firing(r.Alert))
			}
		}
	}
	if err := p.firing("FlowServerDown")(); err == nil {
		t.Error("FlowServerDown fires while all servers run")
	}
	empty.stop()
	waitFor(t, "FlowServerDown", p.firing("FlowServerDown"))
	if err := p.firing("FlowServersGone")(); err == nil {
		t.Error("FlowServersGone fires while servers run")
	}
	healthy.stop()
	differing.stop()
	waitFor(t, "FlowServersGone", p.firing("FlowServersGone"))
}
