package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

// FuzzLoad feeds any bytes as a dvc.yaml. Loading must not panic; faults must
// have places inside the file; stages must be complete; a second load must give
// the same.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(stage("cmd: a ${lr}\nouts: [o]")))
	root := f.TempDir()
	if err := os.WriteFile(filepath.Join(root, "params.yaml"), []byte("lr: 1\nd: {x: [1, {y: 2}]}\nl: [a, b]\n"), 0o644); err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(root, "dvc.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		o := Options{Root: root}
		set, err := LoadFiles(o, "dvc.yaml")
		lines := strings.Count(string(data), "\n") + 1
		if err != nil {
			var list yaml12.Errors
			if !errors.As(err, &list) || len(list) == 0 {
				t.Fatalf("error without places: %v", err)
			}
			for _, e := range list {
				if e.File == "dvc.yaml" && (e.Line < 0 || e.Line > lines+1 || e.Column < 0) {
					t.Errorf("place outside of the file: %+v", e)
				}
				if e.Msg == "" {
					t.Errorf("no message: %+v", e)
				}
			}
		}
		for _, s := range set.Stages {
			if s.Name == "" || s.File != "dvc.yaml" || s.Wdir == "" || s.Pos.Line < 1 {
				t.Errorf("incomplete stage: %+v", s)
			}
			if found, ok := set.Stage("dvc.yaml", s.Name); !ok || found != s {
				t.Errorf("stage %q is not found by its name", s.Name)
			}
			for _, d := range s.Deps {
				if d.Def == "" || d.Path == "" {
					t.Errorf("%s: incomplete dependency %+v", s.Name, d)
				}
			}
			for _, o := range s.Outs {
				if o.Def == "" || o.Path == "" {
					t.Errorf("%s: incomplete output %+v", s.Name, o)
				}
			}
		}
		again, errAgain := LoadFiles(o, "dvc.yaml")
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Errorf("errors differ: %v, %v", err, errAgain)
		}
		if !cmp.Equal(names(set.Stages), names(again.Stages)) {
			t.Error("stages differ")
		}
	})
}

// FuzzTemplate replaces the templates of any text. Text without templates must
// stay as it is, faults must come with a message, and what parses as an
// expression must parse again from its canonical form.
func FuzzTemplate(f *testing.F) {
	f.Add("a ${lr} ${d.x[0]} \\${q}")
	values := wrap(&yaml12.Map{Items: []yaml12.Item{
		{Key: "lr", Value: 0.1},
		{Key: "d", Value: &yaml12.Map{Items: []yaml12.Item{{Key: "x", Value: []any{int64(1), nil, true}}, {Key: "y", Value: "a b"}}}},
	}}, "params.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		var problems []problem
		r := resolver{
			scope: &scope{root: values.dict}, field: "cmd", unpack: &unpacker{},
			fail: func(_ *node, p problem) { problems = append(problems, p) },
		}
		n := &node{value: text, templated: strings.Contains(text, "${")}
		got := r.node(n)
		list := matches(text)
		for _, m := range list {
			if text[m.start:m.end] != "${"+m.inner+"}" {
				t.Errorf("match %+v of %q", m, text)
			}
			if expr, err := parseExpr(m.inner); err == nil {
				if again, err := parseExpr(expr); err != nil || again != expr {
					t.Errorf("%q: canonical %q reads as %q, %v", m.inner, expr, again, err)
				}
			}
		}
		for _, p := range problems {
			if p.msg == "" || p.nth < 0 || p.nth >= strings.Count(text, "${") {
				t.Errorf("%q: problem %+v", text, p)
			}
		}
		if len(problems) > len(list) {
			t.Errorf("%q: %d problems of %d templates", text, len(problems), len(list))
		}
		if len(list) == 0 && got.value != strings.ReplaceAll(text, `\${`, "${") {
			t.Errorf("%q became %q", text, got.value)
		}
	})
}

// FuzzPythonParams reads any text as a Python file: no panic, faults with
// places, values of known types, and a place for each value that can be
// changed.
func FuzzPythonParams(f *testing.F) {
	f.Add("class A:\n    x = 1\n    def __init__(self):\n        self.y = {'k': (1, 2.5)}\n")
	f.Fuzz(func(t *testing.T, text string) {
		sites := map[string]pySite{}
		m, err := parsePython(text, sites)
		if err != nil {
			var e *pySyntax
			if !errors.As(err, &e) {
				t.Fatalf("error without a place: %T", err)
			}
			if _, err := decodePython("p.py", []byte(text)); err == nil {
				t.Error("decodePython accepts it")
			}
			return
		}
		for key, s := range sites {
			if s.start < 0 || s.start >= s.end || s.end > len(text) {
				t.Errorf("%s at %+v of %d bytes", key, s, len(text))
			}
		}
		checkTypes(t, m)
	})
}

func checkTypes(t *testing.T, v any) {
	switch v := v.(type) {
	case *yaml12.Map:
		for _, it := range v.Items {
			checkTypes(t, it.Key)
			checkTypes(t, it.Value)
		}
	case []any:
		for _, e := range v {
			checkTypes(t, e)
		}
	default:
		if typeName(v) == "dict" {
			t.Errorf("value of type %T", v)
		}
	}
}
