package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*(1+math.Abs(b)) }

type sklearnCase struct {
	Name            string
	Labels          []int
	Probabilities   []float64
	Decisions       []float64
	Weights         []float64
	Threshold       float64
	Metrics         map[string]float64
	Confusion       [4]float64
	Calibration     map[string][2][]float64
	ROC             [3][]float64 `json:"roc"`
	PrecisionRecall [3][]float64 `json:"precision_recall"`
	Best            map[string]float64
}

func (c sklearnCase) sample() Sample {
	return Sample{Labels: c.Labels, Probabilities: c.Probabilities, Decisions: c.Decisions, Weights: c.Weights}
}

// sklearn returns scikit-learn's results: see ../testdata/fixtures.py.
func sklearn(t *testing.T) []sklearnCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "sklearn.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Cases []sklearnCase }
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) == 0 {
		t.Fatal("no cases")
	}
	return f.Cases
}

func TestMetricsAreSklearns(t *testing.T) {
	for _, c := range sklearn(t) {
		t.Run(c.Name, func(t *testing.T) {
			m, err := Measure(c.sample(), c.Threshold)
			if err != nil {
				t.Fatal(err)
			}
			known := 0
			for _, f := range measures {
				want, ok := c.Metrics[f.name]
				switch {
				case f.name == "ece": // scikit-learn has none
				case !ok && f.name == "auc":
					if !math.IsNaN(m.AUC) || !slices.Contains(m.Undefined, "auc") {
						t.Errorf("AUC %v, undefined are %v; scikit-learn has no AUC", m.AUC, m.Undefined)
					}
				case !ok || !near(f.of(&m), want):
					t.Errorf("%s %v, want %v", f.name, f.of(&m), want)
				}
				if ok {
					known++
				}
			}
			if known != len(c.Metrics) {
				t.Errorf("%d metrics compared of %d", known, len(c.Metrics))
			}
			got := [4]float64{m.Confusion.TrueNegative, m.Confusion.FalsePositive, m.Confusion.FalseNegative, m.Confusion.TruePositive}
			for i := range got {
				if !near(got[i], c.Confusion[i]) {
					t.Errorf("confusion %v, want %v", got, c.Confusion)
				}
			}
		})
	}
}

func TestCurvesAreSklearns(t *testing.T) {
	compared := 0
	for _, c := range sklearn(t) {
		if c.ROC[0] == nil {
			continue
		}
		compared++
		s := c.sample()
		points, err := ROC(s, math.MaxInt32)
		if err != nil {
			t.Fatal(err)
		}
		// scikit-learn keeps some points in the middle of a straight edge.
		// Ours are among its points, and the area below is the same.
		fpr, tpr, thresholds := c.ROC[0], c.ROC[1], c.ROC[2]
		next, area := 0, 0.0
		for k, p := range points {
			for next < len(fpr) && !(near(p.FPR, fpr[next]) && near(p.TPR, tpr[next])) {
				next++
			}
			if next == len(fpr) || next > 0 && p.Threshold != thresholds[next-1] {
				t.Fatalf("%s: point %d: %+v is not on scikit-learn's curve", c.Name, k, p)
			}
			if k > 0 {
				area += (p.FPR - points[k-1].FPR) * (p.TPR + points[k-1].TPR) / 2
			}
		}
		if !near(area, c.Metrics["auc"]) {
			t.Errorf("%s: area below the curve %v, want %v", c.Name, area, c.Metrics["auc"])
		}
		curve, err := PrecisionRecall(s, math.MaxInt32)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(curve)
		if len(curve) != len(c.PrecisionRecall[0]) {
			t.Fatalf("%s: %d points of precision and recall, want %d", c.Name, len(curve), len(c.PrecisionRecall[0]))
		}
		for k, p := range curve {
			if !near(p.Precision, c.PrecisionRecall[0][k]) || !near(p.Recall, c.PrecisionRecall[1][k]) ||
				k < len(c.PrecisionRecall[2]) && p.Threshold != c.PrecisionRecall[2][k] {
				t.Errorf("%s: point %d is %+v", c.Name, k, p)
			}
		}
	}
	if compared < 9 {
		t.Errorf("%d curves compared", compared)
	}
}

