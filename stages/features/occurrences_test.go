package features

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Doing both at once gives what each gives, whatever terms are made of.
func TestRowOccurrences(t *testing.T) {
	docs := []string{"", "a good film", "not good not bad  it's x", "good good film bad a", "ça va bien_sûr 12 good"}
	variants := map[string]func(c *Config){
		"words":      func(*Config) {},
		"pairs":      func(c *Config) { c.NgramRange = [2]int{1, 2} },
		"characters": func(c *Config) { c.Analyzer, c.NgramRange = CharAnalyzer, [2]int{2, 3} },
		"padded":     func(c *Config) { c.Analyzer, c.NgramRange = CharWBAnalyzer, [2]int{2, 3} },
		"short":      func(c *Config) { c.TokenPattern = ShortWordsPattern },
		"marks":      func(c *Config) { c.TokenPattern = MarksPattern },
		"hashed":     func(c *Config) { c.Weighting, c.NFeatures = HashingWeighting, 64 },
		"tfidf":      func(c *Config) { c.Weighting = TfidfWeighting },
	}
	type occurrence struct {
		Column   int32
		Term     string
		From, To int
	}
	for name, change := range variants {
		c := DefaultConfig()
		change(&c)
		u, _, err := FitUnion(t.Context(), UnionConfig{{Name: "first", Config: DefaultConfig()}, {Name: name, Config: c}}, docs, 1, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, d := range append(docs, "an unknown good thing's film") {
			var want, got Row
			var wanted, have []occurrence
			u.Row(d, &want)
			u.Occurrences(d, func(column int32, term []byte, from, to int) {
				wanted = append(wanted, occurrence{column, string(term), from, to})
			})
			u.RowOccurrences(d, strings.Fields(d), &got, func(column int32, term []byte, from, to int) {
				have = append(have, occurrence{column, string(term), from, to})
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %q: %s", name, d, diff)
			}
			if diff := cmp.Diff(wanted, have); diff != "" {
				t.Errorf("%s of %q: %s", name, d, diff)
			}
			for _, o := range have {
				if hashed := o.Column >= int32(u.Parts()[0].Cols()) && name == "hashed"; u.Hashed(o.Column) != hashed {
					t.Errorf("%s: column %d hashed: %v", name, o.Column, !hashed)
				}
			}
		}
	}
}
