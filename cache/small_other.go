//go:build !linux

package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/flowrepro/flow/internal/plainfile"
)

// readSmall reads the file at path, which is taken to be shorter than buf, and
// returns how much there was and what it is.
func readSmall(path string, buf []byte) (int, fileStat, error) {
	f, err := plainfile.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, fileStat{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fileStat{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, fileStat{}, err
	}
	return n, fileStat{key: StatKey(info), mode: info.Mode() & (fs.ModeType | fs.ModePerm)}, nil
}

// writeSmall makes the new file path of data, with the mode less the umask, and
// returns what it is then when that is asked for. On error there is none.
func writeSmall(path string, data []byte, mode fs.FileMode, look bool) (st fileStat, err error) {
	f, err := plainfile.Open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return st, err
	}
	_, err = f.Write(data)
	if err == nil && look {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			st = fileStat{key: StatKey(info), mode: info.Mode() & (fs.ModeType | fs.ModePerm)}
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path) // the first error is the one to tell
	}
	return st, err
}