func TestCalibrationIsSklearns(t *testing.T) {
	for _, c := range sklearn(t) {
		for _, by := range []Binning{Uniform, Quantile} {
			for bins, key := range map[int]string{1: " 1", 5: " 5", 10: " 10"} {
				list, ece, err := Calibrate(c.sample(), bins, by)
				if err != nil {
					t.Fatal(err)
				}
				want := c.Calibration[string(by)+key]
				if len(want[0]) == 0 || len(list) != len(want[0]) {
					t.Fatalf("%s: %s %d: %d bins, want %d", c.Name, by, bins, len(list), len(want[0]))
				}
				rows, sum := 0, 0.0
				for k, b := range list {
					rows += b.Rows
					sum += float64(b.Rows) * math.Abs(want[0][k]-want[1][k])
					if !near(b.Actual, want[0][k]) || !near(b.Predicted, want[1][k]) {
						t.Errorf("%s: %s %d: bin %d is %+v, want %v and %v", c.Name, by, bins, k, b, want[1][k], want[0][k])
					}
				}
				if rows != len(c.Labels) || !near(ece, sum/float64(rows)) {
					t.Errorf("%s: %s %d: error %v of %d rows, want %v", c.Name, by, bins, ece, rows, sum/float64(rows))
				}
				if m, _ := Measure(c.sample(), 0.5); c.Weights == nil && by == Uniform && bins == eceBins && !near(m.ECE, ece) {
					t.Errorf("%s: Measure has the error %v, Calibrate %v", c.Name, m.ECE, ece)
				}
			}
		}
	}
}

// Precision, recall and the rest at the chosen threshold are the best that
// scikit-learn finds by trying every threshold.
func TestThresholdsAreTheBest(t *testing.T) {
	compared := 0
	for _, c := range sklearn(t) {
		for text, want := range c.Best {
			criterion, err := ParseCriterion(text)
			if err != nil {
				t.Fatal(err)
			}
			choice, err := ChooseThreshold(c.sample(), criterion)
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			compared++
			m := choice.Metrics
			at := map[string]float64{
				"f1": m.F1, "accuracy": m.Accuracy, "youden": m.Recall + m.Specificity - 1,
				"precision": m.Recall, "recall": m.Precision,
			}[criterion.Name]
			if !near(choice.Value, want) || !near(at, want) {
				t.Errorf("%s: %s is %v at %v, where it measures %v; want %v", c.Name, text, choice.Value, choice.Threshold, at, want)
			}
		}
	}
	if compared < 40 {
		t.Errorf("%d thresholds compared", compared)
	}
}

func TestThresholdFaults(t *testing.T) {
	for _, text := range []string{"", "auc", "f1>=0.5", "precision", "precision>=x", "recall>=0", "recall>=1.5", "precision>=NaN"} {
		if c, err := ParseCriterion(text); err == nil {
			t.Errorf("%q is %v", text, c)
		}
	}
	c, _ := ParseCriterion("precision >= 0.9")
	s := Sample{Labels: []int{0, 1, 1}, Probabilities: []float64{0.9, 0.5, 0.4}}
	var unreachable *UnreachableError
	if _, err := ChooseThreshold(s, c); !errors.As(err, &unreachable) || !near(unreachable.Best, 2.0/3) {
		t.Errorf("unreachable precision: %v", err)
	}
	var one *OneClassError
	if _, err := ChooseThreshold(Sample{Labels: []int{1}, Probabilities: []float64{0.5}}, c); !errors.As(err, &one) || one.Label != 1 {
		t.Errorf("one class: %v", err)
	}
}

func TestThresholdCurveMeasures(t *testing.T) {
	for _, c := range sklearn(t) {
		points, err := ThresholdCurve(c.sample(), 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			m, err := Measure(c.sample(), p.Threshold)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(m.Undefined, "precision") {
				m.Precision = 1
			}
			if !near(p.Accuracy, m.Accuracy) || !near(p.Precision, m.Precision) || !near(p.Recall, m.Recall) || !near(p.F1, m.F1) {
				t.Fatalf("%s: %+v, measured %+v", c.Name, p, m)
			}
		}
	}
}

