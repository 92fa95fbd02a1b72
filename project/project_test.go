package project

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFind(t *testing.T) {
	isolate(t)
	for _, c := range []struct {
		name  string
		files []string // a trailing slash makes a directory
		start string
		root  string // "" when there is none in the tree
		want  *Format
	}{
		{"DVC", []string{".dvc/", "a/b/"}, "a/b", ".", DVC},
		{"native", []string{".flow/", "a/b/"}, "a/b", ".", Native},
		{"both", []string{".flow/", ".dvc/"}, ".", ".", DVC},
		{"nearest control", []string{".dvc/", "a/.flow/", "a/b/"}, "a/b", "a", Native},
		{"control above pipeline", []string{".dvc/", "a/dvc.yaml", "a/b/"}, "a/b", ".", DVC},
		{"control is a file", []string{".dvc", "dvc.yaml"}, ".", ".", Native},
		{"pipeline", []string{"a/dvc.yaml", "a/b/"}, "a/b", "a", Native},
		{"nearest pipeline", []string{"dvc.yaml", "a/dvc.yaml"}, "a", "a", Native},
		{"pipeline in a working tree", []string{".git/HEAD", "a/dvc.yaml", "a/b/"}, "a/b", ".", Native},
		{"pipeline above a working tree", []string{"dvc.yaml", "a/.git/HEAD", "a/b/"}, "a/b", ".", Native},
		{"working tree is a file", []string{".git", "a/dvc.yaml"}, "a", ".", Native},
		{"pipelines below only", []string{"b/dvc.yaml", "a/"}, "a", "", nil},
		{"missing", []string{"dvc.yaml"}, "nope", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := t.TempDir()
			for _, f := range c.files {
				if dir, ok := strings.CutSuffix(f, "/"); ok {
					if err := os.MkdirAll(filepath.Join(top, dir), 0o777); err != nil {
						t.Fatal(err)
					}
				} else {
					write(t, filepath.Join(top, f), "")
				}
			}
			p, err := Find(filepath.Join(top, c.start))
			if c.root == "" {
				var nf *NotFoundError
				if !errors.As(err, &nf) {
					t.Fatalf("got %v, %v", p, err)
				}
				if nf.Missing != (c.start == "nope") || !nf.Missing && !strings.HasPrefix(err.Error(), "you are not inside of a DVC repository (checked up to mount point '") {
					t.Errorf("message %q", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(top, c.root); p.Root != want || p.Format != c.want {
				t.Errorf("got %s, %s, want %s, %s", p.Root, p.Format, want, c.want)
			}
		})
	}
}

func TestFindWithBadConfig(t *testing.T) {
	isolate(t)
	root := t.TempDir()
	write(t, filepath.Join(root, ".dvc/config"), "[core]\nnope = 1\nremote = x\n")
	p, err := Find(root)
	var ce *ConfigError
	if !errors.As(err, &ce) || ce.Line != 2 || !strings.Contains(ce.Hint(), "line 2") {
		t.Errorf("error %v", err)
	}
	if p == nil || p.Config.Unset(ProjectLevel, "core.nope") != nil {
		t.Fatal("a bad configuration cannot be repaired")
	}
	if _, err := Find(root); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(root, ".dvc/config"), "[core\n")
	if p, err := Find(root); p != nil || !errors.As(err, &ce) {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestPaths(t *testing.T) {
	isolate(t)
	root := t.TempDir()
	write(t, filepath.Join(root, ".dvc/config"), "[cache]\ndir = ../../shared\n")
	p, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.CacheDir(), filepath.Join(filepath.Dir(root), "shared"); got != want {
		t.Errorf("cache %s, want %s", got, want)
	}
	if got, want := p.StateDir(), filepath.Join(root, ".dvc", "tmp", "flow"); got != want {
		t.Errorf("state %s, want %s", got, want)
	}
	for _, c := range []struct {
		abs, rel string
		inside   bool
	}{
		{filepath.Join(root, "a", "b"), "a/b", true}, {root, ".", true}, {root + "x", filepath.ToSlash(root + "x"), false},
		{filepath.Join(root, ".."), filepath.ToSlash(filepath.Dir(root)), false},
	} {
		abs := filepath.Clean(c.abs)
		rel, inside := p.Rel(abs)
		if rel != c.rel || inside != c.inside {
			t.Errorf("Rel(%s) = %s, %v", c.abs, rel, inside)
		}
		if back := p.Abs(rel); back != abs {
			t.Errorf("Abs(%s) = %s, want %s", rel, back, abs)
		}
	}
}

func TestEnsureControl(t *testing.T) {
	isolate(t)
	isolateGit(t)
	root := t.TempDir()
	git(t, root, "init", "-q")
	write(t, filepath.Join(root, "dvc.yaml"), "stages: {}\n")
	p, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.EnsureControl(); err != nil {
			t.Fatal(err)
		}
	}
	if got := git(t, root, "status", "--porcelain"); got != "?? dvc.yaml\n" {
		t.Errorf("Git sees %q", got)
	}
	if got := read(t, filepath.Join(root, ".flow/.gitignore")); got != "*\n" {
		t.Errorf(".gitignore: %q", got)
	}
	// One that Init made keeps its own.
	made, err := Init(t.TempDir(), Native, InitOptions{NoSCM: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.EnsureControl(); err != nil || exists(filepath.Join(made.ControlDir(), ".gitignore")) {
		t.Errorf("%v, or a .gitignore appeared", err)
	}
}

// tree returns all files below root but those of Git, with their content.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			files[filepath.ToSlash(rel)+"/"] = ""
			return nil
		}
		files[filepath.ToSlash(rel)] = read(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const dvcIgnoreText = "# Add patterns of files dvc should ignore, which could improve\n# the performance. Learn more at\n# https://dvc.org/doc/user-guide/dvcignore\n"

func TestInitDVC(t *testing.T) {
	isolate(t)
	isolateGit(t)
	root := t.TempDir()
	git(t, root, "init", "-q")
	if _, err := Init(root, DVC, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"./": "", ".dvc/": "", ".dvc/tmp/": "", ".dvc/tmp/btime": "", ".dvc/config": "",
		".dvc/.gitignore": "/config.local\n/tmp\n/cache\n", ".dvcignore": dvcIgnoreText,
	}
	if diff := cmp.Diff(want, tree(t, root)); diff != "" {
		t.Error(diff)
	}
	if got := git(t, root, "status", "--porcelain"); got != "A  .dvc/.gitignore\nA  .dvc/config\nA  .dvcignore\n" {
		t.Errorf("staged: %q", got)
	}

	sub := filepath.Join(root, "sub")
	write(t, filepath.Join(sub, ".dvcignore"), "mine\n")
	for _, c := range []struct {
		dir  string
		o    InitOptions
		want string
	}{
		{root, InitOptions{}, ".dvc' exists. Use `-f` to force."},
		{sub, InitOptions{}, "is not tracked by any supported SCM tool"},
		{sub, InitOptions{Subdir: true, NoSCM: true}, "Cannot initialize repo with `--no-scm` and `--subdir`"},
	} {
		_, err := Init(c.dir, DVC, c.o)
		var ie *InitError
		if !errors.As(err, &ie) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.o, err, c.want)
		}
	}
	if exists(filepath.Join(sub, ".dvc")) {
		t.Error("a failed init left something")
	}
	if _, err := Init(sub, DVC, InitOptions{Subdir: true}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(sub, ".dvcignore")); got != "mine\n" {
		t.Errorf("the .dvcignore was replaced: %q", got)
	}
	write(t, filepath.Join(root, ".dvc/config"), "[core]\nremote = x\n")
	if _, err := Init(root, DVC, InitOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(root, ".dvc/config")); got != "" {
		t.Errorf("-f kept %q", got)
	}
}

func TestInitIgnored(t *testing.T) {
	isolate(t)
	isolateGit(t)
	root := t.TempDir()
	git(t, root, "init", "-q")
	write(t, filepath.Join(root, ".gitignore"), ".*\n")
	_, err := Init(root, DVC, InitOptions{})
	if err == nil || !strings.Contains(err.Error(), "is ignored by your SCM tool") || exists(filepath.Join(root, ".dvc")) {
		t.Errorf("got %v", err)
	}
}

func TestInitNoSCM(t *testing.T) {
	isolate(t)
	root := t.TempDir()
	p, err := Init(root, DVC, InitOptions{NoSCM: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"./": "", ".dvc/": "", ".dvc/tmp/": "", ".dvc/tmp/btime": "", ".dvc/config": "[core]\n    no_scm = True\n", ".dvcignore": dvcIgnoreText,
	}
	if diff := cmp.Diff(want, tree(t, root)); diff != "" {
		t.Error(diff)
	}
	if _, ok := p.Git(); ok {
		t.Error("a project without SCM uses Git")
	}
}

func TestInitNative(t *testing.T) {
	isolate(t)
	isolateGit(t)
	root := t.TempDir()
	git(t, root, "init", "-q")
	if _, err := Init(root, Native, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	files := tree(t, root)
	if got := files[".flow/.gitignore"]; got != "/config.local\n/tmp\n/cache\n/state\n" {
		t.Errorf(".gitignore: %q", got)
	}
	if got := strings.Count(files[".dvcignore"], "\n# "); got != 2 {
		t.Errorf(".dvcignore: %q", files[".dvcignore"])
	}
	if config, ok := files[".flow/config"]; !ok || config != "" {
		t.Error("no empty .flow/config")
	}
	p, err := Find(root)
	if err != nil || p.Format != Native {
		t.Errorf("%v, %v", p, err)
	}
}

// realDVC returns the DVC to compare with.
func realDVC(t *testing.T) string {
	t.Helper()
	dvc := os.Getenv("FLOW_TEST_DVC")
	if dvc == "" {
		t.Skip("FLOW_TEST_DVC names no dvc to compare with")
	}
	if runtime.GOOS == "windows" {
		t.Skip("written for Unix")
	}
	return dvc
}

func runDVC(t *testing.T, dvc, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(dvc, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DVC_NO_ANALYTICS=1", "DVC_SITE_CACHE_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestInitLikeDVC(t *testing.T) {
	dvc := realDVC(t)
	isolate(t)
	isolateGit(t)
	for _, c := range []struct {
		args []string
		o    InitOptions
		sub  string
	}{
		{nil, InitOptions{}, "."}, {[]string{"--no-scm"}, InitOptions{NoSCM: true}, "."}, {[]string{"--subdir"}, InitOptions{Subdir: true}, "sub"},
	} {
		ours, theirs := t.TempDir(), t.TempDir()
		for _, root := range []string{ours, theirs} {
			git(t, root, "init", "-q")
			if err := os.MkdirAll(filepath.Join(root, c.sub), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := runDVC(t, dvc, filepath.Join(theirs, c.sub), slices.Concat([]string{"init", "-q"}, c.args)...); err != nil {
			t.Fatal(out, err)
		}
		if _, err := Init(filepath.Join(ours, c.sub), DVC, c.o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tree(t, theirs), tree(t, ours)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(git(t, theirs, "status", "--porcelain"), git(t, ours, "status", "--porcelain")); diff != "" {
			t.Error(diff)
		}
	}
}
