//go:build !unix

package cache

import "os"

// mapFile is not available: files are read.
func mapFile(*os.File, int64, int64) (data []byte, unmap func(), err error) {
	return nil, nil, errUnsupported
}
