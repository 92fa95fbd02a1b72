package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Converted tells what became of an object under another algorithm.
type Converted struct {
	Digest Digest
	// Size is in bytes.
	Size int64
	// Linked is set when both names are of one file, so that the object takes no
	// further space.
	Linked bool
}

// Convert gives the object d, of a file, a second name: that by the algorithm h.
// It is a hard link to the same file where it is one and the file system can make
// one, else a copy. The content is compared with d while it is read: an object that is not
// what its name says goes to quarantine and the error is a *CorruptError. It
// wraps ErrNotFound also when there is no object. The object d stays. progress,
// which may be nil, is told the bytes read.
func (s *Store) Convert(ctx context.Context, d Digest, h *Hash, progress func(int64)) (Converted, error) {
	if d.dir {
		return Converted{}, fmt.Errorf("convert object: %s is a directory", d)
	}
	f, err := s.Open(d)
	if err != nil {
		return Converted{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	before, err := f.f.Stat()
	if err != nil {
		return Converted{}, fmt.Errorf("convert object %s: %w", d, err)
	}
	var sc, other scratch
	was, now := sc.hash(d.Hash()), other.hash(h)
	size, err := sc.feed(ctx, io.MultiWriter(was, now), f, f.Size(), progress)
	if err != nil {
		return Converted{}, fmt.Errorf("convert object %s: %w", d, err)
	}
	if NewDigest(d.Hash(), was.Sum(nil), false) != d {
		return Converted{}, s.quarantine(d)
	}
	if after, err := f.f.Stat(); err != nil || StatKey(after) != StatKey(before) {
		return Converted{}, fmt.Errorf("convert object %s: %w", d, errUnstable)
	}
	c := Converted{Digest: NewDigest(h, now.Sum(nil), false), Size: size}
	state, err := s.check(c.Digest, size)
	if err == nil && state != present {
		err = s.alias(ctx, d, &c, f)
	}
	if err != nil {
		return Converted{}, fmt.Errorf("convert object %s: %w", d, err)
	}
	c.Linked = sameObject(s.Path(d), s.Path(c.Digest))
	return c, nil
}

// alias gives the object d, which f has open and whose content is known to be
// right, the name of c.
func (s *Store) alias(ctx context.Context, d Digest, c *Converted, f *Object) error {
	from, to := s.Path(d), s.Path(c.Digest)
	if err := s.mkdir(filepath.Dir(to)); err != nil {
		return err
	}
	if info, err := os.Lstat(from); err == nil && info.Mode().IsRegular() &&
		(info.Mode().Perm() == 0o444 || os.Chmod(from, 0o444) == nil) {
		if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := s.PutAs(ctx, c.Digest, f)
	return err
}

func sameObject(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
