package linear

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/flowrepro/flow/stages/features"
)

// The penalties.
const (
	L2 = "l2"
	L1 = "l1"
)

// The solvers of the L2 problem, by scikit-learn's names. L1 has one of its own.
const (
	LBFGS    = "lbfgs"     // gonum's limited-memory BFGS
	NewtonCG = "newton-cg" // truncated Newton: fewer, costlier iterations
)

// Options of Fit.
type Options struct {
	// Penalty is L2 or L1.
	Penalty string
	// Solver is LBFGS or NewtonCG; it does not count for L1.
	Solver string
	// C weighs the data against the penalty.
	C float64
	// Intercept fits b; otherwise it is 0.
	Intercept bool
	// Tol is the norm of the gradient, relative to that at the start, at
	// which the fit has converged. For L1 it is that of the violation of the
	// optimality conditions.
	Tol float64
	// MaxIter bounds the outer iterations.
	MaxIter int
	// Workers bounds the goroutines; below 1 means one for each processor.
	Workers int
	// Progress, when not nil, is told of each outer iteration.
	Progress func(iteration int)
}

// DefaultOptions are L2, C 1, with an intercept.
func DefaultOptions() Options {
	return Options{Penalty: L2, Solver: LBFGS, C: 1, Intercept: true, Tol: 1e-4, MaxIter: 1000}
}

// Check reports the first option that makes no sense.
func (o Options) Check() error {
	switch {
	case o.Penalty != L1 && o.Penalty != L2:
		return fmt.Errorf("penalty %q: want l1 or l2", o.Penalty)
	case o.Solver != LBFGS && o.Solver != NewtonCG:
		return fmt.Errorf("solver %q: want lbfgs or newton-cg", o.Solver)
	case !(o.C > 0) || math.IsInf(o.C, 1):
		return fmt.Errorf("C %v: want a positive number", o.C)
	case !(o.Tol > 0 && o.Tol < 1):
		return fmt.Errorf("tol %v: want a number between 0 and 1", o.Tol)
	case o.MaxIter < 1:
		return fmt.Errorf("max_iter %d: want at least 1", o.MaxIter)
	}
	return nil
}

// Result is a fitted model and how the fit went.
type Result struct {
	Coef      []float64
	Intercept float64
	// Objective is the value reached, Violation the relative norm that Tol
	// bounds.
	Objective, Violation float64
	Iterations           int
	// Converged is false when MaxIter came first or no step made progress.
	Converged bool
	// NonZero is the number of coefficients that are not 0.
	NonZero int
}

// Fit trains on the rows of x with labels 1 and 0. The result depends on x, y
// and the options alone, Workers excepted.
func Fit(ctx context.Context, x *features.CSR, y []int, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	if len(y) != x.Rows {
		return nil, fmt.Errorf("fit: %d labels for %d rows", len(y), x.Rows)
	}
	var count [2]int
	sign := make([]float64, len(y))
	for i, l := range y {
		if l != 0 && l != 1 {
			return nil, fmt.Errorf("fit: label %d of row %d: want 0 or 1", l, i)
		}
		count[l]++
		sign[i] = float64(2*l - 1)
	}
	if count[0] == 0 || count[1] == 0 {
		return nil, errors.New("fit: all rows have the same label")
	}
	p := &problem{x: newMatrix(x, o.Workers), y: sign, o: o}
	var r *Result
	var err error
	switch {
	case o.Penalty == L1:
		r, err = p.coordinates(ctx)
	case o.Solver == NewtonCG:
		r, err = p.newton(ctx)
	default:
		r, err = p.lbfgs(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, w := range r.Coef {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			return nil, errors.New("fit: diverged; the features are too large")
		}
		if w != 0 {
			r.NonZero++
		}
	}
	return r, nil
}

// problem is what both solvers minimize.
type problem struct {
	x *matrix
	y []float64 // ±1
	o Options
}

// reached reports whether a violation of the optimality conditions is small
// enough, and its size relative to first, that at the start. What rounding
// leaves of 0 counts as 0: a fit may start at the minimum.
func (p *problem) reached(violation, first float64) (relative float64, ok bool) {
	if violation <= 1e-14*p.o.C*float64(len(p.y)) {
		return 0, true
	}
	relative = violation / first
	return relative, relative <= p.o.Tol
}
