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

// Part is a piece of a raw text, from one byte offset up to another, with what
// it added to the log-odds of label 1.
type Part struct {
	Start, End int
	Weight     float64
}

// faintest is the share of the largest weight from which a word is marked.
const faintest = 0.25

// maxText bounds what is looked at of one text, in bytes.
const maxText = 1 << 16

// Excerpt returns at most so many words of a text: those around what decided
// most. Parts ascend. A word has the weight of all parts that begin in it.
// Markup is left out.
func Excerpt(text string, parts []Part, words int) []Span {
	text = plain(text)
	fields, starts := split(text)
	spread := make([]float64, len(fields))
	k := 0
	for _, p := range parts {
		for k < len(fields) && starts[k]+len(fields[k]) <= p.Start {
			k++
		}
		if k < len(fields) && starts[k] <= p.Start {
			spread[k] += p.Weight
		}
	}
	lo, hi := strongest(spread, words)
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

// plain replaces line breaks of markup and control characters by spaces, as
// many bytes as they have, and bounds the text.
func plain(text string) string {
	if len(text) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	for _, br := range []string{"<br />", "<br/>", "<br>"} {
		text = strings.ReplaceAll(text, br, strings.Repeat(" ", len(br)))
	}
	b := []byte(text)
	for i, r := range text {
		// Overrides of the writing direction could disorder the page.
		if r != ' ' && r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			for k := range utf8.RuneLen(r) {
				b[i+k] = ' '
			}
		}
	}
	return strings.ToValidUTF8(string(b), " ")
}

// split returns the words of a text and where they start.
func split(text string) (fields []string, starts []int) {
	start := -1
	for i, r := range text {
		switch space := unicode.IsSpace(r); {
		case space && start >= 0:
			fields, starts, start = append(fields, text[start:i]), append(starts, start), -1
		case !space && start < 0:
			start = i
		}
	}
	if start >= 0 {
		fields, starts = append(fields, text[start:]), append(starts, start)
	}
	return fields, starts
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
