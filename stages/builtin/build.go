package builtin

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/score"
)

// modelFile is the summary of a training, beside the model's directory.
const modelFile = "model.json"

// build trains the classifier and writes the model: everything from the raw
// text to a calibrated probability. It reads nothing of the test part.
func build(ctx context.Context, c *stages.Call) error {
	p := defaultBuildParams()
	if err := c.Params.Decode("model_building", &p); err != nil {
		return err
	}
	t := &training{call: c, params: p}
	if err := t.read(ctx); err != nil {
		return err
	}
	if err := t.fit(ctx); err != nil {
		return err
	}
	if err := t.calibrate(ctx); err != nil {
		return err
	}
	return t.write(ctx)
}

// training is what a training reads and finds.
type training struct {
	call    *stages.Call
	params  buildParams
	options linear.Options

	dir, summary string
	features     model.Features
	reviews      []string
	x            *features.CSR
	labels       []int

	result *linear.Result
	// held are decisions for training rows by models that did not see them,
	// nil when no folds are wanted.
	held        []float64
	calibration linear.Calibration
	threshold   float64
}

func (t *training) read(ctx context.Context) error {
	c := t.call
	var err error
	if t.options, err = t.params.Options(classes); err != nil {
		return fmt.Errorf("model_building: %w", err)
	}
	if err := t.params.check(); err != nil {
		return err
	}
	processed, err := c.Dep("processed")
	if err != nil {
		return err
	}
	raw, err := c.Dep("raw")
	if err != nil {
		return err
	}
	vectorizer, err := c.Dep(vectorizerFile)
	if err != nil {
		return err
	}
	if t.summary, err = c.Out(modelFile); err != nil {
		return err
	}
	if t.dir, err = modelDir(c); err != nil {
		return err
	}
	var rows []dataset.Row
	var g errgroup.Group
	g.Go(func() (err error) {
		rows, _, err = readReviews(ctx, c, filepath.Join(raw, trainFile))
		return err
	})
	g.Go(func() (err error) {
		t.x, t.labels, err = readPart(processed, trainMatrix, trainLabels)
		return err
	})
	g.Go(func() (err error) {
		t.features, err = openFeatures(vectorizer)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if len(rows) != t.x.Rows {
		return fmt.Errorf("%s has %d reviews, %s has %d rows", trainFile, len(rows), trainMatrix, t.x.Rows)
	}
	t.reviews = dataset.Reviews(rows)
	return nil
}

// modelDir is the one output that is neither the summary nor one of others,
// whatever its name.
func modelDir(c *stages.Call, others ...string) (string, error) {
	dir := ""
	for _, out := range c.Outs {
		if base := filepath.Base(out.File); base == modelFile || slices.Contains(others, base) {
			continue
		}
		if dir != "" {
			return "", &stages.PathError{Kind: "output", Name: "the model's directory", Declared: outNames(c), Ambiguous: true}
		}
		dir = out.File
	}
	if dir == "" {
		return "", &stages.PathError{Kind: "output", Name: "the model's directory", Declared: outNames(c)}
	}
	return dir, nil
}

func outNames(c *stages.Call) []string {
	var list []string
	for _, out := range c.Outs {
		list = append(list, out.Name)
	}
	return list
}

// openFeatures reads what feature_engineering wrote.
func openFeatures(path string) (model.Features, error) {
	v, err := model.OpenVectorizer(path)
	if err != nil {
		return model.Features{}, err
	}
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v.Terms})
	if err != nil {
		return model.Features{}, fmt.Errorf("read vectorizer %s: %w", path, err)
	}
	return model.Features{Cleaning: v.Cleaning, Union: union}, nil
}

func (t *training) fit(ctx context.Context) error {
	o := t.options
	o.Progress = func(iteration int) { t.call.Progress(int64(iteration), 0, "iterations") }
	var err error
	if t.result, err = linear.Fit(ctx, t.x, t.labels, o); err != nil {
		return err
	}
	r := t.result
	if !r.Converged {
		t.call.Log.Warn("training stopped before it converged", "iterations", r.Iterations,
			"violation", r.Violation, "bound", r.Bound, "tol", o.Tol)
	}
	t.call.Log.Info("model trained", "rows", t.x.Rows, "coefficients", len(r.Coef), "nonzero", r.NonZero,
		"iterations", r.Iterations, "converged", r.Converged)
	return nil
}

// readPart reads a matrix with its labels.
func readPart(dir, matrix, labels string) (*features.CSR, []int, error) {
	x, err := features.OpenNPZ(filepath.Join(dir, matrix))
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(filepath.Join(dir, labels)) //nolint:gosec // inside the stage's declared dependency
	if err != nil {
		return nil, nil, fmt.Errorf("read labels: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	y, err := features.ReadLabels(f)
	if err != nil {
		return nil, nil, err
	}
	if len(y) != x.Rows {
		return nil, nil, fmt.Errorf("%s has %d rows, %s has %d labels", matrix, x.Rows, labels, len(y))
	}
	return x, y, nil
}

// write writes the model and its summary.
func (t *training) write(ctx context.Context) error {
	parts := model.Parts{
		Features: t.features, Classes: classes, Coef: t.result.Coef, Intercept: t.result.Intercept,
		Calibration: model.Calibration(t.calibration), Threshold: t.threshold,
		Example: example(t.reviews),
	}
	statistics, err := t.statistics(ctx, parts)
	if err != nil {
		return err
	}
	parts.Statistics = statistics
	summary := newSummary(t.labels, t.params.Params, t.features.Union, t.result.Coef, t.result)
	summary.Threshold = t.threshold
	if t.params.Calibration != calibrateNone {
		summary.Calibration = summaryCalibration{t.params.Calibration, t.params.Folds, t.calibration.Slope, t.calibration.Offset}
	}
	parts.Metadata = map[string]any{"training": summary}
	digest, err := model.Write(ctx, t.dir, parts)
	if err != nil {
		return err
	}
	summary.Model = digest
	return output.File(t.summary, func(w io.Writer) error { return score.WriteJSON(w, summary) })
}

// example is the first review of a length that is pleasant to read.
func example(reviews []string) string {
	const least, most = 20, 400
	best := ""
	for _, r := range reviews {
		if len(r) >= least && len(r) <= most {
			return r
		}
		if best == "" || len(r) < len(best) {
			best = r
		}
	}
	return best
}
