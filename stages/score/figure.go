package score

import (
	"fmt"
	"strconv"

	"github.com/flowrepro/flow/internal/figure"
)

// MaxPoints bounds the curves of figures and of data files.
const MaxPoints = 1000

// ROCFigure shows a ROC curve.
func ROCFigure(points []Point, auc float64) figure.Figure {
	f := figure.Lines{
		Title: "ROC curve", X: figure.Unit("False positive rate"), Y: figure.Unit("True positive rate"),
		Alt: fmt.Sprintf("ROC curve: true positive rate over false positive rate. The area below it is %.4f.", auc),
	}
	curve := figure.Series{Name: fmt.Sprintf("classifier (AUC %.4f)", auc)}
	for _, p := range points {
		curve.Points = append(curve.Points, figure.Point{X: p.FPR, Y: p.TPR})
	}
	f.Series = []figure.Series{curve, {Name: "chance (AUC 0.5)", Kind: figure.Guide, Points: []figure.Point{{X: 0, Y: 0}, {X: 1, Y: 1}}}}
	return f
}

// PrecisionRecallFigure shows a precision–recall curve. Share is that of
// label 1 among the rows: the precision of chance.
func PrecisionRecallFigure(points []PrecisionPoint, averagePrecision, share float64) figure.Figure {
	f := figure.Lines{
		Title: "Precision and recall", X: figure.Unit("Recall"), Y: figure.Unit("Precision"),
		Alt: fmt.Sprintf("Precision over recall. The average precision is %.4f, that of chance %.4f.", averagePrecision, share),
	}
	curve := figure.Series{Name: fmt.Sprintf("classifier (average precision %.4f)", averagePrecision)}
	for _, p := range points {
		curve.Points = append(curve.Points, figure.Point{X: p.Recall, Y: p.Precision})
	}
	f.Series = []figure.Series{curve, {
		Name: fmt.Sprintf("chance (%.4f)", share), Kind: figure.Guide, Points: []figure.Point{{X: 0, Y: share}, {X: 1, Y: share}},
	}}
	return f
}

// CalibrationFigure shows how often predictions came true. Class is the name
// of label 1.
func CalibrationFigure(uniform, quantile []Bin, ece float64, class string) figure.Figure {
	series := func(name string, bins []Bin) figure.Series {
		s := figure.Series{Name: name, Kind: figure.LineDots}
		for _, b := range bins {
			s.Points = append(s.Points, figure.Point{X: b.Predicted, Y: b.Actual})
		}
		return s
	}
	return figure.Lines{
		Title: fmt.Sprintf("Calibration (expected error %.4f)", ece),
		Alt: fmt.Sprintf("Calibration: share of rows that are %s over the predicted probability, in ten bins. The expected calibration error is %.4f.",
			class, ece),
		X: figure.Unit("Predicted probability of " + class), Y: figure.Unit("Share that is " + class),
		Series: []figure.Series{
			series("bins of equal width", uniform), series("bins of as many rows", quantile),
			{Name: "perfect", Kind: figure.Guide, Points: []figure.Point{{X: 0, Y: 0}, {X: 1, Y: 1}}},
		},
	}
}

// HistogramFigure shows the probabilities of each class, and the threshold.
func HistogramFigure(bins []HistogramBin, threshold float64, classes [2]string) figure.Figure {
	series := [2]figure.Series{{Name: classes[0], Kind: figure.Area}, {Name: classes[1], Kind: figure.Area}}
	top := 0.0
	for _, b := range bins {
		for k, n := range [2]int{b.Negative, b.Positive} {
			y := float64(n)
			series[k].Points = append(series[k].Points, figure.Point{X: b.Low, Y: y}, figure.Point{X: b.High, Y: y})
			top = max(top, y)
		}
	}
	return figure.Lines{
		Title: "Scores by class",
		Alt:   fmt.Sprintf("Histogram of the predicted probability of %s, for rows that are %s and rows that are %s.", classes[1], classes[0], classes[1]),
		X:     figure.Unit("Predicted probability of " + classes[1]), Y: figure.Axis{Label: "Rows", Min: 0, Max: 1.05 * max(top, 1)},
		Series: []figure.Series{series[0], series[1], {
			Name: "threshold " + strconv.FormatFloat(threshold, 'g', 4, 64), Kind: figure.Guide,
			Points: []figure.Point{{X: threshold, Y: 0}, {X: threshold, Y: 1.05 * max(top, 1)}},
		}},
	}
}

// ThresholdFigure shows the metrics by threshold, and the threshold in use.
func ThresholdFigure(points []ThresholdPoint, threshold float64) figure.Figure {
	series := []figure.Series{{Name: "accuracy"}, {Name: "precision"}, {Name: "recall"}, {Name: "F1"}}
	for _, p := range points {
		for k, y := range []float64{p.Accuracy, p.Precision, p.Recall, p.F1} {
			series[k].Points = append(series[k].Points, figure.Point{X: p.Threshold, Y: y})
		}
	}
	return figure.Lines{
		Title: "Metrics by threshold", X: figure.Unit("Threshold"), Y: figure.Unit("Metric"),
		Alt: fmt.Sprintf("Accuracy, precision, recall and F1 over the threshold. The threshold in use is %.4g.", threshold),
		Series: append(series, figure.Series{
			Name: "in use " + strconv.FormatFloat(threshold, 'g', 4, 64), Kind: figure.Guide,
			Points: []figure.Point{{X: threshold, Y: 0}, {X: threshold, Y: 1}},
		}),
	}
}

// ConfusionFigure shows a confusion matrix, with each count's share of the
// rows of its label. Classes are the names of the labels 0 and 1.
func ConfusionFigure(c Confusion, classes [2]string) figure.Figure {
	m := figure.Matrix{Title: "Confusion matrix", X: "Predicted", Y: "Actual", Columns: classes[:], Rows: classes[:]}
	for i, row := range [2][2]float64{{c.TrueNegative, c.FalsePositive}, {c.FalseNegative, c.TruePositive}} {
		line := make([]figure.Cell, 2)
		for k, n := range row {
			share := ratio(n, row[0]+row[1])
			line[k] = figure.Cell{
				Text: count(n), Share: share,
				Note: fmt.Sprintf("%.1f %% of %s", 100*share, classes[i]),
			}
		}
		m.Cells = append(m.Cells, line)
	}
	return m
}

// count writes a number of rows, or a sum of weights.
func count(n float64) string {
	if n == float64(int64(n)) {
		return grouped(int64(n))
	}
	return strconv.FormatFloat(n, 'f', 1, 64)
}

// grouped writes thousands with commas.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
