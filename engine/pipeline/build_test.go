package pipeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

func pos(line, col int) Position { return Position{"dvc.yaml", line, col} }

func TestStageFields(t *testing.T) {
	set := pipe(t, stage(`
cmd: run ${x}
wdir: sub
deps:
- in.txt
- ../data/
- s3://b/k
params:
- lr
outs:
- o
- p: {cache: false, persist: true, push: false, remote: r, desc: d}
metrics:
- m.json: {cache: false}
plots:
- q.csv: {x: a, header: false}
frozen: true
always_changed: true
desc: what
meta: {k: [1]}`), "x: 1\n")
	want := &Stage{
		Name: "A", File: "dvc.yaml", Wdir: "sub", WdirDef: "sub", Cmd: Command{Lines: []string{"run 1"}},
		Deps: []Dependency{
			{Def: "in.txt", Path: "sub/in.txt", Pos: pos(6, 7)},
			{Def: "../data/", Path: "data", Pos: pos(7, 7)},
			{Def: "s3://b/k", Path: "s3://b/k", URL: true, Pos: pos(8, 7)},
		},
		Params: []ParamFile{{Def: "params.yaml", Path: "sub/params.yaml", Keys: []string{"lr"}, Pos: pos(10, 7)}},
		Outs: []Output{
			{Def: "o", Path: "sub/o", Cache: true, Push: true, Pos: pos(12, 7)},
			{Def: "p", Path: "sub/p", Persist: true, Remote: "r", Pos: pos(13, 7)},
			{Def: "m.json", Path: "sub/m.json", Kind: MetricOutput, Push: true, Pos: pos(15, 7)},
			{Def: "q.csv", Path: "sub/q.csv", Kind: PlotOutput, Cache: true, Push: true,
				Plot: map[string]any{"x": "a", "header": false}, Pos: pos(17, 7)},
		},
		Frozen: true, AlwaysChanged: true, Desc: "what", Templated: true, Pos: pos(2, 3),
		Meta: &yaml12.Map{Items: []yaml12.Item{{Key: "k", Value: []any{int64(1)}}}},
	}
	if d := cmp.Diff(want, set.Stages[0]); d != "" {
		t.Error(d)
	}
}

func TestNullDescription(t *testing.T) {
	if s := pipe(t, stage("cmd: x\ndesc: ${z}"), "z:\n").Stages[0]; s.Desc != "" {
		t.Errorf("got %q", s.Desc)
	}
}

func TestOutputsMerge(t *testing.T) {
	set := pipe(t, stage("cmd: x\nplots: [q]\nmetrics: [m]\nouts: [a, {b: {cache: false}}, {a: {persist: true}}, {a: {cache: false}}, ./a]"), "")
	var got []string
	for _, o := range set.Stages[0].Outs {
		flags := ""
		if o.Cache {
			flags += " cache"
		}
		if o.Persist {
			flags += " persist"
		}
		got = append(got, o.Def+flags)
	}
	// outs come before metrics and plots; ./a is another identity.
	if d := cmp.Diff([]string{"a persist", "b", "./a cache", "m cache", "q cache"}, got); d != "" {
		t.Error(d)
	}
}

func TestDependencyTwice(t *testing.T) {
	set := pipe(t, stage("cmd: x\ndeps: [a, a]"), "")
	if n := len(set.Stages[0].Deps); n != 2 {
		t.Errorf("%d dependencies, want 2", n)
	}
}

