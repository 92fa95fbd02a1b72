package model

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/text"
)

// Model predicts the class of a text. It is immutable and safe for concurrent
// use.
type Model struct {
	cleaner    *text.Cleaner
	terms      *features.Vectorizer
	classifier *Classifier
}

// New joins a vectorizer and a classifier that was trained on its rows.
func New(v *Vectorizer, c *Classifier) (*Model, error) {
	if have, want := len(c.Coef), v.Terms.Cols(); have != want {
		return nil, fmt.Errorf("model: %d coefficients for %d terms: vectorizer and classifier do not belong together", have, want)
	}
	cleaner, err := text.New(v.Cleaning)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return &Model{cleaner: cleaner, terms: v.Terms, classifier: c}, nil
}

// Load reads a model from its two files.
func Load(vectorizer, classifier string) (*Model, error) {
	v, err := OpenVectorizer(vectorizer)
	if err != nil {
		return nil, err
	}
	c, err := OpenClassifier(classifier)
	if err != nil {
		return nil, err
	}
	return New(v, c)
}

// OpenVectorizer reads a vectorizer from a file.
func OpenVectorizer(path string) (*Vectorizer, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("read vectorizer: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	v, err := readVectorizer(f)
	if err != nil {
		return nil, fmt.Errorf("read vectorizer %s: %w", path, err)
	}
	return v, nil
}

// OpenClassifier reads a classifier from a file.
func OpenClassifier(path string) (*Classifier, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("read classifier: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	c, err := ReadClassifier(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Term is the part a term has in a prediction.
type Term struct {
	Text string
	// Weight is what the term adds to the log-odds of label 1.
	Weight float64
}

// Prediction is the result for one text.
type Prediction struct {
	// Label is 1 when Probability is above one half.
	Label int
	// Class is the label's name.
	Class string
	// Probability is that of label 1.
	Probability float64
}

// Predict classifies a raw text.
func (m *Model) Predict(raw string) Prediction {
	// The sum first, then the intercept: as rows of a matrix are scored.
	var sum float64
	for _, t := range m.parts(raw) {
		sum += t.Weight
	}
	z := m.classifier.Intercept + sum
	p := Prediction{Probability: portable.Sigmoid(z)}
	if z > 0 {
		p.Label = 1
	}
	p.Class = m.classifier.Classes[p.Label]
	return p
}

// Explain returns the known terms of a raw text by the size of their part,
// largest first, and at most limit of them; limit 0 means all.
func (m *Model) Explain(raw string, limit int) []Term {
	parts := m.parts(raw)
	slices.SortStableFunc(parts, func(a, b Term) int { return cmp.Compare(abs(b.Weight), abs(a.Weight)) })
	if limit > 0 && len(parts) > limit {
		parts = parts[:limit]
	}
	return parts
}

func (m *Model) parts(raw string) []Term {
	var r features.Row
	m.terms.Row(m.cleaner.Clean(raw), &r)
	cols, values, names := r.Indices, r.Data, m.terms.Vocabulary()
	parts := make([]Term, len(cols))
	for i, c := range cols {
		parts[i] = Term{Text: names.Term(c), Weight: float64(values[i] * m.classifier.Coef[c])}
	}
	return parts
}

func abs(x float64) float64 { return max(x, -x) }

// Decisions returns the log-odds of label 1 for rows that this vectorizer
// made. Workers below 1 means one for each processor.
func (c *Classifier) Decisions(ctx context.Context, x *features.CSR, workers int) ([]float64, error) {
	if x.Cols != len(c.Coef) {
		return nil, fmt.Errorf("predict: rows have %d columns, the classifier has %d coefficients", x.Cols, len(c.Coef))
	}
	return linear.Decision(ctx, x, c.Coef, c.Intercept, workers)
}
