package linear

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// lbfgs minimizes the L2 problem with gonum's limited-memory BFGS. The point
// that it moves is the coefficients followed by the intercept, if there is one.
func (p *problem) lbfgs(ctx context.Context) (*Result, error) {
	d := p.x.Cols
	n := d
	if p.o.Intercept {
		n++
	}
	e := &evaluation{problem: p, ctx: ctx,
		at: make([]float64, n), grad: make([]float64, n), z: make([]float64, p.x.Rows), slope: make([]float64, p.x.Rows)}
	start := make([]float64, n)
	e.move(start, true)
	first := floats.Norm(e.grad, math.Inf(1))
	r := &Result{}
	settings := &optimize.Settings{
		// gonum stops at an absolute bound; ours is relative to the start.
		GradientThreshold: p.o.Tol * first,
		MajorIterations:   p.o.MaxIter,
		// The gradient decides, not a function value that hardly moves.
		Converger: optimize.NeverTerminate{},
		Recorder:  &watcher{ctx: ctx, progress: p.o.Progress},
	}
	found, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { e.move(x, false); return e.value },
		Grad: func(grad, x []float64) { e.move(x, false); copy(grad, e.grad) },
	}, start, settings, &optimize.LBFGS{Store: 10})
	if e.err != nil {
		return nil, e.err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if found == nil {
		return nil, err
	}
	// A line search that finds no more progress ends the fit at the best point
	// so far; whether that is good enough shows in the violation.
	e.move(found.X, true)
	if e.err != nil {
		return nil, e.err
	}
	r.Coef = append([]float64(nil), found.X[:d]...)
	if p.o.Intercept {
		r.Intercept = found.X[d]
	}
	r.Objective = e.value
	r.Iterations = found.MajorIterations
	r.Violation, r.Converged = p.reached(floats.Norm(e.grad, math.Inf(1)), first)
	return r, nil
}

// evaluation is the objective and its gradient at one point. gonum asks for
// them apart and at the same point, so both are computed together, once.
type evaluation struct {
	*problem
	ctx      context.Context //nolint:containedctx // gonum's callbacks have no room for it
	at, grad []float64
	value    float64
	z, slope []float64
	moved    bool
	err      error
}

// move evaluates at x unless that was the last point.
func (e *evaluation) move(x []float64, anew bool) {
	if e.err != nil || e.moved && !anew && floats.Equal(e.at, x) {
		return
	}
	e.moved = true
	copy(e.at, x)
	d := e.x.Cols
	b := 0.0
	if e.o.Intercept {
		b = x[d]
	}
	w := x[:d]
	if e.err = e.x.times(e.ctx, w, b, e.z); e.err != nil {
		return
	}
	e.value = e.objective(e.z, 0.5*dot(w, w))
	sum := 0.0
	for i, y := range e.y {
		e.slope[i] = -y * float64(e.o.C*portable.Sigmoid(-y*e.z[i]))
		sum += e.slope[i]
	}
	if e.o.Intercept {
		e.grad[d] = sum
	}
	e.err = e.x.columns(e.ctx, func(j int, rows []int32, values []float64) {
		g := w[j]
		for k, i := range rows {
			g += float64(values[k] * e.slope[i])
		}
		e.grad[j] = g
	})
}

// watcher reports iterations and ends the fit when the context is done.
type watcher struct {
	ctx      context.Context //nolint:containedctx // gonum's Recorder has no room for it
	progress func(int)
}

// Init implements optimize.Recorder.
func (w *watcher) Init() error { return nil }

// Record implements optimize.Recorder.
func (w *watcher) Record(_ *optimize.Location, op optimize.Operation, s *optimize.Stats) error {
	if op == optimize.MajorIteration && w.progress != nil {
		w.progress(s.MajorIterations)
	}
	return w.ctx.Err()
}
