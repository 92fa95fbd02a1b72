//go:build !windows

package cache

import (
	"errors"
	"os"
	"syscall"
)

// execMatters tells whether files have execute bits on this system.
const execMatters = true

// sameDevice reports whether a file can be renamed from one directory to the
// other.
func sameDevice(a, b string) bool {
	dev := func(path string) (uint64, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(st.Dev), true //nolint:unconvert // its width depends on the system
	}
	da, oka := dev(a)
	db, okb := dev(b)
	return oka && okb && da == db
}

// crossDevice reports whether a rename failed because its names are on two
// file systems, or on two mounts of one.
func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }
