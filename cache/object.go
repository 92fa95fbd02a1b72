package cache

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/plainfile"
)

// temp is a temporary file that becomes an object or goes away.
type temp struct {
	f    *os.File
	path string
	done bool
}

// discard closes and removes the file unless it has been committed.
func (t *temp) discard() {
	if t.done {
		return
	}
	t.done = true
	_ = t.f.Close()       // its content is of no interest any more
	_ = os.Remove(t.path) // what cannot be removed now is swept later
}

// tempName returns a name that no other writer uses, in dir.
func tempName(dir string) string {
	return dir + string(filepath.Separator) + TempPrefix + strconv.FormatUint(rand.Uint64(), 36)
}

// createTemp creates a temporary file that is read-only for everyone but the
// returned handle.
func (s *Store) createTemp(dir string) (*temp, error) {
	path := tempName(dir)
	f, err := plainfile.Open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o444)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody removed the directory since it was made, as gc may.
		s.made.Delete(dir)
		if err := s.mkdir(dir); err != nil {
			return nil, err
		}
		f, err = plainfile.Open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o444)
	}
	if err != nil {
		return nil, err
	}
	return &temp{f: f, path: path}, nil
}

// commit gives the complete temporary file its final name. From then on the
// object exists; before, nothing does.
func (s *Store) commit(t *temp, d Digest) error {
	if err := s.protect(t.f); err != nil {
		return err
	}
	if err := t.f.Close(); err != nil {
		return err
	}
	path := s.Path(d)
	if err := s.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := atomicfile.Rename(t.path, path); err != nil {
		return err
	}
	t.done = true
	return nil
}

// What Store.mask knows of the mode that a file created as 0444 gets.
const (
	maskUnknown = iota
	maskKeeps   // it is 0444
	maskTakes   // the umask takes read permission away
)

// protect sees to it that the mode is exactly 0444, which it is from creation
// unless the umask interferes. The umask can only be asked for by setting it,
// which would race with files created elsewhere, so the first file tells.
func (s *Store) protect(f *os.File) error {
	if s.mask.Load() == maskUnknown {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.Mode().Perm() == 0o444 {
			s.mask.Store(maskKeeps)
		} else {
			s.mask.Store(maskTakes)
		}
	}
	if s.mask.Load() == maskKeeps {
		return nil
	}
	return f.Chmod(0o444)
}

// putBytes stores data, which has digest d.
func (s *Store) putBytes(d Digest, data []byte) error {
	dir := filepath.Dir(s.Path(d))
	if err := s.mkdir(dir); err != nil {
		return err
	}
	if s.mask.Load() == maskKeeps {
		return s.putSmall(dir, s.Path(d), data)
	}
	t, err := s.createTemp(dir)
	if err != nil {
		return err
	}
	defer t.discard()
	if _, err := t.f.Write(data); err != nil {
		return err
	}
	return s.commit(t, d)
}

// putSmall makes the object path of data, in dir, with the fewest system calls.
func (s *Store) putSmall(dir, path string, data []byte) error {
	tmp := tempName(dir)
	_, err := writeSmall(tmp, data, 0o444, false)
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody removed the directory since it was made, as gc may.
		s.made.Delete(dir)
		if err := s.mkdir(dir); err != nil {
			return err
		}
		_, err = writeSmall(tmp, data, 0o444, false)
	}
	if err != nil {
		return err
	}
	if err = atomicfile.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp) // what cannot be removed now is swept later
	}
	return err
}

// mkdir makes a directory of the store, with its parents. What it has made it
// does not look at again.
func (s *Store) mkdir(dir string) error {
	if _, ok := s.made.Load(dir); ok {
		return nil
	}
	if !s.shared {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	} else if err := s.mkdirShared(dir); err != nil {
		return err
	}
	s.made.Store(dir, struct{}{})
	return nil
}

func (s *Store) mkdirShared(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := s.mkdirShared(parent); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o775|fs.ModeSetgid)
}
