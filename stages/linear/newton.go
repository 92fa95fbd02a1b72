package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// newtonState is a point with all that is derived from it. The intercept is
// kept apart from the coefficients, which alone are penalized.
type newtonState struct {
	*problem
	w []float64
	b float64
	z []float64 // X·w + b
	// value is the objective at w, b.
	value float64
	// slope and curve are the derivatives of the loss by z, times C.
	slope, curve []float64
	grad         []float64
	gradB        float64
	// diag preconditions the linear systems.
	diag  []float64
	diagB float64
}

// newton minimizes the L2 problem: at each point it solves the linear system
// of Newton's step about as precisely as the point deserves, and walks along
// the step as far as the objective falls.
func (p *problem) newton(ctx context.Context) (*Result, error) {
	n, d := p.x.Rows, p.x.Cols
	s := &newtonState{
		problem: p,
		w:       make([]float64, d), z: make([]float64, n),
		slope: make([]float64, n), curve: make([]float64, n),
		grad: make([]float64, d), diag: make([]float64, d),
	}
	s.value = s.objective(s.z, 0)
	if err := s.derive(ctx); err != nil {
		return nil, err
	}
	first := s.gradNorm()
	step := make([]float64, d)
	dz := make([]float64, n)
	trial := make([]float64, n)
	r := &Result{}
	for {
		if r.Violation, r.Converged = p.reached(s.gradNorm(), first); r.Converged {
			break
		}
		if r.Iterations == p.o.MaxIter {
			break
		}
		r.Iterations++
		if p.o.Progress != nil {
			p.o.Progress(r.Iterations)
		}
		stepB, err := s.solve(ctx, step, dz, min(0.1, math.Sqrt(r.Violation)))
		if err != nil {
			return nil, err
		}
		if !s.walk(step, stepB, dz, trial) {
			break
		}
		if err := s.derive(ctx); err != nil {
			return nil, err
		}
	}
	r.Coef, r.Intercept, r.Objective = s.w, s.b, s.value
	return r, nil
}

// objective is the value at a point with the given decisions and ½‖w‖².
func (p *problem) objective(z []float64, penalty float64) float64 {
	var sum float64
	for i, y := range p.y {
		sum += portable.Log1pExp(-y * z[i])
	}
	return float64(p.o.C*sum) + penalty
}

// derive fills the derivatives at the current point.
func (s *newtonState) derive(ctx context.Context) error {
	c := s.o.C
	for i, y := range s.y {
		q := portable.Sigmoid(-y * s.z[i]) // 1 - probability of the label
		s.slope[i] = -y * float64(c*q)
		s.curve[i] = c * float64(q*(1-q))
	}
	s.gradB, s.diagB = 0, 1
	if s.o.Intercept {
		s.diagB = 0
		for i := range s.slope {
			s.gradB += s.slope[i]
			s.diagB += s.curve[i]
		}
		s.diagB = mix(max(s.diagB, 1e-12))
	}
	return s.x.columns(ctx, func(j int, rows []int32, values []float64) {
		g, h := s.w[j], 1.0
		for k, i := range rows {
			v := values[k]
			g += float64(v * s.slope[i])
			h += float64(float64(v*v) * s.curve[i])
		}
		s.grad[j], s.diag[j] = g, mix(h)
	})
}

// mix moves the preconditioner from the Hessian's diagonal towards 1; alone
// the diagonal can be worse than none.
func mix(h float64) float64 { return 0.9 + float64(0.1*h) }

func (s *newtonState) gradNorm() float64 {
	return math.Sqrt(dot(s.grad, s.grad) + float64(s.gradB*s.gradB))
}

// maxInner bounds the conjugate gradient steps of one linear system.
const maxInner = 250

// solve sets step to an approximate solution of H·step = -gradient and dz to
// the change of the decisions along it. It returns the step of the intercept.
func (s *newtonState) solve(ctx context.Context, step, dz []float64, precision float64) (stepB float64, err error) {
	n, d := s.x.Rows, s.x.Cols
	res := make([]float64, d)
	dir := make([]float64, d)
	hd := make([]float64, d)
	xd := make([]float64, n)
	u := make([]float64, n)
	clear(step)
	clear(dz)
	resB := -s.gradB
	for j, g := range s.grad {
		res[j] = -g
		dir[j] = res[j] / s.diag[j]
	}
	dirB := resB / s.diagB
	rho := dot(res, dir) + float64(resB*dirB)
	goal := float64(float64(precision*precision) * rho)
	for range maxInner {
		if rho <= goal || rho == 0 {
			break
		}
		if err := s.x.times(ctx, dir, dirB, xd); err != nil {
			return 0, err
		}
		// dir·H·dir = |dir|² + Σ curve·xd², without the intercept's share.
		bend := dot(dir, dir)
		hdB := 0.0
		for i, v := range xd {
			u[i] = float64(s.curve[i] * v)
			bend += float64(u[i] * v)
			hdB += u[i]
		}
		if !(bend > 0) {
			break
		}
		if !s.o.Intercept {
			hdB = 0
		}
		if err := s.x.columns(ctx, func(j int, rows []int32, values []float64) {
			h := dir[j]
			for k, i := range rows {
				h += float64(values[k] * u[i])
			}
			hd[j] = h
		}); err != nil {
			return 0, err
		}
		alpha := rho / bend
		next := 0.0
		for j := range step {
			step[j] += float64(alpha * dir[j])
			res[j] -= float64(alpha * hd[j])
			next += float64(res[j] * (res[j] / s.diag[j]))
		}
		for i := range dz {
			dz[i] += float64(alpha * xd[i])
		}
		stepB += float64(alpha * dirB)
		resB -= float64(alpha * hdB)
		next += float64(resB * (resB / s.diagB))
		beta := next / rho
		rho = next
		for j := range dir {
			dir[j] = res[j]/s.diag[j] + float64(beta*dir[j])
		}
		dirB = resB/s.diagB + float64(beta*dirB)
	}
	return stepB, nil
}

// walk goes along a step, halving it until the objective falls enough. It
// costs no product with the matrix. It reports whether it moved.
func (s *newtonState) walk(step []float64, stepB float64, dz, trial []float64) bool {
	slope := dot(s.grad, step) + float64(s.gradB*stepB)
	if !(slope < 0) {
		return false
	}
	ww, ws, ss := dot(s.w, s.w), dot(s.w, step), dot(step, step)
	for t := 1.0; t > 1e-10; t /= 2 {
		for i := range trial {
			trial[i] = s.z[i] + float64(t*dz[i])
		}
		penalty := 0.5 * (ww + float64(2*float64(t*ws)) + float64(float64(t*t)*ss))
		value := s.objective(trial, penalty)
		if value > s.value+float64(float64(0.01*t)*slope) {
			continue
		}
		for j := range s.w {
			s.w[j] += float64(t * step[j])
		}
		s.b += float64(t * stepB)
		copy(s.z, trial)
		s.value = value
		return true
	}
	return false
}
