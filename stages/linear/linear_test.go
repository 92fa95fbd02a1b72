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
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// sklearnFile is what scikit-learn fits: see testdata/fixtures.py.
type sklearnFile struct {
	Data map[string]struct {
		X    [][][2]float64
		Cols int
		Y    []int
	}
	Cases []struct {
		Name, Data, Penalty, Solver string
		C                           float64
		L1Ratio                     float64 `json:"l1_ratio"`
		FitIntercept                bool    `json:"fit_intercept"`
		InterceptScaling            float64 `json:"intercept_scaling"`
		Dual, Balanced              bool
		ClassWeight                 []float64 `json:"class_weight"`
		// Exact is false where scikit-learn only comes near the minimum.
		Exact     bool
		Coef      []float64
		Intercept float64
		Objective float64
	}
	Bayes struct {
		X     [][][2]float64
		Cols  int
		Y     []int
		Cases []struct {
			Alpha          float64
			FitPrior       bool        `json:"fit_prior"`
			ClassLogPrior  []float64   `json:"class_log_prior"`
			FeatureLogProb [][]float64 `json:"feature_log_prob"`
			Decisions      []float64
		}
	}
	Calibration []struct {
		Decisions            []float64
		Labels               []int
		A, B, Beta           float64
		Sigmoid, Temperature []float64
	}
}

