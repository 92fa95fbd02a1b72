package cache

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// execMatters tells whether files have execute bits on this system.
const execMatters = false

// sameDevice reports whether a file can be renamed from one directory to the
// other.
func sameDevice(a, b string) bool { return filepath.VolumeName(a) == filepath.VolumeName(b) }

// crossDevice reports whether a rename failed because its names are on two
// volumes.
func crossDevice(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }
