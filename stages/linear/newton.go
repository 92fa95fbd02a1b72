package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// newtonState is a point of a smooth task with all that is derived from it.
// The intercept is kept apart from the coefficients.
type newtonState struct {
	*task
	w []float64
	b float64
	z []float64 // X·w + b
	// value is the objective at w, b.
	value float64
	// slope and curve are the derivatives of the loss by z.
	slope, curve []float64
	grad         []float64
	gradB        float64
	// diag preconditions the linear systems.
	diag  []float64
	diagB float64
	// step, stepB and dz are the step that is being looked for, with the
	// change of the decisions.
	step, dz []float64
	stepB    float64
	// Room to work in.
	res, dir, along, bent, trial []float64
}

// point is where another solver ended.
type point struct {
	w          []float64
	b          float64
	iterations int
}

// newton minimizes a smooth task: at each point it solves the linear system of
// Newton's step about as precisely as the point deserves, by preconditioned
// conjugate gradients, and walks along the step as far as the objective falls.
func (t *task) newton(ctx context.Context, from *point) (*Result, error) {
	n, d := t.x.Rows, t.x.Cols
	s := &newtonState{
		task: t, w: make([]float64, d),
		z: make([]float64, n), slope: make([]float64, n), curve: make([]float64, n), dz: make([]float64, n),
		grad: make([]float64, d), diag: make([]float64, d), step: make([]float64, d),
		res: make([]float64, d), dir: make([]float64, d),
		along: make([]float64, n), bent: make([]float64, n), trial: make([]float64, n),
	}
	// The violation at 0 is the measure for the others.
	norm, largest, err := s.derive(ctx)
	if err != nil {
		return nil, err
	}
	rule := t.rule(norm)
	r := &Result{Bound: rule.bound}
	switch {
	case from != nil:
		s.w, s.b, r.Iterations = from.w, from.b, from.iterations
	case t.o.Start != nil:
		s.w, s.b = t.start()
	}
	if from != nil || t.o.Start != nil {
		if err := t.decide(ctx, s.w, s.b, s.z); err != nil {
			return nil, err
		}
		if norm, largest, err = s.derive(ctx); err != nil {
			return nil, err
		}
	}
	if s.value, err = t.loss(ctx, s.z); err != nil {
		return nil, err
	}
	s.value += t.penalty(s.w, s.b)
	begin := norm
	for sure := true; ; {
		violation := norm
		if rule.largest {
			violation = largest
		}
		if r.Violation, r.Converged = rule.reached(violation); r.Converged || r.Iterations >= t.o.MaxIter || !sure {
			break
		}
		r.Iterations++
		t.tick(r.Iterations)
		if err := s.solve(ctx, min(cgPrecision, math.Sqrt(norm/begin))); err != nil {
			return nil, err
		}
		moved, seen, err := s.walk(ctx)
		if err != nil {
			return nil, err
		}
		if !moved {
			break
		}
		last := norm
		if norm, largest, err = s.derive(ctx); err != nil {
			return nil, err
		}
		// Where neither the objective nor the gradient tells better from
		// worse, it is over.
		sure = seen || norm < 0.9*last
	}
	r.Coef, r.Intercept, r.Objective = s.w, s.b, s.value
	return r, nil
}

// cgPrecision is how far, at most, the residual of a linear system is to fall.
const cgPrecision = 0.1

// derive fills the derivatives at the current point and returns the norm of
// the gradient and its largest component, for the coefficient of the
// intercept's column.
func (s *newtonState) derive(ctx context.Context) (norm, largest float64, err error) {
	gradB, hessB, err := s.task.derive(ctx, s.z, s.slope, s.curve)
	if err != nil {
		return 0, 0, err
	}
	total, err := s.x.overColumns(ctx, func(lo, hi int) sums {
		var found sums
		for j := lo; j < hi; j++ {
			rows, vals := s.x.column(j)
			g := float64(s.ridge*s.w[j]) + dotSparse(rows, vals, s.slope)
			s.grad[j], s.diag[j] = g, mix(s.ridge+dotSquares(rows, vals, s.curve))
			found.add(sums{float64(g * g), 0, s.x.merged.largest(j, g)})
		}
		return found
	})
	if err != nil {
		return 0, 0, err
	}
	s.gradB, s.diagB = 0, 1
	if s.o.Intercept {
		s.gradB = gradB + float64(s.ridgeB*s.b)
		s.diagB = mix(max(hessB+s.ridgeB, 1e-12))
		own := float64(s.gradB * s.scaleB())
		total.add(sums{float64(own * own), 0, math.Abs(own)})
	}
	return math.Sqrt(total[0]), total[2], nil
}

// mix moves the preconditioner from the Hessian's diagonal towards 1; alone
// the diagonal can be worse than none.
func mix(h float64) float64 { return 0.9 + float64(0.1*h) }

// maxInner bounds the conjugate gradient steps of one linear system.
const maxInner = 250

