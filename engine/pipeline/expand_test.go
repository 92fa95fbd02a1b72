package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Each case was run with real DVC, except where noted.
func TestGroups(t *testing.T) {
	tests := []struct {
		name, text, params string
		want               []string // "name: command"
	}{
		{"list", stage("foreach: [a, b]\ndo: {cmd: 'x ${item}'}"), "", []string{"A@a: x a", "A@b: x b"}},
		{"scalars", stage("foreach: [1, true, null, 1.0, 1e-5, '1']\ndo: {cmd: 'x ${item}'}"), "",
			[]string{"A@1: x 1", "A@true: x true", "A@None: x None", "A@1.0: x 1.0", "A@1e-05: x 1e-05"}},
		{"duplicates: the last value at the first place", stage("foreach: [1, b, '1']\ndo: {cmd: 'x ${item}'}"), "", []string{"A@1: x 1", "A@b: x b"}},
		{"map", stage("foreach: {k: {x: 1}, 2: {x: 2}}\ndo: {cmd: 'x ${key} ${item.x}'}"), "", []string{"A@k: x k 1", "A@2: x 2 2"}},
		{"list of maps", stage("foreach: [{x: 1}, {x: 2}]\ndo: {cmd: 'x ${item.x}'}"), "", []string{"A@0: x 1", "A@1: x 2"}},
		{"one map makes indexes", stage("foreach: [a, [b]]\ndo: {cmd: 'x'}"), "", []string{"A@0: x", "A@1: x"}},
		{"templated list", stage("foreach: ${l}\ndo: {cmd: 'x ${item}'}"), "l: [p, q]", []string{"A@p: x p", "A@q: x q"}},
		{"templated map drops other keys", stage("foreach: ${m}\ndo: {cmd: 'x ${key}'}"), "m: {1: a, b: c}", []string{"A@b: x b"}},
		{"templated elements", stage("foreach: ['${a}', '${b}x']\ndo: {cmd: 'x ${item}'}"), "a: 1\nb: 2", []string{"A@1: x 1", "A@2x: x 2x"}},
		{"unpacked item", stage("foreach: [{x: 1, y: [a, b]}]\ndo: {cmd: 'p ${item}'}"), "", []string{"A@0: p --x 1 --y a b"}},
		{"empty", stage("foreach: []\ndo: {cmd: x}"), "", nil},
		{"empty template", stage("foreach: ${l}\ndo: {cmd: x}"), "l: []", nil},
		{"at sign (DVC fails)", stage("foreach: [a@b]\ndo: {cmd: x}"), "", []string{"A@a@b: x"}},
		{"matrix", stage("matrix: {n: [foo, bar], m: [1, [2, 3], {q: 4}]}\ncmd: x ${item.n} ${key}"), "", []string{
			"A@foo-1: x foo foo-1", "A@foo-m1: x foo foo-m1", "A@foo-m2: x foo foo-m2",
			"A@bar-1: x bar bar-1", "A@bar-m1: x bar bar-m1", "A@bar-m2: x bar bar-m2"}},
		{"templated matrix", stage("matrix: {n: '${l}', 'm${a}': [true, null]}\ncmd: x ${item.n} ${item.m1}"), "l: [5]\na: 1",
			[]string{"A@5-true: x 5 true", "A@5-None: x 5 None"}},
		{"matrix of a map takes its keys", stage("matrix: {n: '${m}'}\ncmd: x ${item.n}"), "m: {a: 1, b: 2}", []string{"A@a: x a", "A@b: x b"}},
		{"empty matrix value", stage("matrix: {n: [], m: [1]}\ncmd: x"), "", nil},
		{"vars in do", stage("foreach: [a]\ndo: {cmd: 'x ${v} ${item}', vars: [{v: 1}]}"), "", []string{"A@a: x 1 a"}},
		{"neighbours keep their place", "stages:\n  A: {cmd: a}\n  G: {foreach: [x], do: {cmd: g}}\n  B: {cmd: b}\n", "", []string{"A: a", "G@x: g", "B: b"}},
		{"hand-written at sign (DVC fails)", "stages:\n  x@y: {cmd: a}\n  x: {cmd: b}\n", "", []string{"x@y: a", "x: b"}},
		{"group with an at sign", "stages:\n  x@y: {foreach: [a], do: {cmd: b}}\n", "", []string{"x@y@a: b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := pipe(t, tt.text, tt.params)
			var got []string
			for _, s := range set.Stages {
				got = append(got, s.Name+": "+s.Cmd.Value().(string))
				if s.Group != "" && (!s.Templated || !strings.HasPrefix(s.Name, s.Group+"@")) {
					t.Errorf("%s: group %q, templated %v", s.Name, s.Group, s.Templated)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGroupNames(t *testing.T) {
	f := pipe(t, "stages:\n  G: {foreach: [b, a], do: {cmd: g}}\n  M: {matrix: {x: []}, cmd: m}\n", "").Files[0]
	if d := cmp.Diff(map[string][]string{"G": {"G@b", "G@a"}, "M": {}}, f.Groups); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"G", "M"}, f.GroupNames); d != "" {
		t.Error(d)
	}
}

func TestHiddenValuesWarn(t *testing.T) {
	set := pipe(t, "stages:\n  A: {foreach: [a], do: {cmd: '${item} x'}}\n  B: {matrix: {n: [1]}, cmd: '${key} x'}\n  C: {foreach: {q: 1}, do: {cmd: x, matrix: {n: [1]}}}\n", "item: 1\nkey: 2\n")
	want := []string{
		"item is already specified, will be overwritten for stages generated from 'A'",
		"key and item are already specified, will be overwritten for stages generated from 'B'",
		"item and key are already specified, will be overwritten for stages generated from 'C'",
		"dvc.yaml:4: matrix inside do of stage 'C' has no effect",
	}
	if d := cmp.Diff(want, set.Warnings); d != "" {
		t.Error(d)
	}
}

func TestGroupFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"text", stage("foreach: abc\ndo: {cmd: x}"), "3:14: failed to resolve 'stages.A.foreach' in 'dvc.yaml': expected list/dictionary, got str"},
		{"number", stage("foreach: ${n}\ndo: {cmd: x}"), "3:14: failed to resolve 'stages.A.foreach' in 'dvc.yaml': expected list/dictionary, got float"},
		{"null", stage("foreach: ${z}\ndo: {cmd: x}"), "3:14: failed to resolve 'stages.A.foreach' in 'dvc.yaml': expected list/dictionary, got NoneType"},
		{"missing", stage("foreach: ${q}\ndo: {cmd: x}"), "3:14: failed to parse 'stages.A.foreach' in 'dvc.yaml': Could not find 'q'"},
		{"key of a list, once for all", stage("foreach: [a, b, c]\ndo: {cmd: 'x ${key}'}"), "4:18: failed to parse 'stages.A@a.cmd' in 'dvc.yaml': Could not find 'key'"},
		{"expression as written", stage("foreach: [a]\ndo: {cmd: 'x ${item[0]}'}"), "4:18: failed to parse 'stages.A@a.cmd' in 'dvc.yaml': Could not find 'item[0]'"},
		{"one broken element", stage("foreach: [{x: 1}, {y: 1}]\ndo: {cmd: 'x ${item.x}'}"), "4:18: failed to parse 'stages.A@1.cmd' in 'dvc.yaml': Could not find 'item.x'"},
		{"matrix value", stage("matrix: {n: '${n}'}\ncmd: x"), "3:18: failed to resolve 'stages.A.matrix.n' in 'dvc.yaml': expected list, got float"},
		{"no matrix", stage("matrix: {}\ncmd: x"), "3:13: failed to resolve 'stages.A.matrix' in 'dvc.yaml': the matrix is empty"},
		{"huge matrix", stage("matrix: {a: [" + strings.Repeat("x,", 600) + "], b: [" + strings.Repeat("x,", 600) + "]}\ncmd: x"), "3:13: failed to resolve 'stages.A.matrix' in 'dvc.yaml': more than 131072 combinations"},
		{"defined twice", "stages:\n  s: {foreach: [a], do: {cmd: a}}\n  s@a: {cmd: b}\n", "3:3: stage 's@a' is defined twice, first at line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := faults(t, map[string]string{"dvc.yaml": tt.text, "params.yaml": "n: 1.5\nz:\n"})
			if got := strings.TrimPrefix(list.Error(), "dvc.yaml:"); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A fault in one stage must not hide the stages beside it.
func TestPartialSet(t *testing.T) {
	set, err := Load(Options{Root: project(t, map[string]string{
		"dvc.yaml": "stages:\n  A: {cmd: a}\n  B: {cmd: '${x}'}\n  C: {cmd: c, foo: 1}\n  D: {cmd: d}\n"})})
	if err == nil {
		t.Fatal("no error")
	}
	if d := cmp.Diff([]string{"A", "D"}, names(set.Stages)); d != "" {
		t.Error(d)
	}
}

func TestAliases(t *testing.T) {
	set := pipe(t, "stages:\n  A: &a\n    cmd: &c echo ${x}\n    deps: &d [in]\n  B: {<<: *a, deps: *d}\n  C: {<<: [{cmd: c1}, *a], cmd: *c}\n", "x: 1\n")
	var got []string
	for _, s := range set.Stages {
		got = append(got, fmt.Sprint(s.Name, s.Cmd.Value(), len(s.Deps)))
	}
	if d := cmp.Diff([]string{"Aecho 11", "Becho 11", "Cecho 11"}, got); d != "" {
		t.Error(d)
	}
	bomb := "vars:\n- a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		p := string(c - 1)
		bomb += fmt.Sprintf("- %c: &%c [*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s]\n", c, c, p, p, p, p, p, p, p, p)
	}
	if list := faults(t, map[string]string{"dvc.yaml": bomb}); list[0].Kind != yaml12.Syntax {
		t.Errorf("alias bomb: %v", list)
	}
}
