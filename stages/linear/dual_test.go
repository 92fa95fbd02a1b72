package linear

import (
	"context"
	"math"
	"testing"

	"github.com/flowrepro/flow/stages/features"
)

// nearlyEqual is a problem in which a few rows are nearly equal, with labels
// at odds, and depend on each other far more than on the others.
func nearlyEqual() (*features.CSR, []int) {
	x, y := sample(2000, 4000, 200)
	first := x.Indptr[1]
	for k := range 12 {
		x.Indices = append(x.Indices, x.Indices[:first]...)
		x.Data = append(x.Data, x.Data[:first]...)
		x.Data[len(x.Data)-1-k] += 0.5
		x.Indptr = append(x.Indptr, int64(len(x.Data)))
		x.Rows++
		y = append(y, k%2)
	}
	for k := range x.Data {
		x.Data[k] *= 0.1
	}
	return x, y
}

func TestRowsThatLagBehindAreSweptAlone(t *testing.T) {
	x, labels := nearlyEqual()
	o := DefaultOptions()
	o.Solver, o.Dual, o.C, o.Tol = Liblinear, true, 100, 1e-5
	ctx := context.Background()
	got, err := Fit(ctx, x, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	if w := got.Warning(); w != "" {
		t.Error(w)
	}

	// The same by passes over all rows alone.
	p, err := NewProblem(x, labels, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := &task{x: &matrix{CSR: x, workers: 1}, y: p.y, o: o}
	all.weigh(p.count)
	s := newDualState(x.Cols, o)
	rows, order := make([]dualRow, x.Rows), make([]int32, x.Rows)
	for i := range rows {
		rows[i].begin(all.cost(p.y[i]))
		order[i] = int32(i)
	}
	s.join(x, p.y, rows)
	squares := s.squares(x)
	passes := 0
	for violation := math.Inf(1); violation > o.Tol && passes < 1000; passes++ {
		if violation, err = s.sweep(ctx, x, p.y, squares, rows, order, all.costs, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got.Iterations > passes/2 {
		t.Errorf("%d passes, %d without sweeps of what lags behind", got.Iterations, passes)
	}

	o.Dual, o.Tol = false, 1e-10
	want, err := Fit(ctx, x, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	if got.Objective > want.Objective*(1+1e-8) {
		t.Errorf("objective %.12g, minimum %.12g", got.Objective, want.Objective)
	}
	for j, w := range want.Coef {
		if math.Abs(got.Coef[j]-w) > 1e-4*(1+math.Abs(w)) {
			t.Fatalf("coefficient %d: %v, want %v", j, got.Coef[j], w)
		}
	}
}
