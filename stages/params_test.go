package stages

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

// params decodes YAML whose keys are full dotted keys, as the engine hands
// them over.
func params(t testing.TB, text string) Params {
	t.Helper()
	v, err := yaml12.Decode("params.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if v == nil {
		return Params{}
	}
	return NewParams(v.(*yaml12.Map))
}

type nested struct {
	Depth int    `param:"depth"`
	Kind  string `param:"kind"`
}

type Lent struct {
	Extra string `param:"extra"`
}

type config struct {
	Lent
	On       bool           `param:"on"`
	N        int            `param:"n"`
	Small    int8           `param:"small"`
	U        uint64         `param:"u"`
	F        float64        `param:"f"`
	S        string         `param:"s"`
	Opt      *int           `param:"opt"`
	List     []string       `param:"list"`
	Grid     [][]float64    `param:"grid"`
	Weights  map[string]int `param:"weights"`
	Any      any            `param:"any"`
	Tree     nested         `param:"tree"`
	Untagged int
}

func TestDecode(t *testing.T) {
	seven := 7
	for _, tt := range []struct {
		name, prefix, yaml string
		want               config
	}{
		{"nothing declared keeps defaults", "train", "", config{N: 1, S: "default"}},
		{"key by key", "train", "train.n: 5\ntrain.s: x\ntrain.tree.depth: 3", config{N: 5, S: "x", Tree: nested{Depth: 3}}},
		{"whole section", "train", "train:\n  on: true\n  n: -2\n  tree: {depth: 1, kind: oak}", config{On: true, N: -2, S: "default", Tree: nested{1, "oak"}}},
		{"section and keys", "train", "train.tree.kind: elm\ntrain:\n  n: 9\n  tree: {depth: 4}", config{N: 9, S: "default", Tree: nested{4, "elm"}}},
		{"others are not looked at", "train", "other.n: 5\ntrainer.n: 6\nn: 7", config{N: 1, S: "default"}},
		{"empty prefix", "", "n: 3\nf: 2", config{N: 3, F: 2, S: "default"}},
		{"types", "", "u: 18446744073709551615\nf: 1e3\nopt: 7\nlist: [a, b]\ngrid: [[1, 2.5], []]\nweights: {x: 1}\nany: {k: 1}",
			config{N: 1, S: "default", U: 1<<64 - 1, F: 1000, Opt: &seven, List: []string{"a", "b"}, Grid: [][]float64{{1, 2.5}, {}},
				Weights: map[string]int{"x": 1}, Any: &yaml12.Map{Items: []yaml12.Item{{Key: "k", Value: int64(1)}}}}},
		{"embedded", "train", "train.extra: y\ntrain.n: 2", config{N: 2, S: "default", Lent: Lent{"y"}}},
		{"null is zero", "", "n: null\ns: ~\nlist:\ntree:", config{}},
		{"nested prefix", "a.b", "a:\n  c: 1\na.b.n: 4", config{N: 4, S: "default"}},
	} {
		got := config{N: 1, S: "default"}
		if err := params(t, tt.yaml).Decode(tt.prefix, &got); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDecodeFaults(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		want       []string
	}{
		{"unknown", "train.m: 1", []string{"parameter train.m: unknown parameter"}},
		{"unknown nested", "train:\n  tree: {high: 2}", []string{"parameter train.tree.high: unknown"}},
		{"all at once", "train:\n  n: x\n  f: true\n  zz: 1", []string{"train.n: want an integer, have the string \"x\"", "train.f: want a number, have the boolean true", "train.zz: unknown"}},
		{"string for bool", "train.on: 'yes'", []string{"train.on: want true or false"}},
		{"float for integer", "train.n: 5.0", []string{"train.n: want an integer, have 5"}},
		{"number for string", "train.s: 5", []string{"train.s: want a string, have 5"}},
		{"out of range", "train.small: 300", []string{"train.small: 300 is out of range"}},
		{"negative", "train.u: -1", []string{"train.u: -1 is out of range"}},
		{"too large", "train.n: 99999999999999999999", []string{"train.n: want an integer"}},
		{"infinite", "train.f: .inf", []string{"train.f: want a number"}},
		{"scalar for list", "train.list: a", []string{"train.list: want a list"}},
		{"in a list", "train.list: [a, 1]", []string{"train.list[1]: want a string"}},
		{"in a list of lists", "train.grid: [[1], [a]]", []string{"train.grid[1][0]: want a number"}},
		{"in a map", "train.weights: {x: a}", []string{"train.weights.x: want an integer"}},
		{"scalar for struct", "train.tree: 5", []string{"train.tree: want a mapping, have 5"}},
		{"section is a scalar", "train: 5", []string{"parameter train: want a mapping, have 5"}},
		{"value and section", "train.n: 5\ntrain.n.deep: 6", []string{"both a value and a section"}},
		{"long string", "train.n: " + strings.Repeat("x", 500), []string{"…"}},
	} {
		got := config{N: 1}
		err := params(t, tt.yaml).Decode("train", &got)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q, want %q", tt.name, err, w)
			}
		}
		if diff := cmp.Diff(config{N: 1}, got); diff != "" {
			t.Errorf("%s: the target changed:\n%s", tt.name, diff)
		}
		var p *ParamError
		if !errors.As(err, &p) {
			t.Errorf("%s: %T is no *ParamError", tt.name, err)
		}
	}
}

