package cache

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/flowrepro/flow/internal/plainfile"
)

const (
	// smallFile is what is read in one go into a worker's buffer.
	smallFile = 1 << 20
	// pipeFrom is the size from which reading and hashing overlap in two
	// goroutines; below it handing buffers over costs more than it gains.
	pipeFrom = 8 << 20
	// pipeBlock is the size of one buffer handed over.
	pipeBlock = 1 << 20
	// hashTries is how often a file that changes while it is read is read
	// again.
	hashTries = 3
)

// scratch is what one worker needs to hash files, kept from file to file.
type scratch struct {
	h   *Hash
	w   hash.Hash
	buf []byte
}

func (s *scratch) hash(h *Hash) hash.Hash {
	if s.h != h {
		s.h, s.w = h, h.New()
	}
	s.w.Reset()
	return s.w
}

// sum returns the digest of data.
func (s *scratch) sum(h *Hash, data []byte) Digest {
	w := s.hash(h)
	w.Write(data)
	d := Digest{id: h.id}
	w.Sum(d.sum[:0])
	return d
}

// space returns a buffer of at least n bytes.
func (s *scratch) space(n int) []byte {
	if cap(s.buf) < n {
		s.buf = make([]byte, max(n, 16<<10))
	}
	return s.buf[:cap(s.buf)]
}

// hashed is the outcome of reading a file to its end.
type hashed struct {
	digest Digest
	info   FileInfoKey
	exec   bool
	began  time.Time
}

// hashPath hashes the file at path. The digest is of one state of the file: it
// had the same FileInfoKey before and after it was read.
func (s *scratch) hashPath(ctx context.Context, h *Hash, path string, now func() time.Time, progress func(int64)) (hashed, error) {
	for range hashTries {
		f, err := plainfile.Open(path, os.O_RDONLY, 0)
		if err != nil {
			return hashed{}, err
		}
		r, stable, err := s.hashOpen(ctx, h, f, now, progress)
		_ = f.Close() // it was only read
		if err != nil {
			return hashed{}, fmt.Errorf("hash %s: %w", path, err)
		}
		if stable {
			return r, nil
		}
	}
	return hashed{}, fmt.Errorf("hash %s: %w", path, errUnstable)
}

var errUnstable = errors.New("file keeps changing while it is read")

func (s *scratch) hashOpen(ctx context.Context, h *Hash, f *os.File, now func() time.Time, progress func(int64)) (r hashed, stable bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return r, false, err
	}
	if !info.Mode().IsRegular() {
		return r, false, errors.New("not a regular file")
	}
	r.began = now()
	r.info, r.exec = StatKey(info), info.Mode()&0o111 != 0
	var n int64
	if r.digest, n, err = s.content(ctx, h, f, r.info.Size, progress); err != nil {
		return r, false, err
	}
	if info, err = f.Stat(); err != nil {
		return r, false, err
	}
	return r, n == r.info.Size && StatKey(info) == r.info, nil
}

// content returns the digest of the regular file f, which is at its beginning
// and was found to have the given size, and how many bytes it is of; of a file
// that has become shorter it may be the zero Digest of none.
func (s *scratch) content(ctx context.Context, h *Hash, f *os.File, size int64, progress func(int64)) (Digest, int64, error) {
	if wide(h, size) {
		d, err := sumWide(ctx, f, size, nil, progress)
		if errors.Is(err, errShort) {
			return Digest{}, 0, nil
		}
		return d, size, err
	}
	w := s.hash(h)
	n, err := s.feed(ctx, w, f, size, progress)
	if err != nil {
		return Digest{}, n, err
	}
	return NewDigest(h, w.Sum(nil), false), n, nil
}

// copyContent copies src, which is at its beginning and was found to have the
// given size, into the empty file dst, and returns the digest of what dst has,
// as content does.
func (s *scratch) copyContent(ctx context.Context, h *Hash, dst, src *os.File, size int64, progress func(int64)) (Digest, int64, error) {
	if wide(h, size) {
		d, err := copyWide(ctx, dst, src, size, progress)
		if errors.Is(err, errShort) {
			return Digest{}, 0, nil
		}
		return d, size, err
	}
	w := s.hash(h)
	// What is written is what was read, and so is what is hashed; of a large
	// file the writing is done while the last block is hashed.
	n, err := s.feed(ctx, w, io.TeeReader(src, dst), size, progress)
	if err != nil {
		return Digest{}, n, err
	}
	return NewDigest(h, w.Sum(nil), false), n, nil
}

// feed writes all of r to w. size is that of the regular file r, or negative
// for any other reader.
func (s *scratch) feed(ctx context.Context, w io.Writer, r io.Reader, size int64, progress func(int64)) (int64, error) {
	if progress == nil {
		progress = func(int64) {}
	}
	if size >= pipeFrom {
		return pipe(ctx, w, r, progress)
	}
	var n int64
	// One byte more than expected lets a single read see the end.
	buf := s.space(int(min(uint64(size), smallFile)) + 1)
	for {
		k, err := r.Read(buf)
		if k > 0 {
			if _, err := w.Write(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if err == io.EOF {
			progress(n)
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if n == size && k < len(buf) {
			// A short read of a regular file is its end; growth since is
			// noticed by its changed size.
			progress(n)
			return n, nil
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
	}
}

// pipe copies r to w with the reading in another goroutine, which has returned
// when pipe does.
func pipe(ctx context.Context, w io.Writer, r io.Reader, progress func(int64)) (int64, error) {
	type block struct {
		buf []byte
		n   int
		err error
	}
	const depth = 4
	full, free := make(chan block, depth), make(chan []byte, depth)
	for range depth {
		free <- make([]byte, pipeBlock)
	}
	go func() {
		defer close(full)
		for buf := range free {
			n, err := io.ReadFull(r, buf)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			full <- block{buf, n, err}
			if err != nil {
				return
			}
		}
	}()
	var total int64
	var rc error
	for b := range full {
		if rc == nil && b.n > 0 {
			_, rc = w.Write(b.buf[:b.n])
			total += int64(b.n)
			progress(int64(b.n))
		}
		if rc == nil && b.err != nil && !errors.Is(b.err, io.EOF) {
			rc = b.err
		}
		if rc == nil {
			rc = ctx.Err()
		}
		if rc != nil {
			break
		}
		if b.err == nil {
			free <- b.buf
		}
	}
	if rc != nil {
		// Ends the reader: free is empty of waiting sends, since only this
		// goroutine sends.
		close(free)
		for range full { //nolint:revive // drained so that the reader is done with r
		}
	}
	return total, rc
}
