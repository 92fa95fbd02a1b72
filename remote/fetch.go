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
	f := &fetch{t: t, w: newWanted(), held: map[cache.Digest][]byte{}}
	err := f.run(ctx, items)
	return f.result(), err
}

// fetch is one Fetch in progress.
type fetch struct {
	t *Transfer
	w *wanted

	mu   sync.Mutex
	lost []cache.Digest
	// damaged are objects that arrived from a pack as something else.
	damaged []place
	// writer stores what comes from packs; nil where objects are files.
	writer *cache.PackWriter
	// held are the manifests that are not stored yet.
	held map[cache.Digest][]byte

	objects, bytes atomic.Int64
}

func (f *fetch) result() Result {
	return Result{Objects: int(f.objects.Load()), Bytes: f.bytes.Load(), Missing: sortedMissing(f.lost)}
}

func (f *fetch) run(ctx context.Context, items []Item) error {
	// Manifests first: they tell what else is needed. They are kept in memory
	// until what they name is there, so that an interrupted fetch leaves no
	// directory in the cache of which a part is missing.
	var failed *TransferError
	if err := f.and(&failed, f.manifests(ctx, items)); err != nil {
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
	if err := f.and(&failed, f.bring(ctx, absent, f.w.limit)); err != nil {
		return err
	}
	if err := f.keepManifests(ctx); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return nil
}

// and joins failures of single objects; any other error is returned.
func (f *fetch) and(failed **TransferError, err error) error {
	var more *TransferError
	if !errors.As(err, &more) {
		return err
	}
	if *failed == nil {
		*failed = more
		return nil
	}
	(*failed).Failed += more.Failed
	(*failed).Errs = append((*failed).Errs, more.Errs...)
	return nil
}

// manifests fetches those that the cache does not have.
func (f *fetch) manifests(ctx context.Context, items []Item) error {
	var list []cache.Entry
	seen := map[cache.Digest]bool{}
	for _, it := range items {
		d := it.Entry.Digest
		if !d.IsDir() || seen[d] || f.t.Cache.Has(d) {
			continue
		}
		seen[d] = true
		list = append(list, it.Entry)
	}
	f.t.tell(Progress{MoreObjects: int64(len(list))})
	return f.t.each(ctx, "download", len(list), func(ctx context.Context, i int) error {
		data, err := f.t.manifest(ctx, list[i])
		f.mu.Lock()
		defer f.mu.Unlock()
		if errors.Is(err, ErrNotFound) {
			f.lost = append(f.lost, list[i].Digest)
			return nil
		}
		if err != nil {
			return err
		}
		f.held[list[i].Digest] = data
		return nil
	})
}

// keepManifests stores the manifests that were fetched and all of whose members,
// as far as they were asked for, are there.
func (f *fetch) keepManifests(ctx context.Context) error {
	for _, d := range f.w.dirs {
		data := f.held[d.digest]
		if data == nil {
			continue
		}
		lost, err := f.t.Cache.Missing(ctx, d.members...)
		if err != nil {
			return err
		}
		if len(lost) > 0 {
			continue
		}
		delete(f.held, d.digest)
		if err := f.t.Cache.PutBytesAs(d.digest, data); err != nil {
			return err
		}
		f.objects.Add(1)
		f.bytes.Add(int64(len(data)))
		f.t.tell(Progress{Objects: 1})
	}
	return nil
}

// manifest fetches a directory's manifest, which the cache knows then without
// having it: nothing is stored.
func (t *Transfer) manifest(ctx context.Context, e cache.Entry) (data []byte, err error) {
	name := ObjectName(e.Digest)
	for range corruptTries {
		data, err = ReadAll(ctx, t.Remote, name, manifestLimit(e))
		if err == nil {
			h := e.Digest.Hash().New()
			h.Write(data)
			if cache.NewDigest(e.Digest.Hash(), h.Sum(nil), true) != e.Digest {
				err = &Error{Op: "get", Name: name, Kind: Corrupt, Err: errNotItself}
			}
		}
		if KindOf(err) != Corrupt || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	m, err := cache.ParseManifest(e.Digest.Hash(), data)
	if err != nil {
		return nil, &Error{Op: "get", Name: name, Kind: Corrupt, Err: err}
	}
	t.Cache.Know(e, m)
	t.tell(Progress{Bytes: int64(len(data))})
	return data, nil
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
		if !d.IsDir() && d.Hash() == cache.BLAKE3 {
			bytes += max(limits[d], 0)
		}
	}
	f.t.tell(Progress{MoreObjects: int64(len(list)), MoreBytes: bytes})
	var failed *TransferError
	list, err := f.bringPacked(ctx, list, limits)
	if err := f.and(&failed, err); err != nil {
		return err
	}
	if err := f.and(&failed, f.bringEach(ctx, list, limits)); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return nil
}

// bringEach brings objects that are there by themselves.
func (f *fetch) bringEach(ctx context.Context, list []cache.Digest, limits map[cache.Digest]int64) error {
	return f.t.each(ctx, "download", len(list), func(ctx context.Context, i int) error {
		err := f.bringAlone(ctx, list[i], limits)
		if errors.Is(err, ErrNotFound) {
			f.mu.Lock()
			f.lost = append(f.lost, list[i])
			f.mu.Unlock()
			return nil
		}
		return err
	})
}

// bringAlone brings an object that is there by itself, and counts it.
func (f *fetch) bringAlone(ctx context.Context, d cache.Digest, limits map[cache.Digest]int64) error {
	limit, ok := limits[d]
	if !ok {
		limit = -1
	}
	n, err := f.t.bringObject(ctx, d, limit)
	if err != nil {
		return err
	}
	f.objects.Add(1)
	f.bytes.Add(n)
	f.t.tell(Progress{Objects: 1})
	return nil
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

// smallBuffers hold small objects until they are verified.
var smallBuffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 8<<10)) }}

