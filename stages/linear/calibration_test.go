package linear

import (
	"context"
	"math"
	"testing"
)

func TestCalibrationIsSklearns(t *testing.T) {
	for i, c := range readSklearn(t).Calibration {
		s, err := FitSigmoid(c.Labels, c.Decisions)
		if err != nil {
			t.Fatal(err)
		}
		// scikit-learn stops where the gradient is below 1e-6.
		if math.Abs(s.Slope+c.A) > 1e-4*(1+math.Abs(c.A)) || math.Abs(s.Offset+c.B) > 1e-4*(1+math.Abs(c.B)) {
			t.Errorf("case %d: %+v, want %v and %v", i, s, -c.A, -c.B)
		}
		h, err := FitTemperature(c.Labels, c.Decisions)
		if err != nil {
			t.Fatal(err)
		}
		// scikit-learn's logits are -z and z, so its slope counts twice. It
		// looks for it between exp(-10) and exp(10).
		if want := 2 * c.Beta; math.Abs(h.Slope-want) > 1e-5*want {
			t.Errorf("case %d: slope %v, want %v", i, h.Slope, want)
		}
		for k, z := range c.Decisions {
			if got, want := s.Probability(z), c.Sigmoid[k]; math.Abs(got-want) > 2e-5 {
				t.Fatalf("case %d: sigmoid of %v is %v, want %v", i, z, got, want)
			}
			if got, want := h.Probability(z), c.Temperature[k]; math.Abs(got-want) > 1e-5 {
				t.Fatalf("case %d: temperature of %v is %v, want %v", i, z, got, want)
			}
		}
	}
}

func TestCalibrationApplies(t *testing.T) {
	c := Calibration{Slope: 2, Offset: -1}
	coef, intercept := c.Apply([]float64{1, -3}, 0.5)
	if coef[0] != 2 || coef[1] != -6 || intercept != 0 {
		t.Errorf("%v %v", coef, intercept)
	}
	if p := Identity().Probability(0); p != 0.5 {
		t.Errorf("identity at 0: %v", p)
	}
}

func TestCalibrationFaults(t *testing.T) {
	for _, tt := range []struct {
		labels    []int
		decisions []float64
	}{
		{[]int{0, 1}, []float64{1}},
		{[]int{0, 2}, []float64{1, 2}},
		{[]int{1, 1}, []float64{1, 2}},
		{[]int{0, 1}, []float64{1, math.NaN()}},
		{[]int{0, 1}, []float64{0, 0}},
		{[]int{0, 1, 0, 1}, []float64{1, -1, 1, -1}},
	} {
		if c, err := FitTemperature(tt.labels, tt.decisions); err == nil {
			t.Errorf("%v: %+v, want an error", tt, c)
		}
	}
}

func TestOutOfFold(t *testing.T) {
	x, y := sample(400, 30, 5)
	folds := make([]int, len(y))
	for i := range folds {
		folds[i] = i % 4
	}
	o := DefaultOptions()
	z, err := OutOfFold(context.Background(), x, y, folds, o)
	if err != nil {
		t.Fatal(err)
	}
	// A row's own label must not move its decision.
	flipped := append([]int(nil), y...)
	for i := range flipped {
		if folds[i] == 2 {
			flipped[i] = 1 - flipped[i]
		}
	}
	other, err := OutOfFold(context.Background(), x, flipped, folds, o)
	if err != nil {
		t.Fatal(err)
	}
	right, moved := 0, 0
	for i := range z {
		if (z[i] > 0) == (y[i] == 1) {
			right++
		}
		if folds[i] == 2 && z[i] != other[i] {
			t.Fatalf("row %d: decision %v with its label, %v with the other", i, z[i], other[i])
		}
		if folds[i] != 2 && z[i] != other[i] {
			moved++
		}
	}
	if right < 300 || moved < 250 {
		t.Errorf("%d of 400 right, %d moved by others' labels", right, moved)
	}
	if _, err := OutOfFold(context.Background(), x, y, folds[1:], o); err == nil {
		t.Error("too few folds: no error")
	}
}
