package remote

import (
	"bytes"
	"context"
	"io"
	"iter"
	"time"
)

// Info is what a store tells of one of its objects.
type Info struct {
	Name string
	// Size is in bytes.
	Size int64
	// Modified is when the object was stored, by the store's clock.
	Modified time.Time
	// Tag changes with the content, as S3's entity tag does; "" where the store
	// has none.
	Tag string
}

// Range is a part of an object. The zero Range is all of it.
type Range struct {
	// Offset is the first byte.
	Offset int64
	// Length is the number of bytes; 0 means all up to the end.
	Length int64
}

// Body is what is stored under a name. Stores may read it more than once and
// in several goroutines.
type Body interface {
	io.ReaderAt
	// Size is in bytes and does not change.
	Size() int64
	// Check is asked when all bytes were read, before they take their name.
	// With an error nothing is stored.
	Check() error
}

// Store holds named bytes. Names are slash-separated, relative and clean.
// Implementations are safe for concurrent use. Errors are, or wrap, *Error
// values; those of absent names are ErrNotFound.
type Store interface {
	// Stat tells what is stored under a name.
	Stat(ctx context.Context, name string) (Info, error)
	// Get reads a part of what is stored. The caller closes the reader. What
	// is shorter than the store announced ends with an error, not with EOF.
	Get(ctx context.Context, name string, r Range) (io.ReadCloser, error)
	// Put stores b, replacing what is there. The name exists with all of the
	// content or is as before.
	Put(ctx context.Context, name string, b Body) error
	// List yields what has a name that begins with the prefix, in no
	// particular order. An error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Remove deletes names. It is no error when there are none.
	Remove(ctx context.Context, names ...string) error
	// String says where the store is, for people: a URL or a path.
	String() string
}

// bytesBody is a Body in memory.
type bytesBody struct{ *bytes.Reader }

func (bytesBody) Check() error { return nil }

// Bytes returns a Body that is data.
func Bytes(data []byte) Body { return bytesBody{bytes.NewReader(data)} }

// ReadAll reads a whole object of at most limit bytes.
func ReadAll(ctx context.Context, s Store, name string, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, name, Range{})
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(bounded(r, limit, name))
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// boundedReader fails instead of yielding more than a number of bytes.
type boundedReader struct {
	r    io.Reader
	left int64
	name string
}

func bounded(r io.Reader, limit int64, name string) io.Reader {
	return &boundedReader{r, limit, name}
}

func (b *boundedReader) Read(p []byte) (int, error) {
	// One byte more than is left tells the end from too much.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &Error{Op: "get", Name: b.name, Kind: Corrupt, Err: errTooLong}
	}
	return n, err
}
