package features

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Words with characters before the space are in the order of their text too:
// "a\x08b" would come between "a" and "a b".
func TestControlCharactersKeepTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "aa", "b", "\x08", "\x1f", "a\x08", "a\x08b", "\x08a", "é", "!"})
		docs := make([]string, rapid.IntRange(1, 20).Draw(t, "docs"))
		texts := map[string]int{}
		c := DefaultConfig()
		c.Lowercase, c.TokenPattern = false, `[^ ]+`
		c.NgramRange = [2]int{1, rapid.IntRange(2, 4).Draw(t, "most")}
		c.MinDF = Count(rapid.IntRange(1, 2).Draw(t, "min df"))
		for i := range docs {
			words := rapid.SliceOfN(word, 0, 8).Draw(t, "words")
			docs[i] = strings.Join(words, " ")
			seen := map[string]bool{}
			for n := 1; n <= c.NgramRange[1]; n++ {
				for k := 0; k+n <= len(words); k++ {
					seen[strings.Join(words[k:k+n], " ")] = true
				}
			}
			for s := range seen {
				texts[s]++
			}
		}
		var want []string
		for s, n := range texts {
			if float64(n) >= c.MinDF.Of(len(docs)) {
				want = append(want, s)
			}
		}
		slices.Sort(want)
		v, m, err := Fit(context.Background(), c, docs, 2, nil)
		if err != nil {
			if len(want) > 0 {
				t.Fatalf("error %v, want %q", err, want)
			}
			return
		}
		if diff := cmp.Diff(want, v.Terms()); diff != "" {
			t.Fatalf("terms (-want +got):\n%s", diff)
		}
		again, err := v.Transform(context.Background(), docs, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("matrix (-fit +transform):\n%s", diff)
		}
	})
}
