package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/sqlite"
	"github.com/flowrepro/flow/track/tracktest"
)

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(sqlite.Options{File: filepath.Join(dir, sqlite.FileName)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	dir := t.TempDir()
	tracktest.Run(t, tracktest.Options{Open: func(t *testing.T) track.Store { return open(t, dir) }})
}