// solve sets the step to an approximate solution of H·step = -gradient: the
// residual's norm falls by the factor precision.
func (s *newtonState) solve(ctx context.Context, precision float64) error {
	clear(s.step)
	clear(s.dz)
	s.stepB = 0
	resB := -s.gradB
	dirB := resB / s.diagB
	start, err := s.x.overColumns(ctx, func(lo, hi int) sums {
		var found sums
		for j := lo; j < hi; j++ {
			s.res[j] = -s.grad[j]
			s.dir[j] = s.res[j] / s.diag[j]
			found.add(sums{float64(s.res[j] * s.dir[j]), float64(s.dir[j] * s.dir[j])})
		}
		return found
	})
	if err != nil {
		return err
	}
	rho, dd := start[0]+float64(resB*dirB), start[1]
	goal := float64(float64(precision*precision) * rho)
	for range maxInner {
		if rho <= goal || rho == 0 {
			break
		}
		// dir·H·dir is the bend of the loss along dir with that of the penalty.
		bend, err := s.x.overRows(ctx, func(lo, hi int) sums {
			var found sums
			for i := lo; i < hi; i++ {
				cols, vals := s.x.Row(i)
				v := dirB + dotSparse(cols, vals, s.dir)
				s.along[i] = v
				u := float64(s.curve[i] * v)
				s.bent[i] = u
				found.add(sums{float64(u * v), u})
			}
			return found
		})
		if err != nil {
			return err
		}
		curvature := bend[0] + float64(s.ridge*dd) + float64(s.ridgeB*float64(dirB*dirB))
		if !(curvature > 0) {
			break
		}
		alpha := rho / curvature
		after, err := s.x.overColumns(ctx, func(lo, hi int) sums {
			var sum float64
			for j := lo; j < hi; j++ {
				rows, vals := s.x.column(j)
				h := float64(s.ridge*s.dir[j]) + dotSparse(rows, vals, s.bent)
				s.step[j] += float64(alpha * s.dir[j])
				res := s.res[j] - float64(alpha*h)
				s.res[j] = res
				sum += float64(res * (res / s.diag[j]))
			}
			return sums{sum}
		})
		if err != nil {
			return err
		}
		for i, v := range s.along {
			s.dz[i] += float64(alpha * v)
		}
		if s.o.Intercept {
			s.stepB += float64(alpha * dirB)
			resB -= float64(alpha * (bend[1] + float64(s.ridgeB*dirB)))
		}
		next := after[0] + float64(resB*(resB/s.diagB))
		beta := next / rho
		rho = next
		turn, err := s.x.overColumns(ctx, func(lo, hi int) sums {
			var sum float64
			for j := lo; j < hi; j++ {
				v := s.res[j]/s.diag[j] + float64(beta*s.dir[j])
				s.dir[j] = v
				sum += float64(v * v)
			}
			return sums{sum}
		})
		if err != nil {
			return err
		}
		dd = turn[0]
		dirB = resB/s.diagB + float64(beta*dirB)
	}
	return nil
}

// walk goes along the step, halving it until the objective falls enough; that
// costs no product with the matrix. Close to the minimum the objective cannot
// tell: then the whole step is taken and seen is false.
func (s *newtonState) walk(ctx context.Context) (moved, seen bool, err error) {
	found, err := s.x.overColumns(ctx, func(lo, hi int) sums {
		var slope, ws float64
		for j := lo; j < hi; j++ {
			slope += float64(s.grad[j] * s.step[j])
			ws += float64(s.w[j] * s.step[j])
		}
		return sums{slope, float64(s.ridge * ws)}
	})
	if err != nil {
		return false, false, err
	}
	squares, err := s.x.overColumns(ctx, func(lo, hi int) sums {
		var ss float64
		for _, v := range s.step[lo:hi] {
			ss += float64(v * v)
		}
		return sums{ss}
	})
	if err != nil {
		return false, false, err
	}
	slope := found[0] + float64(s.gradB*s.stepB)
	if !(slope < 0) {
		return false, false, nil
	}
	seen = -slope > float64(1e-13*math.Abs(s.value))
	first := found[1] + float64(s.ridgeB*float64(s.b*s.stepB))
	second := float64(s.ridge*squares[0]) + float64(s.ridgeB*float64(s.stepB*s.stepB))
	for t := 1.0; t > 1e-10; t /= 2 {
		change, err := s.x.overRows(ctx, func(lo, hi int) sums {
			var sum float64
			for i := lo; i < hi; i++ {
				y := s.y[i]
				s.trial[i] = s.z[i] + float64(t*s.dz[i])
				sum += float64(s.cost(y) * (portable.Log1pExp(-y*s.trial[i]) - portable.Log1pExp(-y*s.z[i])))
			}
			return sums{sum}
		})
		if err != nil {
			return false, false, err
		}
		delta := change[0] + float64(t*first) + float64(0.5*float64(float64(t*t)*second))
		if seen && !(delta <= float64(float64(0.01*t)*slope)) {
			continue
		}
		for j := range s.w {
			s.w[j] += float64(t * s.step[j])
		}
		s.b += float64(t * s.stepB)
		s.z, s.trial = s.trial, s.z
		s.value += delta
		return true, seen, nil
	}
	return false, false, nil
}
