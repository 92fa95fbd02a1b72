//go:build !windows

package atomicfile

import (
	"os"
	"syscall"
)

// Rename gives a file another name, in place of any file that has it; a directory
// takes the place of an empty one. Unlike os.Rename it does not look at what has the
// name first.
func Rename(from, to string) error {
	for {
		err := syscall.Rename(from, to)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR { //nolint:errorlint // a bare errno
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
