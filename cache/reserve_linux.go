package cache

import (
	"os"

	"golang.org/x/sys/unix"
)

// reserve has the file system keep room for n bytes at the end of f, which is at
// off, without making f longer. Where that fails, writing is what tells.
func reserve(f *os.File, off, n int64) {
	if n <= 0 {
		return
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n); err != nil {
		_ = f.Truncate(off) // gives back what was found of it
	}
}
