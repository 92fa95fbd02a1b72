package text

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Pieces that are cleaned one by one give what the whole does.
func TestPiecesAreTheWhole(t *testing.T) {
	taken := 0
	check := func(f interface{ Fatalf(string, ...any) }, c *Cleaner, s string) {
		got, list, ok := c.AppendPieces([]byte("before|"), s, nil)
		want := c.Clean(s)
		if !ok {
			want, list = "", nil
		} else {
			taken++
		}
		if string(got) != "before|"+want {
			f.Fatalf("pieces of %q\n got %q\nwant %q", s, got, want)
		}
		words, at := strings.Fields(want), 0
		for _, p := range list {
			if p.Start < at || p.End <= p.Start || p.End > len(s) || p.Words < 1 || p.Words > len(words) {
				f.Fatalf("pieces of %q: %v", s, list)
			}
			if alone := c.Clean(s[p.Start:p.End]); alone != strings.Join(words[:p.Words], " ") {
				f.Fatalf("%q: %q has the words %q", s, s[p.Start:p.End], alone)
			}
			words, at = words[p.Words:], p.End
		}
		if len(words) > 0 {
			f.Fatalf("pieces of %q: without a piece: %q", s, words)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c, err := New(anyOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		check(t, c, anyText(t))
	})
	c, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", " ", "The boys' films; www.a.b x", "a\u00a0b\u2003c", "1 2 three", "http:// x", "\xff\xfe \x1cok"} {
		check(t, c, s)
	}
	if taken == 0 {
		t.Error("nothing was compared")
	}
}
