package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// Prefix begins the name of every temporary file.
const Prefix = ".flow-tmp-"

// Options say how Write writes.
type Options struct {
	// Mode is that of a new file, before the umask; 0 stands for 0666.
	Mode fs.FileMode
	// Sync has the content on disk before the name points to it, and the
	// name before Write returns.
	Sync bool
	// Temp is a directory for the temporary file. Where it is empty, does not
	// exist or is on another file system, the file is made beside its place.
	Temp string
}

// Write replaces the content of the file at path, which is made if it does not
// exist; its directory must. A link that leads nowhere gives way to a file. After
// an error the file is as it was, unless it was the last flush that failed.
func Write(path string, data []byte, o Options) error {
	if o.Mode == 0 {
		o.Mode = 0o666
	}
	keep := false
	switch fi, err := os.Stat(path); {
	case err == nil && !fi.Mode().IsRegular():
		return os.WriteFile(path, data, o.Mode) // a pipe, say: nothing to replace
	case err == nil:
		o.Mode, keep = fi.Mode().Perm(), true
		if path, err = target(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	fill := func(f *os.File) error {
		if _, err := f.Write(data); err != nil {
			return err
		}
		if keep {
			if err := f.Chmod(o.Mode); err != nil { // whatever the umask
				return err
			}
		}
		if o.Sync {
			return f.Sync()
		}
		return nil
	}
	dir := filepath.Dir(path)
	if o.Temp == "" || create(o.Temp, path, o.Mode, fill) != nil {
		if err := create(dir, path, o.Mode, fill); err != nil {
			return err
		}
	}
	if o.Sync {
		return SyncDir(dir)
	}
	return nil
}

// target is the file that path leads to, which exists.
func target(path string) (string, error) {
	if fi, err := os.Lstat(path); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		return path, err
	}
	return filepath.EvalSymlinks(path)
}

// Create makes a file of the content that fill writes, with the mode less the
// umask. When fill or the writing fails, there is no file, or the one that was
// there. The directory must exist. The file is not flushed to disk.
func Create(path string, mode fs.FileMode, fill func(w io.Writer) error) error {
	return create(filepath.Dir(path), path, mode, func(f *os.File) error { return fill(f) })
}

// create makes a temporary file in dir and gives it the name path.
func create(dir, path string, mode fs.FileMode, fill func(f *os.File) error) (err error) {
	f, err := temp(dir, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()           // of no interest any more, and closed already
			_ = os.Remove(f.Name()) // if it was the renaming that failed
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return Rename(f.Name(), path)
}

// attempts bounds the search for a free name, of which the first is free unless
// something is odd about the directory.
const attempts = 100

func temp(dir string, mode fs.FileMode) (*os.File, error) {
	for n := 0; ; n++ {
		name := filepath.Join(dir, Prefix+strconv.FormatUint(rand.Uint64(), 36)) //nolint:gosec // no secret
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) && n < attempts {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("create temporary file: %w", err)
		}
		return f, nil
	}
}
