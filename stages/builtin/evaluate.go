package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/internal/figure"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/report"
	"github.com/flowrepro/flow/stages/score"
)

type evaluateParams struct {
	Bootstrap  int     `param:"bootstrap"`
	Confidence float64 `param:"confidence"`
	Seed       uint64  `param:"seed"`
	Stratify   bool    `param:"stratify"`
	// Bins of the calibration curve.
	Bins int `param:"bins"`
	// LengthEdges are numbers of words at which slices by length begin; none
	// means LengthSlices about equally large ones.
	LengthEdges  []int `param:"length_edges"`
	LengthSlices int   `param:"length_slices"`
	// SliceColumns are further columns of the test data.
	SliceColumns []string `param:"slice_columns"`
	// Words and Mistakes are how many of them the report tells.
	Words    int `param:"words"`
	Mistakes int `param:"mistakes"`
	// Experiment is the name of the experiment that the run is logged to.
	Experiment string `param:"experiment"`
}

func (p evaluateParams) check() error {
	switch {
	case p.LengthSlices < 1 || p.LengthSlices > 100:
		return &stages.ParamError{Key: "model_evaluation.length_slices", Msg: "want 1 to 100"}
	case p.Bins < 1 || p.Bins > 1000:
		return &stages.ParamError{Key: "model_evaluation.bins", Msg: "want 1 to 1000"}
	case p.Words < 0 || p.Words > 1000:
		return &stages.ParamError{Key: "model_evaluation.words", Msg: "want 0 to 1000"}
	case p.Experiment == "":
		return &stages.ParamError{Key: "model_evaluation.experiment", Msg: "want a name"}
	case p.Mistakes < 0 || p.Mistakes > 1000:
		return &stages.ParamError{Key: "model_evaluation.mistakes", Msg: "want 0 to 1000"}
	}
	if err := p.bootstrap().Check(); err != nil {
		return fmt.Errorf("model_evaluation: %w", err)
	}
	return nil
}

func (p evaluateParams) bootstrap() score.BootstrapOptions {
	return score.BootstrapOptions{Samples: p.Bootstrap, Confidence: p.Confidence, Seed: p.Seed, Stratify: p.Stratify}
}

// evaluation is what is written beside the metrics.
type evaluation struct {
	Threshold           float64          `json:"threshold"`
	Confidence          float64          `json:"confidence"`
	Resamples           int              `json:"resamples"`
	Stratified          bool             `json:"stratified"`
	Intervals           []score.Interval `json:"intervals"`
	Slices              []score.Slice    `json:"slices"`
	Calibration         []score.Bin      `json:"calibration"`
	CalibrationQuantile []score.Bin      `json:"calibration_quantile"`
	ECEQuantile         float64          `json:"ece_quantile"`
}

// evaluate scores the test part. Of its outputs the metrics and the figures
// must be declared; the intervals and slices (evaluation.json) and the report
// (report.html) are written where they are. So is which run of the tracking
// store holds the model (experiment_info.json): the evaluation is logged then.
func evaluate(ctx context.Context, c *stages.Call) error {
	b := score.DefaultBootstrap()
	p := evaluateParams{
		Bootstrap: b.Samples, Confidence: b.Confidence, Seed: b.Seed, Stratify: b.Stratify,
		Bins: 10, LengthSlices: 4, Words: 25, Mistakes: 10, Experiment: "sentiment",
	}
	if err := c.Params.Decode("model_evaluation", &p); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	e, err := newEvaluator(c, p)
	if err != nil {
		return err
	}
	if err := e.measure(ctx); err != nil {
		return err
	}
	if err := e.slice(ctx); err != nil {
		return err
	}
	if err := e.write(ctx); err != nil {
		return err
	}
	if err := e.log(ctx); err != nil {
		return err
	}
	m := e.metrics
	c.Log.Info("model evaluated", "rows", m.Rows, "accuracy", fmt.Sprintf("%.4f", m.Accuracy),
		"auc", fmt.Sprintf("%.4f", m.AUC), "f1", fmt.Sprintf("%.4f", m.F1), "ece", fmt.Sprintf("%.4f", m.ECE))
	return nil
}

