package yaml12

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var cmpBig = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })

func m(kv ...any) *Map {
	out := &Map{}
	for i := 0; i < len(kv); i += 2 {
		out.Items = append(out.Items, Item{kv[i], kv[i+1]})
	}
	return out
}

func TestScalar(t *testing.T) {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for text, want := range map[string]any{
		"": nil, "~": nil, "null": nil, "Null": nil, "NULL": nil, "nUll": "nUll",
		"true": true, "True": true, "TRUE": true, "tRue": "tRue", "false": false, "False": false, "FALSE": false,
		"yes": "yes", "no": "no", "on": "on", "off": "off", "y": "y", "Yes": "Yes",
		"0": int64(0), "-0": int64(0), "12": int64(12), "+12": int64(12), "-12": int64(-12),
		"010": int64(10), "08": int64(8), "0o10": int64(8), "0O10": "0O10", "0xff": int64(255), "0XFF": "0XFF",
		"-0xf": int64(-15), "0b101": int64(5), "0b12": "0b12", "0o8": "0o8",
		"1_000": int64(1000), "1__0": int64(10), "_1": "_1", "-_": "-_", "0x_": "0x_",
		"123456789012345678901234567890": huge,
		"1.0":                            1.0, "1.": 1.0, "1e5": 1e5, "1e-5": 1e-5, "1E5": 1e5, "1.5e3": 1500.0, ".5": 0.5, "-.5": -0.5,
		".5e5": ".5e5", ".5e+5": 0.5e5, "1e": "1e", "e5": "e5", "1_0.5": 10.5, "._": "._", ".": ".", "+": "+", "-": "-",
		".inf": math.Inf(1), "-.inf": math.Inf(-1), "+.INF": math.Inf(1), ".iNf": ".iNf", "12e4567": math.Inf(1),
		"-.nan": "-.nan", "nan": "nan", "inf": "inf",
		"1.2.3": "1.2.3", "12:30:45": "12:30:45", "1:30": "1:30", "1.5.": "1.5.",
		"2024-01-02": Timestamp("2024-01-02"), "2024-1-2": "2024-1-2", "2024-01-02T10:00:00Z": Timestamp("2024-01-02T10:00:00Z"),
		"2024-1-2 1:00:00": Timestamp("2024-1-2 1:00:00"), "2024-01-02 10:00:00.5 +01:00": Timestamp("2024-01-02 10:00:00.5 +01:00"),
		"2024-01-02T10:00": "2024-01-02T10:00", "2024-01-02x": "2024-01-02x",
		"<<": "<<", "=": "=", "a b": "a b", "0123456789abcdef0123456789abcdef": "0123456789abcdef0123456789abcdef",
		strings.Repeat("9", 5000): strings.Repeat("9", 5000),
	} {
		if d := cmp.Diff(want, Scalar(text), cmpBig); d != "" {
			t.Errorf("%.40q: %s", text, d)
		}
	}
	if f, ok := Scalar(".nan").(float64); !ok || f == f {
		t.Error(".nan is not NaN")
	}
}

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want any
	}{
		"empty":         {"", nil},
		"comment":       {"# nothing\n", nil},
		"mark":          {"---\n", nil},
		"null":          {"~\n", nil},
		"bom":           {"\ufeffa: 1\n", m("a", int64(1))},
		"typed":         {"a: 1\nb: '1'\nc: 1e-3\nd: yes\ne:\nf: \"no\"\n", m("a", int64(1), "b", "1", "c", 1e-3, "d", "yes", "e", nil, "f", "no")},
		"block":         {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", m("a", "x\ny\n", "b", "x y")},
		"flow":          {"a: [1, {b: 2}]\nc: {}\nd: []\n", m("a", []any{int64(1), m("b", int64(2))}, "c", m(), "d", []any{})},
		"alias":         {"a: &x [1]\nb: *x\n", m("a", []any{int64(1)}, "b", []any{int64(1)})},
		"merge":         {"a: &x {p: 1, q: 2}\nb:\n  q: 3\n  <<: *x\n  r: 4\n", m("a", m("p", int64(1), "q", int64(2)), "b", m("p", int64(1), "q", int64(3), "r", int64(4)))},
		"merge list":    {"a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y]\n", m("a", m("p", int64(1)), "b", m("p", int64(2), "q", int64(2)), "c", m("p", int64(1), "q", int64(2)))},
		"quoted merge":  {"'<<': 1\n", m("<<", int64(1))},
		"tags":          {"a: !!str 1\nb: !!float 1\nc: !!int '3'\n", m("a", "1", "b", 1.0, "c", int64(3))},
		"value of a =":  {"a: =\n", m("a", "=")},
		"tag on a list": {"a: !!seq [1]\nb: !!map {c: 1}\n", m("a", []any{int64(1)}, "b", m("c", int64(1)))},
	} {
		got, err := Decode("f.yaml", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text, want, hint string
	}{
		"bad indentation": {"stages:\n  a:\n    cmd: x\n   deps:\n    - y\n", "f.yaml:4:4: ", "indentation"},
		"wrong dedent":    {"a:\n    b: 1\n  c: 2\n", "f.yaml:3:3: ", "indentation"},
		"unclosed [":      {"a: 1\nb:\n  c: [1, 2\nd: 3\ne: 4\n", "f.yaml:3:6: ", "bracket"},
		"unclosed { last": {"a: 1\nb: {c: 1\n", "f.yaml:2:4: ", "bracket"},
		"unclosed quote":  {"a: 1\nb: \"x\nc: 1\n", "f.yaml:2:4: ", "quote"},
		"tab":             {"a:\n  b: 1\n\tc: 2\n", "f.yaml:3:1: found a tab", "spaces"},
		"tab first":       {"a:\n\tc: 2\n", "f.yaml:2:1: found a tab", "spaces"},
		"unknown alias":   {"a: 1\nb: *nope\nc: 2\n", `f.yaml:2:4: found undefined alias "nope"`, ""},
		"alias in a list": {"a: &x 1\nb:\n- *x\n- *yy # *yy\n", `f.yaml:4:3: found undefined alias "yy"`, ""},
		"duplicate key":   {"a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", `f.yaml:5:3: found duplicate key "c"`, ""},
		"equal keys":      {"1: a\n'1': b\ntrue: c\n", `f.yaml:3:1: found duplicate key "true"`, ""},
		"missing colon":   {"stages:\n  train\n    cmd: x\n", "f.yaml:3:8: mapping values are not allowed", "missing at the end of the line above"},
		"key alone":       {"a: 1\nb\nc: 2\n", "f.yaml:2:1: could not find expected ':'", "missing"},
		"colon in value":  {"a: b: c\n", "f.yaml:1:5: mapping values are not allowed", "quote"},
		"conflict":        {"a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", "f.yaml:2:1: ", "merge conflicts"},
		"two documents":   {"a: 1\n---\nb: 2\n", "f.yaml:2:1: expected a single document", ""},
		"utf-8":           {"a: 1\nb: \xff\n", "f.yaml:2:4: invalid UTF-8", ""},
		"recursion":       {"a: &x [*x]\n", "f.yaml:1:8: alias *x", ""},
		"unknown tag":     {"a: 1\nb: !foo 2\n", "f.yaml:2:4: unknown tag !foo", ""},
		"list as key":     {"a: 1\n[1]: 2\n", "f.yaml:2:1: a key must be", ""},
		"control":         {"a: 1\nb: \x01\n", "f.yaml:2:4: control characters", ""},
		"merge of text":   {"a: 1\nb:\n  <<: x\n", "f.yaml:3:7: expected a map", ""},
		"deep":            {strings.Repeat("[", 600) + strings.Repeat("]", 600), "nested more than 500", ""},
		"very deep":       {strings.Repeat("[", 20000), "exceeded max depth", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode("f.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T is no *Error", err)
			}
			if !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("hint %q, want %q", e.Hint(), c.hint)
			}
		})
	}
}

