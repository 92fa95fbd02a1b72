//go:build unix

package model

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file into memory, for good.
func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE) //nolint:gosec // a descriptor is an int
}
