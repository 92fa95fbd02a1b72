package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The golden file holds what DVC's own filter answers for these trees.
func TestIgnoreLikeDVC(t *testing.T) {
	var cases []struct {
		// Files are the .dvcignore files, by directory.
		Files map[string]string
		// Paths are all paths asked for; directories end in a slash.
		Paths []string
		// Ignored maps those that are ignored to the deciding rule.
		Ignored map[string]string
	}
	data, err := os.ReadFile("testdata/dvcignore.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("only %d cases", len(cases))
	}
	for i, c := range cases {
		root := t.TempDir()
		write(t, filepath.Join(root, ".dvc/config"), "")
		for dir, text := range c.Files {
			write(t, filepath.Join(root, dir, ignoreName), text)
		}
		ig := NewIgnore(root)
		for _, p := range c.Paths {
			rel, dir := strings.CutSuffix(p, "/")
			ignored, rule := ig.Check(rel, dir)
			want, wantIgnored := c.Ignored[p]
			got := ""
			if ignored {
				got = rule.String()
			}
			if ignored != wantIgnored || got != want {
				t.Errorf("case %d, %q, path %s: got %v %q, want %v %q", i, c.Files, p, ignored, got, wantIgnored, want)
			}
		}
	}
}

func TestIgnore(t *testing.T) {
	for _, f := range []*Format{Native, DVC} {
		root := t.TempDir()
		write(t, filepath.Join(root, f.Control, "config"), "")
		write(t, filepath.Join(root, ignoreName), "# c\n\n*.log\n!keep.log\n/s/\n")
		write(t, filepath.Join(root, "d", ignoreName), "own\n!x.log\n")
		write(t, filepath.Join(root, "s", ignoreName), "!*\n")
		write(t, filepath.Join(root, "nested", f.Control, "config"), "")
		ig := NewIgnore(root)
		for _, c := range []struct {
			path string
			rule string
		}{
			{"a.log", ".dvcignore:3:*.log"}, {"keep.log", "no"}, {"d/e/a.log", ".dvcignore:3:*.log"}, {"d/x.log", "no"},
			{"s/", ".dvcignore:5:/s/"}, {"s", "no"}, {"s/keep", ".dvcignore:5:/s/"}, {"d/s/", "no"}, {"d/s/own", "d/.dvcignore:1:own"},
			{"own", "no"}, {".git/", ":.git/"}, {".git/x", ":.git/"}, {"d/" + f.Control + "/", ":" + f.Control + "/"},
			{".", "no"}, {"../a.log", "no"}, {root + "/a.log", "no"}, {"nested/", ":in sub_repo:nested"}, {"nested/x", ":in sub_repo:nested"},
		} {
			rel, dir := strings.CutSuffix(c.path, "/")
			got := "no"
			ignored, rule := ig.Check(rel, dir)
			if ignored {
				got = rule.String()
			}
			if got == ":.git" && c.rule == ":.git/" {
				got = c.rule // Git's reading takes the later of the two
			}
			if got != c.rule || ig.Match(rel, dir) != ignored {
				t.Errorf("%s: %s: got %s, want %s", f, c.path, got, c.rule)
			}
		}
		if _, rule := ig.Check("keep.log", false); rule == nil || !rule.Negated || rule.Line != 4 {
			t.Errorf("%s: negation: %+v", f, rule)
		}
	}
}

// Stars beside other characters are one star, whatever their number.
func TestStarsBesideNames(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"a**/b", "ax/b", true}, {"a**/b", "ax/y/b", false}, {"/**a", "x/a", false}, {"/**a", "xa", true},
		{"x/**", "x", false}, {"x/**", "x/y/z", true}, {"x/**/y", "x/y", true}, {"x/**/y", "x/a/b/y", true},
		{"**/y", "y", true}, {"x/***/y", "x/a/y", true}, {"x/a**b", "x/a/b", false},
	} {
		r := newRuleGit(c.pattern)
		if got := r.prog.match(c.path, false); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.path, got)
		}
	}
}

// git runs git in dir, without any configuration of the user.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(t, dir, nil, args...)
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func tryGit(t *testing.T, dir string, stdin []byte, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.Output()
	var e *exec.ExitError
	if errors.As(err, &e) {
		err = fmt.Errorf("%w: %s", e, e.Stderr)
	}
	return string(out), err
}

func isolateGit(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
}

var (
	ignoreNames = []string{"a", "b", "data", "x.csv", "y.csv", "x.log", "a b", "#h", "!n", "[k]", "ab", "é", "z ", ".h"}
	// Not among them is "a**": whether Git takes the stars after a name for
	// "**" depends on where its memory lies; see the table below.
	ignoreAtoms = []string{
		"a", "b", "data", "x.csv", "*.csv", "*", "**", "?", "x*", "*.log", "[ab]", "[!a]", "[^b]*", "a\\ b", "\\#h", "\\!n", "\\[k\\]",
		"[[:alpha:]]", "[a-c]b", "***", "é", "?b", "[]a]", "[", "\\", "z\\ ", ".*", "[\\]a]", "[[:bad:]]", "[[k]*", "d*a", "*a*",
	}
)

func randomPattern(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(5) == 0 {
		b.WriteByte('!')
	}
	if r.IntN(4) == 0 {
		b.WriteByte('/')
	}
	n := 1 + r.IntN(3)
	for i := range n {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(ignoreAtoms[r.IntN(len(ignoreAtoms))])
	}
	if r.IntN(4) == 0 {
		b.WriteByte('/')
	}
	if r.IntN(12) == 0 {
		b.WriteString("  ")
	}
	return b.String()
}