// evaluator holds what an evaluation reads and finds.
type evaluator struct {
	call   *stages.Call
	params evaluateParams

	processed, raw             string
	metricsFile, figureDir     string
	evaluationFile, reportFile string
	infoFile                   string

	modelDir  string
	model     *model.Model
	x         *features.CSR
	sample    score.Sample
	threshold float64
	metrics   score.Metrics
	found     evaluation
	reviews   []string
	// digests are those of files of the raw data.
	digests map[string]string

	roc        []score.Point
	precision  []score.PrecisionPoint
	histogram  []score.HistogramBin
	thresholds []score.ThresholdPoint
}

func newEvaluator(c *stages.Call, p evaluateParams) (*evaluator, error) {
	e := &evaluator{call: c, params: p, digests: map[string]string{}}
	for _, path := range []struct {
		to       *string
		find     func(string) (string, error)
		name     string
		optional bool
	}{
		{&e.processed, c.Dep, "processed", false}, {&e.raw, c.Dep, "raw", false},
		{&e.metricsFile, c.Out, "metrics.json", false}, {&e.figureDir, c.Out, "figures", false},
		{&e.evaluationFile, c.Out, "evaluation.json", true}, {&e.reportFile, c.Out, "report.html", true},
		{&e.infoFile, c.Out, infoFile, true},
	} {
		found, err := path.find(path.name)
		var wrong *stages.PathError
		if errors.As(err, &wrong) && !wrong.Ambiguous && path.optional {
			continue
		}
		if err != nil {
			return nil, err
		}
		*path.to = found
	}
	return e, nil
}

