package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/internal/portable"
	"github.com/flowrepro/flow/stages/text"
)

// Model predicts the class of a text. It is immutable and safe for concurrent
// use.
type Model struct {
	header  *header
	bytes   int64
	cleaner *text.Cleaner
	union   *features.Union
	weights weights
	// bound is the log-odds above which a text has label 1.
	bound float64
	// scratch holds *features.Row.
	scratch sync.Pool
	// explaining holds *explaining.
	explaining sync.Pool
}

// Prediction is the result for one text.
type Prediction struct {
	// Label is 1 when the probability of label 1 is above the threshold.
	Label int
	// Class is the label's name.
	Class string
	// Probabilities are by label. They are calibrated if the model is.
	Probabilities [2]float64
	// LogOdds is the logarithm of their quotient.
	LogOdds float64
	// Tokens is how many terms the cleaned text has, each n-gram one, and
	// Unknown how many of these are not in the vocabulary.
	Tokens, Unknown int
}

// UnknownShare returns the share of terms that are not in the vocabulary, 0 for
// a text without terms.
func (p Prediction) UnknownShare() float64 {
	if p.Tokens == 0 {
		return 0
	}
	return float64(p.Unknown) / float64(p.Tokens)
}

// assemble makes a model of a checked header and the content of its files.
func assemble(h *header, files map[string][]byte) (*Model, error) {
	f, err := assembleFeatures(h, files)
	if err != nil {
		return nil, err
	}
	if h.Classifier == nil {
		return nil, errors.New("there is no classifier: these are features alone")
	}
	m := &Model{header: h, union: f.Union, bound: logit(h.Classifier.Threshold)}
	for _, l := range h.Files {
		m.bytes += l.Size
	}
	if m.weights, err = readWeights(files[h.Classifier.Weights]); err != nil {
		return nil, err
	}
	if have := m.union.Cols(); m.weights.len() != have || h.Classifier.Columns != have {
		return nil, fmt.Errorf("%d coefficients for %d columns: vectorizer and classifier do not belong together", m.weights.len(), have)
	}
	if m.cleaner, err = text.New(h.Cleaning); err != nil {
		return nil, err
	}
	m.scratch.New = func() any { return new(features.Row) }
	m.explaining.New = func() any { return new(explaining) }
	return m, nil
}

// logit is the log-odds of a probability: exactly 0 for one half.
func logit(p float64) float64 {
	return portable.Log(p / (1 - p))
}

// Predict classifies a raw text.
func (m *Model) Predict(raw string) Prediction { return m.predictCleaned(m.cleaner.Clean(raw)) }

func (m *Model) predictCleaned(cleaned string) Prediction {
	row := m.scratch.Get().(*features.Row)
	defer m.scratch.Put(row)
	m.union.Row(cleaned, row)
	return m.score(row)
}

// score adds up a row in the order of its columns, then the intercept: as rows
// of a matrix are scored.
func (m *Model) score(row *features.Row) Prediction {
	var sum float64
	for i, col := range row.Indices {
		sum += float64(row.Data[i] * m.weights.at(int(col)))
	}
	return m.Decide(Prediction{Tokens: row.Terms, Unknown: row.Unknown}, m.header.Classifier.Intercept+sum)
}

// Decide returns p with the outcome that a decision has, which is the sum of a
// row's weights and the intercept, before calibration.
func (m *Model) Decide(p Prediction, decision float64) Prediction {
	c := m.header.Classifier
	p.LogOdds = float64(c.Calibration.Slope*decision) + c.Calibration.Offset
	p.Probabilities = [2]float64{portable.Sigmoid(-p.LogOdds), portable.Sigmoid(p.LogOdds)}
	p.Label = 0
	if p.LogOdds > m.bound {
		p.Label = 1
	}
	p.Class = c.Classes[p.Label]
	return p
}

