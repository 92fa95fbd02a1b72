package score

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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

// The fixture is scikit-learn's: see ../testdata/fixtures.py.
func TestMetricsAreSklearns(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "sklearn.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Cases []struct {
			Labels                               []int
			Decisions                            []float64
			Accuracy, Precision, Recall, F1, AUC float64
			LogLoss                              float64 `json:"log_loss"`
			Confusion                            [4]int
			FPR, TPR, Thresholds                 []float64
		}
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	for i, c := range f.Cases {
		m, err := Measure(c.Labels, c.Decisions)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []struct {
			name      string
			got, want float64
		}{
			{"accuracy", m.Accuracy, c.Accuracy}, {"precision", m.Precision, c.Precision}, {"recall", m.Recall, c.Recall},
			{"f1", m.F1, c.F1}, {"auc", m.AUC, c.AUC}, {"log loss", m.LogLoss, c.LogLoss},
		} {
			if !near(v.got, v.want) {
				t.Errorf("case %d: %s %v, want %v", i, v.name, v.got, v.want)
			}
		}
		got := [4]int{m.Confusion.TrueNegative, m.Confusion.FalsePositive, m.Confusion.FalseNegative, m.Confusion.TruePositive}
		if got != c.Confusion {
			t.Errorf("case %d: confusion %v, want %v", i, got, c.Confusion)
		}
		points, err := ROC(c.Labels, c.Decisions, math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		// scikit-learn keeps some points in the middle of a straight edge.
		// Ours are among its points, and the area below is the same.
		next, area := 0, 0.0
		for k, p := range points {
			for next < len(c.FPR) && !(near(p.FPR, c.FPR[next]) && near(p.TPR, c.TPR[next])) {
				next++
			}
			if next == len(c.FPR) || next > 0 && p.Threshold != c.Thresholds[next-1] {
				t.Fatalf("case %d: point %d: %+v is not on scikit-learn's curve", i, k, p)
			}
			if k > 0 {
				area += (p.FPR - points[k-1].FPR) * (p.TPR + points[k-1].TPR) / 2
			}
		}
		if !near(area, c.AUC) {
			t.Errorf("case %d: area below the curve %v, want %v", i, area, c.AUC)
		}
	}
}

func random(n int) ([]int, []float64) {
	rng := rand.New(rand.NewPCG(7, 7))
	labels, decisions := make([]int, n), make([]float64, n)
	for i := range labels {
		labels[i] = i % 2
		decisions[i] = rng.NormFloat64() + float64(labels[i])
	}
	return labels, decisions
}

// The area is the share of pairs of a positive and a negative row that are
// ordered rightly; a tie is half a pair.
func TestAUCCountsPairs(t *testing.T) {
	labels, decisions := random(400)
	for _, step := range []float64{0, 0.25, 1, 100} {
		tied := slices.Clone(decisions)
		pairs, right := 0.0, 0.0
		for i := range tied {
			if step > 0 {
				tied[i] = math.Floor(tied[i]/step) * step
			}
		}
		for i, a := range tied {
			for j, b := range tied {
				if labels[i] == 0 || labels[j] == 1 {
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
		m, err := Measure(labels, tied)
		if err != nil {
			t.Fatal(err)
		}
		if want := right / pairs; !near(m.AUC, want) {
			t.Errorf("rounded to %g: AUC %v, want %v", step, m.AUC, want)
		}
		// The order of rows does not count.
		slices.Reverse(tied)
		back := slices.Clone(labels)
		slices.Reverse(back)
		if r, err := Measure(back, tied); err != nil || r.AUC != m.AUC {
			t.Errorf("rounded to %g: %v backwards, %v forwards, %v", step, r.AUC, m.AUC, err)
		}
	}
}

func TestROCIsThinned(t *testing.T) {
	labels, decisions := random(20000)
	for _, limit := range []int{1, 3, 10, 500, 1000} {
		points, err := ROC(labels, decisions, limit)
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
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		labels    []int
		decisions []float64
	}{
		"lengths":   {[]int{0, 1}, []float64{1}},
		"empty":     {nil, nil},
		"one label": {[]int{1, 1}, []float64{1, 2}},
		"label":     {[]int{0, 1, 2}, []float64{1, 2, 3}},
		"NaN":       {[]int{0, 1}, []float64{1, math.NaN()}},
		"infinite":  {[]int{0, 1}, []float64{1, math.Inf(-1)}},
	} {
		if _, err := Measure(c.labels, c.decisions); err == nil {
			t.Errorf("%s: Measure gives no error", name)
		}
		if _, err := ROC(c.labels, c.decisions, 10); err == nil {
			t.Errorf("%s: ROC gives no error", name)
		}
	}
}

func TestNoPositivePrediction(t *testing.T) {
	m, err := Measure([]int{0, 1}, []float64{-1, -2})
	if err != nil {
		t.Fatal(err)
	}
	if m.Precision != 0 || m.Recall != 0 || m.F1 != 0 || m.Accuracy != 0.5 || m.AUC != 0 {
		t.Errorf("%+v", m)
	}
}

func TestMetricsJSON(t *testing.T) {
	var b bytes.Buffer
	m, err := Measure([]int{0, 1, 1, 0}, []float64{-1, 2, -0.5, 0})
	if err != nil {
		t.Fatal(err)
	}
	m.LogLoss = 0.5
	if err := WriteMetrics(&b, m); err != nil {
		t.Fatal(err)
	}
	want := `{
  "accuracy": 0.75,
  "precision": 1,
  "recall": 0.5,
  "f1": 0.6666666666666666,
  "auc": 0.75,
  "log_loss": 0.5,
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
}

func TestOutcomesJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteOutcomes(&b, []int{0, 1}, []float64{3, 3}, [2]string{"neg", "pos"}); err != nil {
		t.Fatal(err)
	}
	want := "[\n{\"actual\":\"neg\",\"predicted\":\"pos\"},\n{\"actual\":\"pos\",\"predicted\":\"pos\"}\n]\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if !json.Valid(b.Bytes()) {
		t.Error("not JSON")
	}
}

// words returns the character data of an SVG, which must be well-formed.
func words(t *testing.T, svg []byte) string {
	t.Helper()
	var text strings.Builder
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Fatalf("figure: %v", err)
		}
		if c, ok := tok.(xml.CharData); ok {
			fmt.Fprintf(&text, "%s\n", bytes.TrimSpace(c))
		}
	}
}

func TestFigures(t *testing.T) {
	labels, decisions := random(2000)
	m, err := Measure(labels, decisions)
	if err != nil {
		t.Fatal(err)
	}
	points, err := ROC(labels, decisions, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name string
		draw func(w io.Writer) error
		want []string
	}{
		{"ROC", func(w io.Writer) error { return DrawROC(w, points, m.AUC) },
			[]string{fmt.Sprintf("AUC %.4f", m.AUC), "False positive rate", "True positive rate", "chance"}},
		{"confusion", func(w io.Writer) error { return DrawConfusion(w, m.Confusion, [2]string{"negative", "positive"}) },
			[]string{"Predicted", "Actual", "negative", "positive", fmt.Sprint(m.Confusion.TruePositive), fmt.Sprint(m.Confusion.FalseNegative)}},
	} {
		var a, b bytes.Buffer
		if err := errors.Join(f.draw(&a), f.draw(&b)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two drawings differ", f.name)
		}
		if a.Len() > 60_000 {
			t.Errorf("%s: %d bytes", f.name, a.Len())
		}
		text := words(t, a.Bytes())
		for _, w := range f.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in the figure:\n%s", f.name, w, text)
			}
		}
	}
}
