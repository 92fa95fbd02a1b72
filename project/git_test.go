package project

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func newTree(t *testing.T, args ...string) (string, *Git) {
	t.Helper()
	isolateGit(t)
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	git(t, root, append([]string{"init", "-q", "-b", "main"}, args...)...)
	g, ok := OpenGit(root)
	if !ok {
		t.Fatal("no working tree")
	}
	return root, g
}

func TestAddIgnore(t *testing.T) {
	for _, c := range []struct {
		name, before, path, after string
		changed                   bool
	}{
		{"new file", "", "out", "/out\n", true},
		{"last line without newline", "x", "out", "x\n/out\n", true},
		{"ignored already", "out*\n", "out", "out*\n", false},
		{"there but undone", "/out\n!/out\n", "out", "/out\n!/out\n", false},
		{"glob characters", "", "a[1]*?", "/a\\[1\\]\\*\\?\n", true},
		{"blank at the end", "", "a b ", "/a b\\ \n", true},
		{"a neighbour is ignored", "/out2\n", "out", "/out2\n/out\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, g := newTree(t)
			file := filepath.Join(root, "d", ".gitignore")
			write(t, file, c.before)
			if c.before == "" {
				os.Remove(file)
			}
			path := filepath.Join(root, "d", c.path)
			changed, got, err := g.AddIgnore(path)
			if err != nil || changed != c.changed || got != file {
				t.Fatalf("%v, %s, %v", changed, got, err)
			}
			if got := read(t, file); got != c.after {
				t.Errorf("got %q, want %q", got, c.after)
			}
			if c.changed {
				if !checkIgnored(t, root, []string{"d/" + c.path})["d/"+c.path] {
					t.Error("Git does not ignore it")
				}
				if !g.Ignored(path, false) {
					t.Error("the new rule is not seen")
				}
				if again, _, _ := g.AddIgnore(path); again {
					t.Error("added twice")
				}
				if changed, _, err := g.RemoveIgnore(path); !changed || err != nil {
					t.Errorf("not removed: %v", err)
				}
				if g.Ignored(path, false) {
					t.Error("still ignored")
				}
				if c.before == "" && exists(file) {
					t.Error("the empty file is still there")
				}
			}
		})
	}
	_, g := newTree(t)
	if _, _, err := g.AddIgnore(filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "is outside of git repository") {
		t.Errorf("outside: %v", err)
	}
	if changed, _, err := g.RemoveIgnore(filepath.Join(g.Root, "x")); changed || err != nil {
		t.Errorf("nothing to remove: %v, %v", changed, err)
	}
}