// TestLargeSyntaxError finds a fault far down without parsing every prefix.
func TestLargeSyntaxError(t *testing.T) {
	good := strings.Repeat("- a: 1\n  b: [x, y]\n", 2000)
	for fault, column := range map[string]int{"  c: d: e\n": 7, " c: 1\n": 2, "  c: *nope\n": 6, "  c: \"x\n": 6} {
		_, err := Parse("f", []byte(good+fault+good))
		var e *Error
		if !errors.As(err, &e) || e.Line != 4001 || e.Column != column {
			t.Errorf("%q: %v", fault, err)
		}
	}
}

func TestAllDuplicateKeysAtOnce(t *testing.T) {
	_, err := Parse("f", []byte("a: 1\na: 2\nb: {c: 1, c: 2}\n"))
	var es Errors
	if !errors.As(err, &es) || len(es) != 2 {
		t.Fatalf("got %v", err)
	}
	if d := cmp.Diff([]string{"b"}, es[1].Path); d != "" {
		t.Error(d)
	}
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 12; i++ {
		n := string(rune('a' + i))
		p := string(rune('a' + i - 1))
		if i == 1 {
			p = "a0"
		}
		b.WriteString(n + ": &" + n + " [*" + p + strings.Repeat(", *"+p, 9) + "]\n")
	}
	_, err := Decode("bomb", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "aliases expand") {
		t.Fatalf("got %v", err)
	}
	var c strings.Builder
	c.WriteString("a: &a {k0: 1, k1: 1, k2: 1, k3: 1}\n")
	p := "a"
	for i := 1; i < 30; i++ {
		n := p + "x"
		c.WriteString(n + ": &" + n + " {<<: [*" + p + ", *" + p + "]}\n")
		p = n
	}
	if _, err := Decode("bomb", []byte(c.String())); err == nil || !strings.Contains(err.Error(), "aliases expand") {
		t.Fatalf("merge bomb: got %v", err)
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b             any
		equal, identical bool
	}{
		{int64(1), 1.0, true, false},
		{int64(1), true, true, false},
		{1.0, true, true, false},
		{int64(0), false, true, false},
		{int64(1), "1", false, false},
		{nil, false, false, false},
		{nil, nil, true, true},
		{math.NaN(), math.NaN(), false, true},
		{math.Inf(1), math.Inf(1), true, true},
		{math.Inf(1), math.MaxFloat64, false, false},
		{int64(1<<53 + 1), float64(1 << 53), false, false},
		{0.0, math.Copysign(0, -1), true, false},
		{[]any{int64(1)}, []any{1.0}, true, false},
		{[]string{"a"}, []any{"a"}, true, true},
		{[]any{"a", "b"}, []any{"b", "a"}, false, false},
		{m("a", int64(1), "b", "x"), m("b", "x", "a", int64(1)), true, true},
		{m("a", int64(1)), m("a", int64(1), "b", nil), false, false},
		{m(int64(1), "x"), m(true, "x"), true, false},
		{m("a", int64(1)), map[string]any{"a": 1}, true, true},
	} {
		for _, p := range [][2]any{{c.a, c.b}, {c.b, c.a}} {
			if got := Equal(p[0], p[1]); got != c.equal {
				t.Errorf("Equal(%v, %v) = %v", p[0], p[1], got)
			}
			if got := Identical(p[0], p[1]); got != c.identical {
				t.Errorf("Identical(%v, %v) = %v", p[0], p[1], got)
			}
		}
	}
}

func TestExcerpt(t *testing.T) {
	data := []byte("stages:\n  train:\n\tcmd: x\n")
	want := " 2 |   train:\n 3 | \tcmd: x\n   | \t     ^\n"
	if d := cmp.Diff(want, Excerpt(data, 3, 7)); d != "" {
		t.Error(d)
	}
	if got := Excerpt(data, 9, 1); got != "" {
		t.Errorf("line 9: %q", got)
	}
	long := []byte("k: " + strings.Repeat("x", 500) + "!")
	got := Excerpt(long, 1, 504)
	lines := strings.Split(got, "\n")
	if len(lines[0]) > 120 || strings.IndexByte(lines[0], '!') != strings.IndexByte(lines[1], '^') {
		t.Errorf("caret does not point at the place:\n%s", got)
	}
}
