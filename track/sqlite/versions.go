package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/flowrepro/flow/track"
)

// deletedStage marks the rows of versions that were deleted. They stay, so that
// their numbers are not given again.
const deletedStage = "Deleted_Internal"

func versionExists(ctx context.Context, q querier, name string, version int) error {
	var n int
	return q.QueryRowContext(ctx, `SELECT version FROM model_versions
		WHERE name = ? AND version = ? AND coalesce(current_stage, '') <> '`+deletedStage+`'`, name, version).Scan(&n)
}

// CreateVersion implements track.Registry.
func (s *Store) CreateVersion(ctx context.Context, v track.NewVersion) (track.Version, error) {
	op := "create version of model '" + v.Name + "'"
	tags := append([]track.Pair(nil), v.Tags...)
	if v.Key != "" {
		tags = append(tags, track.Pair{Key: track.TagKey, Value: v.Key})
	}
	for _, t := range tags {
		if err := track.CheckRegistryTag(op, t); err != nil {
			return track.Version{}, err
		}
	}
	if v.Source == "" {
		return track.Version{}, track.Invalid(op, "it has no source")
	}
	var number int
	err := s.write(ctx, op, func(tx *sql.Tx) error {
		if err := s.touch(ctx, tx, v.Name); err != nil {
			return err
		}
		if v.Key != "" {
			err := tx.QueryRowContext(ctx, `SELECT v.version FROM model_versions v
				JOIN model_version_tags t ON t.name = v.name AND t.version = v.version
				WHERE v.name = ? AND t."key" = ? AND t.value = ? AND coalesce(v.current_stage, '') <> '`+deletedStage+`'`,
				v.Name, track.TagKey, v.Key).Scan(&number)
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE name = ?`, v.Name).Scan(&number)
		if err != nil {
			return err
		}
		now := s.now().UnixMilli()
		_, err = tx.ExecContext(ctx, `INSERT INTO model_versions
			(name, version, creation_time, last_updated_time, description, user_id, current_stage, source, run_id,
			status, status_message, run_link, storage_location)
			VALUES (?, ?, ?, ?, ?, NULL, 'None', ?, ?, 'READY', NULL, '', ?)`,
			v.Name, number, now, now, v.Description, v.Source, v.RunID, v.Source)
		if err != nil {
			return err
		}
		for _, t := range tags {
			if err := setVersionTag(ctx, tx, v.Name, number, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return track.Version{}, err
	}
	return s.Version(ctx, v.Name, number)
}

// Version implements track.Registry.
func (s *Store) Version(ctx context.Context, name string, version int) (track.Version, error) {
	return s.version(ctx, fmt.Sprintf("get version %d of model '%s'", version, name), `name = ? AND version = ?`, name, version)
}

// VersionByAlias implements track.Registry.
func (s *Store) VersionByAlias(ctx context.Context, name, alias string) (track.Version, error) {
	return s.version(ctx, "get alias '"+alias+"' of model '"+name+"'", `name = ? AND version =
		(SELECT a.version FROM registered_model_aliases a WHERE a.name = model_versions.name AND a.alias = ?)`, name, alias)
}

func (s *Store) version(ctx context.Context, op, condition string, args ...any) (track.Version, error) {
	list, err := s.versions(ctx, op, condition, args...)
	if err == nil && len(list) == 0 {
		err = track.NotFound(op)
	}
	if err != nil {
		return track.Version{}, err
	}
	return list[0], nil
}

// Versions implements track.Registry.
func (s *Store) Versions(ctx context.Context, name string) ([]track.Version, error) {
	return s.versions(ctx, "list versions of model '"+name+"'", `name = ?`, name)
}

func (s *Store) versions(ctx context.Context, op, condition string, args ...any) ([]track.Version, error) {
	var list []track.Version
	err := s.read(ctx, op, func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT name, version, coalesce(creation_time, 0), coalesce(last_updated_time, 0),
			coalesce(description, ''), coalesce(current_stage, 'None'), coalesce(source, ''), coalesce(run_id, ''),
			coalesce(status, '') FROM model_versions
			WHERE coalesce(current_stage, '') <> '`+deletedStage+`' AND `+condition+` ORDER BY version DESC`, args...)
		err = collect(rows, err, func(rows *sql.Rows) error {
			v := track.Version{Tags: map[string]string{}}
			var created, updated int64
			err := rows.Scan(&v.Name, &v.Version, &created, &updated, &v.Description, &v.Stage, &v.Source, &v.RunID, &v.Status)
			v.Created, v.Updated = fromMillis(created), fromMillis(updated)
			list = append(list, v)
			return err
		})
		if err != nil || len(list) == 0 {
			return err
		}
		return fillVersions(ctx, db, list)
	})
	return list, err
}

