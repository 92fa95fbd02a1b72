package dir_test

import (
	"path/filepath"
	"testing"

	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/dir"
	"github.com/flowrepro/flow/remote/remotetest"
)

func TestStore(t *testing.T) {
	remotetest.Store(t, func(t *testing.T) remote.Store {
		s, err := dir.New(dir.Options{Path: filepath.Join(t.TempDir(), "not", "there", "yet")})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestSharedStore(t *testing.T) {
	remotetest.Store(t, func(t *testing.T) remote.Store {
		s, err := dir.New(dir.Options{Path: filepath.Join(t.TempDir(), "shared"), Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
