package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/sqlite"
)

// Looking does not make a file.
func TestLazy(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ctx := t.Context()
	if list, err := s.Models(ctx); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := s.Run(ctx, "x"); !errors.Is(err, track.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("made %v", entries)
	}
	// A file that another process makes meanwhile is seen.
	other := open(t, dir)
	if err := other.EnsureModel(ctx, "m", ""); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Models(ctx); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || entries[0].Name() != sqlite.FileName {
		t.Errorf("made %v", entries)
	}
	if !strings.HasPrefix(s.Location(), "sqlite:///") {
		t.Errorf("it is at %s", s.Location())
	}
}

func TestStrangeFiles(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		fill func(file string) error
		want string
	}{
		"no database": {func(file string) error { return os.WriteFile(file, []byte(strings.Repeat("no database ", 100)), 0o666) }, "damaged"},
		"another schema": {func(file string) error {
			db, err := sql.Open("sqlite", file)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.ExecContext(ctx, "CREATE TABLE runs (run_uuid TEXT)")
			return err
		}, "not a store of MLflow"},
		"a directory": {func(file string) error { return os.Mkdir(file, 0o777) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.fill(filepath.Join(dir, sqlite.FileName)); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			_, err := s.EnsureExperiment(ctx, "e")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
			if _, err := s.Models(ctx); err == nil {
				t.Error("it was read")
			}
			var h interface{ Hint() string }
			if c.want == "not a store of MLflow" && (!errors.As(err, &h) || !strings.Contains(h.Hint(), "mlflow db upgrade")) {
				t.Errorf("no advice in %v", err)
			}
		})
	}
	// An empty file is what a process that was killed leaves.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, sqlite.FileName), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).EnsureModel(ctx, "m", ""); err != nil {
		t.Error(err)
	}
}

// SQLAlchemy reads constraints from the stored text by regular expressions.
func TestOneClauseALine(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).EnsureModel(t.Context(), "m", ""); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT name, sql FROM sqlite_master WHERE type = 'table'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables := 0
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		tables++
		for _, line := range strings.Split(text, "\n") {
			if clauses := strings.Count(line, "CONSTRAINT") + strings.Count(line, "UNIQUE"); clauses > 1 {
				t.Errorf("table %s has %d clauses in the line %q", name, clauses, line)
			}
		}
		if strings.Count(text, "\n") < 2 {
			t.Errorf("table %s is on one line", name)
		}
	}
	if tables != 16 || rows.Err() != nil {
		t.Errorf("%d tables, %v", tables, rows.Err())
	}
	var revision string
	if err := db.QueryRowContext(t.Context(), "SELECT version_num FROM alembic_version").Scan(&revision); err != nil || revision != "acf3f17fdcc7" {
		t.Errorf("revision %s, %v", revision, err)
	}
}

// A link in the artifacts leads nowhere else.
func TestLinksStayInside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := open(t, dir)
	ctx := t.Context()
	e, err := s.EnsureExperiment(ctx, "e")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.CreateRun(ctx, track.NewRun{ExperimentID: e.ID, Name: "r", Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	root, ok := s.LocalDir(r.ArtifactURI)
	if !ok || !strings.HasPrefix(root, dir) {
		t.Fatalf("artifacts are in %q", root)
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := s.PutArtifact(ctx, r.ArtifactURI, "link/x", strings.NewReader("x"), 1); !errors.Is(err, track.ErrInvalid) {
		t.Errorf("wrote through a link: %v", err)
	}
	if _, err := s.OpenArtifact(ctx, r.ArtifactURI, "link/x"); !errors.Is(err, track.ErrInvalid) {
		t.Errorf("read through a link: %v", err)
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("left %v outside", entries)
	}
}
