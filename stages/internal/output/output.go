package output

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// File writes a file through a temporary one in the same directory, which it
// makes if needed, and renames it into place once fill has succeeded. When
// fill or a write fails nothing is left behind. The writer is buffered. The
// file is not synced: an output that a crash loses is computed again.
func File(path string, fill func(w io.Writer) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // outputs are as readable as the umask allows
		return fmt.Errorf("make directory %s: %w", dir, err)
	}
	var failed error // of fill, which says itself what it did
	err := atomicfile.Create(path, 0o666, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<18)
		if failed = fill(w); failed != nil {
			return failed
		}
		return w.Flush()
	})
	if err != nil && failed == nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return err
}
