package python

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/flowrepro/flow/internal/yaml12"
)

func TestFloatRepr(t *testing.T) {
	for want, f := range map[string]float64{
		"1.0": 1, "0.1": 0.1, "1e-05": 1e-5, "0.0001": 1e-4, "1e+16": 1e16, "1000000000000000.0": 1e15,
		"1.5e+300": 1.5e300, "5e-324": 5e-324, "-0.0": math.Copysign(0, -1), "123456789012345.6": 123456789012345.6,
		"inf": math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(), "1.2345678901234567e+19": 12345678901234567890,
	} {
		if got := FloatRepr(f); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestStr(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "None"}, {true, "True"}, {false, "False"}, {int64(-3), "-3"}, {1.0, "1.0"}, {"it's", "it's"},
		{huge, "1267650600228229401496703205376"},
		{[]any{int64(1), "a", nil, 0.5}, "[1, 'a', None, 0.5]"},
		{[]string{"it's"}, `["it's"]`},
		{[]any{`it's "x"`, "a\tb\n\\", "é\x00\u200b\U0001f600\U000e0001"}, `['it\'s "x"', 'a\tb\n\\', 'é\x00\u200b😀\U000e0001']`},
		{&yaml12.Map{Items: []yaml12.Item{{Key: "b", Value: true}, {Key: int64(1), Value: []any{}}}}, "{'b': True, 1: []}"},
		{map[string]any{"b": 1, "a": nil}, "{'a': None, 'b': 1}"},
	} {
		if got := Str(c.v); got != c.want {
			t.Errorf("Str(%v) = %s, want %s", c.v, got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "null"}, {true, "true"}, {1e-5, "1e-05"}, {math.Inf(-1), "-Infinity"}, {math.NaN(), "NaN"},
		{"a\"\\/<>&\b\f\n\r\t\x00\x7fé\u2028😀", `"a\"\\/<>&\b\f\n\r\t\u0000\u007f\u00e9\u2028\ud83d\ude00"`},
		{[]any{}, "[]"}, {map[string]any{}, "{}"}, {[]string{"a", "b"}, `["a", "b"]`},
		{map[string]any{"b": 1, "a": map[string]string{"x": "y"}}, `{"a": {"x": "y"}, "b": 1}`},
		{&yaml12.Map{Items: []yaml12.Item{{Key: int64(10), Value: 1}, {Key: int64(9), Value: 2}}}, `{"9": 2, "10": 1}`},
		{&yaml12.Map{Items: []yaml12.Item{{Key: "é", Value: 1}, {Key: "z", Value: 2}, {Key: "Z", Value: 3}}}, `{"Z": 3, "z": 2, "\u00e9": 1}`},
	} {
		if got := string(JSON(c.v)); got != c.want {
			t.Errorf("JSON(%v) = %s, want %s", c.v, got, c.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for s, want := range map[string]string{
		"": "''", "a/b-c_d.e:f@g%h+i=j,k": "a/b-c_d.e:f@g%h+i=j,k", "a b": "'a b'", "it's": `'it'"'"'s'`,
		"é": "'é'", "$x": "'$x'", "~": "'~'", "a\nb": "'a\nb'",
	} {
		if got := ShellQuote(s); got != want {
			t.Errorf("ShellQuote(%q) = %s, want %s", s, got, want)
		}
	}
}

func FuzzJSONString(f *testing.F) {
	f.Add("a\x00\xffé😀")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(JSON(s))
		if strings.ContainsFunc(out, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is not ASCII", out)
		}
	})
}
