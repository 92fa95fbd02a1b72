package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
)

const classifierFormat = "flow.logistic"

// Classifier is a fitted logistic regression.
type Classifier struct {
	// Classes name the labels 0 and 1.
	Classes [2]string
	// Coef has a weight for each column of the vectorizer.
	Coef      []float64
	Intercept float64
	// Fit says how the classifier was trained.
	Fit Fit
}

// Fit records a training.
type Fit struct {
	Penalty    string  `json:"penalty"`
	C          float64 `json:"c"`
	Rows       int     `json:"rows"`
	Iterations int     `json:"iterations"`
	Converged  bool    `json:"converged"`
	Objective  float64 `json:"objective"`
}

type classifierFile struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Classes   [2]string `json:"classes"`
	Fit       Fit       `json:"fit"`
	Intercept float64   `json:"intercept"`
	Coef      floats    `json:"coef"`
}

// Write writes the classifier.
func (c *Classifier) Write(w io.Writer) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("write classifier: %w", err)
	}
	err := writeJSON(w, classifierFile{
		Format: classifierFormat, Version: formatVersion,
		Classes: c.Classes, Fit: c.Fit, Intercept: c.Intercept, Coef: c.Coef,
	})
	if err != nil {
		return fmt.Errorf("write classifier: %w", err)
	}
	return nil
}

// ReadClassifier reads what Write writes.
func ReadClassifier(r io.Reader) (*Classifier, error) {
	var f classifierFile
	if err := readJSON(r, &f); err != nil {
		return nil, fmt.Errorf("read classifier: %w", err)
	}
	if err := checkFormat(f.Format, classifierFormat, f.Version); err != nil {
		return nil, fmt.Errorf("read classifier: %w", err)
	}
	c := &Classifier{Classes: f.Classes, Coef: f.Coef, Intercept: f.Intercept, Fit: f.Fit}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("read classifier: %w", err)
	}
	return c, nil
}

func (c *Classifier) check() error {
	switch {
	case c.Classes[0] == "" || c.Classes[1] == "" || c.Classes[0] == c.Classes[1]:
		return fmt.Errorf("classes %q: want two different names", c.Classes)
	case len(c.Coef) == 0:
		return errors.New("no coefficients")
	case !finite(c.Intercept):
		return fmt.Errorf("intercept is %v", c.Intercept)
	}
	for i, w := range c.Coef {
		if !finite(w) {
			return fmt.Errorf("coefficient %d is %v", i, w)
		}
	}
	return nil
}

// OpenClassifier reads a classifier from a file.
func OpenClassifier(path string) (*Classifier, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("read classifier: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	c, err := ReadClassifier(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Decisions returns the log-odds of label 1 for rows that this vectorizer
// made. Workers below 1 means one for each processor.
func (c *Classifier) Decisions(ctx context.Context, x *features.CSR, workers int) ([]float64, error) {
	if x.Cols != len(c.Coef) {
		return nil, fmt.Errorf("predict: rows have %d columns, the classifier has %d coefficients", x.Cols, len(c.Coef))
	}
	return linear.Decision(ctx, x, c.Coef, c.Intercept, workers)
}
