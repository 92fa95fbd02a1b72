package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
	"github.com/flowrepro/flow/track"
)

const modelName = "sentiment"

// project is a project of its own, with a home of its own.
type project struct{ flow, dir, home string }

func (p *project) command(args ...string) *exec.Cmd {
	c := exec.Command(p.flow, args...)
	c.Dir = p.dir
	c.Env = append(os.Environ(), "HOME="+p.home, "XDG_CACHE_HOME="+filepath.Join(p.home, "cache"), "XDG_CONFIG_HOME="+filepath.Join(p.home, "config"),
		"MLFLOW_TRACKING_URI=", "GIT_CEILING_DIRECTORIES="+filepath.Dir(p.dir))
	return c
}

func (p *project) run(args ...string) error {
	if out, err := p.command(args...).CombinedOutput(); err != nil {
		return fmt.Errorf("flow %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// register makes the project and registers versions 1, 2 and so on; the first is
// in production.
func (p *project) register(ctx context.Context, versions int) error {
	dir := filepath.Join(p.dir, "models", modelName)
	for _, d := range []string{p.home, filepath.Join(p.dir, "reports")} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return err
		}
	}
	if err := p.run("init", "--no-scm"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "params.yaml"), []byte("model_registration: {name: "+modelName+"}\n"), 0o600); err != nil {
		return err
	}
	for v := 1; v <= versions; v++ {
		if err := writeModel(ctx, dir, weight(v)); err != nil {
			return err
		}
		digest, err := track.DirDigest(dir)
		if err != nil {
			return err
		}
		info := fmt.Appendf(nil, `{"run_id": "%032d", "model_path": "model", "experiment": "soak", "key": "k%d", "model_digest": %q}`, v, v, digest)
		if err := os.WriteFile(filepath.Join(p.dir, "reports", "experiment_info.json"), info, 0o600); err != nil {
			return err
		}
		if err := p.run("model", "register"); err != nil {
			return err
		}
	}
	return p.promote(1)
}

func (p *project) promote(version int) error {
	return p.run("model", "promote", modelName+"/"+strconv.Itoa(version))
}

func writeModel(ctx context.Context, dir string, weight float64) error {
	terms, err := features.NewTable([]string{"bad", "good"})
	if err != nil {
		return err
	}
	v, err := features.New(features.DefaultConfig(), terms, nil)
	if err != nil {
		return err
	}
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v})
	if err != nil {
		return err
	}
	_, err = model.Write(ctx, dir, model.Parts{
		Features: model.Features{Cleaning: text.Options{Lowercase: true}, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: []float64{-weight, weight}, Example: "good",
	})
	return err
}

// server is a flow serve that follows what is in production.
type server struct {
	cmd        *exec.Cmd
	url, admin string
	log        string // its file
}

var address = regexp.MustCompile(`http://\S+`)

func (p *project) serve(poll time.Duration) (*server, error) {
	s := &server{log: filepath.Join(p.home, "serve.log")}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = p.command("serve", "--model", "models:/"+modelName+"@production", "--address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0",
		"--poll", poll.String(), "--access-log=false", "--log", "json")
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	for _, to := range []*string{&s.url, &s.admin} {
		line, err := lines.ReadString('\n')
		if *to = address.FindString(line); err != nil || *to == "" {
			return nil, errors.Join(fmt.Errorf("flow serve said %q", line), s.stop(), s.tail())
		}
	}
	return s, nil
}

// stop ends the server, which is to end well.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("flow serve ended: %w", err)
	}
	return nil
}

// tail returns the end of the log, as an error.
func (s *server) tail() error {
	data, _ := os.ReadFile(s.log)
	return fmt.Errorf("its log ends: %s", data[max(0, len(data)-2000):])
}

// measure asks the server for its memory and goroutines.
func (s *server) measure(ctx context.Context) (m sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.admin+"/metrics", nil)
	if err != nil {
		return m, err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return m, err
	}
	defer a.Body.Close()
	for lines := bufio.NewScanner(a.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		f, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "process_resident_memory_bytes":
			m.memory = int64(f)
		case "go_goroutines":
			m.goroutines = int64(f)
		}
	}
	return m, nil
}
