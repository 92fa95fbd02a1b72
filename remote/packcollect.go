package remote

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/flowrepro/flow/cache"
)

const (
	// packWaste is the part of a pack, one in so many bytes or objects, from which
	// on what is not used any more is worth writing the rest anew.
	packWaste = 4
	// Packs smaller than packSmall are put together when there are more than
	// packSmallFrom.
	packSmall     = packTarget / 8
	packSmallFrom = 16
	// packOrphan is how old a part of a pack without the other is when nobody is
	// about to send the other any more.
	packOrphan = time.Hour
)

// usedPack is a pack as a garbage collection sees it.
type usedPack struct {
	storedPack
	holds  cache.PackIndex
	doomed map[cache.Digest]bool
	bytes  int64 // of doomed
	// replaced is set when what is live in it is elsewhere.
	replaced bool
}

func (p *usedPack) live() (objects int, bytes int64) {
	return len(p.holds.Objects) - len(p.doomed), p.holds.Size - p.bytes
}

// wasteful reports whether a pack should be written anew without what is doomed.
// exact is set when every byte counts.
func (p *usedPack) wasteful(exact bool) bool {
	n, size := int64(len(p.doomed)), p.holds.Size
	return n > 0 && (exact || p.bytes*packWaste >= size || n*packWaste >= int64(len(p.holds.Objects)))
}

// surveyPacks adds the objects in packs that are not used to unused, and returns all
// packs. Their modification time is that of the pack.
func (t *Transfer) surveyPacks(ctx context.Context, o *CollectOptions, unused []stored) ([]stored, []*usedPack, int64, error) {
	list, err := t.listPacks(ctx)
	if err != nil || len(list) == 0 {
		return unused, nil, 0, err
	}
	var packs []*usedPack
	total := int64(0)
	err = t.eachPack(ctx, list, func(p *storedPack, x *cache.PackIndex) {
		u := &usedPack{storedPack: *p, holds: *x, doomed: map[cache.Digest]bool{}}
		packs = append(packs, u)
		total += p.size
		for _, e := range x.Objects {
			if !o.Used[e.Digest] {
				unused = append(unused, stored{e.Digest, Info{Size: e.Length, Modified: p.modified}, u})
			}
		}
		t.tell(Progress{Checked: int64(len(x.Objects))})
	})
	now := o.Now()
	for i := range list {
		// What an interrupted push or collection left.
		if p := &list[i]; (p.size < 0 || p.index < 0) && now.Sub(p.modified) > packOrphan {
			packs = append(packs, &usedPack{storedPack: *p, replaced: true})
		}
	}
	return unused, packs, total, err
}

// repack sees to it that what is live is not in packs that are going, and
// returns these: it writes new packs. Of doomed it returns what goes then. Packs
// with little that is doomed stay as they are, and so do those that cannot be
// read.
func (t *Transfer) repack(ctx context.Context, o *CollectOptions, packs []*usedPack, doomed []stored) ([]stored, []*usedPack, error) {
	for _, s := range doomed {
		if s.pack != nil {
			s.pack.doomed[s.digest] = true
			s.pack.bytes += s.info.Size
		}
	}
	exact := o.MaxAge > 0 || o.MaxSize > 0
	small := 0
	for _, p := range packs {
		if !p.replaced && p.size < packSmall {
			small++
		}
	}
	var rewrite []*usedPack
	for _, p := range packs {
		n, _ := p.live()
		switch {
		case p.replaced:
		case n == 0:
			p.replaced = true
		case p.wasteful(exact) || p.size < packSmall && small > packSmallFrom:
			rewrite = append(rewrite, p)
		}
	}
	groups := groupPacks(rewrite)
	if o.Dry {
		for _, g := range groups {
			for _, p := range g {
				p.replaced = true
			}
		}
	} else {
		err := FirstError(t.eachOf(ctx, "upload", packsAtOnce, len(groups), func(ctx context.Context, i int) error {
			return t.rewrite(ctx, groups[i])
		}))
		if err != nil {
			return nil, nil, err
		}
	}
	var going []stored
	for _, s := range doomed {
		if s.pack == nil || s.pack.replaced {
			going = append(going, s)
		}
	}
	var old []*usedPack
	for _, p := range packs {
		if p.replaced {
			old = append(old, p)
		}
	}
	return going, old, nil
}