func TestParamsMerge(t *testing.T) {
	tests := []struct {
		in   string
		want []string // "file: keys", no keys for the whole file
	}{
		{"[a, b.c, a]", []string{"params.yaml: a b.c a"}},
		{"[a, {o.json: [x, y]}, {q.py: [k]}, {q.py: [l]}, {params.yaml: [z]}]", []string{"params.yaml: a z", "o.json: x y", "q.py: k l"}},
		{"[{o.json: [x]}, {o.json: }, {p.toml: []}]", []string{"o.json:", "p.toml:"}},
		{"[a, {params.yaml: }, b]", []string{"params.yaml:"}},
		{"[{f: 0}, {g: ''}, {h: {}}, {i: false}]", []string{"f:", "g:", "h:", "i:"}},
		{"['${k}', {'${f}': ['${n}']}]", []string{"params.yaml: key", "file.json: 1"}},
		{"[{f: [1, 2.5]}]", []string{"f: 1 2.5"}},
		{"[]", nil},
	}
	for _, tt := range tests {
		set := pipe(t, stage("cmd: x\nparams: "+tt.in), "k: key\nf: file.json\nn: 1\n")
		var got []string
		for _, p := range set.Stages[0].Params {
			text := p.Def + ":"
			if p.Keys != nil {
				text += " " + strings.Join(p.Keys, " ")
			}
			got = append(got, text)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.in, d)
		}
	}
}

func TestPlace(t *testing.T) {
	tests := []struct {
		wdir, in, def, where string
		url                  bool
	}{
		{".", "a", "a", "a", false},
		{".", "./a", "./a", "a", false},
		{".", "a//b/", "a//b/", "a/b", false},
		{"sub", "a", "a", "sub/a", false},
		{"sub", "../a", "../a", "a", false},
		{"sub", ".", ".", "sub", false},
		{"sub", "..", "..", ".", false},
		{".", "../a", "../a", "/w/a", false},
		{"../x", "a", "a", "/w/x/a", false},
		{"/abs", "a", "a", "/abs/a", false},
		{".", "/w/root/a", "a", "a", false},
		{"sub/deep", "/w/root/a", "../../a", "a", false},
		{"sub", "/w/root/sub/a", "a", "sub/a", false},
		{"../x", "/w/root/a", "../root/a", "a", false},
		{".", "/w/rootless/a", "/w/rootless/a", "/w/rootless/a", false},
		{".", "/w/root", "/w/root", ".", false},
		{"sub", "s3://b/k", "s3://b/k", "s3://b/k", true},
		{"sub", "remote://r/p", "remote://r/p", "remote://r/p", true},
		{"sub", "a:b", "a:b", "sub/a:b", false},
		{"sub", "C:/x", "C:/x", "sub/C:/x", false},
		{"sub", "1a://x", "1a://x", "sub/1a:/x", false},
	}
	for _, tt := range tests {
		def, where, url := newPlace("/w/root", tt.wdir).at(tt.in)
		if def != tt.def || where != tt.where || url != tt.url {
			t.Errorf("%s + %s = %q, %q, %v; want %q, %q, %v", tt.wdir, tt.in, def, where, url, tt.def, tt.where, tt.url)
		}
	}
}

func TestWorkingDirectory(t *testing.T) {
	for in, want := range map[string]string{"": "d", "s": "d/s", "..": ".", "../../up": "../up", "./s/": "d/s"} {
		text := stage("cmd: x")
		if in != "" {
			text = stage("cmd: x\nwdir: " + in)
		}
		s := load(t, map[string]string{"d/dvc.yaml": text}).Stages[0]
		if s.Wdir != want || s.WdirDef != in {
			t.Errorf("wdir %q: %q, declared %q; want %q", in, s.Wdir, s.WdirDef, want)
		}
	}
}

func TestPathFaults(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"out .dvc", stage("cmd: x\nouts: [a.dvc]"), "4:12: DVC file 'a.dvc' cannot be an output."},
		{"out dvc.yaml", stage("cmd: x\nouts: [sub/dvc.yaml: {cache: false}]"), "4:12: DVC file 'sub/dvc.yaml' cannot be an output."},
		{"dep .dvc", stage("cmd: x\ndeps: [a.dvc]"), "4:12: DVC file 'a.dvc' cannot be a dependency."},
		{"empty", stage("cmd: x\ndeps: ['']"), "4:12: the path is empty"},
	}
	for _, tt := range tests {
		list := faults(t, map[string]string{"dvc.yaml": tt.text})
		if got := strings.TrimPrefix(list.Error(), "dvc.yaml:"); got != tt.want || list[0].Kind != yaml12.Graph {
			t.Errorf("%s: got %s (kind %d), want %s", tt.name, got, list[0].Kind, tt.want)
		}
	}
}