// fillVersions reads tags and aliases of versions of one model.
func fillVersions(ctx context.Context, q querier, list []track.Version) error {
	byNumber := map[int]*track.Version{}
	for i := range list {
		byNumber[list[i].Version] = &list[i]
	}
	// One version is what is polled for; all of them are few.
	only, args := ``, []any{list[0].Name}
	if len(list) == 1 {
		only, args = ` AND version = ?`, append(args, list[0].Version)
	}
	rows, err := q.QueryContext(ctx, `SELECT version, "key", coalesce(value, '') FROM model_version_tags WHERE name = ?`+only, args...)
	err = collect(rows, err, func(rows *sql.Rows) error {
		var n int
		var key, value string
		err := rows.Scan(&n, &key, &value)
		if v := byNumber[n]; v != nil {
			v.Tags[key] = value
		}
		return err
	})
	if err != nil {
		return err
	}
	rows, err = q.QueryContext(ctx, `SELECT version, alias FROM registered_model_aliases WHERE name = ?`+only, args...)
	err = collect(rows, err, func(rows *sql.Rows) error {
		var n int
		var alias string
		err := rows.Scan(&n, &alias)
		if v := byNumber[n]; v != nil {
			v.Aliases = append(v.Aliases, alias)
		}
		return err
	})
	for i := range list {
		sort.Strings(list[i].Aliases)
	}
	return err
}

// VersionSource implements track.Registry.
func (s *Store) VersionSource(ctx context.Context, v track.Version) (string, error) {
	op := fmt.Sprintf("find the files of version %d of model '%s'", v.Version, v.Name)
	root := v.Source
	err := s.read(ctx, op, func(db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT coalesce(nullif(storage_location, ''), source) FROM model_versions
			WHERE name = ? AND version = ?`, v.Name, v.Version).Scan(&root)
	})
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(root, "runs:") && !strings.HasPrefix(root, "models:") {
		return root, nil
	}
	u, err := track.ParseModelURI(root)
	switch {
	case err != nil:
		return "", err
	case u.RunID != "":
		return track.RunArtifactRoot(ctx, s, u.RunID, u.Path)
	case u.ModelID != "":
		m, err := s.LoggedModel(ctx, u.ModelID)
		return m.Root, err
	}
	return "", track.Invalid(op, "its source '%s' is another registered model", root)
}

// Move implements track.Registry, in one transaction.
func (s *Store) Move(ctx context.Context, name string, version int, alias, stage string) error {
	op := fmt.Sprintf("move version %d of model '%s' to '%s'", version, name, stage)
	if err := track.CheckAlias(op, alias); err != nil {
		return err
	}
	stage, ok := track.ParseStage(stage)
	if !ok || stage == track.StageNone || stage == track.StageArchived {
		return track.Invalid(op, "that is not the stage Staging or Production")
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		if err := versionExists(ctx, tx, name, version); err != nil {
			return err
		}
		if err := setAlias(ctx, tx, name, alias, version); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE model_versions SET current_stage = 'Archived', last_updated_time = ?
			WHERE name = ? AND version <> ? AND current_stage = ?`, s.now().UnixMilli(), name, version, stage)
		if err != nil {
			return err
		}
		return s.setStage(ctx, tx, name, version, stage)
	})
}

// SetStage implements track.Registry.
func (s *Store) SetStage(ctx context.Context, name string, version int, stage string) error {
	op := fmt.Sprintf("move version %d of model '%s' to '%s'", version, name, stage)
	stage, ok := track.ParseStage(stage)
	if !ok {
		return track.Invalid(op, "that is not a stage")
	}
	return s.write(ctx, op, func(tx *sql.Tx) error { return s.setStage(ctx, tx, name, version, stage) })
}

func (s *Store) setStage(ctx context.Context, tx *sql.Tx, name string, version int, stage string) error {
	err := one(tx.ExecContext(ctx, `UPDATE model_versions SET current_stage = ?, last_updated_time = ?
		WHERE name = ? AND version = ? AND coalesce(current_stage, '') <> '`+deletedStage+`'`,
		stage, s.now().UnixMilli(), name, version))
	if err != nil {
		return err
	}
	return s.touch(ctx, tx, name)
}

// SetVersionTag implements track.Registry.
func (s *Store) SetVersionTag(ctx context.Context, name string, version int, tag track.Pair) error {
	op := fmt.Sprintf("tag version %d of model '%s'", version, name)
	if err := track.CheckRegistryTag(op, tag); err != nil {
		return err
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		if err := versionExists(ctx, tx, name, version); err != nil {
			return err
		}
		return setVersionTag(ctx, tx, name, version, tag)
	})
}

func setVersionTag(ctx context.Context, tx *sql.Tx, name string, version int, t track.Pair) error {
	err := one(tx.ExecContext(ctx, `UPDATE model_version_tags SET value = ? WHERE name = ? AND version = ? AND "key" = ?`,
		t.Value, name, version, t.Key))
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO model_version_tags ("key", value, name, version) VALUES (?, ?, ?, ?)`,
			t.Key, t.Value, name, version)
	}
	return err
}

// DeleteVersion implements track.Registry. The row stays, emptied, as MLflow
// leaves it.
func (s *Store) DeleteVersion(ctx context.Context, name string, version int) error {
	return s.write(ctx, fmt.Sprintf("delete version %d of model '%s'", version, name), func(tx *sql.Tx) error {
		if err := s.setStage(ctx, tx, name, version, deletedStage); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM registered_model_aliases WHERE name = ? AND version = ?`,
			`DELETE FROM model_version_tags WHERE name = ? AND version = ?`,
			`UPDATE model_versions SET description = NULL, user_id = NULL, source = 'REDACTED-SOURCE-PATH',
				run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK', status_message = NULL, storage_location = NULL
				WHERE name = ? AND version = ?`,
		} {
			if _, err := tx.ExecContext(ctx, statement, name, version); err != nil {
				return err
			}
		}
		return nil
	})
}
