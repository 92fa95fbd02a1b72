package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/flowrepro/flow/track"
)

// fill reads metrics, parameters, tags and inputs of runs, which are few enough
// for one statement.
func fill(ctx context.Context, q querier, list []track.Run) error {
	byID := map[string]*track.Run{}
	var ids []any
	for i := range list {
		byID[list[i].ID] = &list[i]
		ids = append(ids, list[i].ID)
	}
	in := ` IN (` + marks(len(ids)) + `)`
	rows, err := q.QueryContext(ctx, `SELECT run_uuid, "key", value, coalesce(timestamp, 0), step, is_nan
		FROM latest_metrics WHERE run_uuid`+in, ids...)
	err = collect(rows, err, func(rows *sql.Rows) error {
		id, m, err := scanMetric(rows)
		if err == nil {
			byID[id].Metrics[m.Key] = m
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, table := range []string{"params", "tags"} {
		rows, err := q.QueryContext(ctx, `SELECT run_uuid, "key", coalesce(value, '') FROM `+table+` WHERE run_uuid`+in, ids...)
		err = collect(rows, err, func(rows *sql.Rows) error {
			var id, key, value string
			if err := rows.Scan(&id, &key, &value); err != nil {
				return err
			}
			if table == "params" {
				byID[id].Params[key] = value
			} else {
				byID[id].Tags[key] = value
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	rows, err = q.QueryContext(ctx, `SELECT i.destination_id, d.name, d.digest, d.dataset_source_type, d.dataset_source,
		coalesce((SELECT t.value FROM input_tags t WHERE t.input_uuid = i.input_uuid AND t.name = '`+track.DatasetContext+`'), '')
		FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
		WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id`+in+` ORDER BY d.name, d.digest`, ids...)
	return collect(rows, err, func(rows *sql.Rows) error {
		var id string
		var d track.Dataset
		if err := rows.Scan(&id, &d.Name, &d.Digest, &d.SourceType, &d.Source, &d.Context); err != nil {
			return err
		}
		byID[id].Inputs = append(byID[id].Inputs, d)
		return nil
	})
}

func scanMetric(rows *sql.Rows) (run string, m track.Metric, err error) {
	var ms int64
	var nan bool
	err = rows.Scan(&run, &m.Key, &m.Value, &ms, &m.Step, &nan)
	m.Time = fromMillis(ms)
	if nan {
		m.Value = math.NaN()
	}
	return run, m, err
}

// Log implements track.Runs, in one transaction.
func (s *Store) Log(ctx context.Context, id string, b track.Batch) error {
	op := "log to run '" + id + "'"
	if err := track.CheckBatch(op, b); err != nil {
		return err
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		if err := active(ctx, tx, op, id); err != nil {
			return err
		}
		for _, p := range b.Params {
			if err := setParam(ctx, tx, op, id, p); err != nil {
				return err
			}
		}
		if err := setTags(ctx, tx, id, b.Tags); err != nil {
			return err
		}
		return addMetrics(ctx, tx, id, b.Metrics)
	})
}

// active fails unless the run exists and is not deleted.
func active(ctx context.Context, tx *sql.Tx, op, id string) error {
	var stage string
	err := tx.QueryRowContext(ctx, `SELECT coalesce(lifecycle_stage, 'active') FROM runs WHERE run_uuid = ?`, id).Scan(&stage)
	if err == nil && stage == "deleted" {
		return track.Invalid(op, "the run is deleted")
	}
	return err
}

func setParam(ctx context.Context, tx *sql.Tx, op, id string, p track.Pair) error {
	var old string
	err := tx.QueryRowContext(ctx, `SELECT value FROM params WHERE run_uuid = ? AND "key" = ?`, id, p.Key).Scan(&old)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.ExecContext(ctx, `INSERT INTO params ("key", value, run_uuid) VALUES (?, ?, ?)`, p.Key, p.Value, id)
	case err == nil && old != p.Value:
		err = track.Invalid(op, "the parameter '%s' is already logged with the value '%s'", p.Key, track.Shorten(old, 60))
	}
	return err
}

func setTags(ctx context.Context, tx *sql.Tx, id string, tags []track.Pair) error {
	for _, t := range tags {
		err := one(tx.ExecContext(ctx, `UPDATE tags SET value = ? WHERE run_uuid = ? AND "key" = ?`, t.Value, id, t.Key))
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `INSERT INTO tags ("key", value, run_uuid) VALUES (?, ?, ?)`, t.Key, t.Value, id)
		}
		if err == nil && t.Key == track.TagRunName {
			_, err = tx.ExecContext(ctx, `UPDATE runs SET name = ? WHERE run_uuid = ?`, t.Value, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addMetrics(ctx context.Context, tx *sql.Tx, id string, list []track.Metric) error {
	if len(list) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO metrics ("key", value, timestamp, run_uuid, step, is_nan)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }() // the transaction ends it anyhow
	latest := map[string]track.Metric{}
	for _, m := range list {
		value, nan := column(m.Value)
		if _, err := insert.ExecContext(ctx, m.Key, value, m.Time.UnixMilli(), id, m.Step, nan); err != nil {
			return err
		}
		if old, ok := latest[m.Key]; !ok || later(m, old) {
			latest[m.Key] = m
		}
	}
	for _, m := range latest {
		if err := setLatest(ctx, tx, id, m); err != nil {
			return err
		}
	}
	return nil
}

// column returns a value as the columns value and is_nan hold it.
func column(v float64) (value float64, nan int) {
	if math.IsNaN(v) {
		return 0, 1
	}
	return track.ClampInfinity(v), 0
}

// later orders the values of one metric: by step, then time, then value.
func later(a, b track.Metric) bool {
	if a.Step != b.Step {
		return a.Step > b.Step
	}
	if x, y := a.Time.UnixMilli(), b.Time.UnixMilli(); x != y {
		return x > y
	}
	x, _ := column(a.Value)
	y, _ := column(b.Value)
	return x > y
}

func setLatest(ctx context.Context, tx *sql.Tx, id string, m track.Metric) error {
	value, nan := column(m.Value)
	rows, err := tx.QueryContext(ctx, `SELECT run_uuid, "key", value, coalesce(timestamp, 0), step, is_nan
		FROM latest_metrics WHERE run_uuid = ? AND "key" = ?`, id, m.Key)
	var old *track.Metric
	err = collect(rows, err, func(rows *sql.Rows) error {
		_, have, err := scanMetric(rows)
		old = &have
		return err
	})
	switch {
	case err != nil:
		return err
	case old == nil:
		_, err = tx.ExecContext(ctx, `INSERT INTO latest_metrics ("key", value, timestamp, step, is_nan, run_uuid)
			VALUES (?, ?, ?, ?, ?, ?)`, m.Key, value, m.Time.UnixMilli(), m.Step, nan, id)
	case later(m, *old):
		_, err = tx.ExecContext(ctx, `UPDATE latest_metrics SET value = ?, timestamp = ?, step = ?, is_nan = ?
			WHERE run_uuid = ? AND "key" = ?`, value, m.Time.UnixMilli(), m.Step, nan, id, m.Key)
	}
	return err
}

// MetricHistory implements track.Runs.
func (s *Store) MetricHistory(ctx context.Context, id, key string) ([]track.Metric, error) {
	var list []track.Metric
	err := s.read(ctx, "get history of metric '"+key+"'", func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT run_uuid, "key", value, timestamp, step, is_nan FROM metrics
			WHERE run_uuid = ? AND "key" = ? ORDER BY timestamp, step, value`, id, key)
		return collect(rows, err, func(rows *sql.Rows) error {
			_, m, err := scanMetric(rows)
			list = append(list, m)
			return err
		})
	})
	return list, err
}
