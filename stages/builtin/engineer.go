package builtin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

// engineer learns the vocabulary from the training part and applies it to
// both.
func engineer(ctx context.Context, c *stages.Call) error {
	p := defaultEngineerParams()
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
	file, err := c.Out(vectorizerFile)
	if err != nil {
		return err
	}
	cleaning, err := readCleaning(filepath.Join(interim, cleaningFile))
	if err != nil {
		return err
	}
	var train, test []dataset.Row
	var g errgroup.Group
	for _, part := range []struct {
		rows *[]dataset.Row
		name string
	}{{&train, trainFile}, {&test, testFile}} {
		g.Go(func() (err error) {
			*part.rows, _, err = readReviews(ctx, c, filepath.Join(interim, part.name))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	count := &counter{call: c}
	count.expect(len(train) + len(test))
	vectorizer, x, err := features.Fit(ctx, config, dataset.Reviews(train), 0, count.add)
	if err != nil {
		return err
	}
	// What was learned is written while it is applied to the test part.
	g.Go(func() error { return writePart(processed, trainMatrix, trainLabels, x, train) })
	g.Go(func() error {
		v := &model.Vectorizer{Cleaning: cleaning, Terms: vectorizer}
		return output.File(file, v.Write)
	})
	g.Go(func() error {
		x, err := vectorizer.Transform(ctx, dataset.Reviews(test), 0, count.add)
		if err != nil {
			return err
		}
		return writePart(processed, testMatrix, testLabels, x, test)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	c.Log.Info("features made", "terms", x.Cols, "train", len(train), "test", len(test), "nonzero", x.NNZ())
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
