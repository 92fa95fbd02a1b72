//go:build unix

package plainfile

import (
	"io/fs"
	"os"
	"syscall"
)

// Open is os.OpenFile without the attempt to have the file polled, which costs five
// system calls and cannot succeed for regular files: as much as everything else
// that is done to a small one.
func Open(path string, flag int, perm fs.FileMode) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, flag|syscall.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if err != syscall.EINTR { //nolint:errorlint // a bare errno
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