// measure scores the rows.
func (e *evaluator) measure(ctx context.Context) error {
	var err error
	if e.modelDir, err = modelDep(e.call); err != nil {
		return err
	}
	var labels []int
	var rows []dataset.Row
	var g errgroup.Group
	g.Go(func() (err error) {
		e.model, err = model.Open(e.modelDir)
		return err
	})
	g.Go(func() (err error) {
		e.x, labels, err = readPart(e.processed, testMatrix, testLabels)
		return err
	})
	g.Go(func() (err error) {
		rows, _, err = readReviews(ctx, e.call, filepath.Join(e.raw, testFile))
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if len(rows) != e.x.Rows {
		return fmt.Errorf("%s has %d reviews, %s has %d rows", testFile, len(rows), testMatrix, e.x.Rows)
	}
	e.reviews = dataset.Reviews(rows)
	predictions, err := e.model.PredictRows(ctx, e.x, 0)
	if err != nil {
		return err
	}
	if err := e.checkSkew(predictions); err != nil {
		return err
	}
	e.sample = score.Sample{Labels: labels}
	for _, p := range predictions {
		e.sample.Probabilities = append(e.sample.Probabilities, p.Probabilities[1])
		e.sample.Decisions = append(e.sample.Decisions, p.LogOdds)
	}
	e.threshold = e.model.Threshold()
	if e.metrics, err = score.Measure(e.sample, e.threshold); err != nil {
		return err
	}
	if len(e.metrics.Undefined) > 0 {
		e.call.Log.Warn("metrics without meaning for these rows", "metrics", strings.Join(e.metrics.Undefined, ", "))
	}
	o := e.params.bootstrap()
	e.found = evaluation{
		Threshold: e.threshold, Confidence: o.Confidence, Resamples: o.Samples, Stratified: o.Stratify,
		Slices: []score.Slice{},
	}
	var errs [7]error
	e.found.Intervals, errs[0] = score.Bootstrap(ctx, e.sample, e.threshold, o)
	e.found.Calibration, _, errs[1] = score.Calibrate(e.sample, e.params.Bins, score.Uniform)
	e.found.CalibrationQuantile, e.found.ECEQuantile, errs[2] = score.Calibrate(e.sample, e.params.Bins, score.Quantile)
	e.roc, errs[3] = score.ROC(e.sample, score.MaxPoints)
	e.precision, errs[4] = score.PrecisionRecall(e.sample, score.MaxPoints)
	e.histogram, errs[5] = score.Histogram(e.sample, 40)
	e.thresholds, errs[6] = score.ThresholdCurve(e.sample, 200)
	return errors.Join(errs[:]...)
}

// compared is the number of reviews that are scored twice.
const compared = 200

// checkSkew fails when the model says something else of raw texts, as a server
// would ask it, than of the rows that are measured.
func (e *evaluator) checkSkew(predictions []model.Prediction) error {
	for i := 0; i < len(predictions); i += max(1, len(predictions)/compared) {
		p := e.model.Predict(e.reviews[i])
		if want := predictions[i].LogOdds; math.Abs(p.LogOdds-want) > 1e-9*max(1, math.Abs(want)) {
			return fmt.Errorf("review %d of %s: log-odds %v as text and %v as a row: the rows were made by other steps than the model has",
				i+1, testFile, p.LogOdds, want)
		}
	}
	return nil
}

// modelDep returns the one dependency that is a model.
func modelDep(c *stages.Call) (string, error) {
	var found []string
	for _, d := range c.Deps {
		if _, err := os.Stat(filepath.Join(d.File, model.HeaderFile)); err == nil {
			found = append(found, d.File)
		}
	}
	if len(found) != 1 {
		return "", &stages.PathError{Kind: "dependency", Name: "a model's directory", Declared: depNames(c), Ambiguous: len(found) > 1}
	}
	return found[0], nil
}

func depNames(c *stages.Call) []string {
	var list []string
	for _, d := range c.Deps {
		list = append(list, d.Name)
	}
	return list
}

// write writes all outputs.
func (e *evaluator) write(ctx context.Context) error {
	classes := e.model.Classes()
	m := e.metrics
	positives := m.Confusion.TruePositive + m.Confusion.FalseNegative
	plots := []plot{
		{"roc", score.ROCFigure(e.roc, m.AUC), rows(e.roc)},
		{"precision_recall", score.PrecisionRecallFigure(e.precision, m.AveragePrecision, positives/float64(m.Rows)), rows(e.precision)},
		{"calibration", score.CalibrationFigure(e.found.Calibration, e.found.CalibrationQuantile, m.ECE, classes[1]), rows(e.found.Calibration)},
		{"scores", score.HistogramFigure(e.histogram, m.Threshold, classes), rows(e.histogram)},
		{"thresholds", score.ThresholdFigure(e.thresholds, m.Threshold), rows(e.thresholds)},
		{"confusion", score.ConfusionFigure(m.Confusion, classes), func(w io.Writer) error {
			return score.WriteOutcomes(w, e.sample, m.Threshold, classes)
		}},
	}
	type file struct {
		path string
		fill func(w io.Writer) error
	}
	files := []file{{e.metricsFile, func(w io.Writer) error { return score.WriteJSON(w, m) }}}
	for _, p := range plots {
		base := filepath.Join(e.figureDir, p.name)
		files = append(files,
			file{base + ".json", p.data},
			file{base + ".svg", func(w io.Writer) error { return figure.SVG(w, p.figure) }},
			file{base + ".png", func(w io.Writer) error { return figure.PNG(w, p.figure) }})
	}
	if e.evaluationFile != "" {
		files = append(files, file{e.evaluationFile, func(w io.Writer) error { return score.WriteJSON(w, e.found) }})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	if e.reportFile != "" {
		g.Go(func() error {
			d, err := e.report(ctx)
			if err != nil {
				return err
			}
			for _, p := range plots {
				d.Figures = append(d.Figures, p.figure)
			}
			return output.File(e.reportFile, func(w io.Writer) error { return report.Write(w, d) })
		})
	}
	for _, f := range files {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return output.File(f.path, f.fill)
		})
	}
	return g.Wait()
}

// plot is a figure with the data that it shows.
type plot struct {
	name   string
	figure figure.Figure
	data   func(w io.Writer) error
}

func rows[T any](list []T) func(w io.Writer) error {
	return func(w io.Writer) error { return score.WriteRows(w, list) }
}
