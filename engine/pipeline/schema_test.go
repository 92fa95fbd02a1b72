package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

func TestShape(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // "line:column message, in path"
		hint       string   // part of the first hint
	}{
		{"unknown stage key", stage("cmd: a\ncmds: b"), []string{"4:5 extra keys not allowed, in stages -> A -> cmds"}, `did you mean "cmd"`},
		{"synonym", stage("command: a\ncmd: b"), []string{"3:5 extra keys not allowed, in stages -> A -> command"}, `did you mean "cmd"`},
		{"no idea", stage("cmd: a\nzzzzzz: b"), []string{"4:5 extra keys not allowed, in stages -> A -> zzzzzz"}, "allowed here: cmd, wdir"},
		{"several at once", stage("cmd: a\ncmds: b\ndeps: x\nfrozen: maybe\nouts: [1, {o: {cache: 0, caches: 1}}]"), []string{
			"4:5 extra keys not allowed, in stages -> A -> cmds",
			"5:11 expected a list, in stages -> A -> deps",
			"6:13 expected bool, in stages -> A -> frozen",
			"7:12 expected str, in stages -> A -> outs -> 0",
			"7:27 expected bool, in stages -> A -> outs -> 1 -> o -> cache",
			"7:30 extra keys not allowed, in stages -> A -> outs -> 1 -> o -> caches",
		}, ""},
		{"top level key", "stage: {}\n", []string{"1:1 extra keys not allowed, in stage"}, `did you mean "stages"`},
		{"top level list", "- a\n", []string{"1:1 expected a dictionary"}, ""},
		{"null stages", "stages:\n", []string{"1:8 expected a dictionary, in stages"}, "stages: {}"},
		{"list of stages", "stages: [a]\n", []string{"1:9 expected a dictionary, in stages"}, ""},
		{"null stage", "stages:\n  A:\n", []string{"2:5 expected a dictionary, in stages -> A"}, "at least a cmd"},
		{"no command", "stages:\n  A: {}\n", []string{"2:3 required key not provided, in stages -> A -> cmd"}, ""},
		{"number as name", "stages:\n  1: {cmd: a}\n", []string{"2:3 expected str, in stages -> 1"}, "quotes"},
		{"empty name", "stages:\n  '': {cmd: a}\n", []string{"2:3 the stage has no name, in stages -> "}, ""},
		{"number as command", stage("cmd: 1"), []string{"3:10 expected str, in stages -> A -> cmd"}, "quotes"},
		{"boolean in command list", stage("cmd: [a, false]"), []string{"3:14 expected str, in stages -> A -> cmd -> 1"}, "quotes"},
		{"foreach without do", stage("foreach: [a]"), []string{"2:3 required key not provided, in stages -> A -> do"}, ""},
		{"do without foreach", stage("do: {cmd: a}"), []string{"2:3 required key not provided, in stages -> A -> foreach"}, ""},
		{"cmd beside foreach", stage("foreach: [a]\ndo: {cmd: a}\ncmd: x"), []string{"5:5 extra keys not allowed, in stages -> A -> cmd"}, "move it below do"},
		{"scalar foreach", stage("foreach: 1\ndo: {cmd: a}"), []string{"3:14 expected dict, in stages -> A -> foreach"}, ""},
		{"below do", stage("foreach: [a]\ndo: {cmd: a, dep: [b]}"), []string{"4:18 extra keys not allowed, in stages -> A -> do -> dep"}, `"deps"`},
		{"scalar matrix value", stage("cmd: a\nmatrix: {n: 1}"), []string{"4:17 expected str, in stages -> A -> matrix -> n"}, ""},
		{"text as matrix value", stage("cmd: a\nmatrix: {n: abc}"), []string{"4:17 expected a list, in stages -> A -> matrix -> n"}, ""},
		{"list as matrix", stage("cmd: a\nmatrix: [1]"), []string{"4:13 expected a dictionary, in stages -> A -> matrix"}, ""},
		{"templated flag", stage("cmd: a\nfrozen: ${x}"), []string{"4:13 expected bool, in stages -> A -> frozen"}, "before templates are replaced"},
		{"templated list", stage("cmd: a\ndeps: ${x}"), []string{"4:11 expected a list, in stages -> A -> deps"}, "before templates are replaced"},
		{"yes is text", stage("cmd: a\nfrozen: yes"), []string{"4:13 expected bool, in stages -> A -> frozen"}, "true or false"},
		{"path with colon", stage("cmd: a\nouts:\n- a:"), []string{"5:9 expected a dictionary, in stages -> A -> outs -> 0 -> a"}, "remove the ':'"},
		{"plot property on out", stage("cmd: a\nouts: [{a: {x: b}}]"), []string{"4:17 extra keys not allowed, in stages -> A -> outs -> 0 -> a -> x"}, ""},
		{"list of plot properties", stage("cmd: a\nplots: [{a: [{x: b}]}]"), []string{"4:17 Expected dict for 'a', got: 'list', in stages -> A -> plots -> 0 -> a"}, ""},
		{"params of a file", stage("cmd: a\nparams: [{f.json: abc}]"), []string{"4:23 Expected list of params for custom params file 'f.json', got 'str'., in stages -> A -> params -> 0 -> f.json"}, ""},
		{"vars", "vars: [1]\n", []string{"1:8 expected dict, in vars -> 0"}, ""},
		{"top plots", "plots: [{a: {y: [1]}}, {b: {c: d}}, {}]\n", []string{
			"1:18 expected str, in plots -> 0 -> a -> y -> 0",
			"1:29 extra keys not allowed, in plots -> 1 -> b -> c",
			"1:37 required key not provided, in plots -> 2",
		}, ""},
		{"artifact", "artifacts: {a: {}, b: }\n", []string{
			"1:16 required key not provided, in artifacts -> a -> path",
			"1:23 expected a dictionary, in artifacts -> b",
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			list := faults(t, map[string]string{"dvc.yaml": tt.text})
			for _, e := range list {
				if e.Kind != yaml12.Validation || e.File != "dvc.yaml" {
					t.Errorf("%v: kind %d, file %s", e, e.Kind, e.File)
				}
				text := strings.TrimPrefix(e.Error(), "dvc.yaml:")
				text = strings.Replace(text, ": ", " ", 1)
				if e.Path != nil {
					text += ", in " + strings.Join(e.Path, " -> ")
				}
				got = append(got, text)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if tt.hint != "" && !strings.Contains(list.Hint(), tt.hint) {
				t.Errorf("hint %q, want one with %q", list.Hint(), tt.hint)
			}
		})
	}
}

