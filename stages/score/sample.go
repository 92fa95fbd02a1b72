package score

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// ErrEmpty is returned for a sample without rows.
var ErrEmpty = errors.New("no rows")

// Sample is what a classifier said of labelled rows. All lists that are not
// nil are equally long. A Sample is not changed by this package and may be
// shared by goroutines.
type Sample struct {
	// Labels are 0 or 1.
	Labels []int
	// Probabilities are of label 1.
	Probabilities []float64
	// Decisions rank the rows for ROC and precision–recall curves; log-odds,
	// for instance, which differ where probabilities round to 1. nil ranks by
	// probability.
	Decisions []float64
	// Weights are positive or 0; nil means 1 for every row.
	Weights []float64
}

// FromDecisions makes a sample of log-odds.
func FromDecisions(labels []int, decisions []float64) Sample {
	p := make([]float64, len(decisions))
	for i, z := range decisions {
		p[i] = portable.Sigmoid(z)
	}
	return Sample{Labels: labels, Probabilities: p, Decisions: decisions}
}

// Len is the number of rows.
func (s Sample) Len() int { return len(s.Labels) }

// Rows returns the sample of some rows only.
func (s Sample) Rows(rows []int) Sample {
	out := Sample{Labels: pick(s.Labels, rows), Probabilities: pick(s.Probabilities, rows)}
	if s.Decisions != nil {
		out.Decisions = pick(s.Decisions, rows)
	}
	if s.Weights != nil {
		out.Weights = pick(s.Weights, rows)
	}
	return out
}

func pick[T any](from []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = from[r]
	}
	return out
}

// Check reports what makes a sample unusable: lists of different lengths, no
// rows, labels other than 0 and 1, probabilities outside [0, 1], decisions that
// are not finite, weights that are negative, not finite or all 0.
func (s Sample) Check() error {
	n := len(s.Labels)
	switch {
	case len(s.Probabilities) != n:
		return fmt.Errorf("%d labels and %d probabilities", n, len(s.Probabilities))
	case s.Decisions != nil && len(s.Decisions) != n:
		return fmt.Errorf("%d labels and %d decisions", n, len(s.Decisions))
	case s.Weights != nil && len(s.Weights) != n:
		return fmt.Errorf("%d labels and %d weights", n, len(s.Weights))
	case n == 0:
		return ErrEmpty
	}
	total := 0.0
	for i, l := range s.Labels {
		if l != 0 && l != 1 {
			return fmt.Errorf("label %d of row %d: want 0 or 1", l, i)
		}
		if p := s.Probabilities[i]; !(p >= 0 && p <= 1) {
			return fmt.Errorf("probability of row %d is %v: want 0 to 1", i, p)
		}
		if s.Decisions != nil && (math.IsNaN(s.Decisions[i]) || math.IsInf(s.Decisions[i], 0)) {
			return fmt.Errorf("decision of row %d is %v", i, s.Decisions[i])
		}
		if s.Weights != nil {
			w := s.Weights[i]
			if !(w >= 0) || math.IsInf(w, 0) {
				return fmt.Errorf("weight of row %d is %v", i, w)
			}
			total += w
		}
	}
	if s.Weights != nil && !(total > 0) {
		return errors.New("all weights are 0")
	}
	return nil
}

// ranked is a sample in the order of its scores, highest first, ties in the
// order of the rows. Row by row it has what metrics are summed from, so that
// a resample is one pass.
type ranked struct {
	label, predicted []bool
	// end is set where the next row has another score.
	end    []bool
	score  []float64
	prob   []float64
	loss   []float64 // negative log-likelihood, clipped as scikit-learn does
	square []float64 // (label - probability)^2
	bin    []uint8   // uniform bin of the probability
	weight []float64 // nil for ones
}

// epsilon is the distance from 0 and 1 that probabilities keep in the log
// loss: that of float64.
const epsilon = 0x1p-52

func rank(s Sample, threshold float64) *ranked {
	n := len(s.Labels)
	score := s.Decisions
	if score == nil {
		score = s.Probabilities
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] > score[b]:
			return -1
		case score[a] < score[b]:
			return 1
		}
		return 0
	})
	r := &ranked{
		label: make([]bool, n), predicted: make([]bool, n), end: make([]bool, n), score: pick(score, order),
		prob: pick(s.Probabilities, order), loss: make([]float64, n), square: make([]float64, n), bin: make([]uint8, n),
	}
	if s.Weights != nil {
		r.weight = pick(s.Weights, order)
	}
	edges := uniformEdges(eceBins)
	for i, row := range order {
		p := r.prob[i]
		of, miss := 1-p, p
		if s.Labels[row] == 1 {
			r.label[i] = true
			of, miss = p, 1-p
		}
		r.loss[i] = -portable.Log(min(max(of, epsilon), 1-epsilon))
		r.square[i] = float64(miss * miss)
		r.predicted[i] = p > threshold
		r.bin[i] = uint8(binOf(edges, p)) //nolint:gosec // fewer than 256 bins
		r.end[i] = i+1 == n || r.score[i+1] != r.score[i]
	}
	return r
}
