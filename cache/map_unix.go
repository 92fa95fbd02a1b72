//go:build unix

package cache

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps n bytes of f at off, a multiple of the size of a page.
func mapFile(f *os.File, off, n int64) (data []byte, unmap func(), err error) {
	data, err = unix.Mmap(int(f.Fd()), off, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return data, func() { _ = unix.Munmap(data) }, nil // fails for no mapping of ours
}
