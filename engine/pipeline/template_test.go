package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

func TestMatches(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"plain $a {b}", nil},
		{"${a}", []string{"a"}},
		{"x${a}${ b }y", []string{"a", " b "}},
		{`\${a} ${b}`, []string{"b"}},
		{`\\${a}`, nil}, // DVC looks at one character only
		{"${a ${b}", []string{"a ${b"}},
		{"${a", nil},
		{"${a\n} ${b}", []string{"b"}},
		{"${}", []string{""}},
		{"$${a}", []string{"a"}},
	}
	for _, tt := range tests {
		var got []string
		for _, m := range matches(tt.in) {
			got = append(got, m.inner)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("matches(%q): %s", tt.in, d)
		}
	}
}

func TestParseExpr(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a.b": "a.b", "a[0]": "a.0", "a[0].b": "a.0.b", "a[0][1]": "a.0.1",
		"a[-1]": "a.-1", " a [ 0 ] ": " a . 0 ", "a b": "a b", "a.0 .b": "a.0 .b", " ": " ",
		"a-b": "a-b", "ü": "ü", "a[0] .b": "a.0.b",
	} {
		if got, err := parseExpr(in); err != nil || got != want {
			t.Errorf("parseExpr(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", ".", ".a", "a.", "a..b", "a[", "a]", "a[]", "a[0", "a[0]b", "a.[0]", "a[b.c]", "[a]", "a[[0]]"} {
		if got, err := parseExpr(in); err == nil {
			t.Errorf("parseExpr(%q) = %q, want an error", in, got)
		}
	}
}

// Each case was run with real DVC.
func TestResolvedCommand(t *testing.T) {
	const params = `
lr: 0.1
n: 1
big: 123456789012345678901234567890
e5: 1e-5
e20: 1e20
oct: 010
hex: 0xff
yes: yes
inf: .inf
v: 1.10
t: true
f: false
z:
s: a b
esc: "v \\${q} w"
lst: [7, two, null]
d: {x: 1, y: {z: q}}
maps: [{k: 5}]
args: {b: true, f: false, s: a b, l: [1, 'x y', true, null, 1.5], n: {k: v, e: {}}, z: , e: [], fl: 1.0, q: "it's"}
none: {}
`
	tests := []struct{ in, want string }{
		{"echo ${lr}", "echo 0.1"},
		{"${n}${lr}", "10.1"},
		{"x ${big} ${e5} ${e20} ${oct} ${hex} ${yes} ${inf} ${v}", "x 123456789012345678901234567890 1e-05 1e+20 10 255 yes inf 1.1"},
		{"x ${t} ${f} ${z}", "x true false None"},
		{"${lst[0]} ${lst.0} ${lst[-3]} ${ lst [ 1 ] } ${lst[2]}", "7 7 7 two None"},
		{"${d.x} ${d[y].z} ${d[y][z]} ${maps[0].k}", "1 q q 5"},
		{`a \${HOME} $HOME ${n}`, "a ${HOME} $HOME 1"},
		{`a \${HOME}`, "a ${HOME}"},
		{`x \\${n}`, `x \${n}`},
		{"x ${esc}", "x v ${q} w"}, // values are unescaped too
		{"${esc}", `v \${q} w`},    // but not when the value is all there is
		{"${s}", "a b"},
		{"${n}", "1"}, // DVC fails on a number
		{"x ${n", "x ${n"},
		{"p ${args}", `p --b --s 'a b' --l 1 'x y' True None 1.5 --n.k v --z None --fl 1.0 --q 'it'"'"'s'`},
		{"p ${none} x", "p  x"},
	}
	for _, tt := range tests {
		set := pipe(t, "stages:\n  A:\n    cmd: '"+strings.ReplaceAll(tt.in, "'", "''")+"'\n", params)
		if got := cmd(t, set); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.in, got, tt.want)
		}
		if want := strings.Contains(tt.in, "${"); set.Stages[0].Templated != want {
			t.Errorf("%s: Templated = %v", tt.in, !want)
		}
	}
}

