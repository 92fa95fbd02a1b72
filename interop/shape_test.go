//go:build interop

package interop

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const upToDate = "Data and pipelines are up to date."

// shape is a project as an archive describes it; see the package's page.
type shape struct {
	files   []txtar.File
	prepare string
	steps   []string

	anyOrder      bool
	reruns        []string
	statusChanged bool
	lostLockFails bool
	onlyDVC       []string
	timed         []string // files that hold times: both projects have them
}

// parseShape reads an archive. Directives are checked, so that none is idle.
func parseShape(a *txtar.Archive) (*shape, error) {
	s := &shape{reruns: []string{}}
	for _, f := range a.Files {
		switch {
		case f.Name == "prepare.sh":
			s.prepare = string(f.Data)
		case f.Name == fmt.Sprintf("step-%d.sh", len(s.steps)+1):
			s.steps = append(s.steps, string(f.Data))
		case strings.HasSuffix(f.Name, ".sh"):
			return nil, fmt.Errorf("a script %s has no place", f.Name)
		default:
			s.files = append(s.files, f)
		}
	}
	for line := range strings.SplitSeq(string(a.Comment), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		switch {
		case line == "order: any":
			s.anyOrder = true
		case line == "status: changed":
			s.statusChanged = true
		case line == "lost lock: fails":
			s.lostLockFails = true
		case name == "only dvc":
			s.onlyDVC = append(s.onlyDVC, value)
		case name == "reruns":
			s.reruns = strings.Fields(value)
			slices.Sort(s.reruns)
		default:
			return nil, fmt.Errorf("unknown directive %q", line)
		}
	}
	return s, nil
}

// TestShapes brings every shape through its life with both tools.
func TestShapes(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives in testdata: %v", err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseShape(a)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			s.live(t)
		})
	}
}

// live makes both tools do the same, then each the other's work.
func (s *shape) live(t *testing.T) {
	dvc, flow := s.setUp(t, "dvc"), s.setUp(t, "flow")
	dvcRan, flowRan := s.work(t, dvc), s.work(t, flow)
	diff(t, "stages that ran, DVC's - and flow's +", dvcRan, flowRan)
	s.compare(t, "what repro left", dvc, flow)

	t.Run("status", func(t *testing.T) {
		dvc, flow := dvc.in(t), flow.in(t)
		byDVC, byFlow := flow.exec("dvc", "status").ok().out, dvc.exec("flow", "status").ok().out
		diff(t, "status by DVC of flow's work - and by flow of DVC's +", byDVC, byFlow)
		if changed := !strings.Contains(byDVC, upToDate); changed != s.statusChanged {
			t.Errorf("dvc status in flow's project:\n%s", byDVC)
		}
	})
	t.Run("again", func(t *testing.T) {
		dvc, flow := dvc.in(t), flow.in(t)
		for _, c := range []struct {
			by string
			p  *project
		}{{"dvc", flow}, {"flow", dvc}} {
			before := c.p.tree()
			r := c.p.exec(c.by, "repro", "-P").ok()
			diff(t, "stages that "+c.by+" ran again, want - and got +", s.reruns, r.ran())
			diffTrees(t, "project before - and after + another repro by "+c.by, before, c.p.tree())
		}
	})
	t.Run("checkout", func(t *testing.T) {
		dvc, flow := dvc.in(t), flow.in(t)
		for _, c := range []struct {
			by string
			p  *project
		}{{"dvc", flow}, {"flow", dvc}} {
			c.p.removeIgnored()
			c.p.exec(c.by, "checkout").ok()
		}
		s.compare(t, "what checkout by the other tool left", flow, dvc)
	})
	t.Run("lost lock", func(t *testing.T) {
		if s.lostLockFails {
			return
		}
		dvc, flow := dvc.in(t), flow.in(t)
		ran := map[string][]string{}
		for _, c := range []struct {
			by string
			p  *project
		}{{"dvc", flow}, {"flow", dvc}} {
			c.p.removeIgnored()
			c.p.removeLocks()
			// Data is no stage's result: without it nothing could run.
			if data := c.p.dataFiles(); len(data) > 0 {
				c.p.exec(c.by, append([]string{"checkout"}, data...)...).ok()
			}
			ran[c.by] = c.p.exec(c.by, "repro", "-P").ok().ran()
		}
		diff(t, "stages that ran rather than being restored, DVC's - and flow's +", ran["dvc"], ran["flow"])
		s.compare(t, "what a repro without a lock by the other tool left", flow, dvc)
	})
}

