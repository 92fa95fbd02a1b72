package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/flowrepro/flow/cache"
)

// Fetch brings what the cache does not have: manifests, then what they name. It
// asks for nothing else. Objects that are not on the remote are in the result's
// Missing and no error. Everything that can be brought is, whatever becomes of
// the rest; the result is complete also with an error.
func (t *Transfer) Fetch(ctx context.Context, items []Item) (Result, error) {
	f := &fetch{t: t, w: newWanted()}
	err := f.run(ctx, items)
	return f.result(), err
}

// fetch is one Fetch in progress.
type fetch struct {
	t *Transfer
	w *wanted

	mu   sync.Mutex
	lost []cache.Digest

	objects, bytes atomic.Int64
}

func (f *fetch) result() Result {
	return Result{Objects: int(f.objects.Load()), Bytes: f.bytes.Load(), Missing: sortedMissing(f.lost)}
}

func (f *fetch) run(ctx context.Context, items []Item) error {
	// Manifests first: they tell what else is needed.
	manifests := newWanted()
	for _, it := range items {
		if d := it.Entry.Digest; d.IsDir() {
			if _, err := f.t.Cache.Manifest(d); errors.Is(err, cache.ErrNotFound) {
				manifests.file(d, manifestLimit(it.Entry))
			} else if err != nil {
				return err
			}
		}
	}
	var failed *TransferError
	err := f.bring(ctx, manifests.files, manifests.limit)
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	for _, it := range items {
		if !it.Entry.Digest.IsDir() {
			limit := int64(-1)
			if it.Entry.Size > 0 {
				limit = it.Entry.Size
			}
			f.w.file(it.Entry.Digest, limit)
			continue
		}
		m, err := f.t.Cache.Manifest(it.Entry.Digest)
		if errors.Is(err, cache.ErrNotFound) {
			continue // told of already
		}
		if err != nil {
			return err
		}
		f.w.dir(it, m)
	}
	absent, err := f.t.Cache.Missing(ctx, f.w.files...)
	if err != nil {
		return err
	}
	f.t.tell(Progress{Checked: int64(len(f.w.files))})
	err = f.bring(ctx, absent, f.w.limit)
	var more *TransferError
	switch {
	case err != nil && !errors.As(err, &more):
		return err
	case failed == nil && more != nil:
		return more
	case failed != nil && more != nil:
		failed.Failed += more.Failed
		failed.Errs = append(failed.Errs, more.Errs...)
	}
	if failed != nil {
		return failed
	}
	return nil
}

// manifestLimit bounds the size of a directory's manifest. Where the lock tells
// the number of files, a member takes no more than a path and its framing.
func manifestLimit(e cache.Entry) int64 {
	const member, most = 8 << 10, 4 << 30
	if e.Files > 0 {
		return min(int64(e.Files)*member+member, most)
	}
	return most
}

func (f *fetch) bring(ctx context.Context, list []cache.Digest, limits map[cache.Digest]int64) error {
	var bytes int64
	for _, d := range list {
		if l, ok := limits[d]; ok && !d.IsDir() && d.Hash() == cache.BLAKE3 {
			bytes += l
		}
	}
	f.t.tell(Progress{MoreObjects: int64(len(list)), MoreBytes: bytes})
	return f.t.each(ctx, "download", len(list), func(ctx context.Context, i int) error {
		d := list[i]
		limit, ok := limits[d]
		if !ok {
			limit = -1
		}
		n, err := f.t.bringObject(ctx, d, limit)
		if errors.Is(err, ErrNotFound) {
			f.mu.Lock()
			f.lost = append(f.lost, d)
			f.mu.Unlock()
			return nil
		}
		if err != nil {
			return err
		}
		f.objects.Add(1)
		f.bytes.Add(n)
		f.t.tell(Progress{Objects: 1})
		return nil
	})
}

// corruptTries is how often an object that arrives damaged is asked for.
const corruptTries = 3

