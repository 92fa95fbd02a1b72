package linear

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// sklearnFile is what scikit-learn fits: see ../testdata/fixtures.py.
type sklearnFile struct {
	Data map[string]struct {
		X    [][][2]float64
		Cols int
		Y    []int
	}
	Cases []struct {
		Name, Data, Penalty string
		C                   float64
		FitIntercept        bool `json:"fit_intercept"`
		// Exact is false where scikit-learn only comes near the minimum.
		Exact     bool
		Coef      []float64
		Intercept float64
		Objective float64
	}
}

func toCSR(rows [][][2]float64, cols int) *features.CSR {
	m := &features.CSR{Rows: len(rows), Cols: cols, Indptr: []int64{0}}
	for _, row := range rows {
		for _, c := range row {
			m.Indices = append(m.Indices, int32(c[0]))
			m.Data = append(m.Data, c[1])
		}
		m.Indptr = append(m.Indptr, int64(len(m.Data)))
	}
	return m
}

func TestFitsAreSklearns(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "sklearn.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f sklearnFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		d := f.Data[c.Data]
		solvers := []string{LBFGS, NewtonCG}
		if c.Penalty == L1 {
			solvers = solvers[:1] // the choice does not count
		}
		for _, solver := range solvers {
			t.Run(c.Name+" "+solver, func(t *testing.T) {
				o := DefaultOptions()
				o.Penalty, o.Solver, o.C, o.Intercept, o.Tol = c.Penalty, solver, c.C, c.FitIntercept, 1e-8
				r, err := Fit(context.Background(), toCSR(d.X, d.Cols), d.Y, o)
				if err != nil {
					t.Fatal(err)
				}
				if !r.Converged {
					t.Errorf("not converged after %d iterations, violation %g", r.Iterations, r.Violation)
				}
				// The minimum is unique; both libraries must be at it.
				if r.Objective > c.Objective+1e-9*math.Abs(c.Objective) {
					t.Errorf("objective %.12f, scikit-learn reaches %.12f", r.Objective, c.Objective)
				}
				if !c.Exact {
					return
				}
				for j, want := range c.Coef {
					if math.Abs(r.Coef[j]-want) > 2e-5*(1+math.Abs(want)) {
						t.Errorf("coefficient %d: %.9f, want %.9f", j, r.Coef[j], want)
					}
				}
				if math.Abs(r.Intercept-c.Intercept) > 2e-5*(1+math.Abs(c.Intercept)) {
					t.Errorf("intercept %.9f, want %.9f", r.Intercept, c.Intercept)
				}
			})
		}
	}
}

// sample is a random problem that a line nearly solves.
func sample(rows, cols, perRow int) (*features.CSR, []int) {
	rng := rand.New(rand.NewPCG(3, 4))
	truth := make([]float64, cols)
	for j := range truth {
		truth[j] = rng.NormFloat64()
	}
	m := &features.CSR{Rows: rows, Cols: cols, Indptr: []int64{0}}
	y := make([]int, rows)
	for i := range rows {
		var z float64
		for c := rng.IntN(cols / perRow); c < cols; c += 1 + rng.IntN(2*cols/perRow) {
			v := rng.NormFloat64()
			m.Indices = append(m.Indices, int32(c))
			m.Data = append(m.Data, v)
			z += v * truth[c]
		}
		m.Indptr = append(m.Indptr, int64(len(m.Data)))
		if z+rng.NormFloat64() > 0 {
			y[i] = 1
		}
	}
	return m, y
}