func (t *Transfer) bringOnce(ctx context.Context, d cache.Digest, limit int64) (int64, error) {
	name := ObjectName(d)
	// Of a native object the limit is the size.
	if limit > smallObject && d.Hash() == cache.BLAKE3 || t.Cache.Begun(d) {
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
	// The limit can be far above what comes: DVC's manifests tell no sizes.
	buf := smallBuffers.Get().(*bytes.Buffer)
	defer smallBuffers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(io.LimitReader(body, most+1)); err != nil {
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

// bringRest brings a large object, or goes on with one whose beginning is there.
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
	told := func(n int64) {
		*total += n
		t.tell(Progress{Bytes: n})
	}
	if info.Size-offset > 2*chunkLeast {
		c := newChunked(ctx, t.Remote, name, offset, info.Size, told)
		if limit >= 0 {
			c.left = info.Size - offset
		}
		return c, nil
	}
	r, err := t.Remote.Get(ctx, name, Range{Offset: offset, Length: info.Size - offset})
	if err != nil {
		return nil, err
	}
	// A remote that sends more than it was asked for is not listened to.
	return &joined{&countedReader{io.LimitReader(r, info.Size-offset), told}, r}, nil
}

// joined is a reader with another's Close.
type joined struct {
	io.Reader
	io.Closer
}

// Left passes on what the reader that is closed tells of the bytes to come; what is
// before it comes in addition.
func (j *joined) Left() int64 {
	if l, ok := j.Closer.(interface{ Left() int64 }); ok {
		return l.Left()
	}
	return 0
}

// joinedBlock is what joined reads at once.
const joinedBlock = 1 << 20

// WriteTo lets a reader that can write itself do so.
func (j *joined) WriteTo(w io.Writer) (int64, error) {
	if own, ok := j.Reader.(io.WriterTo); ok {
		return own.WriteTo(w)
	}
	return io.CopyBuffer(struct{ io.Writer }{w}, j.Reader, make([]byte, joinedBlock))
}

// countedReader tells what it yields.
type countedReader struct {
	io.Reader
	told func(int64)
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.told(int64(n))
	return n, err
}
