package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
)

// CollectRequest says what garbage collection keeps. What the workspace's lock
// and .dvc files name is always kept.
type CollectRequest struct {
	// Used are further digests to keep, with the members of directories.
	Used []cache.Digest
	// Budget, if not nil, keeps everything that fits instead of only what is used.
	Budget *Budget
	// Dry only counts.
	Dry bool
}

// Budget bounds the cache by size and age. Unused objects go oldest first.
type Budget struct {
	MaxSize int64         // bytes in the cache afterwards; 0 means no bound
	MaxAge  time.Duration // age of unused objects; 0 means no bound
}

// CollectReport tells what was removed, or would be.
type CollectReport struct {
	Objects int   `json:"objects"`
	Records int   `json:"records"`
	Bytes   int64 `json:"bytes"`
	Kept    int   `json:"kept"`
}

// Collect removes objects that nothing names, and with them the records that
// need them. It waits until no other flow process writes to the cache.
// Records are removed before their objects, and a directory's manifest before
// its members, so that an interrupted collection leaves no name without
// content behind it.
func (e *Engine) Collect(ctx context.Context, req CollectRequest) (*CollectReport, error) {
	done, err := e.collecting(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := e.section.enter(ctx); err != nil {
		return nil, err
	}
	defer e.section.leave()
	used, err := e.used(ctx, req.Used)
	if err != nil {
		return nil, err
	}
	var unused []cachedObject
	var total int64
	err = e.opt.Store.Walk(ctx, func(d cache.Digest, size int64, mod time.Time) error {
		total += size
		if !used[d] {
			unused = append(unused, cachedObject{d, size, mod})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the cache: %w", err)
	}
	rep := &CollectReport{Kept: len(used)}
	doomed := e.overBudget(unused, total, req.Budget)
	gone := map[cache.Digest]bool{}
	for _, o := range doomed {
		if !gone[o.digest] { // it may be there twice
			rep.Objects++
		}
		gone[o.digest] = true
		rep.Bytes += o.size
	}
	var stale []cache.Key
	err = e.opt.Store.WalkRecords(func(r *cache.Record, _ int64, _ time.Time) error {
		for _, o := range r.Outputs {
			if gone[o.Entry.Digest] || !e.opt.Store.Has(o.Entry.Digest) || e.lostMember(o.Entry.Digest, gone) {
				stale = append(stale, r.Key)
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	rep.Records = len(stale)
	if e.runs != nil {
		runs, err := e.runs.Prune(func(s *lock.Stage) bool { return !e.needs(s, gone) }, req.Dry)
		if err != nil {
			return nil, err
		}
		rep.Records += runs
	}
	if req.Dry {
		return rep, nil
	}
	var errs []error
	for _, k := range stale {
		errs = append(errs, e.opt.Store.RemoveRecord(k))
	}
	sort.SliceStable(doomed, func(i, j int) bool { return doomed[i].digest.IsDir() && !doomed[j].digest.IsDir() })
	going := make([]cache.Digest, len(doomed))
	for i := range doomed {
		going[i] = doomed[i].digest
	}
	errs = append(errs, e.opt.Store.Remove(ctx, going...))
	return rep, errors.Join(errs...)
}

type cachedObject struct {
	digest cache.Digest
	size   int64
	mod    time.Time
}

// overBudget picks what has to go: everything unused, or the oldest of it.
func (e *Engine) overBudget(unused []cachedObject, total int64, b *Budget) []cachedObject {
	if b == nil {
		return unused
	}
	sort.Slice(unused, func(i, j int) bool { return unused[i].mod.Before(unused[j].mod) })
	var doomed []cachedObject
	now := e.opt.Now()
	for _, o := range unused {
		if b.MaxAge > 0 && now.Sub(o.mod) > b.MaxAge || b.MaxSize > 0 && total > b.MaxSize {
			doomed = append(doomed, o)
			total -= o.size
		}
	}
	return doomed
}

func (e *Engine) lostMember(d cache.Digest, gone map[cache.Digest]bool) bool {
	if !d.IsDir() {
		return false
	}
	m, err := e.opt.Store.Manifest(d)
	if err != nil {
		return true
	}
	for _, member := range m.Members {
		if gone[member.Digest] {
			return true
		}
	}
	return false
}

// needs reports whether an entry of the run cache names what is going.
func (e *Engine) needs(s *lock.Stage, gone map[cache.Digest]bool) bool {
	for i := range s.Outs {
		c, err := e.cacheEntry(&s.Outs[i])
		if err != nil || gone[c.Digest] || e.lostMember(c.Digest, gone) {
			return true
		}
	}
	return false
}

// used is everything the workspace's files and the request name.
func (e *Engine) used(ctx context.Context, more []cache.Digest) (map[cache.Digest]bool, error) {
	list, err := e.named(more)
	if err != nil {
		return nil, err
	}
	used := map[cache.Digest]bool{}
	for _, d := range list {
		e.use(d, used)
	}
	return used, ctx.Err()
}

// named lists what the workspace's files name, after more.
func (e *Engine) named(more []cache.Digest) ([]cache.Digest, error) {
	list := append([]cache.Digest(nil), more...)
	seen := map[string]bool{}
	for _, n := range e.nodes {
		if n.IsData() {
			for _, o := range n.Data.Outs {
				entry, err := e.cacheEntry(&o.Entry)
				if err != nil {
					return nil, err
				}
				list = append(list, entry.Digest)
			}
			continue
		}
		if seen[lockPath(n.File)] {
			continue
		}
		seen[lockPath(n.File)] = true
		e.locks.mu.Lock()
		f, err := e.locks.load(n.File)
		e.locks.mu.Unlock()
		if err != nil {
			return nil, err
		}
		ds, err := e.lockDigests(f.file)
		if err != nil {
			return nil, err
		}
		list = append(list, ds...)
	}
	return list, nil
}

// Used returns everything that the workspace's files and more name, directories
// without their members.
func (e *Engine) Used(ctx context.Context, more []cache.Digest) (map[cache.Digest]bool, error) {
	if err := e.section.enter(ctx); err != nil {
		return nil, err
	}
	defer e.section.leave()
	list, err := e.named(more)
	if err != nil {
		return nil, err
	}
	used := make(map[cache.Digest]bool, len(list))
	for _, d := range list {
		if !d.IsZero() {
			used[d] = true
		}
	}
	return used, nil
}

// use marks a digest and, for a directory, its members. A manifest that is not
// in the cache has no members there to keep.
func (e *Engine) use(d cache.Digest, used map[cache.Digest]bool) {
	if d.IsZero() || used[d] {
		return
	}
	used[d] = true
	if !d.IsDir() {
		return
	}
	m, err := e.opt.Store.Manifest(d)
	if err != nil {
		return
	}
	for _, member := range m.Members {
		used[member.Digest] = true
	}
}

func (e *Engine) lockDigests(f *lock.File) ([]cache.Digest, error) {
	var list []cache.Digest
	for _, name := range f.Names() {
		s, _ := f.Stage(name)
		for i := range s.Outs {
			entry, err := e.cacheEntry(&s.Outs[i])
			if err != nil {
				return nil, err
			}
			list = append(list, entry.Digest)
		}
	}
	return list, nil
}

// UsedAt returns the digests that a revision's dvc.lock or .dvc file names.
// Other files name none. It serves to keep what branches and tags need.
func (e *Engine) UsedAt(file string, data []byte) ([]cache.Digest, error) {
	switch {
	case path.Base(file) == "dvc.lock":
		f, err := lock.Parse(file, data)
		if err != nil {
			return nil, err
		}
		return e.lockDigests(f)
	case strings.HasSuffix(file, ".dvc"):
		d, err := lock.ParseData(file, data)
		if err != nil {
			return nil, err
		}
		var list []cache.Digest
		for i := range d.Outs {
			entry, err := e.cacheEntry(&d.Outs[i].Entry)
			if err != nil {
				return nil, err
			}
			list = append(list, entry.Digest)
		}
		return list, nil
	}
	return nil, nil
}

// Forget removes a stage from its lock file, on disk when Close returns.
func (e *Engine) Forget(pipelineFile, stage string) error { return e.locks.remove(pipelineFile, stage) }
