package model

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

// Explanation says how a prediction came about. The model is linear, so this is
// the whole truth: LogOdds is Intercept plus the weights of all terms, but for
// the rounding of the sums.
type Explanation struct {
	Prediction
	// Intercept is the log-odds of a text without known terms.
	Intercept float64
	// Terms are the known terms of the text by the size of their weight, the
	// largest first.
	Terms []Term
	// Rest is the sum of the weights of terms that the limit left out.
	Rest float64
	// Spans are the words of the raw text that have a part in it, in their
	// order and without overlap.
	Spans []Span
}

// Term is the part a term has in a prediction.
type Term struct {
	// Vectorizer is the name of the vectorizer it is a term of.
	Vectorizer string
	// Text is the term as the vocabulary has it, of cleaned words. Where terms
	// are hashed it is what fell on the column, joined by " | ".
	Text string
	// Count is how often the text has it.
	Count int
	// Weight is what it adds to the log-odds of label 1: above 0 it speaks for
	// that, below for label 0.
	Weight float64
}

// Span is a piece of a text with the weight of the terms it belongs to. A
// term's weight is shared alike by its occurrences and by the words of each.
type Span struct {
	// Start and End are offsets in bytes.
	Start, End int
	Weight     float64
}

// Explain classifies a raw text and says why. Limit bounds the terms: 0 means
// all, less than 0 none and no Rest.
//
// Terms are exact. Spans are found by cleaning the text piece by piece and
// comparing the words with those of the whole: a word that cleaning makes only
// of the whole (across white space, say) has no span, and its weight shows in
// no span.
func (m *Model) Explain(raw string, limit int) Explanation {
	s := m.explaining.Get().(*explaining)
	defer m.explaining.Put(s)
	s.place(m.cleaner, raw)
	s.found = s.found[:0]
	m.union.RowOccurrences(s.cleaned, s.words, &s.row, func(column int32, term []byte, from, to int) {
		o := occurrence{column: column, from: int32(from), to: int32(to)}
		if m.union.Hashed(column) {
			o.term = string(term)
		}
		s.found = append(s.found, o)
	})
	c := m.header.Classifier
	e := Explanation{
		Prediction: m.score(&s.row),
		Intercept:  float64(c.Calibration.Slope*c.Intercept) + c.Calibration.Offset,
	}
	s.byTerm()
	s.byWord = append(s.byWord[:0], make([]float64, len(s.words))...)
	s.parts = s.parts[:0]
	for i, col := range s.row.Indices {
		weight := float64(c.Calibration.Slope * float64(s.row.Data[i]*m.weights.at(int(col))))
		share(weight, s.of(i), s.byWord)
		s.parts = append(s.parts, part{i, weight})
	}
	if limit >= 0 {
		m.terms(s, limit, &e)
	}
	e.Spans = spans(s.places, s.byWord)
	return e
}

// terms gives an explanation its terms, the heaviest first.
func (m *Model) terms(s *explaining, limit int, e *Explanation) {
	slices.SortFunc(s.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(math.Abs(b.weight), math.Abs(a.weight)), cmp.Compare(a.entry, b.entry))
	})
	if limit == 0 {
		limit = len(s.parts)
	}
	for k, p := range s.parts {
		if k >= limit {
			e.Rest += p.weight
			continue
		}
		t := Term{Weight: p.weight, Count: len(s.of(p.entry))}
		t.Vectorizer, t.Text = m.union.Feature(s.row.Indices[p.entry])
		if t.Text == "" {
			var texts []string
			for _, o := range s.of(p.entry) {
				if !slices.Contains(texts, o.term) {
					texts = append(texts, o.term)
				}
			}
			t.Text = strings.Join(texts, " | ")
		}
		e.Terms = append(e.Terms, t)
	}
}