// setUp makes a project of the shape for a tool.
func (s *shape) setUp(t *testing.T, tool string) *project {
	t.Helper()
	p := newProject(t, tool)
	p.exec("flow", "init", "--format", "dvc", "-q").ok()
	for _, f := range s.files {
		p.write(f.Name, string(f.Data))
	}
	if s.prepare != "" {
		p.exec("sh", "-euc", s.prepare).ok()
	}
	return p
}

// work brings a project through its life with its own tool and returns what ran
// in each repro.
func (s *shape) work(t *testing.T, p *project) (ran [][]string) {
	t.Helper()
	ran = append(ran, p.exec(p.tool, "repro", "-P").ok().ran())
	for _, step := range s.steps {
		p.exec("sh", "-euc", step).ok()
		ran = append(ran, p.exec(p.tool, "repro", "-P").ok().ran())
	}
	return ran
}

// compare requires two projects to be the same, a's with - and b's with +.
func (s *shape) compare(t *testing.T, what string, a, b *project) {
	t.Helper()
	treeA, treeB := a.tree(), b.tree()
	if s.anyOrder {
		treeA, treeB = treeA.unordered(), treeB.unordered()
	}
	dvcs, flows := treeA, treeB
	if a.tool == "flow" {
		dvcs, flows = treeB, treeA
	}
	for _, pattern := range s.onlyDVC {
		drop(t, pattern, dvcs, flows)
	}
	for _, name := range s.timed {
		_, inA := treeA[name]
		_, inB := treeB[name]
		if !inA || !inB {
			t.Errorf("%s: %s is not in both projects", what, name)
		}
		delete(treeA, name)
		delete(treeB, name)
	}
	what += ", " + a.tool + "'s - and " + b.tool + "'s +"
	diffTrees(t, what, treeA, treeB)
	gitA, gitB := a.exec("git", "status", "--porcelain").ok().out, b.exec("git", "status", "--porcelain").ok().out
	diff(t, "git status: "+what, gitA, gitB)
	requireLocks(t, treeA)
}

// drop takes the one file that flow does not write out of DVC's project.
func drop(t *testing.T, pattern string, dvcs, flows tree) {
	t.Helper()
	var dropped []string
	for name := range dvcs {
		if ok, err := path.Match(pattern, name); err != nil {
			t.Fatal(err)
		} else if _, both := flows[name]; ok && !both {
			dropped = append(dropped, name)
			delete(dvcs, name)
		}
	}
	if len(dropped) != 1 {
		t.Errorf("want one file %s that is DVC's only, have %q", pattern, dropped)
	}
}

// requireLocks guards against comparing nothing with nothing.
func requireLocks(t *testing.T, tr tree) {
	t.Helper()
	for name := range tr {
		if filepath.Base(name) == "dvc.lock" {
			return
		}
	}
	t.Error("there is no dvc.lock")
}

// diffTrees tells of the files that differ only.
func diffTrees(t *testing.T, what string, want, got tree) {
	t.Helper()
	for name, text := range want {
		other, ok := got[name]
		switch {
		case !ok:
			t.Errorf("%s: %s is missing in the second:\n%s", what, name, text)
		case text != other:
			t.Errorf("%s: %s:\n%s", what, name, cmp.Diff(text, other))
		}
	}
	for name, text := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is missing in the first:\n%s", what, name, text)
		}
	}
}

func diff[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s:\n%s", what, d)
	}
}
