package remote

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/flowrepro/flow/cache"
)

const (
	// packFrom is how many small objects are worth packing.
	packFrom = 16
	// packTarget is up to how many bytes a pack is filled. Packs are in memory
	// while they are sent, packsAtOnce of them.
	packTarget  = 16 << 20
	packsAtOnce = 4
)

// sized is an object and its size.
type sized struct {
	digest cache.Digest
	size   int64
}

// sendFiles sends the files: many small ones in packs, the others each by itself.
func (p *push) sendFiles(ctx context.Context) error {
	packs, rest := p.divide()
	var failed *TransferError
	err := p.t.eachOf(ctx, "upload", packsAtOnce, len(packs), func(ctx context.Context, i int) error {
		return p.sendPack(ctx, packs[i])
	})
	if err := p.and(&failed, err); err != nil {
		return err
	}
	if err := p.and(&failed, p.send(ctx, rest)); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return nil
}

// divide says what becomes which pack, and what goes by itself.
func (p *push) divide() (packs [][]sized, rest []cache.Digest) {
	if p.t.Packs == nil || p.t.Packs.ReadOnly {
		return nil, p.files
	}
	small := map[cache.Digest]int64{}
	for _, d := range p.files {
		if n := p.sizes[d]; n < cache.PackedLimit && d.Hash() == cache.BLAKE3 && !d.IsDir() {
			small[d] = n
		}
	}
	if len(small) < packFrom {
		return nil, p.files
	}
	for _, d := range p.files {
		if _, ok := small[d]; !ok {
			rest = append(rest, d)
		}
	}
	return cutPacks(p.groups(small)), rest
}

// groups orders small objects so that what is in one directory, which is likely
// to be asked for together, lies together. The order follows from what there is,
// not from how it was given: who pushes the same makes the same packs. It
// consumes small.
func (p *push) groups(small map[cache.Digest]int64) []sized {
	dirs := slices.Clone(p.w.dirs)
	slices.SortStableFunc(dirs, func(a, b wantedDir) int { return a.digest.Compare(b.digest) })
	list := make([]sized, 0, len(small))
	take := func(ds []cache.Digest) {
		begin := len(list)
		for _, d := range ds {
			if n, ok := small[d]; ok {
				list = append(list, sized{d, n})
				delete(small, d)
			}
		}
		slices.SortFunc(list[begin:], func(a, b sized) int { return a.digest.Compare(b.digest) })
	}
	for _, d := range dirs {
		take(d.members)
	}
	take(p.files)
	return list
}

// cutPacks divides objects into packs.
func cutPacks(list []sized) [][]sized {
	var packs [][]sized
	begin, bytes := 0, int64(0)
	for i, s := range list {
		if i > begin && (bytes+s.size > packTarget || i-begin == cache.PackObjects) {
			packs = append(packs, list[begin:i])
			begin, bytes = i, 0
		}
		bytes += s.size
	}
	if begin < len(list) {
		packs = append(packs, list[begin:])
	}
	return packs
}

// sendPack sends objects as one pack. Those that cannot be read, or turn out to
// be damaged, are left out.
func (p *push) sendPack(ctx context.Context, list []sized) error {
	var failed TransferError
	b := newPackBuilder(list)
	for _, s := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := p.t.readSmall(s.digest, cache.PackedLimit-1)
		if err != nil {
			failed.add(err, 1)
			continue
		}
		b.add(s.digest, data)
	}
	if len(b.index.Objects) > 0 {
		if _, err := p.t.putPack(ctx, b); err != nil {
			failed.add(err, len(b.index.Objects))
		} else {
			p.sent(b)
		}
	}
	if failed.Failed > 0 {
		return &failed
	}
	return nil
}

// sent notes what a pack has brought to the remote.
func (p *push) sent(b *packBuilder) {
	p.mu.Lock()
	for i := range b.index.Objects {
		p.there[b.index.Objects[i].Digest] = b.index.Objects[i].Length
	}
	p.mu.Unlock()
	n := int64(len(b.index.Objects))
	p.objects.Add(n)
	p.bytes.Add(b.index.Size)
	p.t.tell(Progress{Objects: n})
}

// packBuilder puts a pack together in memory.
type packBuilder struct {
	index cache.PackIndex
	body  []byte
}

func newPackBuilder(list []sized) *packBuilder {
	total := int64(0)
	for _, s := range list {
		total += s.size
	}
	return &packBuilder{body: make([]byte, 0, min(total, cache.PackBytes)), index: cache.PackIndex{Objects: make([]cache.Packed, 0, len(list))}}
}

func (b *packBuilder) add(d cache.Digest, data []byte) {
	b.index.Add(d, int64(len(data)))
	b.body = append(b.body, data...)
}

// putPack stores a pack, and then its index: what has no index is not believed
// in. It returns the name.
func (t *Transfer) putPack(ctx context.Context, b *packBuilder) (string, error) {
	index, name := b.index.Encode()
	var body = Bytes(b.body)
	if t.Progress != nil {
		body = &toldBody{Body: body, tell: t.tell}
	}
	if err := t.Remote.Put(ctx, packBodyName(name), body); err != nil {
		return "", err
	}
	if err := t.Remote.Put(ctx, packIndexName(name), Bytes(index)); err != nil {
		return "", err
	}
	t.keepIndex(name, index)
	return name, nil
}

// readSmall reads an object of the cache of at most limit bytes, and verifies it.
func (t *Transfer) readSmall(d cache.Digest, limit int64) ([]byte, error) {
	f, err := t.Cache.Open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	if f.Size() > limit {
		return nil, t.Cache.Quarantine(d) // it was smaller when it was asked for
	}
	return t.readVerified(f, d)
}

// add counts n objects that failed for one reason.
func (e *TransferError) add(err error, n int) {
	e.Failed += n
	if len(e.Errs) < keptErrors {
		e.Errs = append(e.Errs, err)
	}
}

// merge adds what failed in a part of a transfer.
func (e *TransferError) merge(err error) {
	var part *TransferError
	if !errors.As(err, &part) {
		e.add(err, 1)
		return
	}
	e.Failed += part.Failed
	e.Errs = append(e.Errs, part.Errs[:min(len(part.Errs), max(keptErrors-len(e.Errs), 0))]...)
}

var packBuffers = sync.Pool{New: func() any { return new([cache.PackedLimit]byte) }}