func TestIgnoredOutput(t *testing.T) {
	_, err := Load(Options{
		Root: project(t, map[string]string{"dvc.yaml": stage("cmd: x\ndeps: [in.log]\nouts: [a.log, plain, is/dir, not/dir, s3://b/x.log]"), "is/dir/f": ""}),
		Ignored: func(rel string, dir bool) bool {
			return strings.HasSuffix(rel, ".log") || dir && strings.HasSuffix(rel, "/dir")
		},
	})
	var list yaml12.Errors
	if !errors.As(err, &list) || len(list) != 2 {
		t.Fatalf("got %v, want two faults", err)
	}
	for i, want := range []string{"a.log' is ignored by .dvcignore", "dir' is ignored by .dvcignore"} {
		if !strings.Contains(list[i].Msg, want) || list[i].Kind != yaml12.Graph {
			t.Errorf("got %+v, want %s", list[i], want)
		}
	}
}

func TestCommand(t *testing.T) {
	tests := []struct {
		in    string
		value any
		steps []string
	}{
		{"a b", "a b", []string{"a b"}},
		{"|\n  a\n  b\n", "a\nb\n", []string{"a", "b"}},
		{"[a, b]", []any{"a", "b"}, []string{"a", "b"}},
		{"[\"a\\nb\"]", []any{"a\nb"}, []string{"a\nb"}},
		{"[a]", []any{"a"}, []string{"a"}},
		{"''", "", nil},
		{"[]", []any{}, nil},
		{`"a\r\nb\n\nc\u2028d"`, "a\r\nb\n\nc\u2028d", []string{"a", "b", "", "c", "d"}},
	}
	for _, tt := range tests {
		c := pipe(t, stage("cmd: "+tt.in), "").Stages[0].Cmd
		if d := cmp.Diff(tt.value, c.Value()); d != "" {
			t.Errorf("%s: value %s", tt.in, d)
		}
		if d := cmp.Diff(tt.steps, c.Steps()); d != "" {
			t.Errorf("%s: steps %s", tt.in, d)
		}
		if c.IsEmpty() != (tt.steps == nil) {
			t.Errorf("%s: IsEmpty = %v", tt.in, c.IsEmpty())
		}
	}
}

func TestTopLevel(t *testing.T) {
	f := load(t, map[string]string{
		"d/params.yaml": "a: m.json\nb: q\nl: [x, y]\n",
		"d/dvc.yaml": `metrics: ['${a}', ../e, '${l}']
params: ['x${a}']
plots: ['${a}', {'${a}': {x: '${b}'}}, {n: }]
artifacts: {'${b}': {path: p/f, meta: '${l}', type: t, desc: d, labels: ['${b}']}}
datasets: [{name: '${b}'}]
`}).Files[0]
	at := func(line, col int) Position { return Position{"d/dvc.yaml", line, col} }
	want := &File{
		Metrics: []string{"d/m.json", "e", "d/x", "d/y"}, Params: []string{"d/xm.json"},
		Plots: []Plot{
			{ID: "m.json", Path: "d/m.json", Pos: at(3, 9)},
			{ID: "m.json", Path: "d/m.json", Pos: at(3, 18), Props: &yaml12.Map{Items: []yaml12.Item{{Key: "x", Value: "q"}}}},
			{ID: "n", Path: "d/n", Pos: at(3, 41)},
		},
		Artifacts: []Artifact{{Name: "q", Def: "p/f", Path: "d/p/f", Desc: "d", Type: "t", Labels: []string{"q"}, Meta: []any{"x", "y"}, Pos: at(4, 13)}},
		Datasets:  []any{&yaml12.Map{Items: []yaml12.Item{{Key: "name", Value: "q"}}}},
	}
	got := &File{Metrics: f.Metrics, Params: f.Params, Plots: f.Plots, Artifacts: f.Artifacts, Datasets: f.Datasets}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(File{})); d != "" {
		t.Error(d)
	}
}
