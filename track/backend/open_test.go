package backend_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/backend"
	"github.com/flowrepro/flow/track/mlflow"
	"github.com/flowrepro/flow/track/sqlite"
)

func TestOpen(t *testing.T) {
	root := t.TempDir()
	for _, c := range []struct{ option, env, want string }{
		{"", "", filepath.Join(root, "mlflow.db")},
		{"", "sqlite:///other.db", filepath.Join(root, "other.db")},
		{"sqlite:///sub/x.db", "http://host", filepath.Join(root, "sub", "x.db")},
		{"", "https://user:secret@host/some/path.mlflow/", "https://host/some/path.mlflow"},
		{"http://host:5000", "https://other", "http://host:5000"},
	} {
		s, err := backend.Open(backend.Options{Root: root, URI: c.option, Getenv: func(name string) string {
			return map[string]string{"MLFLOW_TRACKING_URI": c.env, "HOME": root}[name]
		}})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		got := s.Location()
		if own, ok := s.(*sqlite.Store); ok {
			got = own.File()
		} else if _, ok := s.(*mlflow.Store); !ok {
			t.Errorf("%+v: a %T", c, s)
		}
		if got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
	for _, uri := range []string{"postgresql://user:secret@host/db", "databricks", "file:///x", "sqlite://", "sqlite:///", "ftp://user:secret@x"} {
		_, err := backend.Open(backend.Options{Root: root, URI: uri, Getenv: func(string) string { return "" }})
		if !errors.Is(err, track.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}
