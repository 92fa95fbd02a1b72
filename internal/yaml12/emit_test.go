package yaml12

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// goldenValue reads a value as make_golden.py writes it.
func goldenValue(dec *json.Decoder) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Number:
		if strings.ContainsAny(tok.String(), ".eE") {
			f, err := tok.Float64()
			return f, err
		}
		b, ok := new(big.Int).SetString(tok.String(), 10)
		if !ok {
			return nil, fmt.Errorf("bad number %s", tok)
		}
		return normal(b), nil
	case json.Delim:
		if tok == '[' {
			list := []any{}
			for dec.More() {
				v, err := goldenValue(dec)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := dec.Token()
			return list, err
		}
		out := &Map{}
		for dec.More() {
			k, err := goldenValue(dec)
			if err != nil {
				return nil, err
			}
			v, err := goldenValue(dec)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, Item{k, v})
		}
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
		if v, ok := out.Get("$float"); ok {
			return map[any]any{"inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN()}[v], nil
		}
		if v, ok := out.Get("$time"); ok {
			return Timestamp(v.(string)), nil
		}
		if v, ok := out.Get("$map"); ok {
			out = &Map{}
			for _, kv := range v.([]any) {
				out.Items = append(out.Items, Item{kv.([]any)[0], kv.([]any)[1]})
			}
		}
		return out, nil
	}
	return tok, nil
}

func readGolden(t *testing.T, path string) []any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := goldenValue(dec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		t.Fatal("trailing data")
	}
	list := v.([]any)
	if len(list) == 0 {
		t.Fatal("no cases")
	}
	return list
}

// TestEmitGolden compares with what DVC's own library wrote. Cases that the
// library does not read back as they were must at least be right here.
func TestEmitGolden(t *testing.T) {
	path := "testdata/emit.golden.json"
	if p := os.Getenv("EMIT_GOLDEN"); p != "" {
		path = p
	}
	failed := 0
	for _, c := range readGolden(t, path) {
		v, want, lossless := c.([]any)[0], c.([]any)[1].(string), c.([]any)[2].(bool)
		got := Emit(v)
		bad := false
		if lossless && string(got) != want {
			bad = true
			t.Errorf("%#v:\n%s", v, cmp.Diff(want, string(got)))
		}
		back, err := Decode("", got)
		if err != nil || !Identical(back, v) {
			bad = true
			t.Errorf("%s\nreads back as %#v, %v", got, back, err)
		}
		if bad {
			if failed++; failed > 8 {
				t.Fatal("giving up")
			}
		}
	}
}

func TestScalarGolden(t *testing.T) {
	for _, c := range readGolden(t, "testdata/scalar.golden.json") {
		text, want := c.([]any)[0].(string), c.([]any)[1]
		if got := Scalar(text); !Identical(got, want) {
			t.Errorf("Scalar(%q) = %#v, want %#v", text, got, want)
		}
	}
}

func TestEmitShared(t *testing.T) {
	layers := []any{int64(1), int64(2)}
	opt := m("a", int64(1))
	v := m("train", m("layers", layers, "opt", opt), "train.layers", layers, "train.opt", opt, "x", []any{opt, []any{}})
	want := "train:\n  layers: &id001\n  - 1\n  - 2\n  opt: &id002\n    a: 1\ntrain.layers: *id001\ntrain.opt: *id002\nx:\n- *id002\n- []\n"
	got := string(Emit(v))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	back, err := Decode("", []byte(got))
	if err != nil || !Identical(back, v) {
		t.Errorf("reads back as %v, %v", back, err)
	}
}

func TestEmitGoTypes(t *testing.T) {
	got := string(Emit(map[string]any{"b": []string{"x"}, "a": 1, "c": Timestamp("2024-01-02")}))
	if want := "a: 1\nb:\n- x\nc: 2024-01-02\n"; got != want {
		t.Errorf("got %q", got)
	}
	n := 0
	if got := string(AppendEmitAt([]byte("a:\n"), m("b", []any{int64(1), nil}), 2, &n)); got != "a:\n  b:\n  - 1\n  - \n" {
		t.Errorf("indented: %q", got)
	}
}

func drawValue(t *rapid.T, depth int) any {
	n := 9
	if depth > 3 {
		n = 7
	}
	switch rapid.IntRange(0, n-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64().Draw(t, "int")
	case 3:
		return rapid.Float64().Draw(t, "float")
	case 4:
		return rapid.StringOf(rapid.SampledFrom([]rune("ab1 \n\t'\":#-[]{}é\u0085\u2028😀\\,&*?.e_"))).Draw(t, "text")
	case 5:
		return strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z'"]{0,30}`), 0, 30).Draw(t, "words"), " ")
	case 6:
		return rapid.String().Draw(t, "string")
	case 7:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, drawValue(t, depth+1))
		}
		return list
	}
	out := &Map{}
	for range rapid.IntRange(0, 3).Draw(t, "length") {
		k := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z .\n]{1,130}`)).Draw(t, "key")
		out.Set(k, drawValue(t, depth+1))
	}
	return out
}

func TestEmitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(t, 0)
		checkRoundTrip(t, v)
	})
}

func checkRoundTrip(t interface {
	Fatalf(string, ...any)
}, v any) {
	out := Emit(v)
	back, err := Decode("", out)
	if err != nil {
		t.Fatalf("%#v\n%s\n%v", v, out, err)
	}
	if !Identical(back, v) {
		t.Fatalf("%#v\n%s\nreads back as %#v", v, out, back)
	}
}

func FuzzEmit(f *testing.F) {
	f.Add("a b", "k", 1.5)
	f.Add("x: y #z\n\t", "on", math.Inf(1))
	f.Add(strings.Repeat("it's a \t", 30), strings.Repeat("k ", 70), math.Copysign(0, -1))
	f.Fuzz(func(t *testing.T, s, key string, x float64) {
		s, key = strings.ToValidUTF8(s, "?"), strings.ToValidUTF8(key, "?")
		checkRoundTrip(t, s)
		checkRoundTrip(t, m(key, m("cmd", s, "l", []any{s, x, nil, []any{s}})))
	})
}
