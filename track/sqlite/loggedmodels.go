package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/flowrepro/flow/track"
)

// StartModel implements track.ModelLogger: this schema keeps models as artifacts
// of their runs.
func (s *Store) StartModel(context.Context, track.Run, string) (track.LoggedModel, error) {
	return track.LoggedModel{}, &track.Error{Op: "log model", Err: track.ErrUnsupported}
}

// FinishModel implements track.ModelLogger.
func (s *Store) FinishModel(context.Context, track.LoggedModel, bool) error {
	return &track.Error{Op: "log model", Err: track.ErrUnsupported}
}

// RunModels implements track.ModelLogger. There are some only when MLflow 3
// wrote to the file.
func (s *Store) RunModels(ctx context.Context, r track.Run) ([]track.LoggedModel, error) {
	return s.selectModels(ctx, "list models of run '"+r.ID+"'", `source_run_id = ?`, r.ID)
}

// LoggedModel implements track.ModelLogger.
func (s *Store) LoggedModel(ctx context.Context, id string) (track.LoggedModel, error) {
	op := "get model '" + id + "'"
	list, err := s.selectModels(ctx, op, `model_id = ?`, id)
	if err == nil && len(list) == 0 {
		err = track.NotFound(op)
	}
	if err != nil {
		return track.LoggedModel{}, err
	}
	return list[0], nil
}

func (s *Store) selectModels(ctx context.Context, op, condition string, args ...any) ([]track.LoggedModel, error) {
	var list []track.LoggedModel
	err := s.read(ctx, op, func(db *sql.DB) error {
		var tables int
		err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'logged_models'`).Scan(&tables)
		if err != nil || tables == 0 {
			return err
		}
		const ready = 2 // of MLflow's states PENDING, READY and UPLOAD_FAILED
		rows, err := db.QueryContext(ctx, fmt.Sprintf(`SELECT model_id, name, artifact_location, coalesce(source_run_id, ''),
			status = %d FROM logged_models WHERE coalesce(lifecycle_stage, 'active') = 'active' AND %s
			ORDER BY creation_timestamp_ms DESC`, ready, condition), args...)
		return collect(rows, err, func(rows *sql.Rows) error {
			var m track.LoggedModel
			err := rows.Scan(&m.ID, &m.Name, &m.Root, &m.RunID, &m.Ready)
			list = append(list, m)
			return err
		})
	})
	return list, err
}
