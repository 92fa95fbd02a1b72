//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestInit compares what the tools make of an empty repository.
func TestInit(t *testing.T) {
	t.Parallel()
	dvc, flow := newProject(t, "dvc"), newProject(t, "flow")
	dvc.exec("dvc", "init", "-q").ok()
	flow.exec("flow", "init", "-q", "--format", "dvc").ok()
	diffTrees(t, "project, DVC's - and flow's +", dvc.tree(), flow.tree())
	diff(t, "git status, DVC's - and flow's +",
		dvc.exec("git", "status", "--porcelain").ok().out, flow.exec("git", "status", "--porcelain").ok().out)
}

// TestOwnPipeline runs this repository's pipeline of Go stages with both tools:
// DVC spawns flow for every stage.
func TestOwnPipeline(t *testing.T) {
	t.Parallel()
	s := &shape{reruns: []string{}, timed: []string{"mlflow.db"}}
	for _, name := range []string{"dvc.yaml", "params.yaml", "data/reviews.csv", "data/.gitignore", "models/.gitignore", "reports/.gitignore"} {
		data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, txtar.File{Name: name, Data: data})
	}
	s.steps = []string{`sed -i 's/^  c: .*/  c: 3/' params.yaml`}
	s.live(t)
}

// gated is a project with two stages that wait for a file to appear.
func gated(t *testing.T) *project {
	p := newProject(t, "both")
	p.exec("flow", "init", "-q", "--format", "dvc").ok()
	p.write("in.txt", "1\n")
	p.write("dvc.yaml", `stages:
  first:
    cmd: touch first.started; while [ ! -e go ]; do sleep 0.05; done; cp in.txt first.txt
    deps: [in.txt]
    outs: [first.txt]
  second:
    cmd: touch second.started; while [ ! -e go ]; do sleep 0.05; done; cp in.txt second.txt
    deps: [in.txt]
    outs: [second.txt]
`)
	// Whatever fails, no command is left waiting.
	t.Cleanup(func() { _ = os.WriteFile(p.path("go"), nil, 0o666) })
	return p
}

// await waits for a file of the project to appear.
func (p *project) await(rel string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(p.path(rel)); err == nil {
			return
		}
	}
	p.t.Fatalf("%s did not appear", rel)
}

// TestSideBySide runs the tools at the same time, each on its own stage.
func TestSideBySide(t *testing.T) {
	for _, by := range [][2]string{{"dvc", "flow"}, {"flow", "dvc"}} {
		t.Run(by[0]+" first", func(t *testing.T) {
			t.Parallel()
			p := gated(t)
			first := p.start(by[0], "repro", "first")
			p.await("first.started")
			second := p.start(by[1], "repro", "second")
			p.await("second.started")
			p.write("go", "")
			first().ok()
			second().ok()
			for _, tool := range []string{"dvc", "flow"} {
				if out := p.exec(tool, "status").ok().out; !strings.Contains(out, upToDate) {
					t.Errorf("%s status:\n%s", tool, out)
				}
				if ran := p.exec(tool, "repro").ok().ran(); len(ran) > 0 {
					t.Errorf("%s ran %q again", tool, ran)
				}
			}
			diff(t, "what Git ignores, want - and got +",
				[]string{"", "/first.txt", "/second.txt"}, sortedLines(p.read(".gitignore")))
		})
	}
}

// TestBusy runs a tool on a stage that the other one is running.
func TestBusy(t *testing.T) {
	for _, by := range [][2]string{{"dvc", "flow"}, {"flow", "dvc"}} {
		t.Run(by[1]+" while "+by[0]+" runs", func(t *testing.T) {
			t.Parallel()
			p := gated(t)
			first := p.start(by[0], "repro", "first")
			p.await("first.started")
			r := p.exec(by[1], "repro", "first")
			if want := "'" + p.path("first.txt") + "' is busy, it is being blocked by:\n  (PID "; r.code != 255 || !strings.Contains(r.err, want) {
				t.Errorf("%s: exit code %d, want 255 and on stderr %q:\n%s%s", r.line, r.code, want, r.out, r.err)
			}
			p.write("go", "")
			if ran := first().ok().ran(); len(ran) != 1 {
				t.Errorf("%s ran %q", by[0], ran)
			}
			if ran := p.exec(by[1], "repro", "first").ok().ran(); len(ran) > 0 {
				t.Errorf("%s ran %q again", by[1], ran)
			}
		})
	}
}

// TestProjectLock holds the project's lock as another process would: both tools
// give up after a while, and with --wait-for-lock wait.
func TestProjectLock(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("there is no flock program")
	}
	p := gated(t)
	p.write("go", "")
	p.write(".dvc/tmp/lock", "")
	holder := p.start("flock", ".dvc/tmp/lock", "sh", "-c", "touch held; while [ ! -e release ]; do sleep 0.05; done")
	p.await("held")
	for _, tool := range []string{"dvc", "flow"} {
		r := p.exec(tool, "repro", "first")
		if want := "Unable to acquire lock"; r.code != 255 || !strings.Contains(strings.ToLower(r.err), strings.ToLower(want)) {
			t.Errorf("%s: exit code %d, want 255 and on stderr %q:\n%s%s", r.line, r.code, want, r.out, r.err)
		}
	}
	wait := p.start("flow", "repro", "--wait-for-lock", "first")
	p.write("release", "")
	holder().ok()
	diff(t, "stages that ran after waiting, want - and got +", []string{"first"}, wait().ok().ran())
}
