package builtin

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
)

type ingestParams struct {
	Source  string `param:"source,required"`
	Format  string `param:"format"`
	Quoting string `param:"quoting"`
	Columns struct {
		Text  string `param:"text"`
		Label string `param:"label"`
	} `param:"columns"`
	Labels   map[string]int `param:"labels"`
	Checksum string         `param:"checksum"`
	Table    string         `param:"table"`
	Query    string         `param:"query"`
	// BadRows says what becomes of rows that cannot be read: "skip" or "fail".
	BadRows string `param:"bad_rows"`

	TestSource   string `param:"test_source"`
	TestChecksum string `param:"test_checksum"`
	TestTable    string `param:"test_table"`
	TestQuery    string `param:"test_query"`

	TestSize float64 `param:"test_size"`
	Seed     uint64  `param:"seed"`
	Stratify bool    `param:"stratify"`
}

func (p ingestParams) source() dataset.Source {
	return dataset.Source{
		Location: p.Source, Format: p.Format, Quoting: p.Quoting, Text: p.Columns.Text, Label: p.Columns.Label,
		Labels: p.Labels, Checksum: p.Checksum, Table: p.Table, Query: p.Query, Strict: p.BadRows == "fail",
	}
}

// testSource describes the test data. ok is false when they are to come out of
// the source itself.
func (p ingestParams) testSource() (s dataset.Source, ok bool) {
	s = p.source()
	same := p.TestSource == "" || p.TestSource == p.Source
	if same && p.TestTable == "" && p.TestQuery == "" {
		return s, false
	}
	if !same {
		s.Location, s.Checksum = p.TestSource, p.TestChecksum
	}
	if p.TestTable != "" || p.TestQuery != "" {
		s.Table, s.Query = p.TestTable, p.TestQuery
	}
	s.Part = "test"
	return s, true
}

// ingest reads the source. Without test data of its own, it takes the test
// part that the source has, as the IMDB archive does, and else splits.
func ingest(ctx context.Context, c *stages.Call) error {
	p := ingestParams{TestSize: 0.25, Seed: 42, Stratify: true}
	if err := c.Params.Decode("data_ingestion", &p); err != nil {
		return err
	}
	if p.BadRows != "" && p.BadRows != "skip" && p.BadRows != "fail" {
		return &stages.ParamError{Key: "data_ingestion.bad_rows", Msg: fmt.Sprintf("%q: want skip or fail", p.BadRows)}
	}
	dir, err := c.Out("raw")
	if err != nil {
		return err
	}
	testSource, separate := p.testSource()
	train, err := load(ctx, c, p.source())
	if err != nil {
		return err
	}
	rows, test, how := train.Rows, train.Test, "source's own"
	switch {
	case separate:
		set, err := load(ctx, c, testSource)
		if err != nil {
			return err
		}
		test, how = set.Rows, "separate"
	case test == nil:
		if rows, test, err = dataset.Split(rows, p.TestSize, p.Seed, p.Stratify); err != nil {
			return fmt.Errorf("split %s: %w", p.Source, err)
		}
		how = "split"
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return writeReviews(gctx, dir, trainFile, rows) })
	g.Go(func() error { return writeReviews(gctx, dir, testFile, test) })
	if err := g.Wait(); err != nil {
		return err
	}
	c.Log.Info("reviews read", "train", len(rows), "test", len(test), "skipped", train.Stats.Skipped, "bad", train.Stats.Bad, "test data", how)
	return nil
}

// load reads a source: a URL as it stands, a path as a declared dependency.
func load(ctx context.Context, c *stages.Call, s dataset.Source) (*dataset.Set, error) {
	if !dataset.IsURL(s.Location) {
		file, err := c.Dep(s.Location)
		if err != nil {
			return nil, err
		}
		s.Location = file
	}
	set, err := dataset.Load(ctx, s, c.Progress)
	if err != nil {
		return nil, err
	}
	if s.Checksum == "" && set.Checksum != "" {
		c.Log.Warn("the source is not pinned: nothing notices when it changes; set its checksum", "checksum", set.Checksum)
	}
	if left := set.Stats.LeftOut(); left != "" {
		c.Log.Warn(left)
	}
	return set, nil
}
