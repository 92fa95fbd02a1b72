package builtin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/text"
)

// preprocess cleans both parts and stores how.
func preprocess(ctx context.Context, c *stages.Call) error {
	options := text.Default()
	if err := c.Params.Decode("data_preprocessing", &options); err != nil {
		return err
	}
	cleaner, err := text.New(options)
	if err != nil {
		return fmt.Errorf("data_preprocessing: %w", err)
	}
	raw, err := c.Dep("raw")
	if err != nil {
		return err
	}
	interim, err := c.Out("interim")
	if err != nil {
		return err
	}
	// Both parts at once: while one is read or written, the other is cleaned.
	var reviews, empty atomic.Int64
	count := &counter{call: c}
	g, gctx := errgroup.WithContext(ctx)
	for _, name := range []string{trainFile, testFile} {
		g.Go(func() error {
			rows, _, err := readReviews(gctx, c, filepath.Join(raw, name))
			if err != nil {
				return err
			}
			count.expect(len(rows))
			cleaned, err := cleaner.All(gctx, dataset.Reviews(rows), 0, count.add)
			if err != nil {
				return err
			}
			for i := range rows {
				rows[i].Review = cleaned[i]
				if cleaned[i] == "" {
					empty.Add(1)
				}
			}
			reviews.Add(int64(len(rows)))
			return writeReviews(gctx, interim, name, rows)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := output.File(filepath.Join(interim, cleaningFile), func(w io.Writer) error {
		data, err := json.MarshalIndent(cleaner.Options(), "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(data, '\n'))
		return err
	}); err != nil {
		return err
	}
	c.Log.Info("reviews cleaned", "reviews", reviews.Load(), "empty", empty.Load())
	return nil
}
