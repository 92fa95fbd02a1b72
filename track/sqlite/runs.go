package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

// CreateRun implements track.Runs. A run with a key has an id that is made of
// the experiment's name and the key, and so the same in every store.
func (s *Store) CreateRun(ctx context.Context, r track.NewRun) (track.Run, error) {
	op := "create run '" + r.Name + "'"
	tags := append([]track.Pair(nil), r.Tags...)
	if r.Key != "" {
		tags = append(tags, track.Pair{Key: track.TagKey, Value: r.Key})
	}
	if r.Name != "" {
		tags = append(tags, track.Pair{Key: track.TagRunName, Value: r.Name})
	}
	if err := track.CheckBatch(op, track.Batch{Tags: tags}); err != nil {
		return track.Run{}, err
	}
	experiment, err := strconv.ParseInt(r.ExperimentID, 10, 64)
	if err != nil {
		return track.Run{}, track.NotFound("get experiment '" + r.ExperimentID + "'")
	}
	if r.Start.IsZero() {
		r.Start = s.now()
	}
	var id string
	err = s.write(ctx, op, func(tx *sql.Tx) error {
		e, err := scanExperiment(tx.QueryRowContext(ctx, `SELECT experiment_id, name, coalesce(artifact_location, ''),
			coalesce(lifecycle_stage, 'active') FROM experiments WHERE experiment_id = ?`, experiment))
		if err != nil {
			return err
		}
		if r.Key != "" {
			err := tx.QueryRowContext(ctx, `SELECT r.run_uuid FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
				WHERE r.experiment_id = ? AND r.lifecycle_stage = 'active' AND t."key" = ? AND t.value = ?`,
				experiment, track.TagKey, r.Key).Scan(&id)
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if id, err = freeID(ctx, tx, e.Name, r.Key); err != nil {
			return err
		}
		root := e.ArtifactRoot
		if _, ok := s.LocalDir(root); !ok { // a server's own; this process could not write there
			root = artifactDir + "/" + e.ID
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO runs
			(run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
			source_version, lifecycle_stage, artifact_uri, experiment_id, deleted_time)
			VALUES (?, ?, 'UNKNOWN', '', '', ?, ?, ?, NULL, '', 'active', ?, ?, NULL)`,
			id, r.Name, r.User, string(track.Running), r.Start.UnixMilli(), track.JoinRoot(root, id+"/artifacts"), experiment)
		if err != nil {
			return err
		}
		return setTags(ctx, tx, id, tags)
	})
	if err != nil {
		return track.Run{}, err
	}
	return s.Run(ctx, id)
}

// freeID returns a run id that is not taken. A deleted run keeps its own.
func freeID(ctx context.Context, tx *sql.Tx, experiment, key string) (string, error) {
	for n := 0; ; n++ {
		id := rand.Text() // 130 bits
		if key != "" {
			id = fmt.Sprintf("flow run\x00%s\x00%s\x00%d", experiment, key, n)
		}
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:16])
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM runs WHERE run_uuid = ?`, id).Scan(&taken); err != nil || taken == 0 {
			return id, err
		}
	}
}

// Run implements track.Runs.
func (s *Store) Run(ctx context.Context, id string) (track.Run, error) {
	op := "get run '" + id + "'"
	var r track.Run
	err := s.read(ctx, op, func(db *sql.DB) error {
		list, err := selectRuns(ctx, db, `WHERE run_uuid = ?`, id)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return track.NotFound(op)
		}
		r = list[0]
		return nil
	})
	return r, err
}

// SearchRuns implements track.Runs.
func (s *Store) SearchRuns(ctx context.Context, q track.Query) ([]track.Run, error) {
	where := []string{`lifecycle_stage = 'active'`}
	var args []any
	if q.ExperimentIDs != nil {
		where = append(where, `experiment_id IN (`+marks(len(q.ExperimentIDs))+`)`)
		for _, id := range q.ExperimentIDs {
			args = append(args, id)
		}
	}
	for k, v := range q.Tags {
		where = append(where, `EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = runs.run_uuid AND t."key" = ? AND t.value = ?)`)
		args = append(args, k, v)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = -1
	}
	args = append(args, limit)
	var list []track.Run
	err := s.read(ctx, "search runs", func(db *sql.DB) (err error) {
		list, err = selectRuns(ctx, db, `WHERE `+strings.Join(where, ` AND `)+` ORDER BY start_time DESC, run_uuid LIMIT ?`, args...)
		return err
	})
	return list, err
}

// marks returns n placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// selectRuns reads runs and all that was logged to them.
func selectRuns(ctx context.Context, q querier, condition string, args ...any) ([]track.Run, error) {
	var list []track.Run
	index := map[string]int{}
	rows, err := q.QueryContext(ctx, `SELECT run_uuid, coalesce(experiment_id, 0), coalesce(name, ''), coalesce(status, ''),
		coalesce(start_time, 0), coalesce(end_time, 0), coalesce(user_id, ''), coalesce(artifact_uri, ''),
		coalesce(lifecycle_stage, 'active') FROM runs `+condition, args...)
	err = collect(rows, err, func(rows *sql.Rows) error {
		r := track.Run{Metrics: map[string]track.Metric{}, Params: map[string]string{}, Tags: map[string]string{}}
		var experiment, start, end int64
		var status, stage string
		err := rows.Scan(&r.ID, &experiment, &r.Name, &status, &start, &end, &r.User, &r.ArtifactURI, &stage)
		r.ExperimentID, r.Status = strconv.FormatInt(experiment, 10), track.Status(status)
		r.Start, r.End, r.Deleted = fromMillis(start), fromMillis(end), stage == "deleted"
		index[r.ID] = len(list)
		list = append(list, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	const chunk = 500 // below SQLite's number of variables
	for from := 0; from < len(list); from += chunk {
		if err := fill(ctx, q, list[from:min(from+chunk, len(list))]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// fromMillis is the time of a column, in which 0 stands for none.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// EndRun implements track.Runs.
func (s *Store) EndRun(ctx context.Context, id string, status track.Status, at time.Time) error {
	op := "end run '" + id + "'"
	if !status.Valid() {
		return track.Invalid(op, "'%s' is not a state of a run", status)
	}
	end := sql.NullInt64{Int64: at.UnixMilli(), Valid: status != track.Running && status != track.Scheduled}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `UPDATE runs SET status = ?, end_time = ?
			WHERE run_uuid = ? AND lifecycle_stage = 'active'`, string(status), end, id))
	})
}

// DeleteRun implements track.Runs.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.write(ctx, "delete run '"+id+"'", func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ?
			WHERE run_uuid = ? AND lifecycle_stage = 'active'`, s.now().UnixMilli(), id))
	})
}

// one makes a statement that changed no row sql.ErrNoRows.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	return err
}
