package pipeline

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

const oneStage = "stages:\n  A: {cmd: a}\n"

func paths(set *Set) []string {
	var list []string
	for _, f := range set.Files {
		list = append(list, f.Path)
	}
	return list
}

func TestDiscovery(t *testing.T) {
	root := project(t, map[string]string{
		"dvc.yaml":              "stages:\n  A: {cmd: a, outs: [out, b/out]}\n",
		"z.dvc":                 "outs:\n- path: z\n",
		"a.dvc":                 "outs:\n- path: datadir\n",
		"datadir/dvc.yaml":      oneStage,
		"out/dvc.yaml":          oneStage,
		"out/deep/dvc.yaml":     oneStage,
		"b/out/dvc.yaml":        oneStage,
		"b/dvc.yaml":            oneStage,
		"b/c/d/dvc.yaml":        oneStage,
		"b/other.yaml":          oneStage,
		"b/dvc.yml":             oneStage,
		"nested/.dvc/config":    "",
		"nested/dvc.yaml":       oneStage,
		"nested2/.flow/x":       "",
		"nested2/dvc.yaml":      oneStage,
		".git/dvc.yaml":         oneStage,
		".dvc/tmp/dvc.yaml":     oneStage,
		".flow/dvc.yaml":        oneStage,
		"ignored/dvc.yaml":      oneStage,
		"gitignored/dvc.yaml":   oneStage,
		"half/dvc.yaml":         oneStage,
		"half/x.dvc":            "not: valid: at all",
		"dir.dvc/dvc.yaml":      oneStage,
		"later/dvc.yaml":        "stages:\n  A: {cmd: a, outs: [../early]}\n",
		"early/dvc.yaml":        oneStage,
		"later2/under/dvc.yaml": oneStage,
	})
	if runtime.GOOS != "windows" {
		if err := os.Symlink(filepath.Join(root, "b"), filepath.Join(root, "link")); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Load(Options{
		Root:       root,
		Ignored:    func(rel string, dir bool) bool { return rel == "ignored" && dir || rel == "half/x.dvc" },
		GitIgnored: func(rel string, dir bool) bool { return rel == "gitignored" && dir },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a.dvc", "dvc.yaml", "z.dvc", "b/dvc.yaml", "b/c/d/dvc.yaml", "dir.dvc/dvc.yaml",
		"early/dvc.yaml", "half/dvc.yaml", "later/dvc.yaml", "later2/under/dvc.yaml"}
	if d := cmp.Diff(want, paths(set)); d != "" {
		t.Error(d)
	}
}

func TestLoadFiles(t *testing.T) {
	root := project(t, map[string]string{
		"dvc.yaml": oneStage, "sub/dvc.yaml": oneStage, "bad/dvc.yaml": "stages: 1\n", "x.dvc": "outs:\n- path: x\n",
		"dvc.yml": oneStage, "ignored/dvc.yaml": oneStage, "git/dvc.yaml": oneStage, "dir.dvc/f": "",
	})
	o := Options{
		Root:       root,
		Ignored:    func(rel string, dir bool) bool { return strings.HasPrefix(rel, "ignored/") },
		GitIgnored: func(rel string, dir bool) bool { return strings.HasPrefix(rel, "git/") },
	}
	set, err := LoadFiles(o, "sub/dvc.yaml", filepath.Join(root, "x.dvc"), "./sub/dvc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"sub/dvc.yaml", "x.dvc"}, paths(set)); d != "" {
		t.Error(d)
	}
	abs := func(rel string) string { return filepath.Join(root, filepath.FromSlash(rel)) }
	for name, want := range map[string]string{
		"none/dvc.yaml":     "'" + abs("none/dvc.yaml") + "' does not exist",
		"ignored/dvc.yaml":  "'" + abs("ignored/dvc.yaml") + "' is dvc-ignored",
		"git/dvc.yaml":      "bad DVC file name 'git/dvc.yaml' is git-ignored.",
		"dvc.yml":           "bad DVC file name 'dvc.yml'. DVC files should be named 'dvc.yaml' or have a '.dvc' suffix (e.g. 'dvc.yml.dvc').",
		"dir.dvc":           "'dir.dvc' is not a file",
		"../other/dvc.yaml": "is outside of the project",
	} {
		set, err := LoadFiles(o, name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("LoadFiles(%s): %v, want %s", name, err, want)
		}
		if len(set.Stages) != 0 {
			t.Errorf("LoadFiles(%s): stages %v", name, names(set.Stages))
		}
	}
}

func TestDataFile(t *testing.T) {
	set := load(t, map[string]string{"d/data.dvc": "outs:\n- md5: 46bbbe8aa98cc0714426e948474eaaf4\n  size: 18\n  hash: md5\n  path: data\n"})
	s := set.Stages[0]
	if !s.IsData() || s.IsCallback() || s.Name != "" || s.File != "d/data.dvc" || s.Wdir != "d" {
		t.Errorf("got %+v", s)
	}
	want := []Output{{Def: "data", Path: "d/data", Cache: true, Push: true, Pos: Position{"d/data.dvc", 5, 9}}}
	if d := cmp.Diff(want, s.Outs); d != "" {
		t.Error(d)
	}
	if got, ok := set.Stage("d/data.dvc", ""); !ok || got != s {
		t.Error("Stage does not find it")
	}
}

func TestImport(t *testing.T) {
	set := load(t, map[string]string{"d/x.dvc": `md5: 0c1b04dd0b3e6f4ce3c1e1bd3d4ea5bb
frozen: true
wdir: ..
deps:
- path: remote/x
  repo:
    url: https://example.com/r.git
    rev_lock: 65e4c1b04dd0b3e6f4ce3c1e1bd3d4ea5bb0c1b0
- path: https://example.com/f
  etag: abcd
outs:
- md5: 46bbbe8aa98cc0714426e948474eaaf4
  path: d/x
  cache: false
  persist: true
  push: false
  remote: r
`})
	s := set.Stages[0]
	at := func(line, col int) Position { return Position{"d/x.dvc", line, col} }
	wantDeps := []Dependency{
		{Def: "remote/x", Path: "remote/x", URL: true, Pos: at(5, 9)},
		{Def: "https://example.com/f", Path: "https://example.com/f", URL: true, Pos: at(9, 9)},
	}
	wantOuts := []Output{{Def: "d/x", Path: "d/x", Persist: true, Remote: "r", Pos: at(13, 9)}}
	if !s.Frozen || s.Wdir != "." || s.WdirDef != ".." {
		t.Errorf("got %+v", s)
	}
	if d := cmp.Diff(wantDeps, s.Deps); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(wantOuts, s.Outs); d != "" {
		t.Error(d)
	}
}

func TestSyntaxFaults(t *testing.T) {
	for name, text := range map[string]string{
		"duplicate": "stages:\n  A: {cmd: a}\n  A: {cmd: b}\n",
		"tab":       "stages:\n\tA: 1\n",
		"alias":     "stages: *x\n",
		"tag":       "stages: {A: {cmd: !foo x}}\n",
		"documents": "stages: {}\n---\nstages: {}\n",
		"utf-8":     "stages: {A: {cmd: \"\xff\"}}\n",
		"utf-8 dvc": "\xff",
	} {
		for _, file := range []string{"dvc.yaml", "x.dvc"} {
			list := faults(t, map[string]string{file: text})
			if list[0].Kind != yaml12.Syntax || list[0].Line == 0 || list[0].File != file {
				t.Errorf("%s in %s: %+v", name, file, list[0])
			}
		}
	}
}

func TestUnreadable(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("permissions do not apply here: running as root or on Windows")
	}
	root := project(t, map[string]string{"dvc.yaml": oneStage})
	if err := os.Chmod(filepath.Join(root, "dvc.yaml"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Options{Root: root}); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkLoad10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("stages:\n")
	for i := range 10000 {
		n := string(rune('a'+i%26)) + strings.Repeat("x", i%7)
		text.WriteString("  s" + n + itoa(i) + ":\n    cmd: python run.py ${lr} --n " + itoa(i) + "\n    deps:\n    - src/run.py\n    - in/" + itoa(i) +
			"\n    params:\n    - lr\n    outs:\n    - out/" + itoa(i) + ":\n        cache: false\n")
	}
	benchmark(b, text.String())
}

func BenchmarkLoad6(b *testing.B) {
	var text strings.Builder
	text.WriteString("stages:\n")
	for i := range 6 {
		text.WriteString("  s" + itoa(i) + ":\n    cmd: python run.py ${lr}\n    deps: [in]\n    outs: [out" + itoa(i) + "]\n")
	}
	benchmark(b, text.String())
}

func BenchmarkForeach10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("stages:\n  g:\n    foreach:\n")
	for i := range 10000 {
		text.WriteString("    - n: " + itoa(i) + "\n")
	}
	text.WriteString("    do:\n      cmd: run ${item.n} ${lr}\n      vars: [{v: 1}]\n      outs: ['out${item.n}']\n")
	benchmark(b, text.String())
}

func benchmark(b *testing.B, text string) {
	root := project(b, map[string]string{"dvc.yaml": text, "params.yaml": "lr: 0.1\n"})
	b.ResetTimer()
	for b.Loop() {
		if _, err := Load(Options{Root: root}); err != nil {
			b.Fatal(err)
		}
	}
}
