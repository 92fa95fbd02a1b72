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
	return fileStat{StatKey(info), info.Mode() & (fs.ModeType | fs.ModePerm)}, nil
}