func TestOptimality(t *testing.T) {
	x, y := sample(3000, 500, 20)
	for _, penalty := range []string{L2, L1} {
		for _, solver := range []string{LBFGS, NewtonCG} {
			for _, c := range []float64{0.01, 1, 100} {
				o := DefaultOptions()
				o.Penalty, o.Solver, o.C, o.Tol = penalty, solver, c, 1e-6
				r, err := Fit(context.Background(), x, y, o)
				if err != nil {
					t.Fatal(err)
				}
				if !r.Converged {
					t.Errorf("%s %s C=%g: not converged after %d iterations, violation %g", penalty, solver, c, r.Iterations, r.Violation)
				}
				// The optimality conditions, computed apart from the solvers.
				grad := make([]float64, x.Cols)
				var gradB float64
				for i, l := range y {
					cols, vals := x.Row(i)
					z := r.Intercept
					for k, j := range cols {
						z += vals[k] * r.Coef[j]
					}
					s := c * (1/(1+math.Exp(-z)) - float64(l))
					gradB += s
					for k, j := range cols {
						grad[j] += s * vals[k]
					}
				}
				worst := math.Abs(gradB)
				for j, g := range grad {
					off := math.Abs(g + r.Coef[j])
					if penalty == L1 {
						off = subgradient(r.Coef[j], g)
					}
					worst = max(worst, off)
				}
				if limit := 1e-4 * max(1, c); worst > limit*10 {
					t.Errorf("%s %s C=%g: optimality violated by %g", penalty, solver, c, worst)
				}
				if penalty == L1 && c == 0.01 && r.NonZero == x.Cols {
					t.Error("l1 with a small C leaves no coefficient 0")
				}
			}
		}
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	x, y := sample(5000, 9000, 30)
	for _, o := range []Options{
		{Penalty: L2, Solver: LBFGS}, {Penalty: L2, Solver: NewtonCG}, {Penalty: L1, Solver: LBFGS},
	} {
		o.C, o.Tol, o.MaxIter, o.Intercept = 1, 1e-3, 100, true
		o.Workers = 1
		one, err := Fit(context.Background(), x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Workers = 5
		five, err := Fit(context.Background(), x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one, five); diff != "" {
			t.Errorf("%s %s: (-1 worker +5):\n%s", o.Penalty, o.Solver, diff)
		}
	}
}

func TestDecision(t *testing.T) {
	x := toCSR([][][2]float64{{{0, 2}, {2, -1}}, {}}, 3)
	got, err := Decision(context.Background(), x, []float64{1, 5, 3}, 0.5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{-0.5, 0.5}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMaxIterIsReported(t *testing.T) {
	x, y := sample(500, 100, 10)
	for _, o := range []Options{{Penalty: L2, Solver: LBFGS}, {Penalty: L2, Solver: NewtonCG}, {Penalty: L1, Solver: LBFGS}} {
		o.C, o.Tol, o.MaxIter, o.Intercept = 1, 1e-12, 1, true
		r, err := Fit(context.Background(), x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Converged || r.Iterations != 1 || r.Violation <= 0 {
			t.Errorf("%s %s: %+v", o.Penalty, o.Solver, *r)
		}
	}
}

func TestFaults(t *testing.T) {
	x := toCSR([][][2]float64{{{0, 1}}, {{0, -1}}}, 1)
	for _, tt := range []struct {
		name   string
		y      []int
		change func(o *Options)
		want   string
	}{
		{"rows", []int{1}, nil, "1 labels for 2 rows"},
		{"label", []int{1, 2}, nil, "label 2 of row 1"},
		{"one class", []int{1, 1}, nil, "same label"},
		{"penalty", []int{0, 1}, func(o *Options) { o.Penalty = "l0" }, "penalty"},
		{"solver", []int{0, 1}, func(o *Options) { o.Solver = "sgd" }, "solver"},
		{"C", []int{0, 1}, func(o *Options) { o.C = math.NaN() }, "C NaN"},
		{"tol", []int{0, 1}, func(o *Options) { o.Tol = 0 }, "tol"},
		{"max_iter", []int{0, 1}, func(o *Options) { o.MaxIter = 0 }, "max_iter"},
	} {
		o := DefaultOptions()
		if tt.change != nil {
			tt.change(&o)
		}
		if _, err := Fit(context.Background(), x, tt.y, o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestCancelled(t *testing.T) {
	x, y := sample(500, 100, 10)
	for _, o := range []Options{{Penalty: L2, Solver: LBFGS}, {Penalty: L2, Solver: NewtonCG}, {Penalty: L1, Solver: LBFGS}} {
		o.C, o.Tol, o.MaxIter = 1, 1e-6, 100
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = func(int) { cancel() }
		if _, err := Fit(ctx, x, y, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%s %s: error %v", o.Penalty, o.Solver, err)
		}
	}
}

// A huge feature must end in an answer or an error, never in NaN.
func TestExtremes(t *testing.T) {
	for _, v := range []float64{1e-300, 1e8, 1e150} {
		x := toCSR([][][2]float64{{{0, v}}, {{0, -v}}, {{0, v / 2}}}, 1)
		for _, o := range []Options{{Penalty: L2, Solver: LBFGS}, {Penalty: L2, Solver: NewtonCG}, {Penalty: L1, Solver: LBFGS}} {
			o.C, o.Tol, o.MaxIter, o.Intercept = 1, 1e-6, 200, true
			r, err := Fit(context.Background(), x, []int{1, 0, 1}, o)
			if err != nil {
				continue
			}
			if math.IsNaN(r.Coef[0]) || math.IsNaN(r.Intercept) || math.IsNaN(r.Objective) {
				t.Errorf("%g %s %s: %+v", v, o.Penalty, o.Solver, *r)
			}
		}
	}
}

func TestPortableAgrees(t *testing.T) {
	// Sigmoid and the loss belong together: one is the other's derivative.
	for _, z := range []float64{-800, -30, -1, -1e-9, 0, 1e-9, 1, 30, 800} {
		if got, want := portable.Sigmoid(z), 1/(1+math.Exp(-z)); math.Abs(got-want) > 1e-15 {
			t.Errorf("Sigmoid(%g) = %g, want %g", z, got, want)
		}
	}
}
