package atomicfile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Rename gives a file another name, in place of any file that has it. Windows
// replaces neither a read-only file nor one that somebody has open: the first
// is made writable, for the second it waits a moment.
func Rename(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		return nil
	}
	if fi, serr := os.Lstat(to); serr == nil && fi.Mode().IsRegular() && fi.Mode().Perm()&0o200 == 0 {
		if os.Chmod(to, 0o666) != nil {
			return err
		}
		err = os.Rename(from, to)
	}
	for wait := 5 * time.Millisecond; wait < 100*time.Millisecond && busy(err); wait *= 2 {
		time.Sleep(wait)
		err = os.Rename(from, to)
	}
	return err
}

// busy reports whether somebody has the file open, a virus scanner for one.
func busy(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// SyncDir does nothing: Windows has no way to sync a directory, and NTFS
// journals renames.
func SyncDir(string) error { return nil }
