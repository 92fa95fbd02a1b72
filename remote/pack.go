package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/internal/atomicfile"
)

// Packs lets a transfer keep small objects together: many in one object of the
// store, a pack, with another one, its index, that says where each is. Objects
// that lie by themselves are found all the same. Only objects of BLAKE3 are
// packed: where the remote is DVC's too, its layout is DVC's.
type Packs struct {
	// Dir keeps the indexes that were read, by name: they never change. It is
	// made when needed; with "" nothing is kept.
	Dir string
	// ReadOnly sends all objects by themselves.
	ReadOnly bool
	// Denied, if set, is told, once, that the remote does not let its packs be
	// listed: what they hold is taken for absent then.
	Denied func(error)

	told sync.Once
}

const packsPrefix = "packs/blake3/"

func packBodyName(name string) string  { return packsPrefix + name + cache.PackSuffix }
func packIndexName(name string) string { return packsPrefix + name + cache.PackIndexSuffix }

// packsMost is how many packs a remote may list.
const packsMost = 1 << 20

// storedPack is a pack on the remote, or what there is of one.
type storedPack struct {
	name string
	// size and index are those of the two parts, -1 for what is not there.
	size, index int64
	modified    time.Time
}

// whole reports whether there is a pack and what can be its index.
func (p *storedPack) whole() bool {
	return p.size >= 0 && p.index >= int64(cache.PackIndexLeast) && p.index <= int64(cache.PackIndexLimit)
}

// listPacks returns the packs of the remote, by name. Where listing is denied
// there are none, and Packs.Denied hears of it.
func (t *Transfer) listPacks(ctx context.Context) ([]storedPack, error) {
	if t.Packs == nil {
		return nil, nil
	}
	found := map[string]*storedPack{}
	for info, err := range t.Remote.List(ctx, packsPrefix) {
		if KindOf(err) == Denied {
			if t.Packs.Denied != nil {
				t.Packs.told.Do(func() { t.Packs.Denied(err) })
			}
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		name, isIndex := strings.CutSuffix(strings.TrimPrefix(info.Name, packsPrefix), cache.PackIndexSuffix)
		name, isPack := strings.CutSuffix(name, cache.PackSuffix)
		if isIndex == isPack || !isKey(name) {
			continue // nothing of ours
		}
		p := found[name]
		if p == nil {
			if len(found) == packsMost {
				return nil, &Error{Op: "list", Name: packsPrefix, Kind: Corrupt, Err: fmt.Errorf("more than %d packs", packsMost)}
			}
			p = &storedPack{name: name, size: -1, index: -1}
			found[name] = p
		}
		if isIndex {
			p.index = info.Size
		} else {
			p.size = info.Size
		}
		if info.Modified.After(p.modified) {
			p.modified = info.Modified
		}
	}
	list := make([]storedPack, 0, len(found))
	for _, p := range found {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b storedPack) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// eachPack calls fn for the index of each of the packs, one at a time. A pack
// that is gone meanwhile, or whose index is not what it should be, is passed
// over: what it holds is not there then.
func (t *Transfer) eachPack(ctx context.Context, list []storedPack, fn func(p *storedPack, x *cache.PackIndex)) error {
	var mu sync.Mutex
	return FirstError(t.each(ctx, "read", len(list), func(ctx context.Context, i int) error {
		p := &list[i]
		if !p.whole() {
			return nil
		}
		x, err := t.packIndex(ctx, p)
		if errors.Is(err, ErrNotFound) || KindOf(err) == Corrupt {
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		fn(p, x)
		return nil
	}))
}

// packIndex returns the index of a pack: the one that is kept here, or else the
// remote's.
func (t *Transfer) packIndex(ctx context.Context, p *storedPack) (*cache.PackIndex, error) {
	if data := t.keptIndex(p.name); data != nil {
		if x, err := checkedIndex(p, data); err == nil {
			return x, nil
		}
	}
	name := packIndexName(p.name)
	var err error
	for range corruptTries {
		var data []byte
		if data, err = ReadAll(ctx, t.Remote, name, int64(cache.PackIndexLimit)); err == nil {
			var x *cache.PackIndex
			if x, err = checkedIndex(p, data); err == nil {
				t.keepIndex(p.name, data)
				return x, nil
			}
		}
		if KindOf(err) != Corrupt || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// checkedIndex parses what should be the index of a pack.
func checkedIndex(p *storedPack, data []byte) (*cache.PackIndex, error) {
	corrupt := func(err error) error {
		return &Error{Op: "get", Name: packIndexName(p.name), Kind: Corrupt, Err: err}
	}
	if cache.PackName(data) != p.name {
		return nil, corrupt(errNotItself)
	}
	x, err := cache.ParsePackIndex(data)
	if err != nil {
		return nil, corrupt(err)
	}
	if x.Size != p.size {
		return nil, corrupt(fmt.Errorf("the pack has %d bytes, not %d", p.size, x.Size))
	}
	return x, nil
}

func (t *Transfer) keptIndex(name string) []byte {
	if t.Packs.Dir == "" {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(t.Packs.Dir, name+cache.PackIndexSuffix))
	if err != nil {
		return nil
	}
	return data
}

// keepIndex keeps an index. That it cannot costs asking again.
func (t *Transfer) keepIndex(name string, data []byte) {
	if t.Packs.Dir == "" || os.MkdirAll(t.Packs.Dir, 0o777) != nil {
		return
	}
	_ = atomicfile.Write(filepath.Join(t.Packs.Dir, name+cache.PackIndexSuffix), data, atomicfile.Options{})
}

func (t *Transfer) dropIndex(name string) {
	if t.Packs.Dir != "" {
		_ = os.Remove(filepath.Join(t.Packs.Dir, name+cache.PackIndexSuffix)) // it is of no use, and does no harm
	}
}

// place is where a packed object is.
type place struct {
	pack string
	cache.Packed
}

// locate tells which of the objects are in packs, and where.
func (t *Transfer) locate(ctx context.Context, ds []cache.Digest) (map[cache.Digest]place, error) {
	if t.Packs == nil {
		return nil, nil
	}
	wanted := make(map[cache.Digest]struct{}, len(ds))
	for _, d := range ds {
		if d.Hash() == cache.BLAKE3 && !d.IsDir() {
			wanted[d] = struct{}{}
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	list, err := t.listPacks(ctx)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	where := make(map[cache.Digest]place)
	err = t.eachPack(ctx, list, func(p *storedPack, x *cache.PackIndex) {
		for _, o := range x.Find(wanted) {
			// One of several, but always the same one.
			if old, ok := where[o.Digest]; !ok || p.name < old.pack {
				where[o.Digest] = place{p.name, o}
			}
		}
	})
	return where, err
}