// PredictAll classifies raw texts, in their order. Workers below 1 means one
// for each processor. It stops early with ctx's error.
func (m *Model) PredictAll(ctx context.Context, texts []string, workers int) ([]Prediction, error) {
	out := make([]Prediction, len(texts))
	err := parallel.Blocks(ctx, len(texts), 16, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			out[i] = m.Predict(texts[i])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PredictRows classifies rows that the model's vectorizers made; of their terms
// nothing is known. Workers below 1 means one for each processor.
func (m *Model) PredictRows(ctx context.Context, x *features.CSR, workers int) ([]Prediction, error) {
	if x.Cols != m.union.Cols() {
		return nil, fmt.Errorf("predict: rows have %d columns, the model has %d", x.Cols, m.union.Cols())
	}
	out := make([]Prediction, x.Rows)
	err := parallel.Blocks(ctx, x.Rows, 64, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			cols, values := x.Row(i)
			out[i] = m.score(&features.Row{Indices: cols, Data: values})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Digest identifies the model and all its files: 64 hexadecimal digits.
func (m *Model) Digest() string { return m.header.Digest }

// Classes returns the names of the labels 0 and 1.
func (m *Model) Classes() [2]string { return m.header.Classifier.Classes }

// Threshold returns the probability of label 1 above which it is chosen.
func (m *Model) Threshold() float64 { return m.header.Classifier.Threshold }

// Statistics returns the statistics of the training texts, nil when the model
// has none. The caller must not change them.
func (m *Model) Statistics() *Statistics { return m.header.Statistics }

// Features returns what makes rows of texts.
func (m *Model) Features() Features { return Features{Cleaning: m.header.Cleaning, Union: m.union} }

// Coefficient returns the weight of a column: what a value of 1 there adds to
// the log-odds before they are calibrated.
func (m *Model) Coefficient(column int) float64 { return m.weights.at(column) }

// Example returns the text that the model was tried on and what it said, ""
// when there is none.
func (m *Model) Example() (string, Prediction) {
	if m.header.Example == nil {
		return "", Prediction{}
	}
	return m.header.Example.Text, m.Predict(m.header.Example.Text)
}

// checkExample fails when the model does not say of its example what it said
// when it was made, as it would if texts were cleaned in another way since.
func (m *Model) checkExample() error {
	e := m.header.Example
	if e == nil {
		return nil
	}
	p := m.Predict(e.Text)
	// What rounds differently on another processor is far below this.
	if p.Class != e.Label || !(math.Abs(p.LogOdds-e.LogOdds) <= 1e-9*max(1, math.Abs(e.LogOdds))) {
		return fmt.Errorf("its example has the log-odds %v here (%s) and had %v (%s): the model was made by another version of flow; train it again",
			p.LogOdds, p.Class, e.LogOdds, e.Label)
	}
	return nil
}

// Info is what there is to show of a model.
type Info struct {
	Digest, Content string
	Classes         [2]string
	Threshold       float64
	Intercept       float64
	Calibration     Calibration
	Columns         int
	// Bytes is the size of all files but the header.
	Bytes       int64
	Cleaning    text.Options
	Vectorizers []VectorizerInfo
	// Metadata is a JSON object, or nil.
	Metadata []byte
}

// VectorizerInfo describes a vectorizer of a model.
type VectorizerInfo struct {
	Name    string
	Columns int
	Config  features.Config
}

// Info describes the model.
func (m *Model) Info() Info {
	h, c := m.header, m.header.Classifier
	i := Info{
		Digest: h.Digest, Content: h.Content, Classes: c.Classes, Threshold: c.Threshold,
		Intercept: c.Intercept, Calibration: c.Calibration, Columns: c.Columns,
		Bytes: m.bytes, Cleaning: h.Cleaning, Metadata: slices.Clone(h.Metadata),
	}
	for _, v := range h.Vectorizers {
		i.Vectorizers = append(i.Vectorizers, VectorizerInfo{v.Name, v.Columns, v.Config})
	}
	return i
}

// Calibration turns the decision z of a classifier into the log-odds Slope*z +
// Offset. The zero value of [Parts] stands for none, {1, 0}.
type Calibration struct {
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
}

func checkClassifier(classes [2]string, intercept float64, c Calibration, threshold float64) error {
	switch {
	case classes[0] == "" || classes[1] == "" || classes[0] == classes[1]:
		return fmt.Errorf("classes %q: want two different names", classes)
	case !finite(intercept):
		return fmt.Errorf("intercept is %v", intercept)
	case !finite(c.Slope) || !finite(c.Offset) || c.Slope <= 0:
		return fmt.Errorf("calibration %v: want a positive slope and a finite offset", c)
	case !(threshold > 0 && threshold < 1):
		return fmt.Errorf("threshold %v: want a probability between 0 and 1", threshold)
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