// bringObject fetches one object of at most limit bytes (negative: not known)
// and stores it if it is what its name says.
func (t *Transfer) bringObject(ctx context.Context, d cache.Digest, limit int64) (n int64, err error) {
	for range corruptTries {
		n, err = t.bringOnce(ctx, d, limit)
		if errors.Is(err, cache.ErrChanged) {
			err = &Error{Op: "get", Name: ObjectName(d), Kind: Corrupt, Err: errNotItself}
		}
		if KindOf(err) != Corrupt || ctx.Err() != nil {
			break
		}
	}
	return n, err
}

var errNotItself = errors.New("the content is not what the name says")

func (t *Transfer) bringOnce(ctx context.Context, d cache.Digest, limit int64) (int64, error) {
	name := ObjectName(d)
	if t.Cache.Begun(d) {
		return t.bringRest(ctx, d, limit)
	}
	body, err := t.Remote.Get(ctx, name, Range{})
	if err != nil {
		return 0, err
	}
	defer body.Close() //nolint:errcheck // what it yields is verified
	most := int64(smallObject)
	if limit >= 0 {
		most = min(most, limit)
	}
	head := make([]byte, 0, 4<<10)
	if limit >= 0 {
		head = make([]byte, 0, most+1)
	}
	buf := bytes.NewBuffer(head)
	if _, err := io.Copy(buf, io.LimitReader(body, most+1)); err != nil {
		return 0, err
	}
	n := int64(buf.Len())
	if n <= most {
		if err := t.Cache.PutBytesAs(d, buf.Bytes()); err != nil {
			return 0, err
		}
		t.tell(Progress{Bytes: n})
		return n, nil
	}
	if most == limit {
		return 0, &Error{Op: "get", Name: name, Kind: Corrupt, Err: errTooLong}
	}
	// The rest is asked for anew, in ranges.
	_ = body.Close()
	total := int64(0)
	_, err = t.Cache.PutPart(ctx, d, func(offset int64) (io.ReadCloser, error) {
		if offset > 0 {
			return t.rest(ctx, d, offset, limit, &total)
		}
		rest, err := t.rest(ctx, d, n, limit, &total)
		if err != nil {
			return nil, err
		}
		total = n
		t.tell(Progress{Bytes: n})
		return &joined{io.MultiReader(bytes.NewReader(buf.Bytes()), rest), rest}, nil
	})
	return total, err
}

// bringRest goes on with an object whose beginning is there.
func (t *Transfer) bringRest(ctx context.Context, d cache.Digest, limit int64) (int64, error) {
	total := int64(0)
	_, err := t.Cache.PutPart(ctx, d, func(offset int64) (io.ReadCloser, error) {
		return t.rest(ctx, d, offset, limit, &total)
	})
	return total, err
}

// rest reads an object from offset on: in ranges side by side when that is
// much, so that one connection's speed is not the limit.
func (t *Transfer) rest(ctx context.Context, d cache.Digest, offset, limit int64, total *int64) (io.ReadCloser, error) {
	name := ObjectName(d)
	info, err := t.Remote.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	if limit >= 0 && info.Size > limit {
		return nil, &Error{Op: "get", Name: name, Kind: Corrupt, Err: fmt.Errorf("%d bytes: %w", info.Size, errTooLong)}
	}
	if offset >= info.Size {
		// All of it is there, or it is not what it should be.
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	var r io.ReadCloser
	if info.Size-offset > 2*chunkSize {
		r = newChunked(ctx, t.Remote, name, offset, info.Size)
	} else if r, err = t.Remote.Get(ctx, name, Range{Offset: offset, Length: info.Size - offset}); err != nil {
		return nil, err
	}
	// A remote that sends more than it was asked for is not listened to.
	return &joined{&countedReader{io.LimitReader(r, info.Size-offset), total, t}, r}, nil
}

// joined is a reader with another's Close.
type joined struct {
	io.Reader
	io.Closer
}

// countedReader tells what it yields.
type countedReader struct {
	io.Reader
	total *int64
	t     *Transfer
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.total += int64(n)
	c.t.tell(Progress{Bytes: int64(n)})
	return n, err
}
