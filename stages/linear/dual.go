package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// dualState is a point of the dual of an L2 task: one variable a row, from 0
// to the row's cost, and the coefficients that follow from them,
//
//	w = Σ αᵢ yᵢ xᵢ
//
// with the intercept as the coefficient of a column of its own.
type dualState struct {
	w []float64
	// v is the coefficient of the intercept's column, whose value is scale; 0
	// means no intercept.
	v, scale float64
	random   random
	// inner is the violation below which a variable is left as it is. It
	// follows the mean violation of the last sweep: what others still move by
	// that much is not worth more.
	inner, leastInner float64
}

const (
	// mostInner is where inner begins, and innerPart its part of the mean
	// violation afterwards.
	mostInner, innerPart = 1e-2, 0.1
	// Rows with more than laggingPart of the largest violation lag behind.
	// When they are at most one of laggingRows of all rows, they alone are
	// swept up to laggingSweeps times, until violations are down to
	// laggingGoal of that part.
	laggingPart, laggingGoal   = 0.1, 0.3
	laggingRows, laggingSweeps = 10, 30
)

// dualRow is a row's part of the dual point. alpha and its complement to cost
// are both kept, since either may be tiny.
type dualRow struct {
	alpha, rest float64
}

func newDualState(cols int, o Options) *dualState {
	s := &dualState{w: make([]float64, cols), random: newRandom(o.Seed), inner: mostInner, leastInner: min(1e-8, o.Tol)}
	if o.Intercept {
		s.scale = o.InterceptScaling
	}
	return s
}

// dual minimizes an L2 task by coordinate descent in the dual (Yu, Huang and
// Lin, "Dual Coordinate Descent Methods for Logistic Regression and Maximum
// Entropy Models", 2011). It needs the matrix by rows alone.
//
// Of most rows nothing is left after half of the passes that the last few
// rows take, which depend on each other, as nearly equal reviews do. Those are
// swept alone between the passes. The tolerance is for the largest violation
// that a pass over all rows finds.
func (t *task) dual(ctx context.Context) (*Result, error) {
	x := t.x.CSR
	s := newDualState(x.Cols, t.o)
	rows := make([]dualRow, x.Rows)
	if t.o.Start != nil {
		if err := s.follow(ctx, t, rows); err != nil {
			return nil, err
		}
	} else {
		for i := range rows {
			rows[i].begin(t.cost(t.y[i]))
		}
	}
	s.join(x, t.y, rows)
	squares := s.squares(x)
	order := make([]int32, x.Rows)
	for i := range order {
		order[i] = int32(i)
	}
	found := make([]float64, x.Rows)
	r := &Result{Bound: t.o.Tol}
	for r.Iterations < t.o.MaxIter && !r.Converged {
		r.Iterations++
		t.tick(r.Iterations)
		violation, err := s.sweep(ctx, x, t.y, squares, rows, order, t.costs, found)
		if err != nil {
			return nil, err
		}
		r.Violation = violation
		if r.Converged = violation <= t.o.Tol; r.Converged {
			break
		}
		if err := s.catchUp(ctx, t, squares, rows, order, found, violation); err != nil {
			return nil, err
		}
	}
	r.Coef, r.Intercept = s.w, float64(s.v*s.scale)
	z := make([]float64, x.Rows)
	if err := t.decide(ctx, r.Coef, r.Intercept, z); err != nil {
		return nil, err
	}
	loss, err := t.loss(ctx, z)
	if err != nil {
		return nil, err
	}
	r.Objective = loss + t.penalty(r.Coef, r.Intercept)
	return r, nil
}

// catchUp sweeps the rows that lag behind, of the violations found, whose
// largest is given. It reorders the rows that lag behind to the front of
// order.
func (s *dualState) catchUp(ctx context.Context, t *task, squares []float64, rows []dualRow, order []int32, found []float64, largest float64) error {
	least := max(laggingPart*largest, 0.5*t.o.Tol)
	n := 0
	for k, i := range order {
		if found[i] > least {
			order[n], order[k] = i, order[n]
			n++
		}
	}
	if n > len(order)/laggingRows {
		return nil
	}
	inner := s.inner
	defer func() { s.inner = inner }()
	goal := max(laggingGoal*laggingPart*largest, 0.2*t.o.Tol)
	for range laggingSweeps {
		s.inner = goal
		most, err := s.sweep(ctx, t.x.CSR, t.y, squares, rows, order[:n], t.costs, found)
		if err != nil || most <= goal {
			return err
		}
	}
	return nil
}

// begin puts a row's variable close to 0, where the dual objective is defined.
func (d *dualRow) begin(cost float64) {
	d.alpha = min(0.001*cost, 1e-8)
	d.rest = cost - d.alpha
}