func randomPath(r *rand.Rand) string {
	parts := make([]string, 1+r.IntN(4))
	for i := range parts {
		parts[i] = ignoreNames[r.IntN(len(ignoreNames))]
	}
	return strings.Join(parts, "/")
}

// TestIgnoreLikeGit asks real Git about random rules and paths. FLOW_TEST_N
// sets how many trees of rules are tried.
func TestIgnoreLikeGit(t *testing.T) {
	isolateGit(t)
	trees := 40
	if s := os.Getenv("FLOW_TEST_N"); s != "" {
		fmt.Sscan(s, &trees)
	}
	root := t.TempDir()
	git(t, root, "init", "-q")
	r := rand.New(rand.NewPCG(1, 2))
	checked, excluded := 0, 0
	for n := range trees {
		for _, dir := range []string{"a", "b", "data", "[k]"} {
			if err := os.RemoveAll(filepath.Join(root, dir)); err != nil {
				t.Fatal(err)
			}
		}
		rules := map[string]string{}
		for _, dir := range []string{".", "a", "data/a", "[k]"} {
			if dir != "." && r.IntN(2) == 0 {
				continue
			}
			var b strings.Builder
			for range 1 + r.IntN(6) {
				b.WriteString(randomPattern(r) + "\n")
			}
			rules[dir] = b.String()
			write(t, filepath.Join(root, dir, gitIgnoreName), b.String())
		}
		var paths []string
		for range 150 {
			paths = append(paths, randomPath(r))
		}
		slices.Sort(paths)
		paths = slices.Compact(paths)
		want := checkIgnored(t, root, paths)
		tree, ok := OpenGit(root)
		if !ok {
			t.Fatal("no working tree")
		}
		for _, p := range paths {
			checked++
			abs := filepath.Join(root, p)
			got := tree.Ignored(abs, isDir(abs))
			if want[p] {
				excluded++
			}
			if got != want[p] {
				t.Errorf("tree %d, rules %q, path %q: got %v, Git says %v", n, rules, p, got, want[p])
			}
		}
		if t.Failed() {
			break
		}
	}
	if excluded < checked/10 || excluded > checked*9/10 {
		t.Errorf("%d of %d paths excluded: the sample says little", excluded, checked)
	}
}

// checkIgnored returns which paths Git ignores, all asked for in one run.
func checkIgnored(t *testing.T, root string, paths []string) map[string]bool {
	t.Helper()
	stdin := []byte(strings.Join(paths, "\x00") + "\x00")
	out, err := tryGit(t, root, stdin, "check-ignore", "--no-index", "-z", "--stdin")
	if err != nil && !strings.Contains(err.Error(), "exit status 1") {
		t.Fatal(err)
	}
	ignored := map[string]bool{}
	for p := range strings.SplitSeq(out, "\x00") {
		ignored[p] = true
	}
	return ignored
}

// Patterns are untrusted text: no panic, and a match takes linear time.
func FuzzIgnore(f *testing.F) {
	for _, a := range ignoreAtoms {
		f.Add(a, "a/b/x.csv")
	}
	f.Add("a/**/b/**", "a/x/b/c")
	f.Add(strings.Repeat("*a", 100), strings.Repeat("a", 300)+"/b")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		for _, r := range parseGitIgnore(".", "f", []byte(pattern)) {
			r.prog.match(path, false)
		}
		ig := &Ignore{dvc: true}
		for _, r := range ig.parse("d", "f", []byte(pattern)) {
			got := r.prog.match(path, false)
			// A rebased pattern can only match below its directory.
			if got && !strings.HasPrefix(path, "d/") && path != "d" {
				t.Errorf("pattern %q of directory d matches %q", pattern, path)
			}
		}
		// A letter in brackets means the same, and never takes a shortcut.
		i := strings.IndexFunc(pattern, func(r rune) bool { return r >= 'a' && r <= 'z' })
		if i < 0 || strings.ContainsAny(pattern, "[\\\n\r") || !fs.ValidPath(path) || !utf8.ValidString(pattern+path) {
			return
		}
		long := pattern[:i] + "[" + pattern[i:i+1] + "]" + pattern[i+1:]
		for _, ig := range []*Ignore{{dvc: true}, {}} {
			a, b := ig.parse(".", "f", []byte(pattern)), ig.parse(".", "f", []byte(long))
			if len(a) != len(b) {
				t.Fatalf("%q gives %d rules, %q gives %d", pattern, len(a), long, len(b))
			}
			for k := range a {
				if x, y := a[k].prog.match(path, true), b[k].prog.match(path, true); ig.dvc && x != y {
					t.Errorf("DVC: %q on %q: %v, %q: %v", pattern, path, x, long, y)
				}
				if x, y := a[k].prog.match(path, false), b[k].prog.match(path, false); x != y {
					t.Errorf("%q on %q: %v, %q: %v", pattern, path, x, long, y)
				}
			}
		}
	})
}

func BenchmarkIgnore(b *testing.B) {
	root := b.TempDir()
	os.MkdirAll(filepath.Join(root, ".dvc"), 0o777)
	os.WriteFile(filepath.Join(root, ignoreName), []byte("*.log\n/tmp/\n**/cache/*.bin\nnode_modules\n*.py[co]\n"), 0o666)
	ig := NewIgnore(root)
	for b.Loop() {
		ig.Match("data/raw/part-00001.csv", false)
	}
}
