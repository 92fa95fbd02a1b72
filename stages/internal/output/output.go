// Package output writes the files of a stage: a reader sees either the whole
// file or none of it.
package output

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File writes a file through a temporary one in the same directory, which it
// makes if needed, and renames it into place once fill has succeeded. When
// fill or a write fails nothing is left behind. The writer is buffered. The
// file is not synced: an output that a crash loses is computed again.
func File(path string, fill func(w io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // outputs are as readable as the umask allows
		return fmt.Errorf("make directory %s: %w", dir, err)
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<18)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