func TestIgnoredByOuterRules(t *testing.T) {
	root, g := newTree(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig"))
	write(t, filepath.Join(home, "gitconfig"), "[user]\n\tname = x\n[core] # c\n\texcludesFile = \"~/my ignore\" ; c\n")
	write(t, filepath.Join(home, "my ignore"), "*.user\n*.both\n")
	write(t, filepath.Join(root, ".git/info/exclude"), "*.info\n!keep.both\n")
	write(t, filepath.Join(root, ".gitignore"), "!keep.info\n")
	for path, want := range map[string]bool{
		"a.user": true, "d/a.info": true, "keep.info": false, "a.both": true, "keep.both": false, "a": false,
	} {
		if got := g.Ignored(filepath.Join(root, path), false); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestTracked(t *testing.T) {
	for _, c := range []struct {
		name  string
		init  []string
		setup [][]string
	}{
		{"version 2", nil, nil},
		{"version 3", nil, [][]string{{"update-index", "--skip-worktree", "b/c"}}},
		{"version 4", nil, [][]string{{"update-index", "--index-version", "4"}}},
		{"split", nil, [][]string{{"update-index", "--split-index"}, {"add", "-f", "a.txt"}}},
		{"sha256", []string{"--object-format=sha256"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, g := newTree(t, c.init...)
			if tracked, err := g.Tracked(filepath.Join(root, "a")); tracked || err != nil {
				t.Errorf("without an index: %v, %v", tracked, err)
			}
			for _, f := range []string{"a", "a.txt", "b/c", "b/d/e", "b-x", "é x", strings.Repeat("long/", 60) + "name"} {
				write(t, filepath.Join(root, f), f)
			}
			git(t, root, "add", ".")
			for _, s := range c.setup {
				git(t, root, s...)
			}
			write(t, filepath.Join(root, "new"), "")
			for path, want := range map[string]bool{
				"a": true, "a.txt": true, "b": true, "b/c": true, "b/d": true, "b/d/e": true, "b/d/e/f": false, "é x": true,
				"new": false, "b/x": false, "aa": false, "long/long": true, ".": true,
			} {
				if got, err := g.Tracked(filepath.Join(root, path)); got != want || err != nil {
					t.Errorf("%s: got %v, %v, want %v", path, got, err, want)
				}
			}
			git(t, root, "rm", "-q", "-f", "--cached", "a")
			if got, _ := g.Tracked(filepath.Join(root, "a")); got {
				t.Error("the change of the index is not seen")
			}
		})
	}
}

func TestWorktree(t *testing.T) {
	root, g := newTree(t)
	write(t, filepath.Join(root, "a"), "1")
	if err := g.Add(t.Context(), filepath.Join(root, "a"), filepath.Join(root, "missing")); err != nil {
		t.Fatal(err)
	}
	git(t, root, "commit", "-q", "-m", "1")
	write(t, filepath.Join(root, ".git/info/exclude"), "*.no\n")
	other := filepath.Join(t.TempDir(), "other")
	git(t, root, "worktree", "add", "-q", other)
	other, err := filepath.EvalSymlinks(other)
	if err != nil {
		t.Fatal(err)
	}
	w, ok := FindGit(filepath.Join(other, "some", "where"))
	if !ok || w.Root != other || w.Common != g.Dir {
		t.Fatalf("%+v", w)
	}
	if tracked, err := w.Tracked(filepath.Join(other, "a")); !tracked || err != nil {
		t.Errorf("%v, %v", tracked, err)
	}
	if !w.Ignored(filepath.Join(other, "x.no"), false) {
		t.Error("info/exclude of the repository does not count")
	}
}

func TestRevisions(t *testing.T) {
	root, g := newTree(t)
	ctx := t.Context()
	file := filepath.Join(root, "d", "dvc.lock")
	var commits []string
	for _, text := range []string{"one", "two"} {
		write(t, file, text)
		if err := g.Add(ctx, file); err != nil {
			t.Fatal(err)
		}
		git(t, root, "commit", "-q", "-m", text)
		c, err := g.Resolve(ctx, "HEAD")
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, c)
	}
	git(t, root, "tag", "-a", "v1", "-m", "1", commits[0])
	git(t, root, "tag", "light", commits[1])
	git(t, root, "branch", "feature/x", commits[0])

	branches, err := g.Branches(ctx)
	if err != nil || !slices.Equal(branches, []Revision{{"feature/x", commits[0]}, {"main", commits[1]}}) {
		t.Errorf("branches %v, %v", branches, err)
	}
	tags, err := g.Tags(ctx)
	if err != nil || !slices.Equal(tags, []Revision{{"light", commits[1]}, {"v1", commits[0]}}) {
		t.Errorf("tags %v, %v", tags, err)
	}
	if all, err := g.Commits(ctx); err != nil || len(all) != 2 {
		t.Errorf("commits %v, %v", all, err)
	}
	if data, err := g.ReadFile(ctx, commits[0], file); err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := g.ReadFile(ctx, commits[0], filepath.Join(root, "nope")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if files, err := g.ListFiles(ctx, commits[0], root); err != nil || !slices.Equal(files, []string{file}) {
		t.Errorf("files %v, %v", files, err)
	}
	for _, rev := range []string{"nope", "--all", ""} {
		if c, err := g.Resolve(ctx, rev); err == nil {
			t.Errorf("%q resolved to %q", rev, c)
		}
	}
}

func TestExtract(t *testing.T) {
	root, g := newTree(t)
	ctx := t.Context()
	files := map[string]string{
		"sub/dvc.yaml": "stages: {}\n", "sub/deep/a b.yaml": "x: 1\n", "sub/large.yaml": strings.Repeat("x", 100),
		"sub/empty.yaml": "", "sub/not.txt": "no", "other/dvc.yaml": "no", "sub/ünï\n.yaml": "odd name",
	}
	for name, data := range files {
		write(t, filepath.Join(root, filepath.FromSlash(name)), data)
	}
	if err := os.Symlink("dvc.yaml", filepath.Join(root, "sub", "link.yaml")); err != nil {
		t.Skip(err)
	}
	git(t, root, "add", "-A")
	git(t, root, "commit", "-q", "-m", "one")
	write(t, filepath.Join(root, "sub", "dvc.yaml"), "changed")
	to := t.TempDir()
	err := g.Extract(ctx, "HEAD", filepath.Join(root, "sub"), to, func(rel string, size int64) bool {
		return strings.HasSuffix(rel, ".yaml") && size < 100
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = filepath.WalkDir(to, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(to, p)
		got[filepath.ToSlash(rel)] = string(data)
		return err
	})
	want := map[string]string{"dvc.yaml": "stages: {}\n", "deep/a b.yaml": "x: 1\n", "empty.yaml": "", "ünï\n.yaml": "odd name"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if err := g.Extract(ctx, "nonsense", root, to, func(string, int64) bool { return true }); err == nil {
		t.Error("an unknown commit is no error")
	}
	if err := g.Extract(ctx, "HEAD", t.TempDir(), to, func(string, int64) bool { return true }); err == nil {
		t.Error("a directory outside is no error")
	}
	if b := g.Branch(); b != "main" {
		t.Errorf("branch %q", b)
	}
	git(t, root, "checkout", "-q", "--detach")
	if b := g.Branch(); b != "" {
		t.Errorf("branch %q of a detached head", b)
	}
}

func TestAddLeavesSubmodulesOut(t *testing.T) {
	root, g := newTree(t)
	sub := filepath.Join(root, "sub")
	write(t, filepath.Join(sub, "x"), "")
	git(t, sub, "init", "-q")
	write(t, filepath.Join(root, "[a]"), "")
	if err := g.Add(t.Context(), filepath.Join(sub, "x"), filepath.Join(root, "[a]")); err != nil {
		t.Fatal(err)
	}
	if got := git(t, root, "ls-files"); got != "[a]\n" {
		t.Errorf("staged %q", got)
	}
}

func FuzzIndex(f *testing.F) {
	entry := func(name string, version int) []byte {
		b := make([]byte, 62)
		binary.BigEndian.PutUint16(b[60:], uint16(len(name)))
		if version == 4 {
			b = append(b, 0)
			return append(append(b, name...), 0)
		}
		b = append(b, name...)
		return append(b, make([]byte, 8-len(b)%8)...)
	}
	for version := 2; version <= 4; version++ {
		b := []byte{'D', 'I', 'R', 'C', 0, 0, 0, byte(version), 0, 0, 0, 2}
		b = append(b, entry("a", version)...)
		b = append(b, entry("b/c", version)...)
		f.Add(append(b, make([]byte, 20)...), "b")
	}
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		index, err := parseIndex(data, 20)
		if err != nil {
			return
		}
		index.has(name)
		for _, n := range index.names {
			if !index.has(n) && !strings.HasSuffix(n, "/") {
				t.Errorf("%q is in the index and not found", n)
			}
		}
	})
}
