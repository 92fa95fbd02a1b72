//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// project is a directory with a Git repository and a DVC project in it.
type project struct {
	t    *testing.T
	dir  string
	tool string // the tool whose project it is: what $TOOL stands for in scripts
	env  []string
}

// newProject makes an empty project for tool. Whatever the tools keep outside
// of it is in a directory of its own.
func newProject(t *testing.T, tool string) *project {
	t.Helper()
	if len(tools) == 0 {
		t.Skip("FLOW_TEST_DVC does not name DVC's executable: there is nothing to compare with")
	}
	home := t.TempDir()
	p := &project{t: t, dir: filepath.Join(t.TempDir(), "project"), tool: tool}
	p.env = append(os.Environ(),
		"TOOL="+tool, "SHELL=/bin/sh", "LC_ALL=C.UTF-8", "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "xdg"),
		"PATH="+filepath.Dir(tools["flow"])+string(os.PathListSeparator)+filepath.Dir(tools["dvc"])+string(os.PathListSeparator)+os.Getenv("PATH"),
		"GIT_CONFIG_GLOBAL="+filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
		"DVC_GLOBAL_CONFIG_DIR="+filepath.Join(home, "global"), "DVC_SYSTEM_CONFIG_DIR="+filepath.Join(home, "system"),
		"DVC_SITE_CACHE_DIR="+filepath.Join(home, "site"), "DVC_NO_ANALYTICS=1", "DVC_STUDIO_OFFLINE=1",
	)
	write(t, filepath.Join(home, "global", "config"), "[core]\n    analytics = false\n    check_update = false\n", 0o666)
	if err := os.Mkdir(p.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	p.exec("git", "init", "-q", ".").ok()
	return p
}

// in is the same project for a subtest.
func (p *project) in(t *testing.T) *project {
	c := *p
	c.t = t
	return &c
}

// result is how a program ended.
type result struct {
	t        *testing.T
	line     string
	out, err string
	code     int
}

// ok requires the exit code 0.
func (r *result) ok() *result {
	r.t.Helper()
	if r.code != 0 {
		r.t.Fatalf("%s: exit code %d\n%s%s", r.line, r.code, r.out, r.err)
	}
	return r
}

var running = regexp.MustCompile(`(?m)^Running stage '(.*)':$`)

// ran are the sorted names of the stages whose commands a repro ran.
func (r *result) ran() []string {
	names := []string{}
	for _, m := range running.FindAllStringSubmatch(r.out, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

// exec runs a program in the project and gives it a minute or two.
func (p *project) exec(name string, args ...string) *result {
	p.t.Helper()
	return p.start(name, args...)()
}

// start starts a program in the project; the function returned waits for it.
func (p *project) start(name string, args ...string) (wait func() *result) {
	p.t.Helper()
	r := &result{t: p.t, line: strings.Join(append([]string{name}, args...), " ")}
	path := name
	if tool, ok := tools[name]; ok {
		path = tool
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	c := exec.CommandContext(ctx, path, args...)
	c.Dir, c.Env = p.dir, p.env
	// A stage that is left behind must not keep the test waiting for its output.
	c.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		cancel()
		p.t.Fatalf("%s: %v", r.line, err)
	}
	return func() *result {
		p.t.Helper()
		defer cancel()
		err := c.Wait()
		r.out, r.err, r.code = out.String(), errs.String(), c.ProcessState.ExitCode()
		if ctx.Err() != nil {
			p.t.Fatalf("%s: %v\n%s%s", r.line, ctx.Err(), r.out, r.err)
		}
		var exited *exec.ExitError
		if err != nil && !errors.As(err, &exited) {
			p.t.Fatalf("%s: %v", r.line, err)
		}
		return r
	}
}

// path is the absolute path of a file of the project.
func (p *project) path(rel string) string { return filepath.Join(p.dir, filepath.FromSlash(rel)) }

// write makes a file of the project.
func (p *project) write(rel, text string) {
	p.t.Helper()
	write(p.t, p.path(rel), text, 0o666)
}

// read is the text of a file of the project; empty when it is not there.
func (p *project) read(rel string) string {
	p.t.Helper()
	data, err := os.ReadFile(p.path(rel))
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	return string(data)
}

// removeIgnored deletes all files that Git ignores, which are the cached
// outputs, and leaves the control directory alone.
func (p *project) removeIgnored() {
	p.t.Helper()
	list := p.exec("git", "ls-files", "--others", "--ignored", "--exclude-standard", "-z").ok().out
	for name := range strings.SplitSeq(list, "\x00") {
		if name == "" || strings.HasPrefix(name, ".dvc/") {
			continue
		}
		if err := os.Remove(p.path(name)); err != nil {
			p.t.Fatal(err)
		}
		// Directories go as they become empty.
		for dir := filepath.Dir(p.path(name)); dir != p.dir && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
		}
	}
}

// dataFiles are the sorted paths of the .dvc files.
func (p *project) dataFiles() (paths []string) {
	p.t.Helper()
	for name := range p.tree() {
		if strings.HasSuffix(name, ".dvc") {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return paths
}

// removeLocks deletes all lock files.
func (p *project) removeLocks() {
	p.t.Helper()
	for name := range p.tree() {
		if filepath.Base(name) == "dvc.lock" {
			if err := os.Remove(p.path(name)); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
