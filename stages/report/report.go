package report

import (
	_ "embed"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/flowrepro/flow/internal/figure"
	pages "github.com/flowrepro/flow/internal/page"
	"github.com/flowrepro/flow/stages/score"
)

// Data is what a report tells. Parts that are empty are left out.
type Data struct {
	Title string
	// Classes name the labels 0 and 1.
	Classes [2]string
	Metrics score.Metrics
	// Intervals are the metrics' confidence intervals, at Confidence.
	Intervals  []score.Interval
	Confidence float64
	// Resamples is the number of bootstrap samples.
	Resamples int
	Figures   []figure.Figure
	// Confusion is shown as a table beside its figure.
	Calibration []score.Bin
	Slices      []score.Slice
	// Words are the most telling terms for each class, most telling first.
	Words    [2][]Word
	Mistakes []Mistake
	Datasets []Dataset
	Params   []Param
	// Notes are remarks about the evaluation, such as undefined metrics.
	Notes []string
}

// Word is a term of the vocabulary.
type Word struct {
	Term string
	// Weight is the term's coefficient: what it adds to the log-odds of
	// label 1.
	Weight float64
	// Documents is the number of training texts that have the term.
	Documents int
}

// Mistake is a row that was predicted wrongly.
type Mistake struct {
	// Row counts from 1 in the evaluated file.
	Row               int
	Actual, Predicted string
	// Probability is that of the predicted class.
	Probability float64
	Excerpt     []Span
}

// Dataset names rows that were used.
type Dataset struct {
	Name   string
	Rows   int
	ByName [2]int
	// Digest is of the file, with the name of the algorithm in front.
	Digest string
}

// Param is a parameter of the pipeline.
type Param struct{ Key, Value string }

//go:embed report.html
var page string

// pageTemplate is parsed when it is first needed: most commands write no page.
var pageTemplate = sync.OnceValue(func() *pages.Template {
	return pages.Must(pages.New("report", page, pages.Funcs{
		"number": number, "count": grouped, "percent": percent, "figure": inline, "toward": Span.Toward, "first": func(s []Word) float64 {
			if len(s) == 0 || s[0].Weight == 0 {
				return 1
			}
			return math.Abs(s[0].Weight)
		},
		"width":  func(w, most float64) string { return strconv.FormatFloat(100*math.Abs(w)/most, 'f', 1, 64) },
		"signed": func(w float64) string { return strings.Replace(fmt.Sprintf("%+.3f", w), "-", "−", 1) },
	}))
})

// Write writes the report.
func Write(w io.Writer, d Data) error {
	if err := pageTemplate().Execute(w, newView(d)); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// view adds to the data what the page derives from it.
type view struct {
	Data
	Headlines, Others []headline
	ConfidenceText    string // "95 %"
	ConfusionRows     []confusionRow
	WordLists         []wordList
}

func newView(d Data) view {
	lines := d.lines()
	return view{
		Data: d, Headlines: lines[:leading], Others: lines[leading:], ConfidenceText: strconv.FormatFloat(100*d.Confidence, 'g', 4, 64) + " %",
		ConfusionRows: d.confusionRows(), WordLists: d.wordLists(),
	}
}

// headline is a metric as it is shown.
type headline struct {
	Name, Value, Low, High, Help string
}

var names = []struct{ key, name, help string }{
	{"accuracy", "Accuracy", "share of rows predicted rightly"},
	{"auc", "ROC AUC", "chance that a positive row scores above a negative one"},
	{"f1", "F1", "harmonic mean of precision and recall"},
	{"precision", "Precision", "share of positive predictions that are right"},
	{"recall", "Recall", "share of positive rows that are found"},
	{"average_precision", "Average precision", "area below the precision–recall curve"},
	{"specificity", "Specificity", "share of negative rows that are found"},
	{"balanced_accuracy", "Balanced accuracy", "mean of recall and specificity"},
	{"matthews_correlation", "Matthews correlation", "correlation of label and prediction"},
	{"log_loss", "Log loss", "nats a row; lower is better"},
	{"brier", "Brier score", "mean squared error of the probability; lower is better"},
	{"ece", "Calibration error", "distance of probability and frequency; lower is better"},
}

// leading is the number of metrics that are shown large.
const leading = 4

func (d Data) lines() []headline {
	m := d.Metrics
	values := map[string]float64{
		"accuracy": m.Accuracy, "auc": m.AUC, "f1": m.F1, "precision": m.Precision, "recall": m.Recall,
		"average_precision": m.AveragePrecision, "specificity": m.Specificity, "balanced_accuracy": m.BalancedAccuracy,
		"matthews_correlation": m.Matthews, "log_loss": m.LogLoss, "brier": m.Brier, "ece": m.ECE,
	}
	intervals := map[string]score.Interval{}
	for _, i := range d.Intervals {
		intervals[i.Metric] = i
	}
	list := make([]headline, len(names))
	for i, n := range names {
		list[i] = headline{Name: n.name, Value: number(values[n.key]), Help: n.help}
		if in, ok := intervals[n.key]; ok {
			list[i].Low, list[i].High = number(in.Low), number(in.High)
		}
	}
	return list
}

// confusionRow is a row of the confusion table.
type confusionRow struct {
	Class            string
	Counts           [2]string
	Shares           [2]string
	Right, Predicted int
}

func (d Data) confusionRows() []confusionRow {
	c := d.Metrics.Confusion
	var rows []confusionRow
	for i, r := range [2][2]float64{{c.TrueNegative, c.FalsePositive}, {c.FalseNegative, c.TruePositive}} {
		row := confusionRow{Class: d.Classes[i], Right: i}
		for k, n := range r {
			row.Counts[k] = grouped(int(math.Round(n)))
			row.Shares[k] = percent(n / max(1, r[0]+r[1]))
		}
		rows = append(rows, row)
	}
	return rows
}

// wordLists pairs each class with its words.
func (d Data) wordLists() []wordList {
	var list []wordList
	for i, words := range d.Words {
		if len(words) > 0 {
			list = append(list, wordList{d.Classes[i], i, words})
		}
	}
	return list
}

type wordList struct {
	Class string
	Label int
	Words []Word
}

func number(x float64) string {
	if math.IsNaN(x) {
		return "undefined"
	}
	return strings.Replace(strconv.FormatFloat(x, 'f', 4, 64), "-", "−", 1)
}

func percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) + " %" }

func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// inline draws a figure. The drawing escapes all text in it.
func inline(f figure.Figure) (pages.HTML, error) {
	svg, err := figure.Inline(f)
	return pages.HTML(svg), err //nolint:gosec // see above
}
