package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

func TestVars(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  any
	}{
		{"inline", map[string]string{"dvc.yaml": "vars: [{x: 1}]\n" + stage("cmd: a ${x}")}, "a 1"},
		{"disjoint maps merge", map[string]string{
			"dvc.yaml": "vars: [{d: {b: 2}}]\n" + stage("cmd: ${d.a} ${d.b}"), "params.yaml": "d: {a: 1}"}, "1 2"},
		{"no default file", map[string]string{"dvc.yaml": stage("cmd: a")}, "a"},
		{"file twice", map[string]string{
			"dvc.yaml": "vars: [o.yaml, ./o.yaml]\n" + stage("cmd: a ${x}"), "o.yaml": "x: 1"}, "a 1"},
		{"default file named", map[string]string{
			"dvc.yaml": "vars: [params.yaml]\n" + stage("cmd: a ${x}"), "params.yaml": "x: 1"}, "a 1"},
		{"some keys", map[string]string{
			"dvc.yaml": "vars: ['o.json:x,y', 'o.json:z']\n" + stage("cmd: a ${x} ${y} ${z}"), "o.json": `{"x": 1, "y": 2.0, "z": "q", "w": 3}`}, "a 1 2.0 q"},
		{"toml", map[string]string{"dvc.yaml": "vars: [o.toml]\n" + stage("cmd: a ${t.x}"), "o.toml": "[t]\nx = 1.0\n"}, "a 1.0"},
		{"python", map[string]string{"dvc.yaml": "vars: [o.py]\n" + stage("cmd: a ${T.x}"), "o.py": "class T:\n    x = 1.0\n"}, "a 1.0"},
		{"of the stage, beside its wdir", map[string]string{
			"dvc.yaml": stage("cmd: a ${x} ${y}\nwdir: sub\nvars: [o.yaml, {y: 2}]"), "sub/o.yaml": "x: 1"}, "a 1 2"},
		{"beside the dvc.yaml", map[string]string{
			"s/dvc.yaml": "vars: [../o.yaml]\n" + stage("cmd: a ${x} ${p}\nwdir: sub"), "o.yaml": "x: 1", "s/params.yaml": "p: 2", "params.yaml": "p: 3"}, "a 1 2"},
		{"empty file", map[string]string{"dvc.yaml": "vars: [o.yaml]\n" + stage("cmd: a"), "o.yaml": ""}, "a"},
		{"dates that nobody uses", map[string]string{"dvc.yaml": stage("cmd: a ${x}"), "params.yaml": "x: 1\nday: 2020-01-01"}, "a 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cmd(t, load(t, tt.files)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The vars of one stage must not reach another.
func TestStageVarsStayInside(t *testing.T) {
	list := faults(t, map[string]string{
		"dvc.yaml":    "stages:\n  A: {cmd: 'a ${x} ${d.y}', vars: [{x: 1, d: {y: 2}}]}\n  B: {cmd: 'b ${x}'}\n  C: {cmd: 'c ${d.y}'}\n",
		"params.yaml": "d: {z: 1}",
	})
	var got []string
	for _, e := range list {
		got = append(got, e.Msg)
	}
	want := []string{
		"failed to parse 'stages.B.cmd' in 'dvc.yaml': Could not find 'x'",
		"failed to parse 'stages.C.cmd' in 'dvc.yaml': Could not find 'd.y'",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestVarsFaults(t *testing.T) {
	const head = "failed to parse 'vars' in 'dvc.yaml':"
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"scalar twice", map[string]string{"dvc.yaml": "vars: [{v: 2}]\n", "params.yaml": "v: 1"},
			"dvc.yaml:1:8: " + head + "\ncannot redefine 'v' from 'vars[0]' as it already exists in 'params.yaml'"},
		{"leaf twice", map[string]string{"dvc.yaml": "vars:\n- {d: {b: 1}}\n- {d: {b: 2}}\n", "params.yaml": "d: {a: 1}"},
			"dvc.yaml:3:3: " + head + "\ncannot redefine 'd.b' from 'vars[1]' as it already exists in 'vars[0]'"},
		{"map over scalar", map[string]string{"dvc.yaml": "vars: [{d: {x: 1}}]\n", "params.yaml": "d: 1"},
			"dvc.yaml:1:8: " + head + "\ncannot redefine 'd' from 'vars[0]' as it already exists in 'params.yaml'"},
		{"part, then whole", map[string]string{"dvc.yaml": "vars: ['o.yaml:x', o.yaml]\n", "o.yaml": "x: 1"},
			"dvc.yaml:1:20: " + head + "\ncannot load 'o.yaml' as it's partially loaded already"},
		{"whole, then part", map[string]string{"dvc.yaml": "vars: [o.yaml, 'o.yaml:x']\n", "o.yaml": "x: 1"},
			"dvc.yaml:1:16: " + head + "\ncannot partially load 'o.yaml:x' as it's already loaded."},
		{"key twice", map[string]string{"dvc.yaml": "vars: ['o.yaml:x', 'o.yaml:x']\n", "o.yaml": "x: 1"},
			"dvc.yaml:1:20: " + head + "\ncannot load 'o.yaml:x' as it's partially loaded already"},
		{"key not there", map[string]string{"dvc.yaml": "vars: ['o.yaml:y']\n", "o.yaml": "x: 1"},
			"dvc.yaml:1:8: " + head + " could not find 'y' in 'o.yaml'"},
		{"no file", map[string]string{"dvc.yaml": "vars: [no.yaml]\n"},
			"dvc.yaml:1:8: " + head + " 'no.yaml' does not exist"},
		{"directory", map[string]string{"dvc.yaml": "vars: [sub]\n", "sub/x": ""},
			"dvc.yaml:1:8: " + head + " 'sub' is a directory"},
		{"list", map[string]string{"dvc.yaml": "vars: [o.yaml]\n", "o.yaml": "[1]"},
			"dvc.yaml:1:8: " + head + " expected a dictionary, got 'list' in file 'o.yaml'"},
		{"template", map[string]string{"dvc.yaml": "vars: [a.yaml, {x: 'b${x}'}]\n"},
			"dvc.yaml:1:22: " + head + " interpolating is not allowed"},
		{"redefined by a stage", map[string]string{"dvc.yaml": stage("cmd: a\nvars: [{x: 2}]"), "params.yaml": "x: 1"},
			"dvc.yaml:4:12: failed to parse stage 'A' in 'dvc.yaml':\ncannot redefine 'x' from 'A.vars[0]' as it already exists in 'params.yaml'"},
		{"file of a stage", map[string]string{"dvc.yaml": stage("cmd: a\nvars: [o.yaml]\nwdir: sub")},
			"dvc.yaml:4:12: failed to parse stage 'A' in 'dvc.yaml': 'sub/o.yaml' does not exist"},
		{"template in a stage", map[string]string{"dvc.yaml": stage("cmd: a\nvars: ['${x}']")},
			"dvc.yaml:4:13: failed to parse 'stages.A.vars' in 'dvc.yaml': interpolating is not allowed"},
		{"part, then whole in a stage", map[string]string{"dvc.yaml": stage("cmd: a\nvars: ['o.yaml:x', o.yaml]"), "o.yaml": "x: 1"},
			"dvc.yaml:4:24: failed to parse 'stages.A.vars' in 'dvc.yaml':\ncannot load 'o.yaml' as it's partially loaded already"},
		{"reserved", map[string]string{"dvc.yaml": stage("foreach: {a: 1}\ndo: {cmd: x, vars: [{item: 1, key: 2}]}")},
			"dvc.yaml:4:25: failed to parse stage 'A@a' in 'dvc.yaml': attempted to modify reserved keys item and key"},
		{"reserved in a file", map[string]string{"dvc.yaml": stage("foreach: [a]\ndo: {cmd: x, vars: [o.yaml]}"), "o.yaml": "item: 1"},
			"dvc.yaml:4:25: failed to parse stage 'A@a' in 'dvc.yaml': attempted to modify reserved key item in 'o.yaml'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := faults(t, tt.files)
			if got := list.Error(); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if list[0].Kind != yaml12.Template {
				t.Errorf("kind %d", list[0].Kind)
			}
		})
	}
}

func TestBrokenParamsFile(t *testing.T) {
	list := faults(t, map[string]string{"dvc.yaml": stage("cmd: a"), "params.yaml": "a: 1\nb: [\n"})
	if len(list) != 1 || list[0].File != "params.yaml" || list[0].Kind != yaml12.Syntax || list[0].Line == 0 {
		t.Errorf("got %+v", list)
	}
}

func TestFileVars(t *testing.T) {
	set := pipe(t, "vars: [{b: {x: 2}}]\n", "a: 1\nb: {y: [1, 2]}\n")
	got := string(python.JSON(set.Files[0].Vars))
	if want := `{"a": 1, "b": {"x": 2, "y": [1, 2]}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDidYouMean(t *testing.T) {
	tests := []struct {
		word string
		list string
		want string
	}{
		{"cmds", "cmd deps", "cmd"}, {"dpes", "cmd deps", "deps"}, {"frozn", "frozen", "frozen"},
		{"x", "a b c", ""}, {"a", "b", ""}, {"a", "A", "A"}, {"lr", "learning", ""}, {"train", "train_model", "train_model"},
		{"Cmd", "cmd", "cmd"}, {"", "a", ""}, {"zzzz", "aaaa bbbb", ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.word, strings.Fields(tt.list)); got != tt.want {
			t.Errorf("nearest(%q, %s) = %q, want %q", tt.word, tt.list, got, tt.want)
		}
	}
}
