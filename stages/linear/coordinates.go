package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// coordinateState is a point of the L1 problem with what is derived from it.
type coordinateState struct {
	*problem
	w    []float64
	b    float64
	z    []float64 // X·w + b
	loss float64   // C · Σ log(1 + exp(-y·z))
	// slope and curve are the derivatives of the loss by z, times C.
	slope, curve []float64
	// grad and hess are the loss's gradient and the diagonal of its Hessian.
	grad, hess   []float64
	gradB, hessB float64
	// Of the step that is being looked for: aim[j] is what w[j] becomes, xd
	// the change of the decisions. The aim is kept, not the difference, so
	// that a coefficient can become exactly 0.
	aim   []float64
	stepB float64
	xd    []float64
	// active are the columns that the step may change.
	active []int32
}

const (
	// ridge keeps the quadratic model strictly convex.
	ridge = 1e-12
	// nearActive is the gradient from which a coefficient of 0 takes part in
	// a step; at 1 it would leave 0. The others are looked at again at the
	// next point, so the bound costs or saves time and changes no result.
	nearActive = 0.7
	// maxSweeps bounds the passes over the active columns for one step.
	maxSweeps = 1000
)

// coordinates minimizes the L1 problem: at each point it minimizes, one
// coordinate after the other, Newton's quadratic model of the loss plus the
// penalty, and walks along the step as far as the objective falls (Yuan, Ho
// and Lin, "An Improved GLMNET for L1-regularized Logistic Regression", 2012).
func (p *problem) coordinates(ctx context.Context) (*Result, error) {
	n, d := p.x.Rows, p.x.Cols
	s := &coordinateState{
		problem: p,
		w:       make([]float64, d), z: make([]float64, n),
		slope: make([]float64, n), curve: make([]float64, n),
		grad: make([]float64, d), hess: make([]float64, d),
		aim: make([]float64, d), xd: make([]float64, n),
	}
	s.loss = s.objective(s.z, 0)
	r := &Result{}
	var first float64
	precision := 0.25
	trial := make([]float64, n)
	for {
		if err := s.derive(ctx); err != nil {
			return nil, err
		}
		violation := s.violation()
		if r.Iterations == 0 {
			first = violation
		}
		if r.Violation, r.Converged = p.reached(violation, first); r.Converged {
			break
		}
		if r.Iterations == p.o.MaxIter {
			break
		}
		r.Iterations++
		if p.o.Progress != nil {
			p.o.Progress(r.Iterations)
		}
		sweeps, err := s.solve(ctx, precision*violation)
		if err != nil {
			return nil, err
		}
		// A step that one sweep settles was asked for too loosely.
		if sweeps <= 1 {
			precision /= 4
		}
		if !s.walk(trial) {
			if precision < 1e-8 {
				break
			}
			precision /= 4
		}
	}
	r.Coef, r.Intercept = s.w, s.b
	r.Objective = s.loss + norm1(s.w)
	return r, nil
}

func norm1(w []float64) float64 {
	var sum float64
	for _, x := range w {
		sum += math.Abs(x)
	}
	return sum
}

// derive fills the derivatives at the current point.
func (s *coordinateState) derive(ctx context.Context) error {
	c := s.o.C
	s.gradB, s.hessB = 0, ridge
	for i, y := range s.y {
		q := portable.Sigmoid(-y * s.z[i])
		s.slope[i] = -y * float64(c*q)
		s.curve[i] = c * float64(q*(1-q))
		s.gradB += s.slope[i]
		s.hessB += s.curve[i]
	}
	return s.x.columns(ctx, func(j int, rows []int32, values []float64) {
		g, h := 0.0, ridge
		for k, i := range rows {
			v := values[k]
			g += float64(v * s.slope[i])
			h += float64(float64(v*v) * s.curve[i])
		}
		s.grad[j], s.hess[j] = g, h
	})
}

