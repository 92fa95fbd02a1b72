package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// rowState is what the search for a step keeps of a row, side by side, since
// a coordinate needs both.
type rowState struct {
	// curve is the second derivative of the loss by z, and above 0.
	curve float64
	// bent is curve times how much the step changes z.
	bent float64
}

// leastCurve stands for a second derivative of 0, so that the change of z is
// bent/curve. It is too small to be felt by the model.
const leastCurve = 1e-100

// coordinateState is a point of a task with an L1 penalty, with what is
// derived from it.
type coordinateState struct {
	*task
	w  []float64
	b  float64
	z  []float64 // X·w + b
	at []rowState
	// room holds slopes, curves and a trial point.
	room [3][]float64
	// grad and hess are the gradient and the Hessian's diagonal of what is
	// smooth: the loss and the L2 part of the penalty.
	grad, hess   []float64
	gradB, hessB float64
	// aim[j] is what the step makes of w[j]. The aim is kept, not the
	// difference, so that a coefficient can become exactly 0.
	aim  []float64
	aimB float64
	// active are the columns that the step may change; the first open of
	// them are those that the sweeps still visit.
	active []int32
	// largest is the largest violation at the last point.
	largest float64
	random  random
}

const (
	// nu keeps the quadratic model strictly convex.
	nu = 1e-12
	// maxSweeps bounds the passes over the active columns for one step.
	maxSweeps = 1000
)

// coordinates minimizes a task with an L1 penalty: at each point it minimizes,
// one coordinate after the other in random order, Newton's quadratic model of
// the smooth part plus the penalty, leaving out coefficients that stay 0 for
// sure, and walks along the step as far as the objective falls (Yuan, Ho and
// Lin, "An Improved GLMNET for L1-regularized Logistic Regression", 2012).
func (t *task) coordinates(ctx context.Context) (*Result, error) {
	n, d := t.x.Rows, t.x.Cols
	s := &coordinateState{
		task: t, w: make([]float64, d), z: make([]float64, n), at: make([]rowState, n),
		grad: make([]float64, d), hess: make([]float64, d), aim: make([]float64, d),
		largest: math.Inf(1), random: newRandom(t.o.Seed),
	}
	for k := range s.room {
		s.room[k] = make([]float64, n)
	}
	violation, err := s.derive(ctx)
	if err != nil {
		return nil, err
	}
	first := violation
	rule := t.rule(first)
	r := &Result{Bound: rule.bound}
	if t.o.Start != nil {
		s.w, s.b = t.start()
		s.largest = math.Inf(1)
		if err := t.decide(ctx, s.w, s.b, s.z); err != nil {
			return nil, err
		}
		if violation, err = s.derive(ctx); err != nil {
			return nil, err
		}
	}
	value, err := t.loss(ctx, s.z)
	if err != nil {
		return nil, err
	}
	value += t.penalty(s.w, s.b)
	precision := 1.0
	if t.o.Start != nil && first > 0 {
		precision = min(1, violation/first)
	}
	for sure := true; ; {
		if r.Violation, r.Converged = rule.reached(violation); r.Converged || r.Iterations >= t.o.MaxIter || !sure {
			break
		}
		r.Iterations++
		t.tick(r.Iterations)
		sweeps, err := s.solve(ctx, min(precision*first, 0.5*violation))
		if err != nil {
			return nil, err
		}
		// A step that one sweep settles was asked for too loosely.
		if sweeps <= 1 {
			precision /= 4
		}
		change, seen, err := s.walk(ctx, value)
		if err != nil {
			return nil, err
		}
		value += change
		last := violation
		if violation, err = s.derive(ctx); err != nil {
			return nil, err
		}
		if !seen && violation >= 0.9*last {
			// It may be the model that was too loose, not the arithmetic.
			sure = precision*first > 0.01*violation
			precision = min(precision, 0.01*violation/first)
		}
	}
	if value, err = t.loss(ctx, s.z); err != nil {
		return nil, err
	}
	r.Coef, r.Intercept, r.Objective = s.w, s.b, value+t.penalty(s.w, s.b)
	return r, nil
}

