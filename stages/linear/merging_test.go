package linear

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/stages/features"
)

// lonely is a random problem most of whose columns have a single value. Some
// rows have one such column, some none, some values that are 0 or tiny.
func lonely(rows int) (*features.CSR, []int) {
	rng := rand.New(rand.NewPCG(5, 6))
	const shared = 40
	of := make([]int, rows) // columns of a row's own
	cols := shared
	for i := range of {
		of[i] = rng.IntN(9)
		cols += of[i]
	}
	// Columns of a row's own lie between the others.
	names := rng.Perm(cols)
	m := &features.CSR{Rows: rows, Cols: cols, Indptr: []int64{0}}
	y := make([]int, rows)
	next := shared
	for i := range rows {
		value := make([]float64, cols)
		has := make([]bool, cols)
		for range 6 {
			c := names[rng.IntN(shared)]
			has[c], value[c] = true, rng.NormFloat64()
			y[i] ^= int(math.Float64bits(value[c]) >> 63)
		}
		for range of[i] {
			c := names[next]
			next++
			has[c], value[c] = true, rng.NormFloat64()
			switch i {
			case 3:
				value[c] = 0
			case 4:
				value[c] *= 1e-200
			}
		}
		for c, h := range has {
			if h {
				m.Indices, m.Data = append(m.Indices, int32(c)), append(m.Data, value[c])
			}
		}
		m.Indptr = append(m.Indptr, int64(len(m.Data)))
	}
	return m, y
}