// violation is the 1-norm of the smallest subgradient: 0 at the minimum. It
// also chooses the active columns.
func (s *coordinateState) violation() float64 {
	var sum float64
	s.active = s.active[:0]
	for j, w := range s.w {
		sum += subgradient(w, s.grad[j])
		if w != 0 || math.Abs(s.grad[j]) > nearActive {
			s.active = append(s.active, int32(j))
		}
	}
	if s.o.Intercept {
		sum += math.Abs(s.gradB)
	}
	return sum
}

// subgradient is the size of the smallest subgradient of loss + |w| by one
// coefficient, given the gradient of the loss.
func subgradient(w, g float64) float64 {
	switch {
	case w > 0:
		return math.Abs(g + 1)
	case w < 0:
		return math.Abs(g - 1)
	default:
		return max(math.Abs(g)-1, 0)
	}
}

// solve looks for the step: it sweeps over the active columns until a sweep
// finds no more than goal to improve. It returns the number of sweeps.
func (s *coordinateState) solve(ctx context.Context, goal float64) (sweeps int, err error) {
	copy(s.aim, s.w)
	clear(s.xd)
	s.stepB = 0
	for sweeps < maxSweeps {
		if err := ctx.Err(); err != nil {
			return sweeps, err
		}
		sweeps++
		var found float64
		for _, j := range s.active {
			found += s.improve(int(j))
		}
		if s.o.Intercept {
			g := s.gradB
			for i, c := range s.curve {
				g += float64(c * s.xd[i])
			}
			found += math.Abs(g)
			delta := -g / s.hessB
			s.stepB += delta
			for i := range s.xd {
				s.xd[i] += delta
			}
		}
		if found <= goal {
			break
		}
	}
	return sweeps, nil
}

// improve minimizes the model by one coefficient and returns how far that was
// from optimal.
func (s *coordinateState) improve(j int) float64 {
	from, to := s.x.starts[j], s.x.starts[j+1]
	rows, values := s.x.rows[from:to], s.x.values[from:to]
	w, h := s.aim[j], s.hess[j]
	g := s.grad[j] + float64(ridge*(w-s.w[j]))
	for k, i := range rows {
		g += float64(values[k] * float64(s.curve[i]*s.xd[i]))
	}
	off := subgradient(w, g)
	aim := 0.0
	switch {
	case g+1 <= float64(h*w):
		aim = w - (g+1)/h
	case g-1 >= float64(h*w):
		aim = w - (g-1)/h
	}
	// A step of at most 10 keeps a nearly flat model from running away.
	aim = min(max(aim, w-10), w+10)
	delta := aim - w
	if delta == 0 {
		return off
	}
	s.aim[j] = aim
	for k, i := range rows {
		s.xd[i] += float64(delta * values[k])
	}
	return off
}

// walk goes along the step, halving it until the objective falls enough. It
// reports whether it moved.
func (s *coordinateState) walk(trial []float64) bool {
	// slope is the decrease that the model's linear part promises.
	slope := float64(s.gradB * s.stepB)
	for _, j := range s.active {
		slope += float64(s.grad[j]*(s.aim[j]-s.w[j])) + math.Abs(s.aim[j]) - math.Abs(s.w[j])
	}
	if !(slope < 0) {
		return false
	}
	for t := 1.0; t > 1e-10; t /= 2 {
		for i := range trial {
			trial[i] = s.z[i] + float64(t*s.xd[i])
		}
		loss := s.objective(trial, 0)
		change := loss - s.loss
		for _, j := range s.active {
			change += math.Abs(s.along(j, t)) - math.Abs(s.w[j])
		}
		if change > float64(float64(0.01*t)*slope) {
			continue
		}
		for _, j := range s.active {
			s.w[j] = s.along(j, t)
		}
		s.b += float64(t * s.stepB)
		copy(s.z, trial)
		s.loss = loss
		return true
	}
	return false
}

// along is the coefficient at a part of the step; the whole is the aim.
func (s *coordinateState) along(j int32, t float64) float64 {
	if t == 1 {
		return s.aim[j]
	}
	return s.w[j] + float64(t*(s.aim[j]-s.w[j]))
}
