package linear

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// maxQuasi is how many iterations of BFGS come before Newton's.
const maxQuasi = 20

// errReached ends gonum's minimization when our own rule is met.
var errReached = errors.New("converged")

// lbfgs minimizes a smooth task with gonum's limited-memory BFGS. The point
// that it moves is the coefficients followed by the intercept, if there is one,
// each times the root of the Hessian's diagonal at the start: then columns of
// any scale are alike, and it takes a fraction of the iterations. Newton's
// method finishes what it begins.
func (t *task) lbfgs(ctx context.Context) (*Result, error) {
	d := t.x.Cols
	n := d
	if t.o.Intercept {
		n++
	}
	e := &evaluation{
		task: t, ctx: ctx, at: make([]float64, n), grad: make([]float64, n),
		w: make([]float64, d), z: make([]float64, t.x.Rows), slope: make([]float64, t.x.Rows),
	}
	if err := e.scaleAt(); err != nil {
		return nil, err
	}
	w, b := t.start()
	start := make([]float64, n)
	for j, v := range w {
		start[j] = v / e.unit[j]
	}
	if t.o.Intercept {
		start[d] = b / e.unit[d]
	}
	e.move(start)
	if e.err != nil {
		return nil, e.err
	}
	e.rule = t.rule(0)
	r := &Result{Bound: e.rule.bound}
	if _, done := e.rule.reached(e.largest); !done {
		found, err := optimize.Minimize(optimize.Problem{
			Func: func(x []float64) float64 { e.move(x); return e.value },
			Grad: func(grad, x []float64) { e.move(x); copy(grad, e.grad) },
		}, start, &optimize.Settings{
			MajorIterations: min(t.o.MaxIter, maxQuasi),
			// Our rule decides, not gonum's bounds.
			GradientThreshold: math.SmallestNonzeroFloat64,
			Converger:         optimize.NeverTerminate{},
			Recorder:          e,
		}, &optimize.LBFGS{Store: 10, Linesearcher: &optimize.MoreThuente{}})
		if e.err != nil {
			return nil, e.err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if found == nil {
			return nil, err
		}
		r.Iterations = found.MajorIterations
		e.move(found.X)
		if e.err != nil {
			return nil, e.err
		}
	}
	if r.Violation, r.Converged = e.rule.reached(e.largest); !r.Converged && r.Iterations < t.o.MaxIter {
		// Near the minimum, where the quadratic model is good, Newton's steps
		// are the cheaper ones, and they need no line search, in which
		// differences of the objective drown in rounding.
		return t.newton(ctx, &point{w: e.w, b: e.b, iterations: r.Iterations})
	}
	r.Coef, r.Intercept, r.Objective = e.w, e.b, e.value
	return r, nil
}

// evaluation is the objective and its gradient at one point. gonum asks for
// them apart and at the same point, so both are computed together, once.
type evaluation struct {
	*task
	ctx context.Context //nolint:containedctx // gonum's callbacks have no room for it
	// unit is what the coefficients are for a 1 at the point.
	unit []float64
	// at is the point, grad the gradient there.
	at, grad []float64
	w        []float64
	b        float64
	value    float64
	// largest is the largest component of the gradient by coefficients.
	largest  float64
	z, slope []float64
	moved    bool
	rule     rule
	err      error
}

// scaleAt sets the units from the curvature at 0.
func (e *evaluation) scaleAt() error {
	curve := make([]float64, e.x.Rows)
	_, hessB, err := e.derive(e.ctx, e.z, e.slope, curve)
	if err != nil {
		return err
	}
	e.unit = make([]float64, len(e.at))
	if e.o.Intercept {
		e.unit[e.x.Cols] = 1 / math.Sqrt(hessB)
	}
	_, err = e.x.overColumns(e.ctx, func(lo, hi int) sums {
		for j := lo; j < hi; j++ {
			rows, vals := e.x.column(j)
			e.unit[j] = 1
			if h := e.ridge + dotSquares(rows, vals, curve); h > 0 {
				e.unit[j] = 1 / math.Sqrt(h)
			}
		}
		return sums{}
	})
	return err
}

// move evaluates at x unless that was the last point.
func (e *evaluation) move(x []float64) {
	if e.err != nil || e.moved && floats.Equal(e.at, x) {
		return
	}
	e.moved = true
	copy(e.at, x)
	e.err = e.evaluate(x)
}

func (e *evaluation) evaluate(x []float64) error {
	d := e.x.Cols
	squares, err := e.x.overColumns(e.ctx, func(lo, hi int) sums {
		var sum float64
		for j := lo; j < hi; j++ {
			w := float64(x[j] * e.unit[j])
			e.w[j] = w
			sum += float64(w * w)
		}
		return sums{sum}
	})
	if err != nil {
		return err
	}
	e.b = 0
	if e.o.Intercept {
		e.b = float64(x[d] * e.unit[d])
	}
	loss, err := e.x.overRows(e.ctx, func(lo, hi int) sums {
		var found sums
		for i := lo; i < hi; i++ {
			cols, vals := e.x.Row(i)
			e.z[i] = e.b + dotSparse(cols, vals, e.w)
			y := e.y[i]
			c := e.cost(y)
			e.slope[i] = -y * float64(c*portable.Sigmoid(-y*e.z[i]))
			found.add(sums{float64(c * portable.Log1pExp(-y*e.z[i])), e.slope[i]})
		}
		return found
	})
	if err != nil {
		return err
	}
	e.value = loss[0] + float64(e.ridge*(0.5*squares[0])) + float64(e.ridgeB*(0.5*float64(e.b*e.b)))
	most, err := e.x.overColumns(e.ctx, func(lo, hi int) sums {
		var found sums
		for j := lo; j < hi; j++ {
			rows, vals := e.x.column(j)
			g := float64(e.ridge*e.w[j]) + dotSparse(rows, vals, e.slope)
			e.grad[j] = float64(g * e.unit[j])
			found[2] = max(found[2], e.x.merged.largest(j, g))
		}
		return found
	})
	if err != nil {
		return err
	}
	e.largest = most[2]
	if e.o.Intercept {
		g := loss[1] + float64(e.ridgeB*e.b)
		e.grad[d] = float64(g * e.unit[d])
		e.largest = max(e.largest, math.Abs(g))
	}
	return nil
}

// Init implements optimize.Recorder.
func (e *evaluation) Init() error { return nil }

// Record implements optimize.Recorder: it reports iterations and ends the fit
// by our rule or when the context is done.
func (e *evaluation) Record(at *optimize.Location, op optimize.Operation, s *optimize.Stats) error {
	if err := e.ctx.Err(); err != nil || op != optimize.MajorIteration {
		return err
	}
	if s.MajorIterations > 0 {
		e.tick(s.MajorIterations)
	}
	e.move(at.X)
	if _, done := e.rule.reached(e.largest); done {
		return errReached
	}
	return e.err
}
