package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Object is an object that was opened for reading. It has nothing but its
// content, wherever it lies. Reads at offsets may be concurrent.
type Object struct {
	*io.SectionReader // Read, ReadAt, Seek and Size, the size in bytes
	f                 *os.File
}

// Close ends the reading.
func (o *Object) Close() error { return o.f.Close() }

// Open opens the object d for reading. The error wraps ErrNotFound when it is
// not there. Content is not verified.
func (s *Store) Open(d Digest) (*Object, error) {
	if d.IsZero() {
		return nil, fmt.Errorf("open object: no digest: %w", ErrNotFound)
	}
	for range packTries {
		o, err := s.open(d)
		if err == nil {
			return o, nil
		}
		if errors.Is(err, errPackGone) {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		return nil, fmt.Errorf("object %s: %w", d, err)
	}
	return nil, fmt.Errorf("object %s: %w", d, ErrNotFound)
}

func (s *Store) open(d Digest) (*Object, error) {
	at, _, err := s.locate(d)
	if err != nil {
		return nil, err
	}
	if at.p == nil {
		f, err := os.Open(s.Path(d))
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err != nil {
			_ = f.Close() // the first error is the one to tell
			return nil, err
		}
		return &Object{io.NewSectionReader(f, 0, info.Size()), f}, nil
	}
	f, err := at.p.openBody()
	if err == nil {
		// A pack that lost its end since is read to where it ends now.
		return &Object{io.NewSectionReader(f, at.offset, at.length), f}, nil
	}
	if errors.Is(err, errPackGone) {
		s.packs.lose(at.p)
		if rerr := s.packs.refresh(); rerr != nil {
			return nil, rerr
		}
	}
	return nil, err
}
