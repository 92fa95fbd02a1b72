package score

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/internal/figure"
)

// figures draws all figures of a sample.
func figures(t testing.TB, s Sample, classes [2]string) map[string]figure.Figure {
	t.Helper()
	m, err0 := Measure(s, 0.5)
	roc, err1 := ROC(s, MaxPoints)
	pr, err2 := PrecisionRecall(s, MaxPoints)
	uniform, ece, err3 := Calibrate(s, 10, Uniform)
	quantile, _, err4 := Calibrate(s, 10, Quantile)
	histogram, err5 := Histogram(s, 40)
	thresholds, err6 := ThresholdCurve(s, 200)
	if err := errors.Join(err0, err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	return map[string]figure.Figure{
		"roc":              ROCFigure(roc, m.AUC),
		"precision_recall": PrecisionRecallFigure(pr, m.AveragePrecision, 0.5),
		"calibration":      CalibrationFigure(uniform, quantile, ece, classes[1]),
		"scores":           HistogramFigure(histogram, 0.5, classes),
		"thresholds":       ThresholdFigure(thresholds, 0.5),
		"confusion":        ConfusionFigure(m.Confusion, classes),
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
	s := random(3000)
	m, err := Measure(s, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	classes := [2]string{"negative", "<b>positive & \"good\""}
	want := map[string][]string{
		"roc":              {fmt.Sprintf("AUC %.4f", m.AUC), "False positive rate", "True positive rate", "chance (AUC 0.5)", "0.2", "1.0"},
		"precision_recall": {fmt.Sprintf("%.4f", m.AveragePrecision), "Recall", "Precision", "chance (0.5000)"},
		"calibration":      {fmt.Sprintf("expected error %.4f", m.ECE), "perfect", "bins of equal width"},
		"scores":           {"negative", classes[1], "Rows", "threshold 0.5"},
		"thresholds":       {"accuracy", "precision", "recall", "F1", "in use 0.5", "Threshold"},
		"confusion": {"Predicted", "Actual", "negative", classes[1], count(m.Confusion.TruePositive), count(m.Confusion.FalseNegative),
			fmt.Sprintf("%.1f %% of negative", 100*m.Specificity)},
	}
	dir := os.Getenv("FLOW_TEST_FIGURES")
	for name, f := range figures(t, s, classes) {
		again := figures(t, s, classes)[name]
		var a, b, pa, pb bytes.Buffer
		if err := errors.Join(figure.SVG(&a, f), figure.SVG(&b, again), figure.PNG(&pa, f), figure.PNG(&pb, again)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) || !bytes.Equal(pa.Bytes(), pb.Bytes()) {
			t.Errorf("%s: two drawings differ", name)
		}
		if a.Len() > 60_000 || pa.Len() > 120_000 {
			t.Errorf("%s: %d and %d bytes", name, a.Len(), pa.Len())
		}
		if c, err := png.DecodeConfig(&pb); err != nil || c.Width < 600 || c.Height < 400 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		text := words(t, a.Bytes())
		for _, w := range want[name] {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in the figure:\n%s", name, w, text)
			}
		}
		if dir != "" { // to look at them
			if err := errors.Join(os.WriteFile(filepath.Join(dir, name+".svg"), a.Bytes(), 0o600),
				os.WriteFile(filepath.Join(dir, name+".png"), pa.Bytes(), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 2.5: "2.5"} {
		if got := count(n); got != want {
			t.Errorf("%v is %q, want %q", n, got, want)
		}
	}
}