// Merged columns are a change of variables: the minimum, and what is left of
// the optimality conditions anywhere, are those of the columns as they are.
func TestMergedColumnsHaveTheSameMinimum(t *testing.T) {
	x, y := lonely(400)
	ctx := context.Background()
	for name, o := range fits() {
		if o.Penalty != L2 || o.Dual {
			continue
		}
		o.Tol, o.C = 1e-13, 3
		p, err := NewProblem(x, y, 0)
		if err != nil {
			t.Fatal(err)
		}
		merged, err := p.Fit(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if p.plain.merged == nil || p.plain.merged.merged == nil {
			t.Fatal("nothing was merged")
		}
		whole, err := wholeProblem(ctx, t, x, y).Fit(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(merged.Objective-whole.Objective) > 1e-10*whole.Objective {
			t.Errorf("%s: objective %.14g merged, %.14g not", name, merged.Objective, whole.Objective)
		}
		for j, w := range whole.Coef {
			if math.Abs(merged.Coef[j]-w) > 1e-10 {
				t.Fatalf("%s: coefficient %d: %.14g merged, %.14g not", name, j, merged.Coef[j], w)
			}
		}
		if math.Abs(merged.Intercept-whole.Intercept) > 1e-10 {
			t.Errorf("%s: intercept %v merged, %v not", name, merged.Intercept, whole.Intercept)
		}
	}
}

// wholeProblem never merges.
func wholeProblem(ctx context.Context, t *testing.T, x *features.CSR, y []int) *Problem {
	t.Helper()
	p, err := NewProblem(x, y, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMatrix(ctx, x, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.plain = prepared{m, m}
	return p
}

// The tolerance means the same: without an iteration the violation is that of
// the columns as they are.
func TestMergedColumnsAreMeasuredAlike(t *testing.T) {
	x, y := lonely(400)
	ctx := context.Background()
	// The largest component of the gradient is to be of a merged column.
	count, err := countColumns(ctx, x, 0)
	if err != nil {
		t.Fatal(err)
	}
	for k, c := range x.Indices {
		if count[c] == 1 {
			x.Data[k] *= 1000
		}
	}
	start := &Result{Coef: make([]float64, x.Cols), Intercept: 0.3}
	whole := wholeProblem(ctx, t, x, y)
	for name, o := range fits() {
		if o.Penalty != L2 || o.Dual {
			continue
		}
		for _, start := range []*Result{nil, start} {
			o.Start, o.Tol = start, 1e6
			p, err := NewProblem(x, y, 0)
			if err != nil {
				t.Fatal(err)
			}
			a, err := p.Fit(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := whole.Fit(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if a.Iterations != 0 || math.Abs(a.Violation-b.Violation) > 1e-12*b.Violation || math.Abs(a.Bound-b.Bound) > 1e-12*b.Bound {
				t.Errorf("%s: violation %v of %v merged, %v of %v not", name, a.Violation, a.Bound, b.Violation, b.Bound)
			}
		}
	}
}

// A start that no merged column stands for is as good as any other.
func TestMergedColumnsStartAnywhere(t *testing.T) {
	x, y := lonely(300)
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(7, 8))
	start := &Result{Coef: make([]float64, x.Cols), Intercept: 1}
	for j := range start.Coef {
		start.Coef[j] = rng.NormFloat64()
	}
	for name, o := range fits() {
		if o.Penalty != L2 || o.Dual {
			continue
		}
		o.Tol = 1e-13
		cold, err := Fit(ctx, x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Start = start
		warm, err := Fit(ctx, x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Start = cold
		again, err := Fit(ctx, x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		if again.Iterations > 1 {
			t.Errorf("%s: %d iterations from the minimum", name, again.Iterations)
		}
		for j, w := range cold.Coef {
			if math.Abs(warm.Coef[j]-w) > 1e-10 || math.Abs(again.Coef[j]-w) > 1e-10 {
				t.Fatalf("%s: coefficient %d: %v cold, %v warm, %v again", name, j, w, warm.Coef[j], again.Coef[j])
			}
		}
	}
}

func TestMergingKeepsDecisionsAndLength(t *testing.T) {
	x, _ := lonely(200)
	for _, workers := range []int{1, 3} {
		out, m, err := merge(context.Background(), x, workers)
		if err != nil || m == nil {
			t.Fatal(m, err)
		}
		if out.Cols >= x.Cols || out.NNZ() >= x.NNZ() {
			t.Errorf("%d columns of %d, %d values of %d", out.Cols, x.Cols, out.NNZ(), x.NNZ())
		}
		if err := out.Check(); err != nil {
			t.Error(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		u := make([]float64, out.Cols)
		for j := range u {
			u[j] = rng.NormFloat64()
		}
		w := m.part(u)
		back := make([]float64, out.Cols)
		m.join(back, w)
		var a, b float64
		for j := range u {
			a += u[j] * u[j]
			if math.Abs(back[j]-u[j]) > 1e-12 {
				t.Fatalf("column %d: %v there and back, was %v", j, back[j], u[j])
			}
		}
		for _, v := range w {
			b += v * v
		}
		if math.Abs(a-b) > 1e-10*a {
			t.Errorf("squares %v, before %v", a, b)
		}
		for i := range x.Rows {
			cols, vals := x.Row(i)
			want := dotGo(cols, vals, w)
			cols, vals = out.Row(i)
			if got := dotGo(cols, vals, u); math.Abs(got-want) > 1e-12*(1+math.Abs(want)) {
				t.Fatalf("row %d: %v, want %v", i, got, want)
			}
		}
	}
}

func TestFewLonelyColumnsStay(t *testing.T) {
	x, _ := sample(300, 50, 10)
	out, m, err := merge(context.Background(), x, 0)
	if err != nil || m != nil || out != x {
		t.Errorf("merged %v, error %v", m, err)
	}
}

// Lanes sum in the same order as Go does: the bits are the same.
func TestLanesAreGo(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for n := range 70 {
		w, rows := make([]float64, 90), make([]rowState, 90)
		for j := range w {
			w[j] = rng.NormFloat64() * math.Exp(rng.NormFloat64()*20)
			rows[j] = rowState{rng.Float64(), w[j]}
		}
		at, vals := make([]int32, n), make([]float64, n)
		for k, j := range rng.Perm(90)[:n] {
			at[k], vals[k] = int32(j), rng.NormFloat64()
		}
		if got, want := dotSparse(at, vals, w), dotGo(at, vals, w); got != want {
			t.Errorf("dot of %d: %v, want %v", n, got, want)
		}
		if got, want := bentSparse(at, vals, rows), bentGo(at, vals, rows); got != want {
			t.Errorf("bent of %d: %v, want %v", n, got, want)
		}
		w2, rows2 := append([]float64(nil), w...), append([]rowState(nil), rows...)
		addSparse(0.7, at, vals, w)
		addGo(0.7, at, vals, w2)
		if diff := cmp.Diff(w2, w); diff != "" {
			t.Errorf("add of %d: %s", n, diff)
		}
		bendSparse(0.7, at, vals, rows, ahead{at, vals})
		bendGo(0.7, at, vals, rows2)
		if diff := cmp.Diff(rows2, rows, cmp.AllowUnexported(rowState{})); diff != "" {
			t.Errorf("bend of %d: %s", n, diff)
		}
	}
}

// An index out of range must end in a panic, in whichever lane it is, never
// outside of the slice.
func TestLanesKeepInside(t *testing.T) {
	for n := range 40 {
		for _, bad := range []int32{40, -1, math.MinInt32, math.MaxInt32} {
			at, vals := make([]int32, 40), make([]float64, 40)
			at[n] = bad
			for name, do := range map[string]func(){
				"dot":  func() { dotSparse(at, vals, make([]float64, 40)) },
				"add":  func() { addSparse(1, at, vals, make([]float64, 40)) },
				"bent": func() { bentSparse(at, vals, make([]rowState, 40)) },
				"bend": func() { bendSparse(1, at, vals, make([]rowState, 40), ahead{at, vals}) },
			} {
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s with index %d at %d: no panic", name, bad, n)
						}
					}()
					do()
				}()
			}
		}
	}
}