// explaining is what an explanation is made in.
type explaining struct {
	row     features.Row
	cleaned string
	buffer  []byte
	pieces  []text.Piece
	// words are those of the cleaned text, places where the raw one has them
	// and byWord what they weigh.
	words  []string
	places []place
	byWord []float64
	// found are the occurrences of terms, those of entry i of the row from
	// first[i] up to first[i+1] once byTerm has been called.
	found, sorted []occurrence
	first         []int32
	parts         []part
	// entries is a hash table of the row's columns, a power of two of them, half
	// of which are free at least.
	entries []columnEntry
}

// columnEntry is a column and the number after that of its entry; the zero value
// is free.
type columnEntry struct{ column, next int32 }

// occurrence is where a column occurs: from one word up to another. Only that
// of a hashed column has its term.
type occurrence struct {
	column, from, to int32
	term             string
}

// part is an entry of the row and what it adds to the log-odds.
type part struct {
	entry  int
	weight float64
}

// byTerm brings the occurrences in the order of the row, those of a term as
// they are.
func (s *explaining) byTerm() {
	n := len(s.row.Indices)
	s.first = append(s.first[:0], make([]int32, n+2)...)
	next := s.first[1:] // where the next occurrence of an entry goes
	s.index(s.row.Indices)
	for i := range s.found {
		k := s.entry(s.found[i].column)
		s.found[i].column = k
		next[k+1]++
	}
	for k := range n {
		next[k+1] += next[k]
	}
	s.sorted = append(s.sorted[:0], s.found...)
	for _, o := range s.found {
		s.sorted[next[o.column]] = o
		next[o.column]++
	}
}

// index makes the table that entry looks columns up in.
func (s *explaining) index(columns []int32) {
	size := 64
	for size < 2*len(columns) {
		size *= 2
	}
	if cap(s.entries) < size {
		s.entries = make([]columnEntry, size)
	}
	s.entries = s.entries[:size]
	clear(s.entries)
	for k, col := range columns {
		i := int(col) & (size - 1)
		for s.entries[i].next != 0 {
			i = (i + 1) & (size - 1)
		}
		s.entries[i] = columnEntry{column: col, next: int32(k) + 1}
	}
}

// entry returns the number of a column's entry. The row has every column that was
// found.
func (s *explaining) entry(column int32) int32 {
	for i := int(column) & (len(s.entries) - 1); ; i = (i + 1) & (len(s.entries) - 1) {
		if e := s.entries[i]; e.column == column && e.next != 0 {
			return e.next - 1
		}
	}
}

// of returns the occurrences of an entry of the row.
func (s *explaining) of(entry int) []occurrence {
	return s.sorted[s.first[entry]:s.first[entry+1]]
}

// share adds a weight to the words of all occurrences, alike.
func share(weight float64, list []occurrence, byWord []float64) {
	each := weight / float64(len(list))
	for _, o := range list {
		for i := o.from; i < o.to; i++ {
			byWord[i] += each / float64(o.to-o.from)
		}
	}
}

// spans joins the weights of words with their places.
func spans(places []place, byWord []float64) []Span {
	n := 0
	for i, p := range places {
		if p.start != p.end && byWord[i] != 0 {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	out := make([]Span, 0, n)
	for i, p := range places {
		switch {
		case p.start == p.end || byWord[i] == 0:
		case len(out) > 0 && out[len(out)-1].Start == p.start && out[len(out)-1].End == p.end:
			out[len(out)-1].Weight += byWord[i]
		default:
			out = append(out, Span{p.start, p.end, byWord[i]})
		}
	}
	return out
}

// PredictKnowing classifies a raw text as [Model.Predict] does, but that terms
// whose columns are not known count as unknown.
func (m *Model) PredictKnowing(raw string, known func(column int32) bool) Prediction {
	cleaned := m.cleaner.Clean(raw)
	p := m.predictCleaned(cleaned)
	m.union.Occurrences(cleaned, func(column int32, _ []byte, _, _ int) {
		if !known(column) {
			p.Unknown++
		}
	})
	return p
}
