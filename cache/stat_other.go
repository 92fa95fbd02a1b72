//go:build !linux

package cache

import (
	"io/fs"
	"os"
)

// fileStat is what the walk needs to know of a file.
type fileStat struct {
	key  FileInfoKey
	mode fs.FileMode // type and permission bits
	// names is the number of the file's hard links; 0 when not known.
	names uint64
}

func statPath(path string, follow bool) (fileStat, error) {
	stat := os.Lstat
	if follow {
		stat = os.Stat
	}
	info, err := stat(path)
	if err != nil {
		return fileStat{}, err
	}
	return fileStat{key: StatKey(info), mode: info.Mode() & (fs.ModeType | fs.ModePerm)}, nil
}
