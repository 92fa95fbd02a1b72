package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"

	"github.com/flowrepro/flow/track"
)

// LogInputs implements track.Runs.
func (s *Store) LogInputs(ctx context.Context, id string, inputs []track.Dataset) error {
	op := "log inputs of run '" + id + "'"
	for _, d := range inputs {
		if err := track.CheckDataset(op, d); err != nil {
			return err
		}
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		if err := active(ctx, tx, op, id); err != nil {
			return err
		}
		var experiment int64
		if err := tx.QueryRowContext(ctx, `SELECT experiment_id FROM runs WHERE run_uuid = ?`, id).Scan(&experiment); err != nil {
			return err
		}
		for _, d := range inputs {
			if err := addInput(ctx, tx, experiment, id, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func addInput(ctx context.Context, tx *sql.Tx, experiment int64, run string, d track.Dataset) error {
	var dataset string
	err := tx.QueryRowContext(ctx, `SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?`,
		experiment, d.Name, d.Digest).Scan(&dataset)
	if errors.Is(err, sql.ErrNoRows) {
		dataset = newID()
		_, err = tx.ExecContext(ctx, `INSERT INTO datasets
			(dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source, dataset_schema, dataset_profile)
			VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)`, dataset, experiment, d.Name, d.Digest, d.SourceType, d.Source)
	}
	if err != nil {
		return err
	}
	var known int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM inputs WHERE source_type = 'DATASET' AND source_id = ?
		AND destination_type = 'RUN' AND destination_id = ?`, dataset, run).Scan(&known)
	if err != nil || known > 0 {
		return err
	}
	input := newID()
	_, err = tx.ExecContext(ctx, `INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
		VALUES (?, 'DATASET', ?, 'RUN', ?)`, input, dataset, run)
	if err != nil || d.Context == "" {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)`,
		input, track.DatasetContext, d.Context)
	return err
}

// newID returns 32 random hex digits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
