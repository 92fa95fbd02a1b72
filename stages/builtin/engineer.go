package builtin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

type engineerParams struct {
	MaxFeatures int    `param:"max_features"`
	Weighting   string `param:"weighting"`
	NgramRange  []int  `param:"ngram_range"`
	// An integer is a number of reviews, a float a share of them.
	MinDF       any    `param:"min_df"`
	MaxDF       any    `param:"max_df"`
	Binary      bool   `param:"binary"`
	UseIDF      bool   `param:"use_idf"`
	SmoothIDF   bool   `param:"smooth_idf"`
	SublinearTF bool   `param:"sublinear_tf"`
	Norm        string `param:"norm"`
}

func (p engineerParams) config() (features.Config, error) {
	c := features.DefaultConfig()
	// Cleaning lowers the text, or was told not to.
	c.Lowercase = false
	c.MaxFeatures, c.Weighting = p.MaxFeatures, p.Weighting
	c.Binary, c.UseIDF, c.SmoothIDF, c.SublinearTF = p.Binary, p.UseIDF, p.SmoothIDF, p.SublinearTF
	c.Norm = p.Norm
	if c.Norm == "none" {
		c.Norm = ""
	}
	if len(p.NgramRange) != 2 {
		return c, &stages.ParamError{Key: "feature_engineering.ngram_range", Msg: "want a list of two integers"}
	}
	c.NgramRange = [2]int{p.NgramRange[0], p.NgramRange[1]}
	var err error
	if c.MinDF, err = bound("feature_engineering.min_df", p.MinDF); err != nil {
		return c, err
	}
	if c.MaxDF, err = bound("feature_engineering.max_df", p.MaxDF); err != nil {
		return c, err
	}
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("feature_engineering: %w", err)
	}
	return c, nil
}

func bound(key string, v any) (features.Bound, error) {
	switch v := v.(type) {
	case int64:
		return features.Count(int(v)), nil
	case float64:
		return features.Share(v), nil
	}
	return features.Bound{}, &stages.ParamError{Key: key, Msg: "want a number: an integer for reviews, a float for a share of them"}
}

// engineer learns the vocabulary from the training part and applies it to
// both.
func engineer(ctx context.Context, c *stages.Call) error {
	p := engineerParams{
		Weighting: "count", NgramRange: []int{1, 1}, MinDF: int64(1), MaxDF: 1.0,
		UseIDF: true, SmoothIDF: true, Norm: "l2",
	}
	if err := c.Params.Decode("feature_engineering", &p); err != nil {
		return err
	}
	config, err := p.config()
	if err != nil {
		return err
	}
	interim, err := c.Dep("interim")
	if err != nil {
		return err
	}
	processed, err := c.Out("processed")
	if err != nil {
		return err
	}
	vectorizerFile, err := c.Out("vectorizer.json")
	if err != nil {
		return err
	}
	cleaning, err := readCleaning(filepath.Join(interim, cleaningFile))
	if err != nil {
		return err
	}
	train, _, err := readReviews(ctx, c, filepath.Join(interim, trainFile))
	if err != nil {
		return err
	}
	count := &counter{call: c, total: len(train)}
	vectorizer, x, err := features.Fit(ctx, config, dataset.Reviews(train), 0, count.add)
	if err != nil {
		return err
	}
	if err := writePart(processed, trainMatrix, trainLabels, x, train); err != nil {
		return err
	}
	nonzero := x.NNZ()
	test, _, err := readReviews(ctx, c, filepath.Join(interim, testFile))
	if err != nil {
		return err
	}
	count = &counter{call: c, total: len(test)}
	if x, err = vectorizer.Transform(ctx, dataset.Reviews(test), 0, count.add); err != nil {
		return err
	}
	if err := writePart(processed, testMatrix, testLabels, x, test); err != nil {
		return err
	}
	v := &model.Vectorizer{Cleaning: cleaning, Terms: vectorizer}
	if err := output.File(vectorizerFile, v.Write); err != nil {
		return err
	}
	c.Log.Info("features made", "terms", x.Cols, "train", len(train), "test", len(test), "nonzero", nonzero)
	return nil
}

func writePart(dir, matrix, labels string, x *features.CSR, rows []dataset.Row) error {
	if err := output.File(filepath.Join(dir, matrix), func(w io.Writer) error { return features.WriteNPZ(w, x) }); err != nil {
		return err
	}
	return output.File(filepath.Join(dir, labels), func(w io.Writer) error {
		return features.WriteLabels(w, dataset.Labels(rows))
	})
}

// readCleaning reads how the texts were cleaned. A guess would be skew, so a
// missing file is an error.
func readCleaning(path string) (text.Options, error) {
	var o text.Options
	data, err := os.ReadFile(path) //nolint:gosec // inside the stage's declared dependency
	if err != nil {
		return o, fmt.Errorf("read cleaning: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, fmt.Errorf("read cleaning %s: %w", path, err)
	}
	if o, err = o.Normalize(); err != nil {
		return o, fmt.Errorf("read cleaning %s: %w", path, err)
	}
	return o, nil
}
