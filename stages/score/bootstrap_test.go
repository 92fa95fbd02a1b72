package score

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBootstrapIsDeterministic(t *testing.T) {
	s := random(500)
	o := DefaultBootstrap()
	o.Samples = 200
	for _, stratify := range []bool{true, false} {
		o.Stratify, o.Workers, o.Seed = stratify, 1, 1
		one, err := Bootstrap(t.Context(), s, 0.5, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(one) != len(measures) {
			t.Errorf("%d intervals", len(one))
		}
		for _, i := range one {
			if !(i.Low <= i.Value && i.Value <= i.High && i.Low < i.High) && i.Metric != "ece" {
				t.Errorf("%+v", i)
			}
		}
		o.Workers = 7
		seven, err := Bootstrap(t.Context(), s, 0.5, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one, seven); diff != "" {
			t.Errorf("workers count: %s", diff)
		}
		o.Seed = 2
		other, err := Bootstrap(t.Context(), s, 0.5, o)
		if err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(one, other) {
			t.Error("the seed does not count")
		}
	}
}

// The standard error of a share is known; the interval must be about as wide.
func TestBootstrapIntervalIsAsWideAsTheory(t *testing.T) {
	s := random(4000)
	o := DefaultBootstrap()
	o.Stratify = false
	list, err := Bootstrap(t.Context(), s, 0.5, o)
	if err != nil {
		t.Fatal(err)
	}
	accuracy := list[0]
	want := 2 * 1.96 * math.Sqrt(accuracy.Value*(1-accuracy.Value)/4000)
	if got := accuracy.High - accuracy.Low; accuracy.Metric != "accuracy" || got < 0.9*want || got > 1.1*want {
		t.Errorf("interval of %s is %v wide, want about %v", accuracy.Metric, got, want)
	}
	o.Confidence = 0.5
	half, err := Bootstrap(t.Context(), s, 0.5, o)
	if err != nil {
		t.Fatal(err)
	}
	if half[0].High-half[0].Low >= accuracy.High-accuracy.Low {
		t.Errorf("%+v is not inside %+v", half[0], accuracy)
	}
}

func TestBootstrapOfFewRows(t *testing.T) {
	// Some resamples have one label only: AUC is not defined for them.
	s := Sample{Labels: []int{0, 1, 1}, Probabilities: []float64{0.2, 0.3, 0.9}}
	o := DefaultBootstrap()
	o.Stratify = false
	list, err := Bootstrap(t.Context(), s, 0.5, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if whole := i.Samples == o.Samples; whole == (i.Metric == "auc") {
			t.Errorf("%+v", i)
		}
	}
	for name, change := range map[string]func(*BootstrapOptions){
		"no samples":    func(o *BootstrapOptions) { o.Samples = 0 },
		"too many":      func(o *BootstrapOptions) { o.Samples = 1e6 },
		"no confidence": func(o *BootstrapOptions) { o.Confidence = math.NaN() },
		"certain":       func(o *BootstrapOptions) { o.Confidence = 1 },
	} {
		o := DefaultBootstrap()
		change(&o)
		if _, err := Bootstrap(t.Context(), s, 0.5, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSlices(t *testing.T) {
	s := random(100)
	lengths := make([]int, 100)
	for i := range lengths {
		lengths[i] = i
	}
	edges := QuantileEdges(lengths, 4)
	if diff := cmp.Diff([]int{25, 50, 75}, edges); diff != "" {
		t.Fatal(diff)
	}
	groups, names, err := GroupsByEdges(lengths, edges)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"up to 24", "25 to 49", "50 to 74", "from 75"}, names); diff != "" {
		t.Error(diff)
	}
	list, err := BySlice(s, 0.5, "words", groups, names)
	if err != nil {
		t.Fatal(err)
	}
	right, rows := 0.0, 0
	for _, l := range list {
		right += l.Metrics.Accuracy * float64(l.Metrics.Rows)
		rows += l.Metrics.Rows
		if !(l.AccuracyLow < l.Metrics.Accuracy && l.Metrics.Accuracy < l.AccuracyHigh) {
			t.Errorf("%+v", l)
		}
	}
	all, err := Measure(s, 0.5)
	if err != nil || rows != 100 || !near(right/100, all.Accuracy) {
		t.Errorf("%d rows with accuracy %v, want %v, %v", rows, right/100, all.Accuracy, err)
	}
	// A slice of one class has metrics, but no AUC.
	byLabel, names, err := GroupsOf([]string{"b", "a", "b", ""})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "a", "b"}, names); diff != "" {
		t.Error(diff)
	}
	list, err = BySlice(s.Rows([]int{0, 1, 2, 4}), 0.5, "column", byLabel, names)
	if err != nil || len(list) != 3 || !math.IsNaN(list[2].Metrics.AUC) || list[2].Metrics.Rows != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSliceFaults(t *testing.T) {
	s := random(4)
	_, e1 := BySlice(s, 0.5, "c", []int{0}, []string{"a"})
	_, e2 := BySlice(s, 0.5, "c", []int{0, 0, 0, 1}, []string{"a"})
	_, _, e3 := GroupsByEdges([]int{1}, []int{2, 2})
	many := make([]string, 101)
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	_, _, e4 := GroupsOf(many)
	for i, err := range []error{e1, e2, e3, e4} {
		if err == nil {
			t.Errorf("fault %d gives no error", i)
		}
	}
	if edges := QuantileEdges([]int{3, 3, 3}, 4); edges != nil {
		t.Errorf("edges of equal numbers: %v", edges)
	}
	var one *OneClassError
	if _, err := ROC(Sample{Labels: []int{0}, Probabilities: []float64{1}}, 9); !errors.As(err, &one) {
		t.Errorf("one class: %v", err)
	}
}

func BenchmarkBootstrap(b *testing.B) {
	s := random(12500)
	for b.Loop() {
		if _, err := Bootstrap(b.Context(), s, 0.5, DefaultBootstrap()); err != nil {
			b.Fatal(err)
		}
	}
}