func random(n int) Sample {
	rng := rand.New(rand.NewPCG(7, 7))
	labels, decisions := make([]int, n), make([]float64, n)
	for i := range labels {
		labels[i] = i % 2
		decisions[i] = rng.NormFloat64() + 2*float64(labels[i]) - 1
	}
	return FromDecisions(labels, decisions)
}

// The area is the share of pairs of a positive and a negative row that are
// ordered rightly; a tie is half a pair.
func TestAUCCountsPairs(t *testing.T) {
	s := random(400)
	for _, wide := range []float64{0, 0.25, 1, 100} {
		tied := s
		tied.Decisions = slices.Clone(s.Decisions)
		pairs, right := 0.0, 0.0
		for i := range tied.Decisions {
			if wide > 0 {
				tied.Decisions[i] = math.Floor(tied.Decisions[i]/wide) * wide
			}
		}
		for i, a := range tied.Decisions {
			for j, b := range tied.Decisions {
				if s.Labels[i] == 0 || s.Labels[j] == 1 {
					continue
				}
				pairs++
				switch {
				case a > b:
					right++
				case a == b:
					right += 0.5
				}
			}
		}
		m, err := Measure(tied, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		if want := right / pairs; !near(m.AUC, want) {
			t.Errorf("rounded to %g: AUC %v, want %v", wide, m.AUC, want)
		}
		// The order of rows does not count.
		rows := rand.New(rand.NewPCG(1, 1)).Perm(tied.Len())
		if r, err := Measure(tied.Rows(rows), 0.5); err != nil || r.AUC != m.AUC || r.AveragePrecision != m.AveragePrecision {
			t.Errorf("rounded to %g: %v shuffled, %v in order, %v", wide, r.AUC, m.AUC, err)
		}
	}
}

// A weight of k is the same as k rows.
func TestWeightsAreRows(t *testing.T) {
	s := random(200)
	var rows []int
	s.Weights = make([]float64, s.Len())
	for i := range s.Weights {
		s.Weights[i] = float64(i % 4)
		for range i % 4 {
			rows = append(rows, i)
		}
	}
	more := s.Rows(rows)
	more.Weights = nil
	a, err1 := Measure(s, 0.4)
	b, err2 := Measure(more, 0.4)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, f := range measures {
		if !near(f.of(&a), f.of(&b)) {
			t.Errorf("%s: %v by weights, %v by rows", f.name, f.of(&a), f.of(&b))
		}
	}
}

func TestCurvesAreThinned(t *testing.T) {
	s := random(20000)
	for _, limit := range []int{1, 3, 10, 500, 1000} {
		points, err := ROC(s, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(points); n > max(limit, 3) || n < max(limit, 3)-1 {
			t.Errorf("limit %d: %d points", limit, n)
		}
		first, last := points[0], points[len(points)-1]
		if first.FPR != 0 || first.TPR != 0 || last.FPR != 1 || last.TPR != 1 {
			t.Errorf("limit %d: from %+v to %+v", limit, first, last)
		}
		for i := 1; i < len(points); i++ {
			if points[i].FPR < points[i-1].FPR || points[i].TPR < points[i-1].TPR || points[i].Threshold >= points[i-1].Threshold {
				t.Fatalf("limit %d: point %d goes back", limit, i)
			}
		}
		curve, err := PrecisionRecall(s, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(curve); n > max(limit, 3) || curve[0].Recall != 0 || curve[n-1].Recall != 1 {
			t.Errorf("limit %d: %d points of precision and recall", limit, n)
		}
	}
}

func TestHistogramCountsRows(t *testing.T) {
	s := random(1000)
	list, err := Histogram(s, 20)
	if err != nil {
		t.Fatal(err)
	}
	var n [2]int
	for _, b := range list {
		n[0] += b.Negative
		n[1] += b.Positive
	}
	if n != [2]int{500, 500} || list[0].Negative <= list[0].Positive || list[19].Positive <= list[19].Negative {
		t.Errorf("%v: %+v", n, list)
	}
}

func TestFaults(t *testing.T) {
	for name, s := range map[string]Sample{
		"lengths":          {Labels: []int{0, 1}, Probabilities: []float64{1}},
		"decisions":        {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Decisions: []float64{1}},
		"weights":          {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Weights: []float64{1}},
		"empty":            {},
		"label":            {Labels: []int{0, 1, 2}, Probabilities: []float64{0, 0.5, 1}},
		"NaN":              {Labels: []int{0, 1}, Probabilities: []float64{0, math.NaN()}},
		"above 1":          {Labels: []int{0, 1}, Probabilities: []float64{0, 1.5}},
		"below 0":          {Labels: []int{0, 1}, Probabilities: []float64{-0.1, 1}},
		"NaN decision":     {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Decisions: []float64{0, math.NaN()}},
		"infinite":         {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Decisions: []float64{0, math.Inf(-1)}},
		"negative weight":  {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Weights: []float64{1, -1}},
		"NaN weight":       {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Weights: []float64{1, math.NaN()}},
		"no weight at all": {Labels: []int{0, 1}, Probabilities: []float64{0, 1}, Weights: []float64{0, 0}},
	} {
		_, measured := Measure(s, 0.5)
		_, roc := ROC(s, 10)
		_, precision := PrecisionRecall(s, 10)
		_, _, calibrated := Calibrate(s, 10, Uniform)
		_, histogram := Histogram(s, 10)
		_, thresholds := ThresholdCurve(s, 10)
		_, chosen := ChooseThreshold(s, Criterion{Name: "f1"})
		_, bootstrap := Bootstrap(t.Context(), s, 0.5, DefaultBootstrap())
		outcomes := WriteOutcomes(new(bytes.Buffer), s, 0.5, [2]string{"a", "b"})
		for i, err := range []error{measured, roc, precision, calibrated, histogram, thresholds, chosen, bootstrap, outcomes} {
			if err == nil {
				t.Errorf("%s: function %d gives no error", name, i)
			}
		}
	}
	if _, err := Measure(random(4), math.NaN()); err == nil {
		t.Error("no error for a threshold that is not a number")
	}
}

func TestMetricsJSON(t *testing.T) {
	var b bytes.Buffer
	m, err := Measure(Sample{Labels: []int{0, 1, 1, 0}, Probabilities: []float64{0.25, 0.75, 0.25, 0.5}}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	m.LogLoss = 0.5
	if err := WriteJSON(&b, m); err != nil {
		t.Fatal(err)
	}
	want := `{
  "accuracy": 0.75,
  "precision": 1,
  "recall": 0.5,
  "f1": 0.6666666666666666,
  "auc": 0.625,
  "average_precision": 0.75,
  "log_loss": 0.5,
  "brier": 0.234375,
  "ece": 0.3125,
  "specificity": 1,
  "balanced_accuracy": 0.75,
  "matthews_correlation": 0.5773502691896258,
  "threshold": 0.5,
  "rows": 4,
  "confusion": {
    "true_negative": 2,
    "false_positive": 0,
    "false_negative": 1,
    "true_positive": 1
  }
}
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	m, err = Measure(Sample{Labels: []int{0}, Probabilities: []float64{0.25}}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteJSON(&b, m); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"auc": null`) {
		t.Errorf("an undefined AUC is not null:\n%s", b.String())
	}
}

func TestOutcomesJSON(t *testing.T) {
	var b bytes.Buffer
	s := Sample{Labels: []int{0, 1}, Probabilities: []float64{0.6, 0.6}}
	if err := WriteOutcomes(&b, s, 0.5, [2]string{"neg", "pos"}); err != nil {
		t.Fatal(err)
	}
	want := "[\n{\"actual\":\"neg\",\"predicted\":\"pos\"},\n{\"actual\":\"pos\",\"predicted\":\"pos\"}\n]\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := WriteRows(&b, []int{}); err != nil || !json.Valid(b.Bytes()) {
		t.Errorf("an empty list is %q, %v", b.String(), err)
	}
}