// follow starts at the dual point that belongs to the primal start: αᵢ is the
// cost times the probability of the other label.
func (s *dualState) follow(ctx context.Context, t *task, rows []dualRow) error {
	w, b := t.start()
	z := make([]float64, len(rows))
	if err := t.decide(ctx, w, b, z); err != nil {
		return err
	}
	for i := range rows {
		c := t.cost(t.y[i])
		least := min(0.001*c, 1e-8)
		q := float64(c * portable.Sigmoid(-t.y[i]*z[i]))
		rows[i] = dualRow{alpha: max(q, least), rest: max(c-q, least)}
	}
	return nil
}

// join adds the rows to w.
func (s *dualState) join(x *features.CSR, y []float64, rows []dualRow) {
	for i := range x.Rows {
		cols, vals := x.Row(i)
		f := float64(rows[i].alpha * y[i])
		addSparse(f, cols, vals, s.w)
		s.v += float64(f * s.scale)
	}
}

// squares returns the squared lengths of the rows.
func (s *dualState) squares(x *features.CSR) []float64 {
	out := make([]float64, x.Rows)
	for i := range out {
		_, vals := x.Row(i)
		sum := float64(s.scale * s.scale)
		for _, v := range vals {
			sum += float64(v * v)
		}
		out[i] = sum
	}
	return out
}

// dualNext is all that a visit of a row needs.
type dualNext struct {
	dualRow
	ahead
	y, square float64
}

func (n *dualNext) read(i int32, x *features.CSR, y, squares []float64, rows []dualRow) {
	n.dualRow, n.y, n.square = rows[i], y[i], squares[i]
	n.at, n.vals = x.Row(int(i))
}

// sweep optimizes each row's variable once, in random order, and returns the
// largest violation that it came upon. Those of the rows go to found, unless it
// is nil.
func (s *dualState) sweep(ctx context.Context, x *features.CSR, y, squares []float64, rows []dualRow, order []int32, costs [2]float64, found []float64) (float64, error) {
	s.random.shuffle(order)
	var largest, total float64
	// What belongs to the next row is read before it is needed.
	var next, row dualNext
	if len(order) > 0 {
		next.read(order[0], x, y, squares, rows)
	}
	for k, i := range order {
		if k&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
		}
		row = next
		if k+1 < len(order) {
			next.read(order[k+1], x, y, squares, rows)
		}
		cost := costs[0]
		if row.y > 0 {
			cost = costs[1]
		}
		margin := row.y * (dotAhead(row.at, row.vals, s.w, next.ahead) + float64(s.v*s.scale))
		d := row.dualRow
		violation := d.improve(row.square, margin, cost, s.inner)
		largest = max(largest, violation)
		total += violation
		if found != nil {
			found[i] = violation
		}
		if d != row.dualRow {
			rows[i] = d
			f := float64((d.alpha - row.alpha) * row.y)
			addSparse(f, row.at, row.vals, s.w)
			s.v += float64(f * s.scale)
		}
	}
	if len(order) > 0 {
		s.inner = min(mostInner, max(s.leastInner, innerPart*total/float64(len(order))))
	}
	return largest, nil
}

const (
	// mostSteps bounds Newton's steps for one variable.
	mostSteps = 100
	// settled is a slope after which one more step is the last: the error that
	// it leaves is of the second order.
	settled = 1e-6
)

// improve minimizes the dual by one variable with Newton's method, for a row
// of the given squared length whose margin is y·(w·x + b), unless the violation
// is below inner. It works on the smaller of the variable and its complement,
// which is where precision is lost. It returns the violation before.
func (d *dualRow) improve(square, margin, cost, inner float64) (violation float64) {
	from, sign := d.alpha, 1.0
	if float64(float64(0.5*square)*(d.rest-d.alpha))+margin < 0 {
		from, sign = d.rest, -1
	}
	slope := func(z float64) float64 {
		return float64(square*(z-from)) + float64(sign*margin) + portable.Log(z/(cost-z))
	}
	z := from
	g := slope(z)
	violation = math.Abs(g)
	if violation < inner {
		return violation
	}
	if cost-z < 0.5*cost {
		z *= 0.1
		g = slope(z)
	}
	for range mostSteps {
		next := z - g/(square+cost/(cost-z)/z)
		if next <= 0 {
			z *= 0.1
		} else {
			z = min(next, cost*(1-1e-15))
		}
		if math.Abs(g) < settled {
			break
		}
		g = slope(z)
		if math.Abs(g) < 0.01*inner {
			break
		}
	}
	if sign > 0 {
		d.alpha, d.rest = z, cost-z
	} else {
		d.alpha, d.rest = cost-z, z
	}
	return violation
}
