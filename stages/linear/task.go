package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// task is one fit: it minimizes
//
//	Σ cost(yᵢ) · log(1 + exp(-yᵢ zᵢ)) + ridge·½‖w‖² + lasso·‖w‖₁ + the same of b/scale
//
// where z = X·w + b and b is 0 without an intercept.
type task struct {
	x *matrix
	y []float64 // ±1
	o Options
	// costs are C times the weights of the labels 0 and 1, total their sum
	// over the rows.
	costs [2]float64
	total float64
	// small is the share of the rarer label, which is part of liblinear's
	// tolerance.
	small float64
	// ridge and lasso weigh the penalties of the coefficients; ridgeB and
	// lassoB those of b, in terms of b itself.
	ridge, lasso, ridgeB, lassoB float64
}

// weigh fills what follows from the options and the number of rows by label.
func (t *task) weigh(count [2]int) {
	n := float64(count[0] + count[1])
	c := t.o.C
	switch t.o.Penalty {
	case L2:
		t.ridge = 1
	case L1:
		t.lasso = 1
	case ElasticNet:
		t.ridge, t.lasso = 1-t.o.L1Ratio, t.o.L1Ratio
	case None:
		c = 1
	}
	for l, k := range count {
		w := 1.0
		switch cw := t.o.ClassWeight; {
		case cw.Balanced:
			w = n / float64(2*k)
		case cw.Weights != nil:
			w = cw.Weights[l]
		}
		t.costs[l] = c * w
		t.total += float64(t.costs[l] * float64(k))
	}
	t.small = float64(min(count[0], count[1])) / n
	if t.o.Solver == Liblinear && t.o.Intercept {
		s := t.o.InterceptScaling
		t.ridgeB, t.lassoB = t.ridge/(s*s), t.lasso/s
	}
}

// scaleB is the value of the intercept's column.
func (t *task) scaleB() float64 {
	if t.o.Solver == Liblinear {
		return t.o.InterceptScaling
	}
	return 1
}

func (t *task) cost(y float64) float64 {
	if y > 0 {
		return t.costs[1]
	}
	return t.costs[0]
}

// start returns the coefficients and the intercept to begin with.
func (t *task) start() ([]float64, float64) {
	w := make([]float64, t.x.Cols)
	s := t.o.Start
	if s == nil {
		return w, 0
	}
	from := s.start
	if from == nil {
		from = s.Coef
	}
	t.x.merged.join(w, from)
	if !t.o.Intercept {
		return w, 0
	}
	return w, s.Intercept
}

// decide sets z to the decisions.
func (t *task) decide(ctx context.Context, w []float64, b float64, z []float64) error {
	_, err := t.x.overRows(ctx, func(lo, hi int) sums {
		for i := lo; i < hi; i++ {
			cols, vals := t.x.Row(i)
			z[i] = b + dotSparse(cols, vals, w)
		}
		return sums{}
	})
	return err
}

// loss is the sum of the losses at the decisions z.
func (t *task) loss(ctx context.Context, z []float64) (float64, error) {
	s, err := t.x.overRows(ctx, func(lo, hi int) sums {
		var sum float64
		for i := lo; i < hi; i++ {
			y := t.y[i]
			sum += float64(t.cost(y) * portable.Log1pExp(-y*z[i]))
		}
		return sums{sum}
	})
	return s[0], err
}

// derive sets slope and curve to the derivatives of the losses at z, and
// returns their sums: the derivatives by b.
func (t *task) derive(ctx context.Context, z, slope, curve []float64) (gradB, hessB float64, err error) {
	s, err := t.x.overRows(ctx, func(lo, hi int) sums {
		var g, h float64
		for i := lo; i < hi; i++ {
			y := t.y[i]
			c := t.cost(y)
			q := portable.Sigmoid(-y * z[i]) // 1 - probability of the label
			slope[i] = -y * float64(c*q)
			curve[i] = c * float64(q*(1-q))
			g += slope[i]
			h += curve[i]
		}
		return sums{g, h}
	})
	return s[0], s[1], err
}

func (t *task) penalty(w []float64, b float64) float64 {
	var squares, sizes float64
	for _, x := range w {
		squares += float64(x * x)
		sizes += math.Abs(x)
	}
	return float64(t.ridge*(0.5*squares)) + float64(t.lasso*sizes) +
		float64(t.ridgeB*(0.5*float64(b*b))) + float64(t.lassoB*math.Abs(b))
}

// tick reports an iteration.
func (t *task) tick(iteration int) {
	if t.o.Progress != nil {
		t.o.Progress(iteration)
	}
}

// rule is how a solver measures what is left of the optimality conditions.
type rule struct {
	// largest takes the largest violation instead of a norm of all.
	largest bool
	// unit divides it, and what it is divided to must not be above bound.
	unit, bound float64
	// noise is what rounding leaves of 0.
	noise float64
}

// rule returns the measure of the solver; first is the norm of the violation
// at w = 0, which liblinear's and ours for saga are relative to.
//
//   - liblinear: the norm of the violation against that at 0; the tolerance is
//     scaled by the share of the rarer label.
//   - lbfgs, newton-cg, newton-cholesky: the largest component of the gradient
//     of the mean loss. The bound is a tenth of the tolerance, since at the
//     whole of it predictions still differ visibly from those at the minimum.
//   - sag, saga: the norm against that at 0. scikit-learn's own measure is the
//     change of the coefficients in one epoch, which says little.
func (t *task) rule(first float64) rule {
	r := rule{unit: first, bound: t.o.Tol, noise: 1e-14 * t.total}
	switch t.o.Solver {
	case Liblinear:
		r.bound *= t.small
	case Sag, Saga:
	default:
		r.largest, r.unit = true, t.total
		r.bound *= 0.1
	}
	return r
}

// reached reports whether a violation, of the norm that the rule takes, is
// small enough, and its size in the rule's measure.
func (r rule) reached(violation float64) (float64, bool) {
	if violation <= r.noise {
		return 0, true
	}
	v := violation / r.unit
	return v, v <= r.bound
}
