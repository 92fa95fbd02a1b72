package builtin

import (
	"context"
	"fmt"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
)

type ingestParams struct {
	Source     string  `param:"source,required"`
	TestSource string  `param:"test_source"`
	TestSize   float64 `param:"test_size"`
	Seed       uint64  `param:"seed"`
	Stratify   bool    `param:"stratify"`
}

// ingest reads the source. Without a test source, or with the source itself
// as one, it splits; otherwise both are taken whole.
func ingest(ctx context.Context, c *stages.Call) error {
	p := ingestParams{TestSize: 0.25, Seed: 42, Stratify: true}
	if err := c.Params.Decode("data_ingestion", &p); err != nil {
		return err
	}
	source, err := c.Dep(p.Source)
	if err != nil {
		return err
	}
	testSource := source
	if p.TestSource != "" {
		if testSource, err = c.Dep(p.TestSource); err != nil {
			return err
		}
	}
	dir, err := c.Out("raw")
	if err != nil {
		return err
	}
	train, stats, err := readReviews(ctx, c, source)
	if err != nil {
		return err
	}
	skipped := stats.Skipped
	var test []dataset.Row
	if testSource == source {
		if train, test, err = dataset.Split(train, p.TestSize, p.Seed, p.Stratify); err != nil {
			return fmt.Errorf("split %s: %w", p.Source, err)
		}
	} else {
		if test, stats, err = readReviews(ctx, c, testSource); err != nil {
			return err
		}
		skipped += stats.Skipped
	}
	if err := writeReviews(ctx, dir, trainFile, train); err != nil {
		return err
	}
	if err := writeReviews(ctx, dir, testFile, test); err != nil {
		return err
	}
	c.Log.Info("reviews read", "train", len(train), "test", len(test), "skipped", skipped, "split", testSource == source)
	return nil
}
