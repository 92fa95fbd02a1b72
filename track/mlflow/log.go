package mlflow

import (
	"context"
	"encoding/json"

	"github.com/flowrepro/flow/track"
)

// The limits of one request of log-batch.
const (
	batchEntries = 1000
	batchPairs   = 100
	batchBytes   = 900_000 // of 1,000,000, with room for what is around
)

// Log implements track.Runs, in as many requests as the limits ask for. When one
// fails, earlier ones have been logged; logging the same again completes it.
func (s *Store) Log(ctx context.Context, id string, b track.Batch) error {
	op := "log to run '" + id + "'"
	if err := track.CheckBatch(op, b); err != nil {
		return err
	}
	c := chunks{run: id, send: func(body any) error { return s.post(ctx, op, "runs/log-batch", body, nil) }}
	seen := map[string]bool{}
	for _, p := range b.Params {
		if seen[p.Key] {
			continue // a batch must not have a key twice
		}
		seen[p.Key] = true
		if err := c.add(op, &c.Params, wirePair(p)); err != nil {
			return err
		}
	}
	for _, t := range track.UniqueTags(b.Tags) {
		if err := c.add(op, &c.Tags, wirePair(t)); err != nil {
			return err
		}
	}
	for _, m := range b.Metrics {
		w := wireMetric{m.Key, number(m.Value), integer(m.Time.UnixMilli()), integer(m.Step)}
		if err := c.add(op, &c.Metrics, w); err != nil {
			return err
		}
	}
	return c.flush()
}

// chunks collects entries and sends them before a limit is reached.
type chunks struct {
	run                   string
	send                  func(body any) error
	Params, Tags, Metrics []json.RawMessage
	bytes                 int
}

func (c *chunks) add(op string, list *[]json.RawMessage, entry any) error {
	data, err := json.Marshal(entry)
	if err != nil {
		return &track.Error{Op: op, Err: err}
	}
	entries := len(c.Params) + len(c.Tags) + len(c.Metrics)
	pairsFull := list != &c.Metrics && len(*list) >= batchPairs
	if pairsFull || entries >= batchEntries || c.bytes+len(data) > batchBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}
	*list = append(*list, data)
	c.bytes += len(data) + 1
	return nil
}

func (c *chunks) flush() error {
	if len(c.Params)+len(c.Tags)+len(c.Metrics) == 0 {
		return nil
	}
	body := object{"run_id": c.run}
	for name, list := range map[string][]json.RawMessage{"params": c.Params, "tags": c.Tags, "metrics": c.Metrics} {
		if len(list) > 0 {
			body[name] = list
		}
	}
	c.Params, c.Tags, c.Metrics, c.bytes = nil, nil, nil, 0
	return c.send(body)
}

// LogInputs implements track.Runs.
func (s *Store) LogInputs(ctx context.Context, id string, inputs []track.Dataset) error {
	op := "log inputs of run '" + id + "'"
	list := []wireInput{}
	for _, d := range inputs {
		if err := track.CheckDataset(op, d); err != nil {
			return err
		}
		in := wireInput{Tags: []wirePair{}, Dataset: wireDataset{d.Name, d.Digest, d.SourceType, d.Source}}
		if d.Context != "" {
			in.Tags = append(in.Tags, wirePair{track.DatasetContext, d.Context})
		}
		list = append(list, in)
	}
	return s.post(ctx, op, "runs/log-inputs", object{"run_id": id, "datasets": list}, nil)
}
