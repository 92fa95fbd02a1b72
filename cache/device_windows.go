package cache

import "path/filepath"

// execMatters tells whether files have execute bits on this system.
const execMatters = false

// sameDevice reports whether a file can be renamed from one directory to the
// other.
func sameDevice(a, b string) bool { return filepath.VolumeName(a) == filepath.VolumeName(b) }
