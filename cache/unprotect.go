package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// Unprotect makes the file, or all files of the directory, at the absolute
// path ordinary writable files that share nothing with the store: links are
// replaced by copies with the same modification time and execute bits. A file
// is either the old or the new one at any moment.
func (s *Store) Unprotect(path string) error {
	st, err := statPath(path, false)
	if err != nil {
		return fmt.Errorf("unprotect %s: %w", path, err)
	}
	if st.mode&fs.ModeSymlink != 0 {
		if target, err := statPath(path, true); err == nil && target.mode.IsDir() {
			st = target
		}
	}
	ctx := context.Background()
	items := []item{{abs: path}}
	if st.mode.IsDir() {
		sc := &Scanner{Hash: s.hash, Workers: s.workers}
		if items, err = sc.walk(ctx, path, true); err != nil {
			return fmt.Errorf("unprotect %s: %w", path, err)
		}
	}
	return parallel(ctx, s.workers, len(items), func(_, i int) error {
		if err := s.unprotect(ctx, items[i].abs); err != nil {
			return fmt.Errorf("unprotect %s: %w", items[i].abs, err)
		}
		return nil
	})
}

func (s *Store) unprotect(ctx context.Context, abs string) error {
	info, err := os.Lstat(abs)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		if !s.ours(abs) {
			return nil // the user's own link
		}
	case !mode.IsRegular():
		return nil
	case mode.Perm() != 0o444 && mode.Perm()&0o200 != 0:
		return nil // writable already
	case links(info) <= 1:
		return os.Chmod(abs, mode.Perm()|0o200)
	}
	src, err := os.Open(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link to an object that is %w", ErrNotFound)
	}
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // only read
	target, err := src.Stat()
	if err != nil {
		return err
	}
	var known Digest
	if st, err := statPath(abs, true); err == nil {
		known, _ = s.memo.Lookup(s.hash, abs, st.key)
	}
	exec := target.Mode()&0o111 != 0
	clone := func(f *os.File) error {
		if s.usable(Reflink) && reflink(f, src) == nil {
			return nil
		}
		return copyAll(ctx, f, src)
	}
	err = s.staged(filepath.Dir(abs), func(tmp string) error {
		if _, err := writeFile(tmp, exec, clone); err != nil {
			return err
		}
		_ = os.Chtimes(tmp, target.ModTime(), target.ModTime()) // a convenience
		err := atomicfile.Rename(tmp, abs)
		if err != nil {
			_ = os.Remove(tmp) // the first error is the one to tell
		}
		return err
	})
	if err != nil {
		return err
	}
	if !known.IsZero() {
		s.learn(abs, known)
	}
	return nil
}
