package pipeline

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

func TestReadKeys(t *testing.T) {
	// The expectations are those of dpath, which DVC uses.
	const text = `{"a": {"b": [1, 2, {"c": 3}], "x.y": 5, "1": 7}, "lst": [1, 2], "s": "str", "e": {}, "n": null, "l1": [1]}`
	root := project(t, map[string]string{"p.json": text, "p.yaml": text, "sub/p.yml": "2: two\nk: 1.0\n", "list.yaml": "[5, 6]\n"})
	v := NewValues(root)
	const missing = "(missing)"
	for _, tt := range []struct{ key, want string }{
		{"a.b", "[1, 2, {'c': 3}]"}, {"a.b.0", "1"}, {"a.b.-1", "{'c': 3}"}, {"a.b.2.c", "3"}, {"a.b.5", missing}, {"a.1", "7"},
		{"a.x.y", missing}, {"s", "'str'"}, {"s.t", missing}, {"s.0", missing}, {"n", "None"}, {"n.x", missing}, {"a..b", missing},
		{"e", "{}"}, {"e.*", missing}, {"a.b.00", "1"}, {"lst.+1", "2"}, {"lst. 1", "2"}, {"a.?.0", "1"}, {"a.b.[0]", "1"},
		{"**.c", "3"}, {"a.b.*.c", "3"}, {"nope", missing}, {"l1.*", "1"},
	} {
		for _, file := range []string{"p.json", "p.yaml"} {
			m, gone, err := v.Read(file, []string{tt.key})
			if err != nil {
				t.Errorf("%s %s: %v", file, tt.key, err)
				continue
			}
			got := missing
			if len(gone) == 0 {
				value, _ := m.Get(tt.key)
				got = python.Repr(value)
			}
			if got != tt.want {
				t.Errorf("%s %s = %s, want %s", file, tt.key, got, tt.want)
			}
		}
	}
	for _, key := range []string{"*", "lst.*", "a.*", "l*", "**"} {
		if _, _, err := v.Read("p.json", []string{key}); err == nil {
			t.Errorf("%s: no error for several matches", key)
		}
	}
	if m, _, err := v.Read("sub/p.yml", []string{"2", "k"}); err != nil || m.Len() != 2 {
		t.Errorf("integer key: %v, %v", m, err)
	}
	if m, _, err := v.Read("list.yaml", []string{"1"}); err != nil || python.Str(m) != "{'1': 6}" {
		t.Errorf("list at the top: %v, %v", m, err)
	}
}

func TestReadOrder(t *testing.T) {
	root := project(t, map[string]string{"p.yaml": "b: 1\na: 2\nc: 3\n"})
	v := NewValues(root)
	m, gone, err := v.Read("p.yaml", []string{"c", "x", "a", "c", "y", "x"})
	if err != nil || python.Str(m) != "{'c': 3, 'a': 2}" || !cmp.Equal(gone, []string{"x", "y"}) {
		t.Errorf("got %s, missing %v, %v", python.Str(m), gone, err)
	}
	m, gone, err = v.Read("p.yaml", nil)
	if err != nil || python.Str(m) != "{'b': 1, 'a': 2, 'c': 3}" || gone != nil {
		t.Errorf("whole: got %s, missing %v, %v", python.Str(m), gone, err)
	}
	m, _, err = v.Read("p.yaml", []string{})
	if err != nil || m.Len() != 0 {
		t.Errorf("no keys: got %s, %v", python.Str(m), err)
	}
}

