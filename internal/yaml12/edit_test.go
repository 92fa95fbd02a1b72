package yaml12

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func path(s string) []any {
	var p []any
	for _, step := range strings.Split(s, "/") {
		if n, ok := Scalar(step).(int64); ok {
			p = append(p, int(n))
		} else {
			p = append(p, step)
		}
	}
	return p
}

func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		text, path string
		value      any
		want       string
	}{
		"scalar":             {"a: 1 # one\nb: 2\n", "a", int64(3), "a: 3 # one\nb: 2\n"},
		"quoted":             {"a: 'x'   # c\n", "a", "y z", "a: y z   # c\n"},
		"double quoted":      {"a: \"x\\\"\"\n", "a", int64(1), "a: 1\n"},
		"text that is typed": {"a: x\n", "a", "1e5", "a: '1e5'\n"},
		"null":               {"a:\nb: 1\n", "a", int64(1), "a: 1\nb: 1\n"},
		"null with comment":  {"a: # c\nb: 1\n", "a", int64(1), "a: 1 # c\nb: 1\n"},
		"null last":          {"a:", "a", int64(1), "a: 1"},
		"to null":            {"a: 1\n", "a", nil, "a: null\n"},
		"folded":             {"a: x\n  y\n  z # c\nb: 1\n", "a", "w", "a: w # c\nb: 1\n"},
		"literal":            {"a: |\n  x\n\n  y\n\n# c\nb: 1\n", "a", "w", "a: w\n\n# c\nb: 1\n"},
		"multi-line":         {"a: x\n", "a", "x\ny\n", "a: \"x\\ny\\n\"\n"},
		"nested":             {"a:\n  b:\n    c: 1\n  d: 2\n", "a/b/c", int64(5), "a:\n  b:\n    c: 5\n  d: 2\n"},
		"item":               {"a:\n- x # one\n- y\n", "a/1", "z", "a:\n- x # one\n- z\n"},
		"item of maps":       {"a:\n  - p: 1\n    q: 2\n  - p: 3\n", "a/1/p", int64(4), "a:\n  - p: 1\n    q: 2\n  - p: 4\n"},
		"flow":               {"a: [1, {b: x}, 'y'] # c\n", "a/1/b", "z, w", "a: [1, {b: 'z, w'}, 'y'] # c\n"},
		"new key":            {"a: 1\n\n# end\n", "b", int64(2), "a: 1\nb: 2\n\n# end\n"},
		"new key, no line":   {"a: 1", "b", int64(2), "a: 1\nb: 2"},
		"new key below":      {"a:\n    b: 1 # c\nc: 1\n", "a/d", true, "a:\n    b: 1 # c\n    d: true\nc: 1\n"},
		"new key in item":    {"outs:\n- path: x # c\n- path: y\n", "outs/0/cache", false, "outs:\n- path: x # c\n  cache: false\n- path: y\n"},
		"new item":           {"a:\n  - x\n  - y # c\n\nb: 1\n", "a/2", "z", "a:\n  - x\n  - y # c\n  - z\n\nb: 1\n"},
		"new item, map":      {"a:\n- p: 1\n", "a/1", m("p", int64(2), "q", "r"), "a:\n- p: 1\n- p: 2\n  q: r\n"},
		"new item in flow":   {"a: [1, 2] # c\n", "a/2", "x", "a: [1, 2, x] # c\n"},
		"new key in flow":    {"a: {b: 1}\n", "a/c", []any{"x"}, "a: {b: 1, c: [x]}\n"},
		"flow over lines":    {"a: [\n  1,\n  2, # two\n]\n", "a/2", int64(3), "a: [\n  1,\n  2, 3, # two\n]\n"},
		"in empty flow":      {"a: {}\nb: 1\n", "a/c", int64(1), "a:\n  c: 1\nb: 1\n"},
		"in empty list":      {"a: []\n", "a/0", "x", "a:\n- x\n"},
		"missing parents":    {"stages:\n  a:\n    cmd: x\n", "stages/b/cmd", "y", "stages:\n  a:\n    cmd: x\n  b:\n    cmd: y\n"},
		"parents from null":  {"a:\nb: 1\n", "a/c/d", int64(1), "a:\n  c:\n    d: 1\nb: 1\n"},
		"empty file":         {"", "a/b", int64(1), "a:\n  b: 1\n"},
		"only comments":      {"# c", "a", int64(1), "# c\na: 1\n"},
		"list for a scalar":  {"a: 1 # c\nb: 2\n", "a", []any{"x", "y"}, "a:\n- x\n- y # c\nb: 2\n"},
		"scalar for a list":  {"a:\n- x\n- y # c\nb: 2\n", "a", int64(1), "a: 1 # c\nb: 2\n"},
		"list for a list":    {"a: # keep\n  - x\n  - y\nb: 2\n", "a", []any{"z"}, "a: # keep\n  - z\nb: 2\n"},
		"list style":         {"a:\n  - x\nb: 2\n", "c", []any{"z"}, "a:\n  - x\nb: 2\nc:\n  - z\n"},
		"map for a map":      {"a:\n    x: 1\nb: 2\n", "a", m("y", int64(2)), "a:\n    y: 2\nb: 2\n"},
		"flow for flow":      {"a: [1, 2]\n", "a", []any{int64(3)}, "a: [3]\n"},
		"empty for a map":    {"a:\n  x: 1\n", "a", m(), "a: {}\n"},
		"map in item":        {"- 1\n- 2\n", "0", m("a", int64(1), "b", int64(2)), "- a: 1\n  b: 2\n- 2\n"},
		"unicode":            {"é: ü # ö\nb: 1\n", "é", "ä", "é: ä # ö\nb: 1\n"},
		"crlf":               {"a: 1\r\nb: 2\r\n", "c", []any{"x"}, "a: 1\r\nb: 2\r\nc:\r\n- x\r\n"},
		"crlf replace":       {"a: 1\r\nb: 2\r\n", "a", int64(3), "a: 3\r\nb: 2\r\n"},
		"bom":                {"\ufeffa: 1\n", "a", int64(2), "\ufeffa: 2\n"},
		"over a merge":       {"x: &x\n  p: 1\ny:\n  <<: *x\n  q: 2\n", "y/p", int64(5), "x: &x\n  p: 1\ny:\n  <<: *x\n  q: 2\n  p: 5\n"},
		"quoted key":         {"'a b': 1\n\"c\": 2\n", "c", int64(3), "'a b': 1\n\"c\": 3\n"},
		"key with space":     {"a : 1\n", "a", int64(2), "a : 2\n"},
		"space":              {"a:    1   \n", "a", int64(2), "a:    2   \n"},
		"document mark":      {"---\na: 1\n", "b", int64(2), "---\na: 1\nb: 2\n"},
		"literal in a list":  {"- cmd: |\n    x\n  other: 1\n", "0/cmd", "y", "- cmd: y\n  other: 1\n"},
		"behind literal":     {"a:\n  cmd: |\n    x\n\nb: 1\n", "a/new", int64(1), "a:\n  cmd: |\n    x\n  new: 1\n\nb: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Set([]byte(c.text), path(c.path), c.value)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	for name, c := range map[string]struct{ text, path, want string }{
		"key":              {"a: 1\nb: 2 # c\nc: 3\n", "b", "a: 1\nc: 3\n"},
		"first":            {"# top\n\n# a\na: 1\nb: 2\n", "a", "# top\n\nb: 2\n"},
		"last":             {"a: 1\nb: 2", "b", "a: 1\n"},
		"own comments":     {"a: 1\n# of a?\n\n# of b\n# too\nb: 2\n# of c\nc: 3\n", "b", "a: 1\n# of a?\n\n# of c\nc: 3\n"},
		"deeper comment":   {"a:\n  x: 1\n  # of a\nb: 2\n", "b", "a:\n  x: 1\n  # of a\n"},
		"a map":            {"stages:\n  a:\n    cmd: x\n    deps:\n    - y\n\n  b:\n    cmd: z\n", "stages/a", "stages:\n\n  b:\n    cmd: z\n"},
		"the only one":     {"a:\n  b: 1\nc: 2\n", "a/b", "a: {}\nc: 2\n"},
		"the only item":    {"a:\n- x\nc: 2\n", "a/0", "a: []\nc: 2\n"},
		"the whole":        {"a: 1\n", "a", "{}\n"},
		"item":             {"a:\n- x\n# y\n- y # c\n- z\n", "a/1", "a:\n- x\n- z\n"},
		"item of maps":     {"a:\n- p: 1\n  q: 2\n- p: 3\n", "a/0", "a:\n- p: 3\n"},
		"key behind dash":  {"a:\n- p: 1\n  q: 2\n", "a/0/p", "a:\n- q: 2\n"},
		"key in item":      {"a:\n- p: 1\n  q: 2\n", "a/0/q", "a:\n- p: 1\n"},
		"null":             {"a:\nb: 1\n", "a", "b: 1\n"},
		"flow":             {"a: [1, 2, 3] # c\n", "a/1", "a: [1, 3] # c\n"},
		"flow last":        {"a: [1, 2, 3] # c\n", "a/2", "a: [1, 2] # c\n"},
		"flow map":         {"a: {x: 1, y: 2}\n", "a/x", "a: {y: 2}\n"},
		"flow only":        {"a: {x: 1}\n", "a/x", "a: {}\n"},
		"literal":          {"a: |\n  x\n\n  y\nb: 1\n", "a", "b: 1\n"},
		"nested in a list": {"- - a\n  - b\n", "0/0", "- - b\n"},
		"comments behind":  {"- - a # of a\n\n  # of b\n  # too\n  - b\n", "0/0", "- # of b\n  # too\n  - b\n"},
		"comment in item":  {"a:\n- p: 1\n  # of q\n  q: 2\n", "a/0/p", "a:\n- # of q\n  q: 2\n"},
		"crlf":             {"a: 1\r\nb: 2\r\n", "a", "b: 2\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Delete([]byte(c.text), path(c.path))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEditRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, path string }{
		"through an alias": {"a: &x {p: 1}\nb: *x\n", "b/p"},
		"an anchored one":  {"a: &x 1\nb: *x\n", "a"},
		"through a scalar": {"a: 1\n", "a/b"},
		"an index too far": {"a: [1]\n", "a/3"},
		"key of a list":    {"a: [1]\n", "a/b"},
		"index of a map":   {"a: {b: 1}\n", "a/0"},
		"below a merge":    {"x: &x {p: {r: 1}}\ny:\n  <<: *x\n", "y/p/q"},
		"a broken text":    {"a: [\n", "a"},
	} {
		if out, err := Set([]byte(c.text), path(c.path), int64(9)); err == nil {
			t.Errorf("set %s: no error, %q", name, out)
		}
	}
	for name, c := range map[string]struct{ text, path string }{
		"missing":       {"a: 1\n", "b"},
		"missing index": {"a: [1]\n", "a/1"},
		"of an alias":   {"a: &x {p: 1}\nb: *x\n", "b/p"},
		"an anchor":     {"a: &x {p: 1}\nb: *x\n", "a"},
	} {
		if out, err := Delete([]byte(c.text), path(c.path)); err == nil {
			t.Errorf("delete %s: no error, %q", name, out)
		}
	}
	if _, err := Delete([]byte("a: 1\n"), nil); err == nil {
		t.Error("delete everything: no error")
	}
}

// paths returns all paths in a value.
func paths(v any, prefix []any) [][]any {
	var list [][]any
	at := func(step, sub any) {
		p := append(append([]any(nil), prefix...), step)
		list = append(append(list, p), paths(sub, p)...)
	}
	switch v := v.(type) {
	case *Map:
		for _, it := range v.Items {
			if k, ok := it.Key.(string); ok {
				at(k, it.Value)
			}
		}
	case []any:
		for i, item := range v {
			at(i, item)
		}
	}
	return list
}

// checkEdits edits every place of a text. That the value becomes the right one
// is checked by Set and Delete themselves; here, that lines not concerned stay.
func checkEdits(t interface {
	Helper()
	Fatalf(string, ...any)
}, data []byte, must bool) {
	t.Helper()
	root, err := Decode("", data)
	if err != nil {
		return
	}
	list := paths(root, nil)
	if len(list) > 30 {
		list = list[:30]
	}
	for _, p := range list {
		for _, v := range []any{int64(7), "text: x", []any{"x"}, m("k", "v")} {
			out, err := Set(data, p, v)
			if err != nil {
				if must {
					t.Fatalf("set %v in\n%s: %v", p, data, err)
				}
				continue
			}
			checkKept(t, data, out, p)
		}
		out, err := Delete(data, p)
		if err != nil {
			if must {
				t.Fatalf("delete %v in\n%s: %v", p, data, err)
			}
			continue
		}
		checkKept(t, data, out, p)
	}
	if root, ok := root.(*Map); ok {
		out, err := Set(data, []any{"brand new"}, int64(1))
		if err != nil {
			if must {
				t.Fatalf("insert in\n%s: %v", data, err)
			}
			return
		}
		// An empty map gives way to one in block style.
		kept := string(data)
		if root.Len() == 0 {
			if kept, err = withoutRoot(data); err != nil {
				t.Fatalf("%v", err)
			}
		}
		rest := strings.Replace(string(out), "brand new: 1", "", 1)
		if strings.Join(strings.Fields(rest), "") != strings.Join(strings.Fields(kept), "") &&
			!strings.Contains(rest, ",") {
			t.Fatalf("insert changed\n%s to\n%s", data, out)
		}
	}
}

// withoutRoot returns a text without its outermost value.
func withoutRoot(data []byte) (string, error) {
	rest, _ := bytes.CutPrefix(data, bom)
	doc, err := Parse("", rest)
	if err != nil {
		return "", err
	}
	e := &editor{text: newText(rest), doc: doc}
	from, err := e.content(doc.Root)
	if err != nil {
		return "", err
	}
	to, err := e.end(doc.Root)
	return string(data[:len(data)-len(rest)+from]) + string(rest[to:]), err
}

// checkKept reports a change that is not one run of lines.
func checkKept(t interface {
	Helper()
	Fatalf(string, ...any)
}, before, after []byte, p []any) {
	t.Helper()
	a, b := strings.SplitAfter(string(before), "\n"), strings.SplitAfter(string(after), "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	// The lines in between belong to the entry: the first names it or its
	// parent, unless it is a comment of its own.
	if len(a)-i-j > 1 {
		doc, err := Parse("", before)
		if err != nil {
			t.Fatalf("%v", err)
		}
		pl, _, err := (&editor{text: newText(before), doc: doc}).find(p)
		if err != nil || pl.parent == nil {
			t.Fatalf("find %v: %v", p, err)
		}
		e := &editor{text: newText(before), doc: doc}
		end, err := e.end(pl.node)
		if err != nil {
			t.Fatalf("%v", err)
		}
		last := strings.Count(string(before[:end]), "\n") + 1
		for last < len(a) && strings.TrimSpace(a[last]) == "" {
			last++ // when the next entry is pulled up behind a dash
		}
		if len(a)-j > last+1 {
			t.Fatalf("edit of %v changed line %d, the entry ends at %d:\n%s\n%s", p, len(a)-j, last, before, after)
		}
	}
}

const editSample = `# head
vars:   # v
  - params.yaml
  - {a: 1, b: [x, 'y']}

stages:
  prepare:
    cmd: |
      python prepare.py
      # not a comment

    deps:
    - data/raw   # raw
    # the script
    - prepare.py
    params: [lr, train.epochs]
    outs:
      - data/clean:
          cache: false
          persist: true
      - "quoted, one"
  # comment of train
  train:
    cmd: python train.py --a 1
      --b 2
    always_changed: true
    meta: {x: {y: [1, 2]}, z:}

# tail
plots:
- a.csv:
    x: 'it''s'
    y: "q\"q"
- b
`

func TestEditEverywhere(t *testing.T) {
	checkEdits(t, []byte(editSample), true)
}

func TestEditRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &Map{}
		v.Set("a", drawValue(t, 1))
		v.Set("b", drawValue(t, 1))
		checkEdits(t, Emit(v), false)
	})
}

func FuzzEdit(f *testing.F) {
	f.Add([]byte(editSample))
	f.Add([]byte("- - a: [1, {b: c}]\n    d: |+\n\n      x\n\n  - e\n"))
	f.Add([]byte("? a\n: b\n? |\n  c\n: d\n"))
	f.Fuzz(func(t *testing.T, data []byte) { checkEdits(t, data, false) })
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(editSample))
	f.Add([]byte("a: &x [1, *x]\nb: {<<: *x}\n"))
	f.Add([]byte("a: [1\nb:\n\tc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode("f", data)
		if err != nil {
			es, ok := err.(Errors) //nolint:errorlint // exactly this type is promised
			if !ok || len(es) == 0 || es[0].Msg == "" {
				t.Fatalf("%T %v", err, err)
			}
			for _, e := range es {
				Excerpt(data, e.Line, e.Column)
			}
			return
		}
		back, err := Decode("f", Emit(v))
		if err != nil || !Identical(v, back) {
			t.Fatalf("%q became %q: %#v, %#v, %v", data, Emit(v), v, back, err)
		}
	})
}
