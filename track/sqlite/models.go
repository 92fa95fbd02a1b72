package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/flowrepro/flow/track"
)

// EnsureModel implements track.Registry.
func (s *Store) EnsureModel(ctx context.Context, name, description string) error {
	op := "create registered model '" + name + "'"
	if err := track.CheckModelName(op, name); err != nil {
		return err
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		err := modelExists(ctx, tx, name)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		now := s.now().UnixMilli()
		_, err = tx.ExecContext(ctx, `INSERT INTO registered_models (name, creation_time, last_updated_time, description)
			VALUES (?, ?, ?, ?)`, name, now, now, description)
		return err
	})
}

func modelExists(ctx context.Context, q querier, name string) error {
	var found string
	return q.QueryRowContext(ctx, `SELECT name FROM registered_models WHERE name = ?`, name).Scan(&found)
}

// touch sets the time of a model's last change; it fails when there is none.
func (s *Store) touch(ctx context.Context, tx *sql.Tx, name string) error {
	return one(tx.ExecContext(ctx, `UPDATE registered_models SET last_updated_time = ? WHERE name = ?`, s.now().UnixMilli(), name))
}

// Model implements track.Registry.
func (s *Store) Model(ctx context.Context, name string) (track.Model, error) {
	op := "get registered model '" + name + "'"
	list, err := s.models(ctx, op, `WHERE name = ?`, name)
	if err == nil && len(list) == 0 {
		err = track.NotFound(op)
	}
	if err != nil {
		return track.Model{}, err
	}
	return list[0], nil
}

// Models implements track.Registry.
func (s *Store) Models(ctx context.Context) ([]track.Model, error) {
	return s.models(ctx, "list registered models", ``)
}

func (s *Store) models(ctx context.Context, op, condition string, args ...any) ([]track.Model, error) {
	var list []track.Model
	err := s.read(ctx, op, func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, `SELECT name, coalesce(creation_time, 0), coalesce(last_updated_time, 0),
			coalesce(description, '') FROM registered_models `+condition+` ORDER BY name`, args...)
		err = collect(rows, err, func(rows *sql.Rows) error {
			m := track.Model{Tags: map[string]string{}, Aliases: map[string]int{}}
			var created, updated int64
			err := rows.Scan(&m.Name, &created, &updated, &m.Description)
			m.Created, m.Updated = fromMillis(created), fromMillis(updated)
			list = append(list, m)
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range list {
			rows, err := db.QueryContext(ctx, `SELECT "key", coalesce(value, '') FROM registered_model_tags WHERE name = ?`, m.Name)
			err = collect(rows, err, func(rows *sql.Rows) error {
				var key, value string
				err := rows.Scan(&key, &value)
				m.Tags[key] = value
				return err
			})
			if err != nil {
				return err
			}
			rows, err = db.QueryContext(ctx, `SELECT alias, version FROM registered_model_aliases WHERE name = ?`, m.Name)
			err = collect(rows, err, func(rows *sql.Rows) error {
				var alias string
				var version int
				err := rows.Scan(&alias, &version)
				m.Aliases[alias] = version
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// SetModelTag implements track.Registry.
func (s *Store) SetModelTag(ctx context.Context, name string, tag track.Pair) error {
	op := "tag registered model '" + name + "'"
	if err := track.CheckRegistryTag(op, tag); err != nil {
		return err
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		if err := s.touch(ctx, tx, name); err != nil {
			return err
		}
		err := one(tx.ExecContext(ctx, `UPDATE registered_model_tags SET value = ? WHERE name = ? AND "key" = ?`, tag.Value, name, tag.Key))
		if errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, `INSERT INTO registered_model_tags ("key", value, name) VALUES (?, ?, ?)`, tag.Key, tag.Value, name)
		}
		return err
	})
}

// SetAlias implements track.Registry.
func (s *Store) SetAlias(ctx context.Context, name, alias string, version int) error {
	op := "set alias '" + alias + "' of model '" + name + "'"
	if err := track.CheckAlias(op, alias); err != nil {
		return err
	}
	return s.write(ctx, op, func(tx *sql.Tx) error {
		if err := versionExists(ctx, tx, name, version); err != nil {
			return err
		}
		if err := setAlias(ctx, tx, name, alias, version); err != nil {
			return err
		}
		return s.touch(ctx, tx, name)
	})
}

func setAlias(ctx context.Context, tx *sql.Tx, name, alias string, version int) error {
	err := one(tx.ExecContext(ctx, `UPDATE registered_model_aliases SET version = ? WHERE name = ? AND alias = ?`, version, name, alias))
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO registered_model_aliases (alias, version, name) VALUES (?, ?, ?)`, alias, version, name)
	}
	return err
}

// DeleteAlias implements track.Registry.
func (s *Store) DeleteAlias(ctx context.Context, name, alias string) error {
	return s.write(ctx, "delete alias '"+alias+"' of model '"+name+"'", func(tx *sql.Tx) error {
		if err := s.touch(ctx, tx, name); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM registered_model_aliases WHERE name = ? AND alias = ?`, name, alias)
		return err
	})
}
