package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

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
// large blocks, is let do so. One with a method Left() int64 tells how many bytes
// it is going to yield, for which room is reserved. PutPart returns the number of
// bytes that open yielded.
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
	w := streamHash(d.Hash())
	offset, err := sc.feed(ctx, w, f, -1, nil)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	r, err := open(offset)
	if err != nil {
		return 0, fmt.Errorf("put object %s: %w", d, err)
	}
	if l, ok := r.(interface{ Left() int64 }); ok {
		reserve(f, offset, l.Left())
	}
	both := newSideBySide(ctx, w, f)
	if own, ok := r.(io.WriterTo); ok {
		n, err = own.WriteTo(both)
	} else {
		n, err = sc.feed(ctx, both, r, -1, nil)
	}
	if berr := both.Close(); err == nil {
		err = berr
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

// sideBySide writes the same to two writers at the same time, as long as its context
// lasts: each takes what comes in order and at its own pace. What it has taken is
// written whatever happens, except by a writer that failed. One goroutine may use it.
type sideBySide struct {
	ctx   context.Context
	lanes [2]lane

	mu  sync.Mutex
	err error // the first
}

// lane is one writer of a sideBySide.
type lane struct {
	w       io.Writer
	blocks  chan *block
	pending sync.WaitGroup // the blocks that are not yet written
}

// block is what both writers have to write before it is released.
type block struct {
	p       []byte
	users   atomic.Int32
	release func()
}

const (
	// sideBySideFrom is from what size on a block is worth handing over.
	sideBySideFrom = 256 << 10
	// sideBySideAhead is how many blocks one writer may be ahead of the other, if
	// there are as many.
	sideBySideAhead = 16
)

// newSideBySide returns one that has to be closed.
func newSideBySide(ctx context.Context, a, b io.Writer) *sideBySide {
	s := &sideBySide{ctx: ctx}
	for i, w := range []io.Writer{a, b} {
		l := &s.lanes[i]
		l.w, l.blocks = w, make(chan *block, sideBySideAhead)
		go s.run(l)
	}
	return s
}

// run writes the blocks of a lane until there are no more. After an error it only
// releases them, so that nothing is written behind a hole.
func (s *sideBySide) run(l *lane) {
	failed := false
	for b := range l.blocks {
		if !failed {
			if _, err := l.w.Write(b.p); err != nil {
				failed = true
				s.fail(err)
			}
		}
		if b.users.Add(-1) == 0 {
			b.release()
		}
		l.pending.Done()
	}
}

func (s *sideBySide) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// failed returns the first error of a writer.
func (s *sideBySide) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ended returns the first error of a writer or that of the context.
func (s *sideBySide) ended() error {
	if err := s.failed(); err != nil {
		return err
	}
	return s.ctx.Err()
}

// WriteBlock takes p, and calls release once when both have written it or it is not
// taken. The error of a writer is returned by a later call or by Close.
func (s *sideBySide) WriteBlock(p []byte, release func()) (int, error) {
	if err := s.ended(); err != nil {
		release()
		return 0, err
	}
	b := &block{p: p, release: release}
	b.users.Store(int32(len(s.lanes)))
	for i := range s.lanes {
		s.lanes[i].pending.Add(1)
		s.lanes[i].blocks <- b
	}
	return len(p), nil
}

// Write returns when both have written p.
func (s *sideBySide) Write(p []byte) (int, error) {
	if len(p) >= sideBySideFrom {
		if _, err := s.WriteBlock(p, func() {}); err != nil {
			return 0, err
		}
		s.wait()
	} else {
		s.wait()
		if err := s.ended(); err != nil {
			return 0, err
		}
		for i := range s.lanes {
			if _, err := s.lanes[i].w.Write(p); err != nil {
				s.fail(err)
				break
			}
		}
	}
	if err := s.failed(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// wait waits until what was taken is written.
func (s *sideBySide) wait() {
	for i := range s.lanes {
		s.lanes[i].pending.Wait()
	}
}

// Close waits until what was taken is written, and returns the first error of a
// writer.
func (s *sideBySide) Close() error {
	for i := range s.lanes {
		close(s.lanes[i].blocks)
	}
	s.wait()
	return s.failed()
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