func readSklearn(t *testing.T) sklearnFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "sklearn.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f sklearnFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
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
	f := readSklearn(t)
	for _, c := range f.Cases {
		d := f.Data[c.Data]
		// The name of the solver decides the problem; all that share a problem
		// must find its one minimum.
		solvers := []string{c.Solver}
		if c.Solver == NewtonCG || c.Solver == NewtonCholesky {
			solvers = []string{LBFGS, NewtonCG, NewtonCholesky, Sag, Saga}
		}
		for _, solver := range solvers {
			t.Run(c.Name+" "+solver, func(t *testing.T) {
				o := DefaultOptions()
				o.Penalty, o.Solver, o.C, o.Intercept, o.Tol = c.Penalty, solver, c.C, c.FitIntercept, 1e-10
				o.L1Ratio, o.InterceptScaling, o.Dual = c.L1Ratio, c.InterceptScaling, c.Dual
				o.ClassWeight.Balanced = c.Balanced
				if len(c.ClassWeight) == 2 {
					o.ClassWeight.Weights = (*[2]float64)(c.ClassWeight)
				}
				if c.Dual {
					o.Tol, o.MaxIter = 1e-6, 1000000
				}
				r, err := Fit(context.Background(), toCSR(d.X, d.Cols), d.Y, o)
				if err != nil {
					t.Fatal(err)
				}
				if w := r.Warning(); w != "" {
					t.Error(w)
				}
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

// fits are the ways to fit, with one set of options each.
func fits() map[string]Options {
	out := map[string]Options{}
	for _, f := range []struct {
		penalty, solver string
		dual            bool
	}{
		{L2, LBFGS, false}, {L2, NewtonCG, false}, {L2, Saga, false}, {L2, Liblinear, false}, {L2, Liblinear, true},
		{L1, Liblinear, false}, {L1, Saga, false}, {ElasticNet, Saga, false}, {None, LBFGS, false},
	} {
		o := DefaultOptions()
		o.Penalty, o.Solver, o.Dual, o.L1Ratio = f.penalty, f.solver, f.dual, 0.4
		name := f.penalty + " " + f.solver
		if f.dual {
			name += " dual"
		}
		out[name] = o
	}
	return out
}

// fewer is n, or a third of it with -short, which the race detector needs.
func fewer(n int) int {
	if testing.Short() {
		return n / 3
	}
	return n
}

func TestOptimality(t *testing.T) {
	x, y := sample(fewer(3000), fewer(500), 20)
	for name, o := range fits() {
		for _, c := range []float64{0.01, 1, 100} {
			if o.Penalty == None && c != 1 {
				continue
			}
			o.C, o.Tol, o.MaxIter = c, 1e-9, 5000
			if o.Dual {
				o.Tol = 1e-5
			}
			if o.Dual && c > 1 {
				continue // which takes the dual very many sweeps
			}
			r, err := Fit(context.Background(), x, y, o)
			if err != nil {
				t.Fatal(err)
			}
			if w := r.Warning(); w != "" {
				t.Errorf("%s C=%g: %s", name, c, w)
			}
			// The optimality conditions, computed apart from the solvers.
			task := &task{o: o}
			task.weigh([2]int{1, 1})
			grad := make([]float64, x.Cols)
			gradB := task.ridgeB * r.Intercept
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
			worst := subgradient(r.Intercept, gradB, task.lassoB)
			for j, g := range grad {
				worst = max(worst, subgradient(r.Coef[j], g+task.ridge*r.Coef[j], task.lasso))
			}
			if worst > 1e-4*max(1, c) {
				t.Errorf("%s C=%g: optimality violated by %g", name, c, worst)
			}
			if o.Penalty == L1 && c == 0.01 && r.NonZero == x.Cols {
				t.Errorf("%s: l1 with a small C leaves no coefficient 0", name)
			}
		}
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	x, y := sample(5000, 9000, 30)
	for name, o := range fits() {
		o.Tol, o.MaxIter = 1e-3, 60
		o.Workers = 1
		one, err := Fit(context.Background(), x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{2, 5} {
			o.Workers = workers
			many, err := Fit(context.Background(), x, y, o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one, many, cmpopts.IgnoreUnexported(Result{})); diff != "" {
				t.Errorf("%s: (-1 worker +%d):\n%s", name, workers, diff)
			}
		}
	}
}

func TestPathEndsWhereFitsEnd(t *testing.T) {
	x, y := sample(2000, 300, 20)
	cs := []float64{0.01, 0.1, 1, 10}
	for name, o := range fits() {
		if o.Penalty == None || o.Dual {
			continue
		}
		o.Tol = 1e-9
		for _, nb := range []bool{false, true} {
			m := x
			if nb {
				o.NaiveBayes = &NaiveBayes{Alpha: 1, Beta: 0.8}
				m = &features.CSR{Rows: x.Rows, Cols: x.Cols, Indptr: x.Indptr, Indices: x.Indices}
				for _, v := range x.Data {
					m.Data = append(m.Data, math.Abs(v))
				}
			}
			p, err := NewProblem(m, y, 0)
			if err != nil {
				t.Fatal(err)
			}
			path, err := p.Path(context.Background(), o, cs)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range cs {
				o.C = c
				r, err := Fit(context.Background(), m, y, o)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(r.Objective-path[i].Objective) > 1e-9*r.Objective {
					t.Errorf("%s C=%g: objective %.12f warm, %.12f cold", name, c, path[i].Objective, r.Objective)
				}
				for j, w := range r.Coef {
					if math.Abs(w-path[i].Coef[j]) > 1e-5*(1+math.Abs(w)) {
						t.Fatalf("%s C=%g: coefficient %d: %g warm, %g cold", name, c, j, path[i].Coef[j], w)
					}
				}
			}
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
	for name, o := range fits() {
		o.Tol, o.MaxIter = 1e-14, 1
		r, err := Fit(context.Background(), x, y, o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Converged || r.Iterations != 1 || r.Violation <= r.Bound || !strings.Contains(r.Warning(), "after 1 iteration") {
			t.Errorf("%s: %+v: %s", name, *r, r.Warning())
		}
	}
}

func TestRefusals(t *testing.T) {
	// What scikit-learn 1.9 fits, by penalty and solver; with dual only l2 and
	// liblinear.
	accepts := map[string]string{
		L2: "lbfgs liblinear newton-cg newton-cholesky sag saga", None: "lbfgs newton-cg newton-cholesky sag saga",
		L1: "liblinear saga", ElasticNet: "saga",
	}
	for penalty, solvers := range accepts {
		for _, solver := range []string{LBFGS, Liblinear, NewtonCG, NewtonCholesky, Sag, Saga} {
			for _, dual := range []bool{false, true} {
				o := DefaultOptions()
				o.Penalty, o.Solver, o.Dual, o.L1Ratio = penalty, solver, dual, 0.5
				want := strings.Contains(" "+solvers+" ", " "+solver+" ") && (!dual || solver == Liblinear && penalty == L2)
				if err := o.Check(); (err == nil) != want {
					t.Errorf("%s %s dual=%t: error %v", penalty, solver, dual, err)
				}
			}
		}
	}
	o := DefaultOptions()
	o.C = math.Inf(1)
	if err := o.Check(); err != nil {
		t.Errorf("lbfgs without penalty: %v", err)
	}
	o.Solver = Liblinear
	if err := o.Check(); err == nil {
		t.Error("liblinear without penalty: no error")
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
		{"l1_ratio", []int{0, 1}, func(o *Options) { o.Penalty, o.Solver, o.L1Ratio = ElasticNet, Saga, 2 }, "l1_ratio"},
		{"scaling", []int{0, 1}, func(o *Options) { o.Solver, o.InterceptScaling = Liblinear, 0 }, "intercept_scaling"},
		{"weight", []int{0, 1}, func(o *Options) { o.ClassWeight.Weights = &[2]float64{1, 0} }, "class_weight"},
		{"alpha", []int{0, 1}, func(o *Options) { o.NaiveBayes = &NaiveBayes{Beta: 1} }, "alpha"},
		{"negative", []int{0, 1}, func(o *Options) { o.NaiveBayes = &NaiveBayes{Alpha: 1, Beta: 1} }, "negative"},
		{"start", []int{0, 1}, func(o *Options) { o.Start = &Result{} }, "start"},
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
	for name, o := range fits() {
		o.Tol = 1e-6
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = func(int) { cancel() }
		if _, err := Fit(ctx, x, y, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A huge feature must end in an answer or an error, never in NaN.
func TestExtremes(t *testing.T) {
	for _, v := range []float64{1e-300, 1e8, 1e150} {
		x := toCSR([][][2]float64{{{0, v}}, {{0, -v}}, {{0, v / 2}}}, 1)
		for name, o := range fits() {
			o.Tol, o.MaxIter = 1e-6, 200
			r, err := Fit(context.Background(), x, []int{1, 0, 1}, o)
			if err != nil {
				continue
			}
			if math.IsNaN(r.Coef[0]) || math.IsNaN(r.Intercept) || math.IsNaN(r.Objective) {
				t.Errorf("%g %s: %+v", v, name, *r)
			}
		}
	}
}

func TestEmptyRowsAndColumns(t *testing.T) {
	x := toCSR([][][2]float64{{}, {{3, 1}}, {}, {{3, 2}}}, 6)
	for name, o := range fits() {
		if o.Penalty == None {
			continue // the labels can be told apart: there is no minimum
		}
		r, err := Fit(context.Background(), x, []int{0, 1, 0, 1}, o)
		if err != nil {
			t.Fatal(err)
		}
		for j, w := range r.Coef {
			if j != 3 && w != 0 {
				t.Errorf("%s: coefficient %g of an empty column", name, w)
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
