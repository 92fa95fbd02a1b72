package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile replaces a file's content at once: readers see the old or the
// new, and after a crash one of them is there. A symbolic link stays one; the
// mode of an existing file is kept.
func replaceFile(path string, data []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	mode, exists := fs.FileMode(0o666), false
	if info, err := os.Stat(path); err == nil {
		mode, exists = info.Mode().Perm(), true
	}
	f, err := createTemp(path, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if exists {
		if err := f.Chmod(mode); err != nil {
			return fmt.Errorf("set mode: %w", err)
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// createTemp makes a file beside path with a mode that respects the umask,
// which os.CreateTemp does not.
func createTemp(path string, mode fs.FileMode) (*os.File, error) {
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s.%d.%d.tmp", path, os.Getpid(), n)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if n < 1000 && errors.Is(err, fs.ErrExist) {
			continue
		}
		return f, err
	}
}
