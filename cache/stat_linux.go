package cache

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileStat is what the walk needs to know of a file.
type fileStat struct {
	key  FileInfoKey
	mode fs.FileMode // type and permission bits
	// names is the number of the file's hard links; 0 when not known.
	names uint64
}

// statPath is os.Stat or os.Lstat without what they allocate: a walk does it
// for every file.
func statPath(path string, follow bool) (fileStat, error) {
	var st unix.Stat_t
	op, flag := "lstat", unix.AT_SYMLINK_NOFOLLOW
	if follow {
		op, flag = "stat", 0
	}
	_, err := retry(func() (int, error) { return 0, unix.Fstatat(unix.AT_FDCWD, path, &st, flag) })
	if err != nil {
		return fileStat{}, &fs.PathError{Op: op, Path: path, Err: err}
	}
	return fileStatOf(&st), nil
}

func fileStatOf(st *unix.Stat_t) fileStat {
	return fileStat{
		key:   FileInfoKey{st.Size, st.Mtim.Nano(), st.Ctim.Nano(), st.Ino},
		mode:  fileMode(st.Mode),
		names: uint64(st.Nlink), //nolint:unconvert // its width depends on the architecture
	}
}

func fileMode(raw uint32) fs.FileMode {
	mode := fs.FileMode(raw & 0o777)
	switch raw & syscall.S_IFMT {
	case syscall.S_IFREG:
	case syscall.S_IFDIR:
		mode |= fs.ModeDir
	case syscall.S_IFLNK:
		mode |= fs.ModeSymlink
	case syscall.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case syscall.S_IFSOCK:
		mode |= fs.ModeSocket
	case syscall.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case syscall.S_IFBLK:
		mode |= fs.ModeDevice
	default:
		mode |= fs.ModeIrregular
	}
	return mode
}