// groupPacks says what becomes one pack each.
func groupPacks(list []*usedPack) [][]*usedPack {
	var groups [][]*usedPack
	objects, bytes := 0, int64(0)
	for _, p := range list {
		n, size := p.live()
		if len(groups) == 0 || objects+n > cache.PackObjects || bytes+size > packTarget {
			groups = append(groups, nil)
			objects, bytes = 0, 0
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], p)
		objects, bytes = objects+n, bytes+size
	}
	kept := groups[:0]
	for _, g := range groups {
		if len(g) > 1 || len(g[0].doomed) > 0 {
			kept = append(kept, g)
		}
	}
	return kept
}

// rewrite writes what is live in some packs as one.
func (t *Transfer) rewrite(ctx context.Context, group []*usedPack) error {
	b := new(packBuilder)
	seen := map[cache.Digest]bool{}
	var read []*usedPack
	for _, p := range group {
		before := *b
		err := t.readLive(ctx, p, b, seen)
		if errors.Is(err, ErrNotFound) || KindOf(err) == Corrupt {
			// Another collection was faster, or a part of it is damaged and the
			// rest still of use. What it has not given is not here, though it may
			// have been seen.
			for _, e := range b.index.Objects[len(before.index.Objects):] {
				delete(seen, e.Digest)
			}
			*b = before
			continue
		}
		if err != nil {
			return err
		}
		read = append(read, p)
	}
	if len(read) == 0 || len(read) == 1 && len(read[0].doomed) == 0 {
		return nil
	}
	name, err := t.putPack(ctx, b)
	if err != nil {
		return err
	}
	for _, p := range read {
		p.replaced = p.name != name
	}
	return nil
}

// readLive adds what is live in a pack, verified.
func (t *Transfer) readLive(ctx context.Context, p *usedPack, b *packBuilder, seen map[cache.Digest]bool) error {
	name := packBodyName(p.name)
	body, err := t.Remote.Get(ctx, name, Range{})
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // what it yields is verified
	buf := packBuffers.Get().(*[cache.PackedLimit]byte)
	defer packBuffers.Put(buf)
	for _, o := range p.holds.ByOffset() {
		data := buf[:o.Length]
		if _, err := io.ReadFull(body, data); err != nil {
			if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF { //nolint:errorlint // ReadFull's own; a store's has a kind
				err = &Error{Op: "get", Name: name, Kind: Corrupt, Err: io.ErrUnexpectedEOF}
			}
			return err
		}
		if p.doomed[o.Digest] || seen[o.Digest] {
			continue
		}
		h := cache.BLAKE3.New()
		h.Write(data)
		if cache.NewDigest(cache.BLAKE3, h.Sum(nil), false) != o.Digest {
			return &Error{Op: "get", Name: name, Kind: Corrupt, Err: errNotItself}
		}
		seen[o.Digest] = true
		b.add(o.Digest, data)
	}
	return nil
}

// removePacks removes packs: the indexes first, so that nothing says of what is
// not there that it is.
func (t *Transfer) removePacks(ctx context.Context, old []*usedPack) error {
	var indexes, bodies []string
	for _, p := range old {
		if p.index >= 0 {
			indexes = append(indexes, packIndexName(p.name))
		}
		if p.size >= 0 {
			bodies = append(bodies, packBodyName(p.name))
		}
	}
	if err := t.removeAll(ctx, indexes); err != nil {
		return err
	}
	if err := t.removeAll(ctx, bodies); err != nil {
		return err
	}
	for _, p := range old {
		t.dropIndex(p.name)
	}
	return nil
}
