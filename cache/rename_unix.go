//go:build !windows

package cache

import (
	"errors"
	"os"
	"syscall"
)

// replace renames from to to, whatever is there.
func replace(from, to string) error { return os.Rename(from, to) }

// crossDevice reports whether a rename failed because its names are on two
// file systems, or on two mounts of one.
func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }
