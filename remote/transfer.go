package remote

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/flowrepro/flow/cache"
)

// Transfer moves objects between a cache and a store. Its methods may be called
// concurrently. Wrap the store in Retry first.
type Transfer struct {
	Remote Store
	Cache  *cache.Store
	// Jobs is how many objects move at once; 0 means DVC's default, four for
	// each processor.
	Jobs int
	// Packs keeps small objects together; nil knows nothing of packs.
	Packs *Packs
	// Progress is told what changed since the last call; it may be nil. It is
	// called from several goroutines.
	Progress func(Progress)
}

// Progress is what a transfer did, or found to do, since the last time.
type Progress struct {
	// Checked counts objects of which it is known now whether they must move.
	Checked int64
	// Objects and Bytes were moved.
	Objects, Bytes int64
	// MoreObjects and MoreBytes are to be moved in addition to what was told
	// before.
	MoreObjects, MoreBytes int64
}

// Item is a recorded output that is to be on both sides.
type Item struct {
	Entry cache.Entry
	// Within, unless empty, names a file or directory inside the directory
	// Entry: the rest is left out.
	Within string
}

// Result sums up a transfer.
type Result struct {
	// Objects and Bytes were moved.
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
	// Records were sent or brought in addition.
	Records int `json:"records"`
	// Missing are the objects that are on neither side.
	Missing []cache.Digest `json:"-"`
}

func (t *Transfer) jobs() int {
	if t.Jobs > 0 {
		return t.Jobs
	}
	return 4 * runtime.NumCPU()
}

func (t *Transfer) tell(p Progress) {
	if t.Progress != nil {
		t.Progress(p)
	}
}

// keptErrors is how many reasons a TransferError keeps.
const keptErrors = 5

// each calls fn for 0 to n-1, as many at once as there are jobs. All are tried
// whatever becomes of others, unless an error is fatal for all or ctx ends. The
// error is nil, ctx's or a *TransferError.
func (t *Transfer) each(ctx context.Context, verb string, n int, fn func(ctx context.Context, i int) error) error {
	return t.eachOf(ctx, verb, t.jobs(), n, fn)
}

// eachOf is each with at most so many at once. When fn is about several objects,
// its error is a *TransferError.
func (t *Transfer) eachOf(ctx context.Context, verb string, most, n int, fn func(ctx context.Context, i int) error) error {
	if n == 0 {
		return ctx.Err()
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		next   atomic.Int64
		mu     sync.Mutex
		failed TransferError
		wg     sync.WaitGroup
	)
	for range min(t.jobs(), most, n) {
		wg.Go(func() {
			for inner.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				err := fn(inner, i)
				if err == nil {
					continue
				}
				mu.Lock()
				if inner.Err() == nil || !errors.Is(err, context.Canceled) {
					failed.merge(err)
				}
				mu.Unlock()
				if fatal(err) {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed.Failed > 0 {
		failed.Verb = verb
		return &failed
	}
	return nil
}

// wanted is what items come down to: distinct objects, and directories with
// those of their members that are asked for.
type wanted struct {
	files []cache.Digest
	dirs  []wantedDir
	// limit has all of them, with a bound on the size; negative when not known.
	limit map[cache.Digest]int64
}

type wantedDir struct {
	digest cache.Digest
	// members are those that were asked for.
	members []cache.Digest
	// whole is set when these are all.
	whole bool
	// size is that of all of them; 0 when not known.
	size int64
	// begin and end are where in files those are that nothing before it named.
	begin, end int
}

func newWanted() *wanted { return &wanted{limit: map[cache.Digest]int64{}} }

// file adds an object that is no larger than limit; negative when not known.
func (w *wanted) file(d cache.Digest, limit int64) {
	if d.IsZero() {
		return
	}
	if _, ok := w.limit[d]; ok {
		return
	}
	w.limit[d] = limit
	w.files = append(w.files, d)
}

// dir adds a directory whose manifest is known.
func (w *wanted) dir(it Item, m *cache.Manifest) {
	wd := wantedDir{digest: it.Entry.Digest, whole: it.Within == "", begin: len(w.files)}
	if wd.whole {
		wd.size = it.Entry.Size
		wd.members = make([]cache.Digest, 0, len(m.Members))
		w.files = slices.Grow(w.files, len(m.Members))
		if len(w.limit) == 0 {
			w.limit = make(map[cache.Digest]int64, len(m.Members)+1)
		}
	}
	for i := range m.Members {
		b := &m.Members[i]
		if it.Within != "" && b.Path != it.Within && !below(b.Path, it.Within) {
			continue
		}
		limit := b.Size
		if limit < 0 && it.Entry.Size > 0 {
			// DVC's manifests do not tell; no member is larger than all.
			limit = it.Entry.Size
		}
		w.file(b.Digest, limit)
		wd.members = append(wd.members, b.Digest)
	}
	wd.end = len(w.files)
	w.dirs = append(w.dirs, wd)
}

func below(path, dir string) bool {
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == '/'
}

// sortedMissing returns distinct digests in order.
func sortedMissing(list []cache.Digest) []cache.Digest {
	seen := map[cache.Digest]struct{}{}
	var out []cache.Digest
	for _, d := range list {
		if _, ok := seen[d]; !ok {
			seen[d] = struct{}{}
			out = append(out, d)
		}
	}
	sortDigests(out)
	return out
}
