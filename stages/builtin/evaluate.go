package builtin

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/score"
)

// rocPoints bounds the curve: enough for the eye, few for the file.
const rocPoints = 500

// evaluate scores the test part.
func evaluate(ctx context.Context, c *stages.Call) error {
	if err := c.Params.Decode("model_evaluation", new(struct{})); err != nil {
		return err
	}
	processed, err := c.Dep("processed")
	if err != nil {
		return err
	}
	modelFile, err := c.Dep("model.json")
	if err != nil {
		return err
	}
	metricsFile, err := c.Out("metrics.json")
	if err != nil {
		return err
	}
	figures, err := c.Out("figures")
	if err != nil {
		return err
	}
	m, err := model.OpenClassifier(modelFile)
	if err != nil {
		return err
	}
	x, labels, err := readPart(processed, testMatrix, testLabels)
	if err != nil {
		return err
	}
	c.Progress(0, int64(x.Rows), "reviews")
	decisions, err := m.Decisions(ctx, x, 0)
	if err != nil {
		return err
	}
	c.Progress(int64(x.Rows), int64(x.Rows), "reviews")
	metrics, err := score.Measure(labels, decisions)
	if err != nil {
		return err
	}
	curve, err := score.ROC(labels, decisions, rocPoints)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		path string
		fill func(w io.Writer) error
	}{
		{metricsFile, func(w io.Writer) error { return score.WriteMetrics(w, metrics) }},
		{filepath.Join(figures, "roc.json"), func(w io.Writer) error { return score.WriteROC(w, curve) }},
		{filepath.Join(figures, "roc.svg"), func(w io.Writer) error { return score.DrawROC(w, curve, metrics.AUC) }},
		{filepath.Join(figures, "confusion.json"), func(w io.Writer) error {
			return score.WriteOutcomes(w, labels, decisions, m.Classes)
		}},
		{filepath.Join(figures, "confusion.svg"), func(w io.Writer) error {
			return score.DrawConfusion(w, metrics.Confusion, m.Classes)
		}},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := output.File(file.path, file.fill); err != nil {
			return err
		}
	}
	c.Log.Info("model evaluated", "rows", metrics.Rows,
		"accuracy", fmt.Sprintf("%.4f", metrics.Accuracy), "auc", fmt.Sprintf("%.4f", metrics.AUC), "f1", fmt.Sprintf("%.4f", metrics.F1))
	return nil
}
