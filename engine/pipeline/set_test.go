package pipeline

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func itoa(i int) string { return strconv.Itoa(i) }

func targets(t testing.TB) *Set {
	return load(t, map[string]string{
		"dvc.yaml":         "stages:\n  prep: {cmd: a, outs: [prepared]}\n  train: {cmd: b, outs: [dir/model]}\n  g: {foreach: [x, y], do: {cmd: c}}\n  a/b: {cmd: d}\n  c:d: {cmd: e}\n  none: {foreach: [], do: {cmd: f}}\n",
		"sub/dvc.yaml":     "stages:\n  train: {cmd: a, outs: [../top]}\n  deep: {cmd: b}\n  g: {matrix: {n: [1, 2]}, cmd: c}\n",
		"sub/sub/dvc.yaml": "stages:\n  leaf: {cmd: a}\n",
		"data.dvc":         "outs:\n- path: data\n",
		"sub/x.dvc":        "outs:\n- path: x\n",
	})
}

func TestResolve(t *testing.T) {
	set := targets(t)
	tests := []struct {
		target, cwd string
		glob        bool
		want        string // addresses from the root
	}{
		{"", ".", false, "prep train g@x g@y a/b c:d"},
		{"", "sub", false, "sub/dvc.yaml:train sub/dvc.yaml:deep sub/dvc.yaml:g@1 sub/dvc.yaml:g@2"},
		{"dvc.yaml", ".", false, "prep train g@x g@y a/b c:d"},
		{"./dvc.yaml", ".", false, "prep train g@x g@y a/b c:d"},
		{"train", ".", false, "train"},
		{":train", ".", false, "train"},
		{"train", "sub", false, "sub/dvc.yaml:train"},
		{"train", filepath.Join(set.root, "sub"), false, "sub/dvc.yaml:train"},
		{"sub/dvc.yaml:train", ".", false, "sub/dvc.yaml:train"},
		{"dvc.yaml:train", "sub", false, "sub/dvc.yaml:train"},
		{"../dvc.yaml:train", "sub", false, "train"},
		{"sub/dvc.yaml", ".", false, "sub/dvc.yaml:train sub/dvc.yaml:deep sub/dvc.yaml:g@1 sub/dvc.yaml:g@2"},
		{"g", ".", false, "g@x g@y"},
		{"g@y", ".", false, "g@y"},
		{"sub/dvc.yaml:g", ".", false, "sub/dvc.yaml:g@1 sub/dvc.yaml:g@2"},
		{"sub/dvc.yaml:g@2", ".", false, "sub/dvc.yaml:g@2"},
		{"none", ".", false, ""},
		{"data.dvc", ".", false, "data.dvc"},
		{"../data.dvc", "sub", false, "data.dvc"},
		{"x.dvc", "sub", false, "sub/x.dvc"},
		{"a/b", ".", false, "a/b"},
		{"c:d", ".", false, "c:d"},
		{"t*", ".", true, "train"},
		{"*", ".", true, "prep train g@x g@y a/b c:d"},
		{"g@[xz]", ".", true, "g@x"},
		{"sub/dvc.yaml:*e*", ".", true, "sub/dvc.yaml:deep"},
		{"g", ".", true, "g@x g@y"},
	}
	for _, tt := range tests {
		list, err := set.Resolve(tt.target, tt.cwd, tt.glob)
		if err != nil {
			t.Errorf("Resolve(%q, %s): %v", tt.target, tt.cwd, err)
			continue
		}
		var got []string
		for _, s := range list {
			got = append(got, s.Address("."))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("Resolve(%q, %s) = %s, want %s", tt.target, tt.cwd, s, tt.want)
		}
	}
}