func TestReadFormats(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"p.yaml":   {"a: 010\nb: 1.0\nc: yes\nd: 2020-01-01\n", "{'a': 10, 'b': 1.0, 'c': 'yes', 'd': '2020-01-01'}"},
		"p.YML":    {"a: 1\n", "{'a': 1}"},
		"p":        {"a: 1\n", "{'a': 1}"},
		"e.yaml":   {"", "{}"},
		"p.json":   {`{"z": 1, "a": [1.0, 1e2, 123456789012345678901, true, null, "é\u00e9"], "z": 2}`, "{'z': 2, 'a': [1.0, 100.0, 123456789012345678901, True, None, 'éé']}"},
		"P.JSON":   {`{}`, "{}"},
		"p.toml":   {"z = 1\n[b]\nq = 1.0\na = [1, {y = 2, x = 3}]\n[a.c]\nk = 'v'\n[a]\nd = 1_000\n[[t]]\nn = 2\nm = 1\n", "{'z': 1, 'b': {'q': 1.0, 'a': [1, {'y': 2, 'x': 3}]}, 'a': {'c': {'k': 'v'}, 'd': 1000}, 't': [{'n': 2, 'm': 1}]}"},
		"d.toml":   {"d = 2020-01-01\nt = 2020-01-01T00:00:00Z\n", "{'d': '2020-01-01', 't': '2020-01-01T00:00:00Z'}"},
		"dot.toml": {"b.y = 1\na = 2\nb.x = 3\n", "{'b': {'y': 1, 'x': 3}, 'a': 2}"},
		"p.py":     {"b = 1\nclass A:\n    x = (1, 2)\n", "{'b': 1, 'A': {'x': [1, 2]}}"},
	} {
		m, _, err := NewValues(project(t, map[string]string{name: tt.text})).Read(name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := python.Str(m); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
		}
	}
}

