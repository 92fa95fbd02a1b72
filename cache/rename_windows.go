package cache

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// replace renames from to to, whatever is there. Windows does not replace a
// read-only file.
func replace(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		return nil
	}
	if info, serr := os.Lstat(to); serr != nil || info.Mode().Perm()&0o200 != 0 {
		return err
	}
	if cerr := os.Chmod(to, 0o666); cerr != nil {
		return err
	}
	return os.Rename(from, to)
}

// crossDevice reports whether a rename failed because its names are on two
// volumes.
func crossDevice(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }
