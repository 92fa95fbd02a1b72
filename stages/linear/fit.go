package linear

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/flowrepro/flow/stages/features"
)

// Result is a fitted model and how the fit went.
type Result struct {
	Coef      []float64
	Intercept float64
	// Objective is the value reached. With NaiveBayes it is that of the scaled
	// columns.
	Objective float64
	// Violation is what is left of the optimality conditions, Bound what Tol
	// allowed, in the measure of the solver.
	Violation, Bound float64
	Iterations       int
	// Converged is false when MaxIter came first or no step made progress.
	Converged bool
	// NonZero is the number of coefficients that are not 0.
	NonZero int
	// start is where a warm start continues: before the naive-Bayes scale.
	start []float64
}

// Warning says in numbers that the fit did not converge; it is empty when the
// fit did.
func (r *Result) Warning() string {
	if r.Converged {
		return ""
	}
	return fmt.Sprintf("not converged after %d iterations: violation %.3g, wanted at most %.3g", r.Iterations, r.Violation, r.Bound)
}

// Problem is a matrix with labels, ready for several fits. It is safe for
// concurrent use.
type Problem struct {
	x       *features.CSR
	y       []float64 // ±1
	count   [2]int
	workers int

	mu sync.Mutex
	// plain is the matrix as it is; scaled is the one for the last NaiveBayes
	// asked for, with the ratios.
	plain, scaled prepared
	scaledBy      NaiveBayes
	ratio         []float64
}

// prepared is a matrix as it is and with columns merged, each once it was asked
// for.
type prepared struct {
	whole, merged *matrix
}

// NewProblem checks rows and labels, which are 1 and 0. Workers below 1 means
// one for each processor. The matrix must not be changed afterwards.
func NewProblem(x *features.CSR, y []int, workers int) (*Problem, error) {
	if len(y) != x.Rows {
		return nil, fmt.Errorf("fit: %d labels for %d rows", len(y), x.Rows)
	}
	p := &Problem{x: x, y: make([]float64, len(y)), workers: workers}
	for i, l := range y {
		if l != 0 && l != 1 {
			return nil, fmt.Errorf("fit: label %d of row %d: want 0 or 1", l, i)
		}
		p.count[l]++
		p.y[i] = float64(2*l - 1)
	}
	if p.count[0] == 0 || p.count[1] == 0 {
		return nil, errors.New("fit: all rows have the same label")
	}
	return p, nil
}

// Fit trains on the rows of x with labels 1 and 0. The result depends on x, y
// and the options alone, Workers excepted.
func Fit(ctx context.Context, x *features.CSR, y []int, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	p, err := NewProblem(x, y, o.Workers)
	if err != nil {
		return nil, err
	}
	return p.Fit(ctx, o)
}

// Fit trains with the given options; their Workers do not count.
func (p *Problem) Fit(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if s := o.Start; s != nil && len(s.Coef) != p.x.Cols {
		return nil, fmt.Errorf("fit: start has %d coefficients for %d columns", len(s.Coef), p.x.Cols)
	}
	if math.IsInf(o.C, 1) && o.Penalty == L2 {
		o.Penalty = None
	}
	t := &task{y: p.y, o: o}
	t.weigh(p.count)
	var ratio []float64
	var err error
	if o.Dual {
		// By rows alone.
		var x *features.CSR
		if x, ratio, err = p.rows(o.NaiveBayes); err != nil {
			return nil, err
		}
		t.x = &matrix{CSR: x, workers: p.workers}
	} else if t.x, ratio, err = p.matrix(ctx, o.NaiveBayes, t.ridge > 0 && t.lasso == 0); err != nil {
		return nil, err
	}
	var r *Result
	switch {
	case o.Dual:
		r, err = t.dual(ctx)
	case t.lasso > 0:
		r, err = t.coordinates(ctx)
	case o.Solver == LBFGS:
		r, err = t.lbfgs(ctx)
	default:
		r, err = t.newton(ctx, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	r.Coef = t.x.merged.part(r.Coef)
	r.finish(o.NaiveBayes, ratio)
	for _, w := range r.Coef {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			return nil, errors.New("fit: diverged; the features are too large")
		}
	}
	if math.IsNaN(r.Intercept) || math.IsInf(r.Intercept, 0) {
		return nil, errors.New("fit: diverged; the features are too large")
	}
	return r, nil
}

// finish puts the ratios into the coefficients.
func (r *Result) finish(nb *NaiveBayes, ratio []float64) {
	r.start = r.Coef
	if nb != nil {
		r.Coef = make([]float64, len(r.start))
		var mean float64
		for _, w := range r.start {
			mean += math.Abs(w)
		}
		mean /= float64(max(1, len(r.start)))
		for j, w := range r.start {
			r.Coef[j] = ratio[j] * (float64(nb.Beta*w) + float64((1-nb.Beta)*mean))
		}
	}
	for _, w := range r.Coef {
		if w != 0 {
			r.NonZero++
		}
	}
}

// Path fits the same options at each C of cs, in order, each fit starting
// where the last ended. Ascending values are quickest.
func (p *Problem) Path(ctx context.Context, o Options, cs []float64) ([]*Result, error) {
	out := make([]*Result, len(cs))
	for i, c := range cs {
		o.C = c
		r, err := p.Fit(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("C %v: %w", c, err)
		}
		out[i], o.Start = r, r
	}
	return out, nil
}

// matrix returns the matrix by rows and columns, scaled by the ratios if there
// are any, with columns merged if they may be.
func (p *Problem) matrix(ctx context.Context, nb *NaiveBayes, merged bool) (*matrix, []float64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if nb == nil {
		m, err := p.plain.get(ctx, merged, p.workers, func() (*features.CSR, error) { return p.x, nil })
		return m, nil, err
	}
	key := NaiveBayes{Alpha: nb.Alpha, Exponent: nb.Exponent, Binary: nb.Binary}
	if p.scaledBy != key {
		p.scaled, p.scaledBy, p.ratio = prepared{}, key, nil
	}
	m, err := p.scaled.get(ctx, merged, p.workers, func() (x *features.CSR, err error) {
		x, p.ratio, err = p.rows(nb)
		return x, err
	})
	return m, p.ratio, err
}

// get makes the matrix of rows unless it is there.
func (p *prepared) get(ctx context.Context, merged bool, workers int, rows func() (*features.CSR, error)) (*matrix, error) {
	switch {
	case merged && p.merged != nil:
		return p.merged, nil
	case !merged && p.whole != nil:
		return p.whole, nil
	}
	x, err := rows()
	if err != nil {
		return nil, err
	}
	var how *merging
	if merged {
		if x, how, err = merge(ctx, x, workers); err != nil {
			return nil, err
		}
	}
	if how == nil && p.whole != nil {
		p.merged = p.whole
		return p.whole, nil
	}
	m, err := newMatrix(ctx, x, workers)
	if err != nil {
		return nil, err
	}
	m.merged = how
	if merged {
		p.merged = m
	}
	if how == nil {
		p.whole = m
	}
	return m, nil
}

// rows is matrix by rows alone.
func (p *Problem) rows(nb *NaiveBayes) (*features.CSR, []float64, error) {
	if nb == nil {
		return p.x, nil, nil
	}
	ratio, err := logCountRatio(p.x, p.y, nb.Alpha, nb.Binary)
	if err != nil {
		return nil, nil, err
	}
	nb.power(ratio)
	x, err := ScaleColumns(p.x, ratio)
	return x, ratio, err
}
