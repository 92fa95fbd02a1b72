package linear

import (
	"context"
	"math"
	"testing"
)

func TestMultinomialIsSklearns(t *testing.T) {
	f := readSklearn(t).Bayes
	x := toCSR(f.X, f.Cols)
	for _, c := range f.Cases {
		m, err := FitMultinomial(context.Background(), x, f.Y, MultinomialOptions{Alpha: c.Alpha, FitPrior: c.FitPrior})
		if err != nil {
			t.Fatal(err)
		}
		for l := range 2 {
			if math.Abs(m.LogPrior[l]-c.ClassLogPrior[l]) > 1e-14 {
				t.Errorf("prior of %d: %v, want %v", l, m.LogPrior[l], c.ClassLogPrior[l])
			}
			for j, want := range c.FeatureLogProb[l] {
				if math.Abs(m.LogProb[l][j]-want) > 1e-13 {
					t.Errorf("column %d of %d: %v, want %v", j, l, m.LogProb[l][j], want)
				}
			}
		}
		coef, intercept := m.Linear()
		z, err := Decision(context.Background(), x, coef, intercept, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Decisions {
			if math.Abs(z[i]-want) > 1e-11 {
				t.Errorf("row %d: log-odds %v, want %v", i, z[i], want)
			}
		}
	}
	if _, err := FitMultinomial(context.Background(), x, f.Y, MultinomialOptions{}); err == nil {
		t.Error("alpha 0: no error")
	}
	bad := toCSR([][][2]float64{{{0, -1}}, {{0, 1}}}, 1)
	if _, err := FitMultinomial(context.Background(), bad, []int{0, 1}, DefaultMultinomialOptions()); err == nil {
		t.Error("negative value: no error")
	}
}

func TestLogCountRatio(t *testing.T) {
	x := toCSR([][][2]float64{{{0, 2}, {1, 1}}, {{1, 3}}, {{2, 1}}}, 3)
	got, err := LogCountRatio(x, []int{1, 0, 1}, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	// p = 3, 2, 2 and q = 1, 4, 1.
	for j, want := range []float64{math.Log(3. / 7 * 6 / 1), math.Log(2. / 7 * 6 / 4), math.Log(2. / 7 * 6 / 1)} {
		if math.Abs(got[j]-want) > 1e-14 {
			t.Errorf("column %d: %v, want %v", j, got[j], want)
		}
	}
	if got, err = LogCountRatio(x, []int{1, 0, 1}, 1, true); err != nil {
		t.Fatal(err)
	}
	// p = 2, 2, 2 and q = 1, 2, 1.
	for j, want := range []float64{math.Log(2. / 6 * 4 / 1), math.Log(2. / 6 * 4 / 2), math.Log(2. / 6 * 4 / 1)} {
		if math.Abs(got[j]-want) > 1e-14 {
			t.Errorf("binary, column %d: %v, want %v", j, got[j], want)
		}
	}
}

// The folded coefficients must decide on the plain columns as the trained ones
// do on the scaled columns.
func TestNaiveBayesFoldsBack(t *testing.T) {
	x, y := sample(800, 60, 10)
	for k, v := range x.Data {
		x.Data[k] = math.Abs(v)
	}
	ratio, err := LogCountRatio(x, y, 0.5, true)
	if err != nil {
		t.Fatal(err)
	}
	scaled, err := ScaleColumns(x, ratio)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range fits() {
		o.Tol = 1e-8
		if o.Dual {
			o.Tol = 1e-6
		}
		plain, err := Fit(context.Background(), scaled, y, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, beta := range []float64{1, 0.25} {
			o.NaiveBayes = &NaiveBayes{Alpha: 0.5, Beta: beta, Binary: true}
			r, err := Fit(context.Background(), x, y, o)
			if err != nil {
				t.Fatal(err)
			}
			var mean float64
			for _, w := range plain.Coef {
				mean += math.Abs(w) / float64(len(plain.Coef))
			}
			for j, w := range plain.Coef {
				want := ratio[j] * (beta*w + (1-beta)*mean)
				if math.Abs(r.Coef[j]-want) > 1e-9*(1+math.Abs(want)) {
					t.Errorf("%s beta %g: coefficient %d: %v, want %v", name, beta, j, r.Coef[j], want)
				}
			}
			if r.Intercept != plain.Intercept || r.Objective != plain.Objective {
				t.Errorf("%s: intercept %v, want %v", name, r.Intercept, plain.Intercept)
			}
		}
	}
}
