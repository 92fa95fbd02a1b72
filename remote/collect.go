package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flowrepro/flow/cache"
)

// CollectOptions say what a garbage collection of a remote keeps.
type CollectOptions struct {
	// Used are the objects to keep, with the members of directories: see Close.
	Used map[cache.Digest]bool
	// Hashes are the algorithms whose objects are the project's.
	Hashes []*cache.Hash
	// Needs reads a record of a result, by its name, and returns the objects
	// that it names; what it cannot read is left alone.
	Needs func(name string, data []byte) ([]cache.Digest, error)
	// MaxAge keeps unused objects that are younger; MaxSize keeps as many as
	// leave the whole no larger. 0 means no such bound; with neither all unused
	// objects go.
	MaxAge  time.Duration
	MaxSize int64
	// Dry only counts.
	Dry bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Collected tells what a garbage collection removed, or would.
type Collected struct {
	Objects int   `json:"objects"`
	Records int   `json:"records"`
	Bytes   int64 `json:"bytes"`
}

// Close completes a set of used digests by the members of directories. Manifests
// that are not in the cache are fetched, and known to it then. When one is nowhere, what it needs is
// not known and the error says so: nothing may be collected then.
func (t *Transfer) Close(ctx context.Context, used map[cache.Digest]bool) error {
	var dirs []cache.Digest
	for d := range used {
		if d.IsDir() {
			dirs = append(dirs, d)
		}
	}
	sortDigests(dirs)
	if err := t.Manifests(ctx, dirs); err != nil {
		return err
	}
	for _, d := range dirs {
		m, err := t.Cache.Manifest(d)
		if err != nil {
			return err
		}
		for i := range m.Members {
			used[m.Members[i].Digest] = true
		}
	}
	return nil
}

// Manifests fetches the manifests of directories that are not in the cache, which
// knows them then, but does not have them.
func (t *Transfer) Manifests(ctx context.Context, dirs []cache.Digest) error {
	return FirstError(t.each(ctx, "download", len(dirs), func(ctx context.Context, i int) error {
		if _, err := t.Cache.Manifest(dirs[i]); !errors.Is(err, cache.ErrNotFound) {
			return err
		}
		if _, err := t.manifest(ctx, cache.Entry{Digest: dirs[i]}); err != nil {
			return fmt.Errorf("directory %s is in use, and what it holds is not known: %w", dirs[i], err)
		}
		return nil
	}))
}

// stored is an object on the remote.
type stored struct {
	digest cache.Digest
	info   Info
	// pack is what it is in, nil when it lies by itself.
	pack *usedPack
}

// Collect removes objects that are not used, after the records that name them,
// and manifests before what they name. What is used in packs that go is in others
// before; a pack of which little is not used stays as it is, unless bounds ask for
// every byte. Only what was there when it began is removed. Pushes at the same time notice it, see marker.
func (t *Transfer) Collect(ctx context.Context, o CollectOptions) (Collected, error) {
	var res Collected
	if o.Now == nil {
		o.Now = time.Now
	}
	if !o.Dry {
		if err := t.mark(ctx, marker{Started: o.Now()}); err != nil {
			return res, err
		}
		defer func() {
			// Should it fail, pushes wait in vain for a while.
			_ = t.mark(context.WithoutCancel(ctx), marker{Started: o.Now(), Finished: o.Now()})
		}()
	}
	unused, total, err := t.unused(ctx, &o)
	if err != nil {
		return res, err
	}
	unused, packs, bytes, err := t.surveyPacks(ctx, &o, unused)
	if err != nil {
		return res, err
	}
	doomed, old, err := t.repack(ctx, &o, packs, o.doomed(unused, total+bytes))
	if err != nil {
		return res, err
	}
	gone := make(map[cache.Digest]bool, len(doomed))
	for _, d := range doomed {
		gone[d.digest] = true
		res.Objects++
		res.Bytes += d.info.Size
	}
	records, err := t.needing(ctx, &o, gone)
	if err != nil {
		return res, err
	}
	res.Records = len(records)
	if o.Dry {
		return res, nil
	}
	if err := t.removeAll(ctx, records); err != nil {
		return res, err
	}
	for _, dirs := range []bool{true, false} {
		var names []string
		for _, d := range doomed {
			if d.pack == nil && d.digest.IsDir() == dirs {
				names = append(names, d.info.Name)
			}
		}
		if err := t.removeAll(ctx, names); err != nil {
			return res, err
		}
	}
	return res, t.removePacks(ctx, old)
}

// unused lists what is not used, and sums up the sizes of all.
func (t *Transfer) unused(ctx context.Context, o *CollectOptions) (list []stored, total int64, err error) {
	for _, h := range o.Hashes {
		for info, err := range t.Remote.List(ctx, objectPrefix(h)) {
			if err != nil {
				return nil, 0, err
			}
			d, ok := ParseObjectName(h, info.Name)
			if !ok {
				continue
			}
			total += info.Size
			if !o.Used[d] {
				list = append(list, stored{d, info, nil})
			}
			t.tell(Progress{Checked: 1})
		}
	}
	return list, total, nil
}

// doomed picks what has to go: everything unused, or the oldest of it.
func (o *CollectOptions) doomed(unused []stored, total int64) []stored {
	if o.MaxAge == 0 && o.MaxSize == 0 {
		return unused
	}
	slices.SortFunc(unused, func(a, b stored) int { return a.info.Modified.Compare(b.info.Modified) })
	var list []stored
	now := o.Now()
	for _, s := range unused {
		if o.MaxAge > 0 && now.Sub(s.info.Modified) > o.MaxAge || o.MaxSize > 0 && total > o.MaxSize {
			list = append(list, s)
			total -= s.info.Size
		}
	}
	return list
}

// collectRecordLimit bounds the size of records that are looked into.
const collectRecordLimit = 16 << 20

// needing returns the names of the records that need what is going.
func (t *Transfer) needing(ctx context.Context, o *CollectOptions, gone map[cache.Digest]bool) ([]string, error) {
	if len(gone) == 0 || o.Needs == nil {
		return nil, nil
	}
	var all []string
	for _, prefix := range []string{recordsPrefix, runsPrefix} {
		for info, err := range t.Remote.List(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			_, isRecord := parseRecordName(info.Name)
			_, _, isRun := parseRunName(info.Name)
			if isRecord || isRun {
				all = append(all, info.Name)
			}
		}
	}
	stale := make([]bool, len(all))
	err := FirstError(t.each(ctx, "read", len(all), func(ctx context.Context, i int) error {
		data, err := ReadAll(ctx, t.Remote, all[i], collectRecordLimit)
		if errors.Is(err, ErrNotFound) || KindOf(err) == Corrupt {
			return nil
		}
		if err != nil {
			return err
		}
		needs, err := o.Needs(all[i], data)
		if err != nil {
			return nil //nolint:nilerr // not ours to judge
		}
		for _, d := range needs {
			stale[i] = stale[i] || gone[d]
			if d.IsDir() && !stale[i] {
				// A member may go while its manifest stays.
				if m, err := t.Cache.Manifest(d); err == nil {
					for k := range m.Members {
						stale[i] = stale[i] || gone[m.Members[k].Digest]
					}
				}
			}
		}
		return nil
	}))
	var names []string
	for i, name := range all {
		if stale[i] {
			names = append(names, name)
		}
	}
	return names, err
}

// removeBatch is how many names are removed at a time.
const removeBatch = 1000

func (t *Transfer) removeAll(ctx context.Context, names []string) error {
	n := (len(names) + removeBatch - 1) / removeBatch
	t.tell(Progress{MoreObjects: int64(len(names))})
	return t.each(ctx, "remove", n, func(ctx context.Context, i int) error {
		batch := names[i*removeBatch : min((i+1)*removeBatch, len(names))]
		if err := t.Remote.Remove(ctx, batch...); err != nil {
			return err
		}
		t.tell(Progress{Objects: int64(len(batch))})
		return nil
	})
}

// marker tells pushes of a garbage collection. A push looks at it before it asks
// what the remote has and after it has sent the rest: when a collection began or
// ended in between, what the push relied on may be gone, so it waits for the end
// and asks again.
type marker struct {
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
}

// markerName is where the marker is.
const markerName = ".flow/collecting"

// markerAge is how long a collection may take before it counts as crashed.
const markerAge = time.Hour

func (t *Transfer) mark(ctx context.Context, m marker) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return t.Remote.Put(ctx, markerName, Bytes(append(data, '\n')))
}

// marked reads the marker; the zero marker when there is none. running is set
// while a collection is at work.
func (t *Transfer) marked(ctx context.Context) (m marker, running bool, err error) {
	data, err := ReadAll(ctx, t.Remote, markerName, 1<<10)
	if errors.Is(err, ErrNotFound) || KindOf(err) == Denied {
		return m, false, nil // none, or none of ours to see
	}
	if err != nil {
		return m, false, err
	}
	if json.Unmarshal(data, &m) != nil {
		return marker{}, false, nil //nolint:nilerr // nothing of ours
	}
	age := time.Since(m.Started)
	return m, m.Finished.IsZero() && age < markerAge && age > -markerAge, nil
}