func TestHintNamesKnownParameters(t *testing.T) {
	err := params(t, "train.max_feature: 5").Decode("train", &struct {
		Max int `param:"max_features"`
	}{})
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() != "known parameters: train.max_features" {
		t.Errorf("error %v", err)
	}
}

func TestRequired(t *testing.T) {
	type target struct {
		A int `param:"a,required"`
	}
	if err := params(t, "x.a: 0").Decode("x", new(target)); err != nil {
		t.Error(err)
	}
	if err := params(t, "").Decode("x", new(target)); err == nil || !strings.Contains(err.Error(), "parameter x.a: missing") {
		t.Errorf("error %v", err)
	}
}

func TestBadTargets(t *testing.T) {
	n := 0
	for _, into := range []any{nil, n, &n, config{}, (*config)(nil)} {
		if err := params(t, "a: 1").Decode("", into); err == nil {
			t.Errorf("%T: no error", into)
		}
	}
	for _, into := range []any{
		&struct {
			A chan int `param:"a"`
		}{},
		&struct {
			a int `param:"a"` //nolint:unused // the point of the case
		}{},
		&struct {
			A map[int]int `param:"a"`
		}{},
	} {
		if err := params(t, "a: {b: 1}").Decode("", into); err == nil {
			t.Errorf("%T: no error", into)
		}
	}
}

func TestDecodeLeavesParamsAlone(t *testing.T) {
	p := params(t, "train:\n  tree: {depth: 1}\ntrain.tree.kind: elm")
	for range 2 {
		var c config
		if err := p.Decode("train", &c); err != nil || c.Tree != (nested{1, "elm"}) {
			t.Fatalf("%+v, %v", c.Tree, err)
		}
	}
	v, _ := p.values.Get("train")
	tree, _ := v.(*yaml12.Map).Get("tree")
	if n := tree.(*yaml12.Map).Len(); n != 1 {
		t.Errorf("decoding added keys to the declared mapping: %d", n)
	}
	if diff := cmp.Diff([]string{"train", "train.tree.kind"}, p.Keys()); diff != "" {
		t.Error(diff)
	}
}

func TestBigIntegers(t *testing.T) {
	p := NewParams(&yaml12.Map{Items: []yaml12.Item{{Key: "f", Value: new(big.Int).Lsh(big.NewInt(1), 70)}}})
	var c config
	if err := p.Decode("", &c); err != nil || c.F != 1<<70 {
		t.Errorf("%v, %v", c.F, err)
	}
}

func TestPaths(t *testing.T) {
	c := &Call{
		Deps: []Path{{"data/raw/", "/p/data/raw"}, {"data/old/raw/x", "/p/x"}, {"a/train.csv", "/p/a"}, {"b/train.csv", "/p/b"}, {"./src.csv", "/p/src"}, {"src.csv", "/p/src"}, {"/abs/file", "/abs/file"}},
		Outs: []Path{{`models\m.json`, "/p/m"}},
	}
	for _, tt := range []struct{ ask, want, fault string }{
		{"data/raw", "/p/data/raw", ""},
		{"data/raw/", "/p/data/raw", ""},
		{"./data/raw", "/p/data/raw", ""},
		{"raw", "/p/data/raw", ""},
		{"aw", "", "not declared"},
		{"x", "/p/x", ""},
		{"train.csv", "", "several declared paths match: a/train.csv, b/train.csv"},
		{"a/train.csv", "/p/a", ""},
		{"src.csv", "/p/src", ""},
		{"/abs/file", "/abs/file", ""},
		{"file", "/abs/file", ""},
		{"", "", "not declared"},
		{"none", "", "not declared; declared are data/raw/"},
	} {
		got, err := c.Dep(tt.ask)
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("Dep(%q) = %q, %v; want %q, %q", tt.ask, got, err, tt.want, tt.fault)
		}
	}
	if got, err := c.Out("m.json"); err != nil || got != "/p/m" {
		t.Errorf("Out: %q, %v", got, err)
	}
	_, err := new(Call).Out("x")
	var p *PathError
	if !errors.As(err, &p) || !strings.Contains(p.Hint(), "outs") || !strings.Contains(err.Error(), "declares none") {
		t.Errorf("error %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("train: {n: 1, tree: {depth: 2}}\ntrain.list: [a]", "train")
	f.Add("n: 1.5\non: yes", "")
	f.Add("? [a]\n: 1", "")
	f.Fuzz(func(t *testing.T, text, prefix string) {
		v, err := yaml12.Decode("params.yaml", []byte(text))
		if err != nil {
			return
		}
		m, ok := v.(*yaml12.Map)
		if !ok {
			return
		}
		before := config{N: 1, S: "x"}
		got := before
		if err := NewParams(m).Decode(prefix, &got); err != nil {
			if diff := cmp.Diff(before, got); diff != "" {
				t.Fatalf("changed on error: %s", diff)
			}
		}
	})
}
