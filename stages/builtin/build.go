package builtin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
)

// build trains the classifier.
func build(ctx context.Context, c *stages.Call) error {
	p := linear.DefaultParams()
	if err := c.Params.Decode("model_building", &p); err != nil {
		return err
	}
	o, err := p.Options(classes)
	if err != nil {
		return fmt.Errorf("model_building: %w", err)
	}
	o.Progress = func(iteration int) { c.Progress(int64(iteration), 0, "iterations") }
	processed, err := c.Dep("processed")
	if err != nil {
		return err
	}
	file, err := c.Out("model.json")
	if err != nil {
		return err
	}
	x, labels, err := readPart(processed, trainMatrix, trainLabels)
	if err != nil {
		return err
	}
	r, err := linear.Fit(ctx, x, labels, o)
	if err != nil {
		return err
	}
	if !r.Converged {
		c.Log.Warn("training stopped before it converged", "iterations", r.Iterations, "violation", r.Violation, "bound", r.Bound, "tol", o.Tol)
	}
	m := &model.Classifier{
		Classes: classes, Coef: r.Coef, Intercept: r.Intercept,
		Fit: model.Fit{
			Penalty: o.Penalty, C: o.C, Rows: x.Rows,
			Iterations: r.Iterations, Converged: r.Converged, Objective: r.Objective,
		},
	}
	if err := output.File(file, m.Write); err != nil {
		return err
	}
	c.Log.Info("model trained", "rows", x.Rows, "coefficients", len(r.Coef), "nonzero", r.NonZero,
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
