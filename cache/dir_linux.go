package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// openDir is a directory through which its files are looked at, which spares
// the kernel looking up the whole path of each.
type openDir struct{ fd int }

// newOpenDir opens a directory; where it cannot, nil stands for it.
func newOpenDir(path string) *openDir {
	fd, err := openFD(path, unix.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil
	}
	return &openDir{fd}
}

func (d *openDir) close() {
	if d != nil {
		_ = syscall.Close(d.fd) // it was only looked through
	}
}

// stat is os.Lstat of the file with the absolute path abs in d.
func (d *openDir) stat(abs string) (fileStat, error) {
	if d == nil {
		return statPath(abs, false)
	}
	var st unix.Stat_t
	_, err := retry(func() (int, error) {
		return 0, unix.Fstatat(d.fd, filepath.Base(abs), &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return fileStat{}, &fs.PathError{Op: "lstat", Path: abs, Err: err}
	}
	return fileStatOf(&st), nil
}

var direntBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// readDir reads a directory, in no particular order.
func readDir(path string) ([]rawEntry, error) {
	fd, err := openFD(path, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd) //nolint:errcheck // only read
	var list []rawEntry
	buf := direntBuffers.Get().(*[32 << 10]byte)
	defer direntBuffers.Put(buf)
	for {
		n, err := retry(func() (int, error) { return unix.Getdents(fd, buf[:]) })
		if err != nil {
			return nil, &fs.PathError{Op: "readdirent", Path: path, Err: err}
		}
		if n == 0 {
			return list, nil
		}
		if list == nil {
			const typical = 32 // bytes an entry
			list = make([]rawEntry, 0, n/typical+1)
		}
		if list, err = parseDir(list, path, buf[:n]); err != nil {
			return nil, err
		}
	}
}

// parseDir appends the entries in buf, which is as the kernel fills it: inode:8
// offset:8 length:2 type:1 name NUL, of length bytes each. The names are cut from
// one string.
func parseDir(list []rawEntry, dir string, buf []byte) ([]rawEntry, error) {
	const header = 19
	text := string(buf)
	for at := 0; at+header <= len(buf); {
		length := int(binary.NativeEndian.Uint16(buf[at+16:]))
		if length < header || at+length > len(buf) {
			break
		}
		end := bytes.IndexByte(buf[at+header:at+length], 0)
		if end < 0 {
			break
		}
		name := text[at+header : at+header+end]
		known := true
		var typ fs.FileMode
		switch buf[at+18] {
		case syscall.DT_REG:
		case syscall.DT_DIR:
			typ = fs.ModeDir
		case syscall.DT_LNK:
			typ = fs.ModeSymlink
		case syscall.DT_UNKNOWN:
			known = false
		default:
			typ = fs.ModeIrregular // told when it is looked at
		}
		deleted := binary.NativeEndian.Uint64(buf[at:]) == 0
		at += length
		if deleted || name == "." || name == ".." {
			continue
		}
		if !known {
			st, err := statPath(dir+"/"+name, false)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			typ = st.mode.Type()
		}
		list = append(list, rawEntry{name: name, typ: typ})
	}
	return list, nil
}