func TestResolveFaults(t *testing.T) {
	set := targets(t)
	abs := func(rel string) string { return filepath.Join(set.root, filepath.FromSlash(rel)) }
	tests := []struct {
		target, cwd string
		glob        bool
		want, hint  string
	}{
		{"trian", ".", false, "Stage 'trian' not found inside 'dvc.yaml' file", `"train"`},
		{"deep", ".", false, "Stage 'deep' not found inside 'dvc.yaml' file", "sub/dvc.yaml:deep"},
		{"prep", "sub", false, "Stage 'prep' not found inside 'dvc.yaml' file", "../dvc.yaml:prep"},
		{"g@z", ".", false, "Stage 'g@z' not found inside 'dvc.yaml' file", "g@"},
		{"data", ".", false, "Stage 'data' not found inside 'dvc.yaml' file", "data.dvc"},
		{"prepared", ".", false, "Stage 'prepared' not found inside 'dvc.yaml' file", "name its stage, prep"},
		{"sub/dvc.yaml:nope", ".", false, "Stage 'nope' not found inside 'sub/dvc.yaml' file", ""},
		{"other/dvc.yaml", ".", false, "'" + abs("other/dvc.yaml") + "' does not exist", ""},
		{"prep", "empty", false, "'" + abs("empty/dvc.yaml") + "' does not exist", ""},
		{"dat.dvc", ".", false, "'" + abs("dat.dvc") + "' does not exist", "data.dvc"},
		{"dvc.lock", ".", false, "Did you mean: `dvc.yaml`?", ""},
		{"sub/dvc.lock:train", ".", false, "Did you mean: `sub/dvc.yaml:train`?", ""},
		{"sub:train", ".", false, "bad DVC file name 'sub'. DVC files should be named 'dvc.yaml' or have a '.dvc' suffix (e.g. 'sub.dvc').", "sub/dvc.yaml:train"},
		{"zz*", ".", true, "no stage of 'dvc.yaml' matches 'zz*'", ""},
	}
	for _, tt := range tests {
		_, err := set.Resolve(tt.target, tt.cwd, tt.glob)
		var te *TargetError
		if !errors.As(err, &te) || te.Error() != tt.want || !strings.Contains(te.Hint(), tt.hint) {
			t.Errorf("Resolve(%q, %s): %v\nwant %s", tt.target, tt.cwd, err, tt.want)
			if te != nil {
				t.Errorf("hint %q, want one with %q", te.Hint(), tt.hint)
			}
		}
	}
}

func TestResolveOutput(t *testing.T) {
	set := targets(t)
	for _, tt := range []struct{ in, cwd, want string }{
		{"prepared", ".", "prep"}, {"dir/model", ".", "train"}, {"model", "dir", "train"}, {"dir/model/part/0", ".", "train"},
		{"top", ".", "sub/dvc.yaml:train"}, {"../top", "sub", "sub/dvc.yaml:train"}, {"data", ".", "data.dvc"},
		{"dir", ".", ""}, {"preparedx", ".", ""},
	} {
		list, ok := set.ResolveOutput(tt.in, tt.cwd)
		got := ""
		for _, s := range list {
			got += s.Address(".")
		}
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("ResolveOutput(%s, %s) = %q, %v; want %q", tt.in, tt.cwd, got, ok, tt.want)
		}
	}
}

func TestResolveDir(t *testing.T) {
	set := targets(t)
	if got := len(set.ResolveDir("sub", ".")); got != 6 {
		t.Errorf("below sub: %d stages, want 6", got)
	}
	if got := names(set.ResolveDir("sub", "sub")); !cmp.Equal(got, []string{"leaf"}) {
		t.Errorf("below sub/sub: %v", got)
	}
	if got := len(set.ResolveDir(".", ".")); got != len(set.Stages) {
		t.Errorf("below the root: %d stages, want all", got)
	}
}

func TestAddress(t *testing.T) {
	for _, tt := range []struct{ file, name, dir, want string }{
		{"dvc.yaml", "a", ".", "a"}, {"dvc.yaml", "a", "sub", "../dvc.yaml:a"}, {"sub/dvc.yaml", "a", ".", "sub/dvc.yaml:a"},
		{"sub/dvc.yaml", "a", "sub", "a"}, {"sub/dvc.yaml", "a", "sub/x/y", "../../dvc.yaml:a"}, {"a/dvc.yaml", "s", "b", "../a/dvc.yaml:s"},
	} {
		if got := (&Stage{File: tt.file, Name: tt.name}).Address(tt.dir); got != tt.want {
			t.Errorf("address of %s in %s from %s: %s, want %s", tt.name, tt.file, tt.dir, got, tt.want)
		}
	}
}

// Results of Python's fnmatch.fnmatchcase.
func TestFnmatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"a*c", "abbc", true}, {"a*c", "abcd", false}, {"?", "é", true}, {"?", "", false},
		{"[ab]x", "bx", true}, {"[!ab]x", "bx", false}, {"[!ab]x", "cx", true}, {"[a-c]", "b", true}, {"[a-c]", "d", false},
		{"[", "[", true}, {"[]", "[]", true}, {"[]]", "]", true}, {"[!]]", "a", true}, {"a[", "a[", true}, {"*a*b*", "xxaxxbxx", true},
		{"*a*b*", "xxbxxa", false}, {"", "", true}, {"", "a", false}, {"a**b", "ab", true}, {"[a-]", "-", true}, {"\\*", "\\x", true},
	} {
		if got := fnmatch(tt.pattern, tt.s); got != tt.want {
			t.Errorf("fnmatch(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
}
