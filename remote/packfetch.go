package remote

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
)

const (
	// packGap is how many bytes that nobody wants are read rather than asking
	// twice; packRun bounds what one request asks for.
	packGap = 32 << 10
	packRun = 2 << 20
	// packRunsAtOnce is how many are: more of them only wait for each other where
	// the objects are made, and what they ask for is enough for any network.
	packRunsAtOnce = 8
	// packRounds is how often packs are looked for that garbage collections take
	// away meanwhile.
	packRounds = 3
)

// packRange is a part of a pack that is asked for at once.
type packRange struct {
	pack           string
	offset, length int64
	objects        []cache.Packed // by offset
}

// bringPacked brings those of the objects that are in packs, and returns the
// others, which may be there by themselves.
func (f *fetch) bringPacked(ctx context.Context, list []cache.Digest, limits map[cache.Digest]int64) ([]cache.Digest, error) {
	if f.t.Packs == nil {
		return list, nil
	}
	var asked, rest []cache.Digest
	for _, d := range list {
		// Of a native object the size is known: what is large is in no pack.
		if limits[d] >= cache.PackedLimit || d.Hash() != cache.BLAKE3 || d.IsDir() {
			rest = append(rest, d)
		} else {
			asked = append(asked, d)
		}
	}
	writer, err := f.t.Cache.PackWriter(cache.BLAKE3, len(asked))
	if err != nil {
		return nil, err
	}
	f.writer = writer
	var failed *TransferError
	left, err := f.bringRounds(ctx, &failed, asked, &rest, limits)
	if writer != nil {
		// What came is kept also when the rest did not.
		f.writer = nil
		if cerr := writer.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return nil, err
	}
	rest = append(rest, left...)
	if err := f.and(&failed, f.bringDamaged(ctx, limits)); err != nil {
		return nil, err
	}
	if failed != nil {
		return rest, failed
	}
	return rest, nil
}

// bringRounds brings what is in packs, and appends to rest what is not. It looks
// for packs again where they are taken away meanwhile, and returns what is left
// after some times.
func (f *fetch) bringRounds(ctx context.Context, failed **TransferError, asked []cache.Digest, rest *[]cache.Digest, limits map[cache.Digest]int64) ([]cache.Digest, error) {
	for range packRounds {
		where, err := f.t.locate(ctx, asked)
		if err != nil {
			return nil, err
		}
		var places []place
		for _, d := range asked {
			at, ok := where[d]
			if n, known := limits[d]; !ok || known && n >= 0 && at.Length > n {
				*rest = append(*rest, d)
			} else {
				places = append(places, at)
			}
		}
		ranges := packRanges(places)
		gone := make([][]cache.Packed, len(ranges))
		err = f.t.eachOf(ctx, "download", packRunsAtOnce, len(ranges), func(ctx context.Context, i int) error {
			left, err := f.bringRange(ctx, &ranges[i])
			if errors.Is(err, ErrNotFound) {
				gone[i], err = left, nil
			}
			return err
		})
		if err := f.and(failed, err); err != nil {
			return nil, err
		}
		asked = nil
		for _, left := range gone {
			for _, o := range left {
				asked = append(asked, o.Digest)
			}
		}
		if len(asked) == 0 {
			break
		}
	}
	return asked, nil
}

// bringDamaged brings what arrived damaged in a pack from where it may lie by
// itself.
func (f *fetch) bringDamaged(ctx context.Context, limits map[cache.Digest]int64) error {
	list := f.damaged
	f.damaged = nil
	return f.t.each(ctx, "download", len(list), func(ctx context.Context, i int) error {
		err := f.bringAlone(ctx, list[i].Digest, limits)
		if errors.Is(err, ErrNotFound) {
			return &Error{Op: "get", Name: packBodyName(list[i].pack), Kind: Corrupt, Err: errNotItself}
		}
		return err
	})
}

