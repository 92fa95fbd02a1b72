package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// contained refuses outputs of a stage that lie behind a symbolic link out of
// the project: clearing and restoring them would delete and write files that
// are none of the project's. It is asked when a stage is about to do either,
// since stages before it may have made the link.
func (e *Engine) contained(n *node) error {
	for _, o := range n.Outs {
		if o.URL || !inside(o.Path) && (!o.Cache || n.IsData()) {
			continue // where it is declared to be
		}
		if err := e.containedPath(o.Path); err != nil {
			return err
		}
	}
	return nil
}

// containedPath is contained for one resolved path. What the path itself is
// does not matter: a link that is an output is replaced, never followed.
func (e *Engine) containedPath(path string) error {
	if !inside(path) {
		return outsideError(path)
	}
	dir := filepath.Dir(e.abs(path))
	for ; ; dir = filepath.Dir(dir) {
		if dir == e.opt.Project.Root || dir == filepath.Dir(dir) {
			return nil
		}
		fi, err := os.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("output '%s': %w", e.show(path), err)
		}
		if fi.Mode()&os.ModeSymlink != 0 {
			break
		}
	}
	target, err := filepath.EvalSymlinks(filepath.Dir(e.abs(path)))
	if err != nil {
		// Something on the way is broken or absent: judge the link itself.
		if target, err = filepath.EvalSymlinks(dir); err != nil {
			return fmt.Errorf("output '%s': %w", e.show(path), err)
		}
	}
	root, err := filepath.EvalSymlinks(e.opt.Project.Root)
	if err != nil {
		return fmt.Errorf("output '%s': %w", e.show(path), err)
	}
	if rel, err := filepath.Rel(root, target); err == nil && filepath.IsLocal(rel) {
		return nil
	}
	link, _ := e.opt.Project.Rel(dir)
	return hintError{
		fmt.Errorf("output '%s' is outside of the project: '%s' is a symbolic link to '%s'", e.show(path), e.show(link), target),
		"to keep data on another disk, make the directory a mount, or move the cache there with `flow cache dir`",
	}
}

// outsideError refuses an output that is declared to be out of the project.
func outsideError(def string) error {
	return hintError{
		fmt.Errorf("saving output '%s' outside of the project is not supported", def),
		"declare it with `cache: false`, or write it inside the project",
	}
}

// moveAside renames a file or directory, or copies it where the two names are
// on different file systems, as below a mounted directory.
func moveAside(from, to string) error {
	err := os.Rename(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fi, serr := os.Lstat(from)
	if serr != nil {
		return serr
	}
	switch {
	case fi.IsDir():
		serr = os.CopyFS(to, os.DirFS(from))
	case fi.Mode().IsRegular():
		serr = copyFile(from, to, fi.Mode().Perm())
	default:
		return err
	}
	if serr != nil {
		return errors.Join(err, serr)
	}
	return os.RemoveAll(from)
}

func copyFile(from, to string, mode fs.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // only read
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
