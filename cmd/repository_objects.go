package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/dir"
)

// outputs are those recorded outputs that the path means: at it, below it, or,
// with Within set, around it.
func (r *repository) outputs() []engine.Recorded {
	var list []engine.Recorded
	for _, st := range r.rev.set.Stages {
		for _, o := range st.Outs {
			d, ok := r.rev.cached[o.Path]
			if !ok || !o.Cache || o.URL || filepath.IsAbs(filepath.FromSlash(o.Path)) || strings.HasPrefix(o.Path, "../") {
				continue
			}
			size, known := r.rev.sizes[o.Path]
			if !known {
				size = -1
			}
			rec := engine.Recorded{
				Stage: st.Address("."), Path: o.Path, Remote: o.Remote, Cache: true, Push: o.Push,
				Entry: cache.Entry{Digest: d, Size: size, Exec: r.rev.execs[o.Path]},
			}
			switch {
			case r.within == ".", o.Path == r.within, strings.HasPrefix(o.Path, r.within+"/"):
			case strings.HasPrefix(r.within, o.Path+"/"):
				rec.Within = strings.TrimPrefix(r.within, o.Path+"/")
			default:
				continue
			}
			list = append(list, rec)
		}
	}
	return list
}

// eachSource calls fn for the places that may have objects of the outputs, with
// those that belong there: the project's own cache, then its remotes.
func (r *repository) eachSource(ctx context.Context, outs []engine.Recorded, progress func(remote.Progress), fn func(*remote.Transfer, []engine.Recorded) (done bool, err error)) error {
	if r.local {
		if from := r.project.CacheDir(); from != r.store.Dir() {
			store, err := dir.New(dir.Options{Path: from})
			if err != nil {
				return err
			}
			t := &remote.Transfer{Remote: store, Cache: r.store, Jobs: r.jobs, Progress: progress}
			if r.project.Format.Hash == cache.BLAKE3 {
				t.Packs = &remote.Packs{ReadOnly: true}
			}
			if done, err := fn(t, outs); done || err != nil {
				return err
			}
		}
	}
	names, groups := byRemote(outs, r.ref.remote)
	for _, name := range names {
		o, err := r.openRemote(name, r.jobs, patientAttempts)
		var none *noRemoteError
		if errors.As(err, &none) && r.ref.remote == "" {
			continue // what is missing is told in the end
		}
		if err != nil {
			return err
		}
		if o.packs != nil {
			temp, err := r.tempDir()
			if err != nil {
				return err
			}
			o.packs.Dir = filepath.Join(temp, "packs")
		}
		if done, err := fn(o.transfer(r.session, progress), groups[name]); done || err != nil {
			return err
		}
	}
	return nil
}

// know makes the manifests of directories known as far as they can be had.
func (r *repository) know(ctx context.Context, outs []engine.Recorded) error {
	lacking := func() map[cache.Digest]bool {
		need := map[cache.Digest]bool{}
		for _, o := range outs {
			if d := o.Entry.Digest; d.IsDir() {
				if _, err := r.store.Manifest(d); errors.Is(err, cache.ErrNotFound) {
					need[d] = true
				}
			}
		}
		return need
	}
	if len(lacking()) == 0 {
		return nil
	}
	return r.eachSource(ctx, outs, nil, func(t *remote.Transfer, _ []engine.Recorded) (bool, error) {
		if err := t.Close(ctx, lacking()); err != nil && !errors.Is(err, remote.ErrNotFound) {
			return false, err
		}
		return len(lacking()) == 0, nil
	})
}

// list lists what the path has, deep levels down, 0 for all.
func (r *repository) list(ctx context.Context, deep int, onlyOutputs bool) (*listing, error) {
	if err := r.know(ctx, r.outputs()); err != nil {
		return nil, err
	}
	return r.rev.list(ctx, r.within, deep, onlyOutputs)
}

// measure fills in the sizes of files that neither the manifests nor the cache
// tell, as the project's remotes know them.
func (r *repository) measure(ctx context.Context, l *listing) error {
	unknown := map[cache.Digest][]*listed{}
	for _, it := range l.items {
		if it.size < 0 && !it.dir && !it.digest.IsZero() {
			unknown[it.digest] = append(unknown[it.digest], it)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return r.eachSource(ctx, r.outputs(), nil, func(t *remote.Transfer, _ []engine.Recorded) (bool, error) {
		found, err := t.Present(ctx, slices.Collect(maps.Keys(unknown)))
		if err != nil {
			return false, err
		}
		for d, size := range found {
			for _, it := range unknown[d] {
				it.size = size
			}
			delete(unknown, d)
		}
		return len(unknown) == 0, nil
	})
}

// fetch brings the objects of the outputs into the store.
func (r *repository) fetch(ctx context.Context, outs []engine.Recorded, progress func(remote.Progress)) (remote.Result, error) {
	var all remote.Result
	missing := func() ([]cache.Digest, error) { return r.missing(ctx, outs) }
	lost, err := missing()
	if err != nil || len(lost) == 0 {
		return all, err
	}
	if r.local && r.store.Dir() == r.project.CacheDir() {
		// The project is only read, its cache too.
		if r.store, err = r.temporaryStore(); err != nil {
			return all, err
		}
	}
	err = r.eachSource(ctx, outs, progress, func(t *remote.Transfer, some []engine.Recorded) (bool, error) {
		res, err := t.Fetch(ctx, items(some))
		all.Objects += res.Objects
		all.Bytes += res.Bytes
		if err != nil {
			return false, err
		}
		lost, err = missing()
		return len(lost) == 0, err
	})
	if err != nil {
		return all, err
	}
	all.Missing = lost
	if len(lost) > 0 {
		return all, &hinted{
			fmt.Errorf("%s of '%s' in '%s' are neither in its cache nor on its remotes, the first is %s", count(len(lost), "object"), r.ref.path, r.shown(), lost[0]),
			"have them pushed from where they are",
		}
	}
	return all, nil
}

// missing returns what the store lacks of the outputs, of those with Within only
// of that part.
func (r *repository) missing(ctx context.Context, outs []engine.Recorded) ([]cache.Digest, error) {
	var whole []cache.Digest
	for _, o := range outs {
		if o.Within == "" {
			whole = append(whole, o.Entry.Digest)
			continue
		}
		part, err := r.part(o)
		if errors.Is(err, cache.ErrNotFound) {
			whole = append(whole, o.Entry.Digest)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, b := range part.Members {
			whole = append(whole, b.Digest)
		}
	}
	return r.store.Missing(ctx, whole...)
}

// part is what an output with Within means: members below it with paths from
// there, or the one member that it is, with the path "".
func (r *repository) part(o engine.Recorded) (*cache.Manifest, error) {
	m, err := r.store.Manifest(o.Entry.Digest)
	if err != nil {
		return nil, err
	}
	part := new(cache.Manifest)
	for _, b := range m.Members {
		if b.Path == o.Within {
			b.Path = ""
		} else if rest, ok := strings.CutPrefix(b.Path, o.Within+"/"); ok {
			b.Path = rest
		} else {
			continue
		}
		part.Members = append(part.Members, b)
	}
	if len(part.Members) == 0 {
		return nil, fmt.Errorf("no such file or directory in '%s': '%s': %w", r.shown(), r.ref.path, fs.ErrNotExist)
	}
	return part, nil
}
