package report

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Span is a part of a text. Weight is what it added to the log-odds of label 1,
// 0 for what played no role.
type Span struct {
	Text   string
	Weight float64
	// Strength is 0 for parts of no or little weight, to 3.
	Strength int
}

// Toward is the label that the span speaks for.
func (s Span) Toward() int {
	if s.Weight > 0 {
		return 1
	}
	return 0
}

// ExcerptOptions say how a text is related to a model's terms.
type ExcerptOptions struct {
	// Tokens turns a part of the raw text into the tokens that terms are
	// made of.
	Tokens func(string) []string
	// Longest is the number of tokens in the longest terms, at least 1.
	Longest int
	// Words bounds the excerpt.
	Words int
}

// faintest is the share of the largest weight from which a word is marked.
const faintest = 0.25

// maxText bounds what is looked at of one text, in bytes.
const maxText = 1 << 16

// Excerpt returns the part of a text that decided most, with the weight of
// each word. Weights are those of the terms in the whole text; a term's weight
// is divided evenly among its words and occurrences. Markup is left out.
func Excerpt(text string, weights map[string]float64, o ExcerptOptions) []Span {
	text = plain(text)
	fields := strings.Fields(text)
	spread := spreadWeights(fields, weights, o)
	lo, hi := strongest(spread, o.Words)
	var list []Span
	if lo > 0 {
		list = append(list, Span{Text: "… "})
	}
	most := 0.0
	for _, w := range spread[lo:hi] {
		most = max(most, math.Abs(w))
	}
	for i := lo; i < hi; i++ {
		s := Span{Text: fields[i], Weight: spread[i]}
		if share := math.Abs(s.Weight) / most; most > 0 && share >= faintest {
			s.Strength = max(1, int(math.Round(3*share)))
		}
		if s.Strength == 0 && i > lo && list[len(list)-1].Strength == 0 {
			list[len(list)-1].Text += s.Text + " "
			continue
		}
		if s.Strength == 0 {
			s.Text, s.Weight = s.Text+" ", 0
			list = append(list, s)
			continue
		}
		list = append(list, s, Span{Text: " "})
	}
	if hi < len(fields) {
		list = append(list, Span{Text: "…"})
	}
	return list
}

// plain takes tags and control characters out of a text, and bounds it.
func plain(text string) string {
	if len(text) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	for _, br := range []string{"<br />", "<br/>", "<br>"} {
		text = strings.ReplaceAll(text, br, " ")
	}
	return strings.Map(func(r rune) rune {
		// Overrides of the writing direction could disorder the page.
		if r != ' ' && r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return ' '
		}
		return r
	}, text)
}

// spreadWeights divides the weights of terms among the words they stand in.
func spreadWeights(fields []string, weights map[string]float64, o ExcerptOptions) []float64 {
	var tokens []string
	var owner []int
	for i, f := range fields {
		for _, t := range o.Tokens(f) {
			tokens = append(tokens, t)
			owner = append(owner, i)
		}
	}
	type place struct{ at, n int }
	found := map[string][]place{}
	for n := 1; n <= max(1, o.Longest); n++ {
		for i := 0; i+n <= len(tokens); i++ {
			term := strings.Join(tokens[i:i+n], " ")
			if _, ok := weights[term]; ok {
				found[term] = append(found[term], place{i, n})
			}
		}
	}
	// In the order of the text, so that sums are the same every time.
	spread := make([]float64, len(fields))
	for n := 1; n <= max(1, o.Longest); n++ {
		for i := 0; i+n <= len(tokens); i++ {
			term := strings.Join(tokens[i:i+n], " ")
			if places := found[term]; len(places) > 0 {
				part := weights[term] / float64(n*len(places))
				for k := i; k < i+n; k++ {
					spread[owner[k]] += part
				}
			}
		}
	}
	return spread
}

// strongest returns the window of words with the largest weights.
func strongest(spread []float64, words int) (lo, hi int) {
	if words < 1 || len(spread) <= words {
		return 0, len(spread)
	}
	sum := 0.0
	for _, w := range spread[:words] {
		sum += math.Abs(w)
	}
	best := sum
	for i := words; i < len(spread); i++ {
		sum += math.Abs(spread[i]) - math.Abs(spread[i-words])
		if sum > best*(1+1e-12) {
			best, lo = sum, i-words+1
		}
	}
	return lo, lo + words
}