// packRanges makes few requests of many objects: neighbours are asked for
// together.
func packRanges(places []place) []packRange {
	slices.SortFunc(places, func(a, b place) int {
		if c := strings.Compare(a.pack, b.pack); c != 0 {
			return c
		}
		if a.Offset != b.Offset {
			return int(a.Offset - b.Offset)
		}
		return int(a.Length - b.Length)
	})
	var list []packRange
	for _, at := range places {
		end := at.Offset + at.Length
		if n := len(list) - 1; n >= 0 {
			r := &list[n]
			if r.pack == at.pack && at.Offset-(r.offset+r.length) <= packGap && end-r.offset <= packRun {
				r.length = max(r.length, end-r.offset)
				r.objects = append(r.objects, at.Packed)
				continue
			}
		}
		list = append(list, packRange{at.pack, at.Offset, at.Length, []cache.Packed{at.Packed}})
	}
	return list
}

// bringRange brings the objects of a range. It tries again what arrives damaged,
// and leaves it to bringDamaged in the end; the objects that are left when the
// pack is gone come with ErrNotFound.
func (f *fetch) bringRange(ctx context.Context, r *packRange) (left []cache.Packed, err error) {
	todo := *r
	for tries := 0; len(todo.objects) > 0; {
		var n int
		n, err = f.readRange(ctx, &todo)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, err
		}
		// Those before are here; it is the next one that did not come, or not as
		// it should.
		if todo.objects = todo.objects[n:]; n > 0 {
			tries = 0
		}
		if KindOf(err) != Corrupt && !errors.Is(err, cache.ErrChanged) {
			break
		}
		if tries++; tries == corruptTries {
			f.mu.Lock()
			f.damaged = append(f.damaged, place{r.pack, todo.objects[0]})
			f.mu.Unlock()
			todo.objects, tries, err = todo.objects[1:], 0, nil
		}
		if len(todo.objects) > 0 {
			first, last := todo.objects[0], todo.objects[len(todo.objects)-1]
			todo.offset, todo.length = first.Offset, last.Offset+last.Length-first.Offset
		}
	}
	if errors.Is(err, ErrNotFound) {
		return todo.objects, err
	}
	if err != nil {
		return nil, &TransferError{Failed: len(todo.objects), Errs: []error{err}}
	}
	return nil, nil
}

// readRange reads a range and stores its objects; n of them are here then.
func (f *fetch) readRange(ctx context.Context, r *packRange) (n int, err error) {
	t := f.t
	body := io.NopCloser(strings.NewReader(""))
	if r.length > 0 { // a range of no bytes would be all of the pack
		if body, err = t.Remote.Get(ctx, packBodyName(r.pack), Range{Offset: r.offset, Length: r.length}); err != nil {
			return 0, err
		}
	}
	defer body.Close() //nolint:errcheck // what it yields is verified
	buf := packBuffers.Get().(*[cache.PackedLimit]byte)
	defer packBuffers.Put(buf)
	at := r.offset
	short := func(err error) error {
		if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF { //nolint:errorlint // ReadFull's own; a store's has a kind
			return &Error{Op: "get", Name: packBodyName(r.pack), Kind: Corrupt, Err: io.ErrUnexpectedEOF}
		}
		return err
	}
	for _, o := range r.objects {
		if _, err := io.CopyN(io.Discard, body, o.Offset-at); err != nil {
			return n, short(err)
		}
		data := buf[:o.Length]
		if _, err := io.ReadFull(body, data); err != nil {
			return n, short(err)
		}
		at = o.Offset + o.Length
		if f.writer != nil {
			err = f.writer.Put(o.Digest, data)
		} else {
			err = t.Cache.PutBytesAs(o.Digest, data)
		}
		if err != nil {
			return n, err
		}
		n++
		f.objects.Add(1)
		f.bytes.Add(o.Length)
		t.tell(Progress{Bytes: o.Length, Objects: 1})
	}
	return n, nil
}
