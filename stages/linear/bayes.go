package linear

import (
	"context"
	"fmt"
	"math"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// MultinomialOptions are those of scikit-learn's MultinomialNB.
type MultinomialOptions struct {
	// Alpha is added to every count.
	Alpha float64
	// FitPrior takes the labels' shares for their prior probabilities, which
	// are alike otherwise.
	FitPrior bool
}

// DefaultMultinomialOptions are scikit-learn's.
func DefaultMultinomialOptions() MultinomialOptions {
	return MultinomialOptions{Alpha: 1, FitPrior: true}
}

// Multinomial is a fitted multinomial naive Bayes.
type Multinomial struct {
	// LogPrior are the logarithms of the labels' prior probabilities.
	LogPrior [2]float64
	// LogProb are, by label, the logarithms of the columns' shares.
	LogProb [2][]float64
}

// FitMultinomial trains on the rows of x, whose values must not be negative,
// with labels 1 and 0.
func FitMultinomial(ctx context.Context, x *features.CSR, y []int, o MultinomialOptions) (*Multinomial, error) {
	if !(o.Alpha > 0) || math.IsInf(o.Alpha, 1) {
		return nil, fmt.Errorf("fit naive Bayes: alpha %v: want a positive number", o.Alpha)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := NewProblem(x, y, 1)
	if err != nil {
		return nil, err
	}
	counts := newCounts(x.Cols, o.Alpha)
	if err := counts.add(x, p.y, false); err != nil {
		return nil, fmt.Errorf("fit naive Bayes: %w", err)
	}
	m := &Multinomial{LogProb: *counts}
	n := portable.Log(float64(x.Rows))
	for l, count := range counts {
		m.LogPrior[l] = -math.Ln2
		if o.FitPrior {
			m.LogPrior[l] = portable.Log(float64(p.count[l])) - n
		}
		var sum float64
		for _, v := range count {
			sum += v
		}
		total := portable.Log(sum)
		for j, v := range count {
			count[j] = portable.Log(v) - total
		}
	}
	return m, nil
}

// Linear returns the same classifier as coefficients and an intercept: its
// decisions are the log-odds of label 1.
func (m *Multinomial) Linear() (coef []float64, intercept float64) {
	coef = make([]float64, len(m.LogProb[0]))
	for j := range coef {
		coef[j] = m.LogProb[1][j] - m.LogProb[0][j]
	}
	return coef, m.LogPrior[1] - m.LogPrior[0]
}