// derive fills the derivatives at the current point, chooses the active
// columns and returns the violation of the optimality conditions: the 1-norm
// of the smallest subgradient.
func (s *coordinateState) derive(ctx context.Context) (violation float64, err error) {
	slope, curve := s.room[0], s.room[1]
	gradB, hessB, err := s.task.derive(ctx, s.z, slope, curve)
	if err != nil {
		return 0, err
	}
	found, err := s.x.overColumns(ctx, func(lo, hi int) sums {
		var found sums
		for j := lo; j < hi; j++ {
			rows, vals := s.x.column(j)
			w := s.w[j]
			g := float64(s.ridge*w) + dotSparse(rows, vals, slope)
			s.grad[j] = g
			if w != 0 || math.Abs(g) > 0.5*s.lasso {
				s.hess[j] = nu + s.ridge + dotSquares(rows, vals, curve)
			}
			v := subgradient(w, g, s.lasso)
			found.add(sums{v, 0, v})
		}
		return found
	})
	if err != nil {
		return 0, err
	}
	for i := range s.at {
		s.at[i] = rowState{curve: max(curve[i], leastCurve)}
	}
	// A coefficient takes part when it is not 0 or close to leaving it; how
	// close follows from the last violation. The others are looked at again
	// at the next point.
	edge := s.lasso - max(min(s.largest/float64(len(s.y)), 0.5*s.lasso), 1e-3*s.lasso)
	s.active = s.active[:0]
	for j, w := range s.w {
		if w != 0 || math.Abs(s.grad[j]) > edge {
			s.active = append(s.active, int32(j))
		}
	}
	violation = found[0]
	s.largest = found[2]
	if s.o.Intercept {
		s.gradB = gradB + float64(s.ridgeB*s.b)
		s.hessB = hessB + s.ridgeB + nu
		v := float64(s.scaleB() * subgradient(s.b, s.gradB, s.lassoB))
		violation += v
		s.largest = max(s.largest, v)
	}
	return violation, nil
}

// subgradient is the size of the smallest subgradient of a smooth function
// with the gradient g, plus lasso·|w|.
func subgradient(w, g, lasso float64) float64 {
	switch {
	case w > 0:
		return math.Abs(g + lasso)
	case w < 0:
		return math.Abs(g - lasso)
	default:
		return max(math.Abs(g)-lasso, 0)
	}
}

// solve looks for the step: it sweeps over the active columns until a sweep
// finds no more than goal to improve. It returns the number of sweeps.
func (s *coordinateState) solve(ctx context.Context, goal float64) (sweeps int, err error) {
	copy(s.aim, s.w)
	s.aimB = s.b
	open := len(s.active)
	margin := math.Inf(1)
	for sweeps < maxSweeps {
		if err := ctx.Err(); err != nil {
			return sweeps, err
		}
		sweeps++
		s.random.shuffle(s.active[:open])
		var total, most float64
		for k := 0; k < open; {
			j := s.active[k]
			var next ahead
			if k+1 < open {
				next.at, next.vals = s.x.column(int(s.active[k+1]))
			}
			off, away := s.improve(int(j), next)
			if away > margin {
				// It is 0 and stays so: to be visited again in the end.
				open--
				s.active[k], s.active[open] = s.active[open], j
				continue
			}
			total += off
			most = max(most, off)
			k++
		}
		if s.o.Intercept {
			off := s.improveB()
			total += off
			most = max(most, off)
		}
		if total > goal {
			margin = most / float64(len(s.y))
			continue
		}
		if open == len(s.active) {
			break
		}
		open, margin = len(s.active), math.Inf(1)
	}
	return sweeps, nil
}

// improve minimizes the model by one coefficient. It returns how far that was
// from optimal and, for a coefficient that is 0 and stays so, how far its
// gradient is from moving it. The next values are those of the next
// coefficient.
func (s *coordinateState) improve(j int, next ahead) (off, away float64) {
	rows, vals := s.x.column(j)
	w, h := s.aim[j], s.hess[j]
	g := s.grad[j] + float64((nu+s.ridge)*(w-s.w[j])) + bentSparse(rows, vals, s.at)
	off = subgradient(w, g, s.lasso)
	aim := 0.0
	switch {
	case w == 0 && off == 0:
		return 0, s.lasso - math.Abs(g)
	case g+s.lasso <= float64(h*w):
		aim = w - (g+s.lasso)/h
	case g-s.lasso >= float64(h*w):
		aim = w - (g-s.lasso)/h
	}
	// A step of at most 10 keeps a nearly flat model from running away.
	aim = min(max(aim, w-10), w+10)
	delta := aim - w
	if math.Abs(delta) < 1e-12*math.Abs(w) || delta == 0 {
		return off, 0
	}
	s.aim[j] = aim
	bendSparse(delta, rows, vals, s.at, next)
	return off, 0
}

