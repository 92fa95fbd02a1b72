package pipeline

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/python"
)

// Values as Hydra, which DVC uses, types them.
func TestOverrideValues(t *testing.T) {
	for in, want := range map[string]string{
		"2": "2", "-5": "-5", "+5": "5", "2.5": "2.5", ".5": "0.5", "1e-3": "0.001", "1_000": "1000", "1.0": "1.0",
		"true": "True", "True": "True", "FALSE": "False", "null": "None", "NULL": "None", "": "''", " 5": "5",
		"abc": "'abc'", "x y": "'x y'", "'x y'": "'x y'", `"1"`: "'1'", "'it\\'s'": `"it's"`, "yes": "'yes'", "010": "'010'", "0x1f": "'0x1f'",
		"$HOME": "'$HOME'", "a:b": "'a:b'", "http://x/y?z": "'http://x/y?z'", "/p/q.csv": "'/p/q.csv'", "c|d": "'c|d'", "\\,x": "',x'", "-": "'-'", "1.2.3": "'1.2.3'",
		"[1,b,2.0]": "[1, 'b', 2.0]", "[]": "[]", "[[1], 'a,b']": "[[1], 'a,b']", "{p:1,q:{r:s}}": "{'p': 1, 'q': {'r': 's'}}", "{}": "{}", "{a: [1, x y]}": "{'a': [1, 'x y']}",
		"12345678901234567890": "12345678901234567890", "inf": "inf", "-inf": "-inf",
	} {
		p := overrideParser{s: in}
		v, err := p.all()
		if err != nil || python.Repr(v) != want {
			t.Errorf("%q: %s, %v; want %s", in, python.Repr(v), err, want)
		}
	}
	p := overrideParser{s: "nan"}
	if v, err := p.all(); err != nil || !math.IsNaN(v.(float64)) {
		t.Errorf("nan: %v, %v", v, err)
	}
	for _, in := range []string{"1,2", "[1", "[1,]", "[1]x", "{a}", "{a:}", "{a:1", "'x", "'x'y", strings.Repeat("[", 500)} {
		p := overrideParser{s: in}
		if v, err := p.all(); err == nil {
			t.Errorf("%q: %s, want an error", in, python.Repr(v))
		}
	}
}