func TestUnpackSettings(t *testing.T) {
	root := project(t, map[string]string{
		"dvc.yaml":    stage("cmd: p ${d}"),
		"params.yaml": "d: {b: true, f: false, l: [1, 'x y'], n: {g: false}}",
	})
	set, err := Load(Options{Root: root, BoolOptional: true, ListAppend: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cmd(t, set), "p --b --no-f --l 1 --l 'x y' --no-n.g"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTemplateFaults(t *testing.T) {
	const params = "d: {y: 1}\nl: [1, 2]\nday: 2020-01-01\nm: {when: {day: 2020-01-01}}\nnested: {l: [[1]]}\nz:\nlearning_rate: 1\ndeep: {epochs: 2}\n"
	const head = "failed to parse 'stages.A.cmd' in 'dvc.yaml':"
	tests := []struct {
		name, text string
		want       string // line:column: message
		hint       string
	}{
		{"not found", stage("cmd: echo ${d.x}"), "3:15: " + head + " Could not find 'd.x'", "'d' has 'y'"},
		{"near name", stage("cmd: echo ${learning_rat}"), "3:15: " + head + " Could not find 'learning_rat'", `did you mean "learning_rate"`},
		{"near key", stage("cmd: echo ${deep.epoch}"), "3:15: " + head + " Could not find 'deep.epoch'", `did you mean "deep.epochs"`},
		{"index as written", stage("cmd: echo ${l[5]}"), "3:15: " + head + " Could not find 'l.5'", "2 elements"},
		{"name into list", stage("cmd: echo ${l.a}"), "3:15: " + head + " Could not find 'l.a'", "use an index"},
		{"into scalar", stage("cmd: echo ${d.y.z}"), "3:15: " + head + " Could not find 'd.y.z'", "single value"},
		{"second template", stage("cmd: echo ${d.y} $${d.y} ${x}"), "3:30: " + head + " Could not find 'x'", ""},
		{"after an escaped one", stage(`cmd: echo \${d} é ${x}`), "3:23: " + head + " Could not find 'x'", ""},
		{"double quotes", stage(`cmd: "a\t\"${x}\""`), "3:16: " + head + " Could not find 'x'", ""},
		{"block text", stage("cmd: |\n  echo 1\n  echo ${x}"), "5:12: " + head + " Could not find 'x'", ""},
		{"folded text", stage("cmd: >-\n  echo 1\n  echo ${d.y}\n  ${x}"), "6:7: " + head + " Could not find 'x'", ""},
		{"plain over lines", stage("cmd: echo a\n  b ${x}"), "4:9: " + head + " Could not find 'x'", ""},
		{"list element", stage("cmd:\n- a\n- b ${x}"), "5:9: " + head + " Could not find 'x'", ""},
		{"list", stage("cmd: echo ${l}"), "3:15: " + head + "\nCannot interpolate data of type 'list'", "${l[0]}"},
		{"list alone", stage("cmd: ${l}"), "3:10: " + head + "\nCannot interpolate data of type 'list'", ""},
		{"map alone", stage("cmd: ${d}"), "3:10: " + head + "\nCannot interpolate data of type 'dict'", "after a program"},
		{"map alone in list", stage("cmd: ['${d}']"), "3:12: " + head + "\nCannot interpolate data of type 'dict'", "after a program"},
		{"nested list", stage("cmd: p ${nested}"), "3:12: " + head + "\nCannot interpolate nested iterable in 'l'", ""},
		{"null command", stage("cmd: ${z}"), "3:10: " + head + " expected str, got NoneType", ""},
		{"date", stage("cmd: p ${day}"), "3:12: " + head + " value of 'day' is or holds a date, which templates cannot use", "quote the date in 'params.yaml'"},
		{"date inside a map", stage("cmd: p ${m.when}"), "3:12: " + head + " value of 'm.when' is or holds a date, which templates cannot use", ""},
		{"empty expression", stage("cmd: a ${}"), "3:12: " + head + "\nan expression is missing in '${}'", ""},
		{"trailing dot", stage("cmd: a ${d.}"), "3:12: " + head + "\nexpected a name after '.' in '${d.}'", ""},
		{"map in desc", stage("cmd: a\ndesc: x ${d}"), "4:13: failed to parse 'stages.A.desc' in 'dvc.yaml':\nCannot interpolate data of type 'dict'", ""},
		{"map as key", stage("cmd: a\nouts: [{'${d}': {cache: false}}]"), "4:14: failed to parse 'stages.A.outs' in 'dvc.yaml':\nCannot interpolate data of type 'dict'", ""},
		{"null path", stage("cmd: a\ndeps: ['${z}']"), "4:12: failed to parse 'stages.A.deps' in 'dvc.yaml': expected str, got NoneType", ""},
		{"wdir", stage("cmd: a\nwdir: x${nope}"), "4:12: failed to parse 'stages.A.wdir' in 'dvc.yaml': Could not find 'nope'", ""},
		{"metrics", "metrics: [a, 'b${x}']\n", "1:16: failed to parse 'metrics.1' in 'dvc.yaml': Could not find 'x'", ""},
		{"plots", "plots: [{a: {x: '${x}'}}]\n", "1:18: failed to parse 'plots.0' in 'dvc.yaml': Could not find 'x'", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := faults(t, map[string]string{"dvc.yaml": tt.text, "params.yaml": params})
			if len(list) != 1 {
				t.Fatalf("%d errors: %v", len(list), list)
			}
			e := list[0]
			if got := strings.TrimPrefix(e.Error(), "dvc.yaml:"); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if e.Kind != yaml12.Template {
				t.Errorf("kind %d", e.Kind)
			}
			if !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("hint %q, want one with %q", e.Hint(), tt.hint)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	list := faults(t, map[string]string{
		"dvc.yaml":     "stages:\n  A: {cmd: 'a ${x} ${y}', deps: ['${z}']}\n  B: {cmd: b, dep: []}\n  C: {cmd: '${w}'}\n",
		"sub/dvc.yaml": "stages:\n  D: {cmd: '${v}'}\n",
		"bad/dvc.yaml": "stages: [\n",
	})
	var got []string
	for _, e := range list {
		_, msg, _ := strings.Cut(e.Msg, ": ")
		got = append(got, strings.Join(append([]string{e.File}, e.Path...), " ")+" "+msg)
	}
	want := []string{
		"bad/dvc.yaml ",
		"dvc.yaml stages A cmd Could not find 'x'", "dvc.yaml stages A cmd Could not find 'y'",
		"dvc.yaml stages A deps Could not find 'z'", "dvc.yaml stages B dep ",
		"dvc.yaml stages C cmd Could not find 'w'", "sub/dvc.yaml stages D cmd Could not find 'v'",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTypesSurvive(t *testing.T) {
	set := pipe(t, stage("cmd: x\nmeta: {i: '${i}', f: '${f}', b: '${b}', z: '${z}', t: 'v${i}', '${k}': 1}"),
		"i: 1\nf: 1.0\nb: true\nz:\nk: key\n")
	want := &yaml12.Map{Items: []yaml12.Item{{Key: "i", Value: int64(1)}, {Key: "f", Value: 1.0}, {Key: "b", Value: true},
		{Key: "z", Value: nil}, {Key: "t", Value: "v1"}, {Key: "key", Value: int64(1)}}}
	if d := cmp.Diff(any(want), set.Stages[0].Meta); d != "" {
		t.Error(d)
	}
}

func TestWindowsQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "": `""`, "a b": `"a b"`, `a"b`: `a\"b`, `a\b`: `a\b`, `a b\`: `"a b\\"`, `a\"b`: `a\\\"b`,
	} {
		if got := windowsQuote(in); got != want {
			t.Errorf("windowsQuote(%q) = %s, want %s", in, got, want)
		}
	}
}
