package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/stages/text"
)

// Words that are placed while they are cleaned have the places that laying them
// beside those of the pieces gives.
func TestPlaceAsLocate(t *testing.T) {
	bits := []string{
		"the ", "films ", "don't ", "'great' ", "well-made ", "a.m. ", "U.S.A ", "12 ", "3d ", "www.a.b ", "www.) ", "xwww.) ", "yhttp://) ", "http://x/y ", "http:) ", "HTTPS:x ",
		"“quoted” ", "word—dash ", "_under_ ", "<br />", "(good) ", "bad!!! ", "... ", "é ", "\xff ", "x\u00a0y ", "men's ", "'' ", "'s ", "a\x01b ", "ΟΔΟΣ ",
	}
	placed := 0
	rapid.Check(t, func(t *rapid.T) {
		o := text.Default()
		o.Markup, o.Punctuation = true, rapid.Bool().Draw(t, "punctuation")
		o.URLs, o.Digits, o.Lowercase, o.Lemmas = rapid.Bool().Draw(t, "urls"), rapid.Bool().Draw(t, "digits"), rapid.Bool().Draw(t, "lowercase"), rapid.Bool().Draw(t, "lemmas")
		o.StopWords = rapid.SampledFrom([]string{"", "nltk"}).Draw(t, "stop words")
		c, err := text.New(o)
		if err != nil {
			t.Fatal(err)
		}
		// Each piece is another word, so that there is one way to lay them side by side.
		raw := strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom(bits), 0, 12, rapid.ID[string]).Draw(t, "pieces"), "")
		var s explaining
		s.place(c, raw)
		if want := c.Clean(raw); s.cleaned != want || strings.Join(s.words, " ") != want {
			t.Fatalf("%q: cleaned %q, words %q, want %q", raw, s.cleaned, s.words, want)
		}
		want := locate(c, raw, s.words)
		if diff := cmp.Diff(want, s.places, cmp.AllowUnexported(place{})); diff != "" && len(want)+len(s.places) > 0 {
			t.Fatalf("%q: words %q\n%s", raw, s.words, diff)
		}
		placed += len(s.pieces)
	})
	if placed == 0 {
		t.Error("nothing was placed")
	}
}