func TestSetParam(t *testing.T) {
	const yamlText = "# top\na: 1 # one\nb: {x: 1, y: 'two'}\n\nl: [1, 2]\nn:\n  # deep\n  m:\n    k: 3\n"
	const jsonText = "{\n  \"a\": 1.0,\n  \"b\": {\"x\": [1, {\"y\": 2}]},\n  \"é\": \"ü\"\n}\n"
	const tomlText = "# top\na = 1 # one\n[b]\nx = \"q\" # s\nl = [1, 2]\nt = {y = 1}\n[c.d]\n\"e f\" = 2.0\n[[g]]\nn = 1\n[[g]]\nn = 2\n"
	const pyText = "# top\na = 1  # one\nclass B(object):\n    x: float = 2.0\n    d = {'k': 1}\n    def __init__(self):\n        self.y = 'q'\n"
	tests := []struct{ file, arg, from, to string }{
		{"params.yaml", "a=2", "a: 1 #", "a: 2 #"},
		{"params.yaml", "a=x y", "a: 1 #", "a: x y #"},
		{"params.yaml", "a='1'", "a: 1 #", "a: '1' #"},
		{"params.yaml", "b.x=9", "{x: 1,", "{x: 9,"},
		{"params.yaml", "n.m.k=7", "k: 3", "k: 7"},
		{"params.yaml", "+n.m.j=7", "k: 3\n", "k: 3\n    j: 7\n"},
		{"params.yaml", "++a=2", "a: 1 #", "a: 2 #"},
		{"params.yaml", "+new=1", "k: 3\n", "k: 3\nnew: 1\n"},
		{"params.yaml", "l.0=9", "[1, 2]", "[9, 2]"},
		{"params.yaml", "l.-1=9", "[1, 2]", "[1, 9]"},
		{"params.yaml", "b={x:5}", "{x: 1,", "{x: 5,"},
		{"params.yaml", "~l", "l: [1, 2]\n", ""},
		{"p.json", "p.json:a=2", "1.0", "2"},
		{"p.json", "p.json:b.x.1.y=[1, q]", "{\"y\": 2}", "{\"y\": [1, \"q\"]}"},
		{"p.json", "p.json:+new.k=1", "\"ü\"", "\"ü\",\n  \"new\": {\"k\": 1}"},
		{"p.json", "p.json:+b.z=1", "2}]}", "2}], \"z\": 1}"},
		{"p.json", "p.json:~a", "\"a\": 1.0,\n  ", ""},
		{"p.json", "p.json:~b.x", "{\"x\": [1, {\"y\": 2}]}", "{}"},
		{"p.json", "p.json:~é", ",\n  \"é\": \"ü\"", ""},
		{"p.toml", "p.toml:a=2.5", "a = 1 #", "a = 2.5 #"},
		{"p.toml", "p.toml:b.x='it\"s'", "\"q\" #", "'it\"s' #"},
		{"p.toml", "p.toml:b.l.1=true", "[1, 2]", "[1, true]"},
		{"p.toml", "p.toml:b.l=[]", "[1, 2]", "[]"},
		{"p.toml", "p.toml:c.d.e f=3.0", "2.0", "3.0"},
		{"p.toml", "p.toml:g.1.n=3", "n = 2", "n = 3"},
		{"p.py", "p.py:a=2", "a = 1 ", "a = 2 "},
		{"p.py", "p.py:a=it's", "a = 1 ", "a = \"it's\" "},
		{"p.py", "p.py:B.x=null", "2.0", "None"},
		{"p.py", "p.py:B.d.k=5", "{'k': 1}", "{'k': 5}"},
		{"p.py", "p.py:B.y=[1,2]", "'q'", "[1, 2]"},
	}
	texts := map[string]string{"params.yaml": yamlText, "p.json": jsonText, "p.toml": tomlText, "p.py": pyText}
	for _, tt := range tests {
		t.Run(tt.arg, func(t *testing.T) {
			root := project(t, texts)
			file, err := SetParam(root, tt.arg)
			if err != nil {
				t.Fatal(err)
			}
			if file != tt.file {
				t.Errorf("file %s, want %s", file, tt.file)
			}
			if strings.Count(texts[tt.file], tt.from) != 1 {
				t.Fatalf("the test's %q is not there once", tt.from)
			}
			got, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Replace(texts[tt.file], tt.from, tt.to, 1), string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSetParamFaults(t *testing.T) {
	texts := map[string]string{"params.yaml": "alpha: 1\nb: {x: 1}\nl: [1]\n", "p.toml": "a = 1\n", "p.py": "a = 1\n", "list.yaml": "[1]\n", "bad.json": "{"}
	for _, tt := range []struct{ arg, want, hint string }{
		{"alpa=1", "'alpa' is not in the file", `"alpha"`},
		{"new=1", "'new' is not in the file", "+new"},
		{"b.z=1", "'b.z' is not in the file", "+b.z"},
		{"alpha.q=1", "'alpha' is a single value", ""},
		{"+alpha=1", "'alpha' is in the file already", "++"},
		{"~nope", "'nope' is not in the file", ""},
		{"~alpha=1", "a removal takes no value", ""},
		{"l.3=1", "'l.3' is not in the file", ""},
		{"l.x=1", "'l.x' is not in the file", ""},
		{"b={z:1}", "'b.z' is not in the file", ""},
		{"alpha", "a value is missing", "alpha=value"},
		{"=1", "a parameter is missing", ""},
		{"a..b=1", "a part of the key is empty", ""},
		{"alpha=1,2", "several values at once", "alpha='1,2'"},
		{"none.yaml:a=1", "'none.yaml' does not exist", ""},
		{"list.yaml:a=1", "expected a dictionary in the file, got 'list'", ""},
		{"p.toml:+b=1", "only values that are there", ""},
		{"p.toml:a=null", "TOML has no null", ""},
		{"p.py:~a", "only values that are there", ""},
		{"p.py:a=inf", "the file's form does not allow it", ""},
		{"bad.json:a=1", "bad.json:1:2: not JSON", ""},
	} {
		root := project(t, texts)
		file, err := SetParam(root, tt.arg)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v; want %s", tt.arg, file, err, tt.want)
			continue
		}
		var h interface{ Hint() string }
		if tt.hint != "" && (!errors.As(err, &h) || !strings.Contains(h.Hint(), tt.hint)) {
			t.Errorf("%s: no hint with %q", tt.arg, tt.hint)
		}
		for name, text := range texts {
			if got, _ := os.ReadFile(filepath.Join(root, name)); string(got) != text {
				t.Errorf("%s: %s changed", tt.arg, name)
			}
		}
		if list, _ := os.ReadDir(root); len(list) != len(texts) {
			t.Errorf("%s: files left over", tt.arg)
		}
	}
}
