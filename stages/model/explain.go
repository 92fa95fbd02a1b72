package model

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/flowrepro/flow/stages/features"
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

// Explain classifies a raw text and says why. Limit bounds the terms, 0 means
// all.
//
// Terms are exact. Spans are found by cleaning the text piece by piece and
// comparing the words with those of the whole: a word that cleaning makes only
// of the whole (across white space, say) has no span, and its weight shows in
// no span.
func (m *Model) Explain(raw string, limit int) Explanation {
	row := m.scratch.Get().(*features.Row)
	defer m.scratch.Put(row)
	cleaned := m.cleaner.Clean(raw)
	m.union.Row(cleaned, row)
	c := m.header.Classifier
	e := Explanation{
		Prediction: m.score(row),
		Intercept:  float64(c.Calibration.Slope*c.Intercept) + c.Calibration.Offset,
	}
	found := map[int32]*occurrences{}
	m.union.Occurrences(cleaned, func(column int32, term []byte, from, to int) {
		o := found[column]
		if o == nil {
			o = new(occurrences)
			found[column] = o
		}
		if !slices.Contains(o.texts, string(term)) {
			o.texts = append(o.texts, string(term))
		}
		o.words = append(o.words, [2]int{from, to})
	})
	words := strings.Fields(cleaned)
	byWord := make([]float64, len(words))
	for i, col := range row.Indices {
		t := Term{Weight: float64(c.Calibration.Slope * float64(row.Data[i]*m.weights.at(int(col))))}
		t.Vectorizer, t.Text = m.union.Feature(col)
		if o := found[col]; o != nil {
			t.Count = len(o.words)
			if t.Text == "" {
				t.Text = strings.Join(o.texts, " | ")
			}
			o.share(t.Weight, byWord)
		}
		e.Terms = append(e.Terms, t)
	}
	slices.SortStableFunc(e.Terms, func(a, b Term) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	if limit > 0 && len(e.Terms) > limit {
		for _, t := range e.Terms[limit:] {
			e.Rest += t.Weight
		}
		e.Terms = e.Terms[:limit:limit]
	}
	e.Spans = spans(locate(m.cleaner, raw, words), byWord)
	return e
}

// occurrences are where a column occurs: from one word up to another.
type occurrences struct {
	texts []string
	words [][2]int
}

// share adds a weight to the words of all occurrences.
func (o *occurrences) share(weight float64, byWord []float64) {
	each := weight / float64(len(o.words))
	for _, w := range o.words {
		for i := w[0]; i < w[1]; i++ {
			byWord[i] += each / float64(w[1]-w[0])
		}
	}
}

// spans joins the weights of words with their places.
func spans(places []place, byWord []float64) []Span {
	var out []Span
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
