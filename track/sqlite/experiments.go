package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/flowrepro/flow/track"
)

// EnsureExperiment implements track.Runs.
func (s *Store) EnsureExperiment(ctx context.Context, name string) (track.Experiment, error) {
	op := "create experiment '" + name + "'"
	var e track.Experiment
	if name == "" || utf8.RuneCountInString(name) > track.MaxExperiment {
		return e, track.Invalid(op, "the name is empty or has more than %d characters", track.MaxExperiment)
	}
	err := s.write(ctx, op, func(tx *sql.Tx) error {
		var err error
		e, err = experimentByName(ctx, tx, name)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(experiment_id), 0) + 1 FROM experiments`).Scan(&id); err != nil {
			return err
		}
		now := s.now().UnixMilli()
		e = track.Experiment{ID: strconv.FormatInt(id, 10), Name: name, ArtifactRoot: fmt.Sprintf("%s/%d", artifactDir, id)}
		_, err = tx.ExecContext(ctx, `INSERT INTO experiments
			(experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
			VALUES (?, ?, ?, 'active', ?, ?)`, id, name, e.ArtifactRoot, now, now)
		return err
	})
	if err == nil && e.Deleted {
		return e, &track.Error{Op: op, Err: fmt.Errorf("%w: an experiment of that name was deleted", track.ErrInvalid),
			Advice: "restore it with: mlflow experiments restore -x " + e.ID}
	}
	return e, err
}

func experimentByName(ctx context.Context, q querier, name string) (track.Experiment, error) {
	return scanExperiment(q.QueryRowContext(ctx, `SELECT experiment_id, name, coalesce(artifact_location, ''),
		coalesce(lifecycle_stage, 'active') FROM experiments WHERE name = ?`, name))
}

func scanExperiment(row interface{ Scan(...any) error }) (track.Experiment, error) {
	var e track.Experiment
	var id int64
	var stage string
	err := row.Scan(&id, &e.Name, &e.ArtifactRoot, &stage)
	e.ID, e.Deleted = strconv.FormatInt(id, 10), stage == "deleted"
	return e, err
}

// Experiments implements track.Runs.
func (s *Store) Experiments(ctx context.Context) ([]track.Experiment, error) {
	var list []track.Experiment
	err := s.read(ctx, "list experiments", func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT experiment_id, name, coalesce(artifact_location, ''), lifecycle_stage
			FROM experiments WHERE coalesce(lifecycle_stage, 'active') = 'active' ORDER BY experiment_id`)
		return collect(rows, err, func(rows *sql.Rows) error {
			e, err := scanExperiment(rows)
			list = append(list, e)
			return err
		})
	})
	return list, err
}

// collect calls f for each row and closes them.
func collect(rows *sql.Rows, err error, f func(rows *sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
