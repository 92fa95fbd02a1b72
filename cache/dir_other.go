//go:build !linux

package cache

import (
	"os"

	"github.com/flowrepro/flow/internal/plainfile"
)

// openDir is a directory through which its files are looked at. Here that is
// done by their paths.
type openDir struct{}

func newOpenDir(string) *openDir { return nil }

func (*openDir) close() {}

// stat is os.Lstat of the file with the absolute path abs in the directory.
func (*openDir) stat(abs string) (fileStat, error) { return statPath(abs, false) }

// readDir reads a directory, in no particular order.
func readDir(path string) ([]rawEntry, error) {
	f, err := plainfile.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	_ = f.Close() // it was only read
	if err != nil {
		return nil, err
	}
	list := make([]rawEntry, len(entries))
	for i, e := range entries {
		list[i] = rawEntry{name: e.Name(), typ: e.Type()}
	}
	return list, nil
}
