package remote

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/flowrepro/flow/cache"
)

const (
	// askEach is up to how many objects each is asked for by its own request.
	askEach = 128
	// pageSize is how many names one request lists.
	pageSize = 1000
	// listWeight is how many questions cost as much as listing a page.
	listWeight = 3
)

func sortDigests(ds []cache.Digest) {
	slices.SortFunc(ds, cache.Digest.Compare)
}

func newestFirst(infos []Info) {
	slices.SortFunc(infos, func(a, b Info) int {
		return cmp.Or(b.Modified.Compare(a.Modified), cmp.Compare(a.Name, b.Name))
	})
}

// group is the listing that holds a digest: algorithm and first byte.
type group struct {
	hash  *cache.Hash
	first byte
}

func (g group) prefix() string {
	const digits = "0123456789abcdef"
	return objectPrefix(g.hash) + string([]byte{digits[g.first>>4], digits[g.first&15]}) + "/"
}

// Present returns the sizes of those of the objects ds that the remote has. What
// is in packs, their indexes tell. Of the others, when they are few, each is
// asked for; when they are many, listings tell: of the 256 prefixes that they
// are spread over, or of all at once where that is few pages. When the remote
// holds so much more that asking for each is cheaper, that is done: what one
// listing has tells about the others.
func (t *Transfer) Present(ctx context.Context, ds []cache.Digest) (map[cache.Digest]int64, error) {
	found := make(map[cache.Digest]int64, len(ds))
	if len(ds) == 0 {
		return found, nil
	}
	where, err := t.locate(ctx, ds)
	if err != nil {
		return nil, err
	}
	if len(where) > 0 {
		var rest []cache.Digest
		for _, d := range ds {
			if at, ok := where[d]; ok {
				found[d] = at.Length
			} else {
				rest = append(rest, d)
			}
		}
		t.tell(Progress{Checked: int64(len(ds) - len(rest))})
		ds = rest
	}
	groups := map[group][]cache.Digest{}
	var order []group
	for _, d := range ds {
		g := group{d.Hash(), d.Sum()[0]}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], d)
	}
	if len(ds) > askEach {
		g := order[0]
		listed, pages, err := t.listGroup(ctx, g, len(groups[g]))
		if err != nil {
			return nil, err
		}
		if len(listed) <= listAllUpTo && len(order) > listAllUpTo && g.hash != cache.MD5Text && sameHash(order) {
			return found, t.presentByListAll(ctx, g.hash, ds, found)
		}
		if pages*len(order)*listWeight <= len(ds) {
			return found, t.presentByList(ctx, order, groups, g, listed, found)
		}
	}
	return found, t.presentByStat(ctx, ds, found)
}

// listAllUpTo is up to how many objects under one of the 256 prefixes all of them
// are listed at once: that takes as many pages in a row as a quarter of that.
const listAllUpTo = 24

func (t *Transfer) presentByListAll(ctx context.Context, h *cache.Hash, ds []cache.Digest, found map[cache.Digest]int64) error {
	sizes := make(map[cache.Digest]int64, len(ds))
	for info, err := range t.Remote.List(ctx, objectPrefix(h)) {
		if err != nil {
			return err
		}
		if d, ok := ParseObjectName(h, info.Name); ok {
			sizes[d] = info.Size
		}
	}
	for _, d := range ds {
		if size, ok := sizes[d]; ok {
			found[d] = size
		}
	}
	t.tell(Progress{Checked: int64(len(ds))})
	return nil
}

func sameHash(list []group) bool {
	for _, g := range list {
		if g.hash != list[0].hash {
			return false
		}
	}
	return true
}

// listGroup lists one prefix, under which there are some n objects.
func (t *Transfer) listGroup(ctx context.Context, g group, n int) (sizes map[cache.Digest]int64, pages int, err error) {
	sizes = make(map[cache.Digest]int64, n)
	names := 0
	for info, err := range t.Remote.List(ctx, g.prefix()) {
		if err != nil {
			return nil, 0, err
		}
		names++
		if d, ok := ParseObjectName(g.hash, info.Name); ok {
			sizes[d] = info.Size
		}
	}
	return sizes, names/pageSize + 1, nil
}

func (t *Transfer) presentByList(ctx context.Context, order []group, groups map[group][]cache.Digest,
	first group, listed map[cache.Digest]int64, found map[cache.Digest]int64,
) error {
	var mu sync.Mutex
	return FirstError(t.each(ctx, "check", len(order), func(ctx context.Context, i int) error {
		g := order[i]
		sizes := listed
		if g != first {
			var err error
			if sizes, _, err = t.listGroup(ctx, g, len(groups[g])); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, d := range groups[g] {
			if size, ok := sizes[d]; ok {
				found[d] = size
			}
		}
		t.tell(Progress{Checked: int64(len(groups[g]))})
		return nil
	}))
}

func (t *Transfer) presentByStat(ctx context.Context, ds []cache.Digest, found map[cache.Digest]int64) error {
	var mu sync.Mutex
	return FirstError(t.each(ctx, "check", len(ds), func(ctx context.Context, i int) error {
		info, err := t.Remote.Stat(ctx, ObjectName(ds[i]))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil {
			mu.Lock()
			found[ds[i]] = info.Size
			mu.Unlock()
		}
		t.tell(Progress{Checked: 1})
		return nil
	}))
}

// FirstError replaces the count of failures by the first: a question that cannot
// be answered ends what it was asked for.
func FirstError(err error) error {
	var te *TransferError
	if errors.As(err, &te) && len(te.Errs) > 0 {
		return te.Errs[0]
	}
	return err
}