// Everything DVC allows must pass: forms that are easy to forget.
func TestShapeAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"empty":       "",
		"comment":     "# nothing\n",
		"no stages":   "stages: {}\n",
		"falsy root":  "[]\n",
		"empty cmd":   stage("cmd: ''"),
		"empty list":  stage("cmd: []"),
		"all fields":  stage("cmd: [a, b]\nwdir: .\ndeps: []\nparams: [a, {f: }, {g: []}, {h: [x]}]\nouts: [{o: {cache: true, persist: false, push: true, remote: r, desc: d, type: t, labels: [l], meta: {}, checkpoint: true}}]\nmetrics: [{m: {}}]\nplots: [{p: {x: a, y: b, x_label: c, y_label: d, title: e, template: f, header: false, cache: false}}]\nfrozen: false\nalways_changed: true\ndesc: d\nmeta: [1]\nvars: []"),
		"top level":   "vars: []\nparams: [a]\nmetrics: [b]\nplots: [c, {d: }, {e: {x: f, y: [g], title: t}}, {h: {x: {i: j}, y: {k: [l, m], n: o}}}]\nartifacts: {a: {path: p, type: t, desc: d, labels: [l], meta: 1}}\ndatasets: [{name: n, url: u, type: dvc}]\n",
		"odd names":   "stages:\n  a/b: {cmd: a}\n  c:d: {cmd: a}\n  ü ä: {cmd: a}\n  x@y: {cmd: a}\n  bad.name: {cmd: a}\n",
		"merged maps": "stages:\n  A: &a {cmd: q, deps: [x]}\n  B: {<<: *a, cmd: r}\n",
	} {
		t.Run(name, func(t *testing.T) { pipe(t, text, "") })
	}
}