// bentGo is bentSparse, the product of a sparse vector with what is bent of
// the rows.
func bentGo(rows []int32, vals []float64, at []rowState) float64 {
	var a, b, c, d float64
	vals = vals[:len(rows)]
	for len(rows) >= 4 && len(vals) >= 4 {
		a += float64(vals[0] * at[rows[0]].bent)
		b += float64(vals[1] * at[rows[1]].bent)
		c += float64(vals[2] * at[rows[2]].bent)
		d += float64(vals[3] * at[rows[3]].bent)
		rows, vals = rows[4:], vals[4:]
	}
	for k, i := range rows {
		a += float64(vals[k] * at[i].bent)
	}
	return (a + b) + (c + d)
}

// bendGo is bendSparse: it adds to what is bent of the rows when the step
// changes by delta in the direction of a sparse vector.
func bendGo(delta float64, rows []int32, vals []float64, at []rowState) {
	vals = vals[:len(rows)]
	for k, i := range rows {
		p := &at[i]
		p.bent += float64(float64(delta*vals[k]) * p.curve)
	}
}

// improveB minimizes the model by the intercept and returns how far it was
// from optimal.
func (s *coordinateState) improveB() float64 {
	var bent float64
	for i := range s.at {
		bent += s.at[i].bent
	}
	b, h := s.aimB, s.hessB
	g := s.gradB + float64((nu+s.ridgeB)*(b-s.b)) + bent
	off := float64(s.scaleB() * subgradient(b, g, s.lassoB))
	aim := 0.0
	switch {
	case g+s.lassoB <= float64(h*b):
		aim = b - (g+s.lassoB)/h
	case g-s.lassoB >= float64(h*b):
		aim = b - (g-s.lassoB)/h
	}
	aim = min(max(aim, b-10), b+10)
	delta := aim - b
	if delta == 0 {
		return off
	}
	s.aimB = aim
	for i := range s.at {
		s.at[i].bent += float64(delta * s.at[i].curve)
	}
	return off
}

// walk goes along the step, halving it until the objective falls enough, and
// returns the change of the objective. Close to the minimum the objective
// cannot tell: then the whole step is taken. seen is false when the objective
// did not tell or no step was good.
func (s *coordinateState) walk(ctx context.Context, value float64) (change float64, seen bool, err error) {
	// promise is the decrease of the smooth part's linear model and the
	// penalty.
	stepB := s.aimB - s.b
	promise := float64(s.gradB*stepB) + float64(s.lassoB*(math.Abs(s.aimB)-math.Abs(s.b)))
	for _, j := range s.active {
		promise += float64(s.grad[j]*(s.aim[j]-s.w[j])) + float64(s.lasso*(math.Abs(s.aim[j])-math.Abs(s.w[j])))
	}
	if !(promise < 0) {
		return 0, false, nil
	}
	seen = -promise > float64(1e-13*math.Abs(value))
	// What is bent is from here on the change of z itself.
	for i := range s.at {
		s.at[i].bent /= s.at[i].curve
	}
	trial := s.room[2]
	for t := 1.0; t > 1e-10; t /= 2 {
		loss, err := s.x.overRows(ctx, func(lo, hi int) sums {
			var sum float64
			for i := lo; i < hi; i++ {
				y := s.y[i]
				trial[i] = s.z[i] + float64(t*s.at[i].bent)
				sum += float64(s.cost(y) * (portable.Log1pExp(-y*trial[i]) - portable.Log1pExp(-y*s.z[i])))
			}
			return sums{sum}
		})
		if err != nil {
			return 0, false, err
		}
		delta := loss[0] + s.penaltyChange(s.b, along(s.b, s.aimB, t), s.ridgeB, s.lassoB)
		for _, j := range s.active {
			delta += s.penaltyChange(s.w[j], along(s.w[j], s.aim[j], t), s.ridge, s.lasso)
		}
		if seen && !(delta <= float64(float64(0.01*t)*promise)) {
			continue
		}
		for _, j := range s.active {
			s.w[j] = along(s.w[j], s.aim[j], t)
		}
		s.b = along(s.b, s.aimB, t)
		s.z, s.room[2] = trial, s.z
		return delta, seen, nil
	}
	return 0, false, nil
}

// penaltyChange is what moving a coefficient adds to the penalty.
func (s *coordinateState) penaltyChange(from, to, ridge, lasso float64) float64 {
	return float64(lasso*(math.Abs(to)-math.Abs(from))) + float64(ridge*(0.5*float64((to-from)*(to+from))))
}

// along is the coefficient at a part of the step; the whole is the aim.
func along(from, aim, t float64) float64 {
	if t == 1 {
		return aim
	}
	return from + float64(t*(aim-from))
}
