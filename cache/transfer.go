package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// SizeOf returns the size of the object d, and whether it is there.
func (s *Store) SizeOf(d Digest) (int64, bool) {
	if d.IsZero() {
		return 0, false
	}
	at, st, err := s.locate(d)
	switch {
	case err != nil:
		return 0, false
	case at.p != nil:
		return at.length, true
	}
	return st.key.Size, st.mode.IsRegular()
}

// PutBytesAs stores data under the digest d, of a file or a directory
// manifest: the error wraps ErrChanged, and nothing is stored, when the content
// is another.
func (s *Store) PutBytesAs(d Digest, data []byte) error {
	if d.IsZero() {
		return errors.New("put object: no digest")
	}
	if got := digestOf(d.Hash(), data, d.dir); got != d {
		return fmt.Errorf("put object %s: content has digest %s: %w", d, got, ErrChanged)
	}
	if err := s.putBytes(d, data); err != nil {
		return fmt.Errorf("put object %s: %w", d, err)
	}
	return nil
}

// Quarantine moves the object d, which was found not to be what its name says,
// to where corrupted objects go.
func (s *Store) Quarantine(d Digest) *CorruptError { return s.quarantine(d) }

// partPrefix begins the names of objects of which only the beginning is there.
const partPrefix = TempPrefix + "part-"

func (s *Store) partPath(d Digest) string {
	return s.root(d.Hash()) + string(os.PathSeparator) + partPrefix + d.String()
}

// Begun reports whether PutPart has left the beginning of the object d.
func (s *Store) Begun(d Digest) bool {
	_, err := os.Lstat(s.partPath(d))
	return err == nil
}

// PutPart stores what open yields under the digest d, like PutAs. When that
// breaks off, the beginning is kept for an hour, and the next call asks open
// for the rest only. Another process that does the same at the same time is left
// alone: this one starts afresh then. A reader that can write itself, best in
// large blocks, is let do so. PutPart returns the number of bytes that open
// yielded.
func (s *Store) PutPart(ctx context.Context, d Digest, open func(offset int64) (io.ReadCloser, error)) (n int64, err error) {
	if d.IsZero() {
		return 0, errors.New("put object: no digest")
	}
	if err := s.mkdir(s.root(d.Hash())); err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	path := s.partPath(d)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	defer f.Close() //nolint:errcheck // closed before it counts
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer lock.Close() //nolint:errcheck // goes with the descriptor
	if ok, err := lock.TryLock(); err != nil || !ok || !sameFile(f, path) {
		return s.putWhole(ctx, d, open)
	}
	var sc scratch
	w := sc.hash(d.Hash())
	offset, err := sc.feed(ctx, w, f, -1, nil)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	r, err := open(offset)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	both := sideBySide{ctx, w, f}
	if own, ok := r.(io.WriterTo); ok {
		n, err = own.WriteTo(&both)
	} else {
		n, err = sc.feed(ctx, &both, r, -1, nil)
	}
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return n, fmt.Errorf("put object %s: %w", d, err)
	}
	if got := NewDigest(d.Hash(), w.Sum(nil), d.dir); got != d {
		_ = os.Remove(path) // nobody may go on from here
		return n, fmt.Errorf("put object %s: content has digest %s: %w", d, got, ErrChanged)
	}
	if err := s.adoptPart(f, path, d); err != nil {
		return n, fmt.Errorf("put object %s: %w", d, err)
	}
	return n, nil
}

// sideBySide writes the same to two writers, large blocks at the same time, as long
// as its context lasts.
type sideBySide struct {
	ctx  context.Context
	a, b io.Writer
}

// sideBySideFrom is from what size on a block is worth a goroutine.
const sideBySideFrom = 256 << 10

func (s *sideBySide) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p) < sideBySideFrom {
		return io.MultiWriter(s.a, s.b).Write(p)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.b.Write(p)
		done <- err
	}()
	_, err := s.a.Write(p)
	if berr := <-done; err == nil {
		err = berr
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// adoptPart makes a complete part an object.
func (s *Store) adoptPart(f *os.File, path string, d Digest) error {
	if err := f.Chmod(0o444); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	to := s.Path(d)
	if err := s.mkdir(filepath.Dir(to)); err != nil {
		return err
	}
	return atomicfile.Rename(path, to)
}

func (s *Store) putWhole(ctx context.Context, d Digest, open func(int64) (io.ReadCloser, error)) (int64, error) {
	r, err := open(0)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	n, err := s.PutAs(ctx, d, r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return n, err
}

// sameFile reports whether path still names the open file: a process that was
// faster may have made it an object.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// RecordBytes returns the stored form of the record of k. The error wraps
// fs.ErrNotExist when there is none.
func (s *Store) RecordBytes(k Key) ([]byte, error) {
	data, err := os.ReadFile(s.recordPath(k))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("record %s: %w", k, err)
	}
	return data, err
}

// ParseKey reads a key in hex.
func ParseKey(text string) (Key, error) {
	k, ok := parseKey(text)
	if !ok {
		return k, fmt.Errorf("key %q: want %d hexadecimal digits", text, 2*len(k))
	}
	return k, nil
}