func TestReadFaults(t *testing.T) {
	root := project(t, map[string]string{
		"a.json": "{\n  \"a\": 1,\n  b\n}", "b.json": "{\"a\": [1", "c.json": "{} {}", "d.json": "", "e.toml": "a = 1\nb = \n", "f.yaml": "a: 1\na: 2\n",
		"g.py": "a = 1\nb = 'x\n", "h.py": "a = [1\n", "dir/x": "", "list.yaml": "[1]\n",
		"deep.json": strings.Repeat("[", 5000), "deep.yaml": strings.Repeat("[", 5000),
	})
	v := NewValues(root)
	for name, want := range map[string]string{
		"a.json": "a.json:3:3: not JSON", "b.json": "b.json:1:9: not JSON: the file ends too early", "c.json": "c.json:1:", "d.json": "d.json:1:1: not JSON",
		"e.toml": "e.toml:2:", "f.yaml": "f.yaml:2:1: ", "g.py": "g.py:2:5: not Python: unterminated string literal", "h.py": "h.py:2:1: not Python: '[' was never closed",
		"dir": "'dir' is a directory, expected a parameters file", "list.yaml": "expected a dictionary, got 'list'", "deep.json": "deep.json:1:", "deep.yaml": "deep.yaml:1:",
	} {
		_, _, err := v.Read(name, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		var list yaml12.Errors
		if strings.Contains(want, ":1") && !errors.As(err, &list) {
			t.Errorf("%s: %T has no place", name, err)
		}
	}
	if _, _, err := v.Read("none.yaml", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if m, gone, err := v.Read("none.yaml", []string{"a", "b", "a"}); err != nil || m.Len() != 0 || !cmp.Equal(gone, []string{"a", "b"}) {
		t.Errorf("absent file with keys: %v, %v, %v", m, gone, err)
	}
}

func TestReadConcurrently(t *testing.T) {
	v := NewValues(project(t, map[string]string{"p.yaml": "a: 1\n"}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if m, _, err := v.Read("p.yaml", []string{"a"}); err != nil || m.Len() != 1 {
				t.Errorf("got %v, %v", m, err)
			}
		})
	}
	wg.Wait()
}

// Each case is what DVC's own reader returns.
func TestPythonParams(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a = 1\nb: int = 2\nc: int\nd = e = 3\nf, g = 1, 2\nh += 1\n", "{'a': 1, 'b': 2}"},
		{"a = -1; b = +2.5; c = 1e5; d = 0x1F; e = 1_000; f = 0o17; g = 0b11; h = 012", "{'a': -1, 'b': 2.5, 'c': 100000.0, 'd': 31, 'e': 1000, 'f': 15, 'g': 3}"},
		{"a = --1\nb = -True\nc = 1 + 2\nd = not 1\ne = f(x)\nf = x\ng = 1 if x else 2\nh = [i for i in x]\ni = f'x'\nj = b'x'\nk = 1j", "{}"},
		{"a = None, True, False\nb = ()\nc = (1)\nd = (1,)\ne = [1, [2]]\nf = {'k': {'n': 1}, 2: 3}\ng = {1, 2, 1}\nh = {}\ni = set()", "{'a': [None, True, False], 'b': [], 'c': 1, 'd': [1], 'e': [1, [2]], 'f': {'k': {'n': 1}, 2: 3}, 'g': [1, 2], 'h': {}, 'i': []}"},
		{"a = 'x' \"y\"\nb = r'\\n'\nc = '''p\nq'''\nd = '\\x41\\u00e9\\101\\q\\\n'\ne = u'é'", "{'a': 'xy', 'b': '\\\\n', 'c': 'p\\nq', 'd': 'AéA\\\\q', 'e': 'é'}"},
		{"class A(Base, x=lambda: 1):\n    a = 1\n    def f(self):\n        b = 2\n    def __init__(self, n: int = 3) -> None:\n        self.c = 4\n        d = 5\n        if n:\n            self.e = 6\n    class B: f = 7; g = 8\nh = 9", "{'A': {'a': 1, 'c': 4, 'B': {'f': 7, 'g': 8}}, 'h': 9}"},
		{"self.a = 1\no.b = 2\nself.c.d = 3\ndef __init__(self): self.e = 5\n", "{'a': 1, 'e': 5}"},
		{"if x:\n    a = 1\nelse:\n  b = 2\nfor i in y: c = 3\ntry:\n    d = 4\nexcept E:\n    pass\ne = 5", "{'e': 5}"},
		{"a = [\n  1, # one\n\n  2,\n]\nb = \\\n  3\n# c = 4\n", "{'a': [1, 2], 'b': 3}"},
		{"a = 1\r\nclass B:\r\n\tc = 2\r\n", "{'a': 1, 'B': {'c': 2}}"},
		{"\ufeffa = 1", "{'a': 1}"},
		{"a == 1\na <= 2\na: str == 3\nb[0] = 1\n(c) = 2\n[d] = 3\ntype X = int\n", "{'c': 2}"},
		{"a = 1\nb = 2\na = 3\n", "{'a': 3, 'b': 2}"},
		{"@dataclass\nclass A:\n    # comment\n\n    x: int = 1\n# out\n    y: Dict[str, int] = {'a': 1}\n", "{'A': {'x': 1, 'y': {'a': 1}}}"},
		{"a = 123456789012345678901234567890\nb = -9223372036854775808\n", "{'a': 123456789012345678901234567890, 'b': -9223372036854775808}"},
		{"", "{}"},
	} {
		v, err := decodePython("p.py", []byte(tt.in))
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
		} else if got := python.Str(v); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
	for in, want := range map[string]string{
		"  a = 1\n": "p.py:1:3: not Python: unexpected indent", "a = 1\n  b = 2\n": "p.py:2:3: not Python: unexpected indent",
		"class A:\nb = 1\n": "p.py:1:1: not Python: expected an indented block", "a = (1]\n": "p.py:1:7: not Python: unmatched ']'",
		"class A:\n    b = 1\n  c = 2\n": "p.py:3:3: not Python: unindent does not match", "a = 1 \\ 2": "p.py:1:7: not Python",
		"a = '''x": "p.py:1:5: not Python: unterminated", "a = \"\xff\"\n": "",
	} {
		_, err := decodePython("p.py", []byte(in))
		if want == "" {
			continue // must only not panic
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}
