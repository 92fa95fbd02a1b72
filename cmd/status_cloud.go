package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/remote"
)

// statusCloud compares the cache with remotes. What is in both, or must not be
// pushed, is not shown.
func (a *app) statusCloud(ctx context.Context, f *statusFlags, args []string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	s, err := a.openForTransfer()
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	sel, err := a.choose(ctx, s, &f.transferFlags, args)
	if err != nil {
		return err
	}
	var outs []engine.Recorded
	for _, r := range sel.outs {
		if r.Cache && r.Push && !r.OfRepository() {
			outs = append(outs, r)
		}
	}
	names, groups := byRemote(outs, f.remote)
	if len(names) == 0 {
		names = []string{f.remote}
	}
	shown := map[string]string{}
	var last *openRemote
	for _, name := range names {
		o, err := s.openRemote(name, f.jobs, patientAttempts)
		if err != nil {
			return err
		}
		if err := o.notVersioned("status", "what such a remote has, the files of its versions in dvc.lock and .dvc files tell"); err != nil {
			return err
		}
		last = o
		err = s.useCache(ctx, func() error { return a.compareCloud(ctx, s, o, groups[name], shown) })
		if err != nil {
			return err
		}
	}
	return a.printCloud(f, last, len(names), shown)
}

// compareCloud fills in the words for outputs and members that are on one side
// only, or on none.
func (a *app) compareCloud(ctx context.Context, s *session, o *openRemote, outs []engine.Recorded, shown map[string]string) error {
	p := a.progress("Comparing", "")
	defer p.close()
	t := o.transfer(s, p.add)
	c, err := compared(ctx, s.store, t, outs)
	if err != nil {
		return err
	}
	order := c.digests()
	var (
		wg   sync.WaitGroup
		lost []cache.Digest
		left error
	)
	wg.Go(func() { lost, left = s.store.Missing(ctx, plainDigests(order)...) })
	there, err := t.Present(ctx, order)
	wg.Wait()
	if err = cmp.Or(err, left); err != nil {
		return err
	}
	absent := make(map[cache.Digest]bool, len(lost))
	for _, d := range lost {
		absent[d] = true
	}
	words := map[cache.Digest]string{}
	for _, d := range order {
		_, theirs := there[d]
		here := !absent[d]
		if d.IsDir() {
			here = s.store.Has(d)
		}
		switch {
		case here && !theirs:
			words[d] = "new"
		case !here && theirs:
			words[d] = "deleted"
		case !here:
			words[d] = "missing"
		}
	}
	if len(words) == 0 {
		return nil
	}
	c.each(func(d cache.Digest, out, member string) {
		if word := words[d]; word != "" {
			shown[filepath.ToSlash(s.show(path.Join(out, member)))] = word
		}
	})
	return nil
}

// cloudOutputs are outputs with what is in those that are directories.
type cloudOutputs struct {
	outs      []engine.Recorded
	manifests []*cache.Manifest // of each, nil where there is none
}

// compared reads the manifests of outputs, from the remote where the cache has
// them not. Those that are nowhere are missing.
func compared(ctx context.Context, store *cache.Store, t *remote.Transfer, outs []engine.Recorded) (*cloudOutputs, error) {
	c := &cloudOutputs{outs, make([]*cache.Manifest, len(outs))}
	var dirs []cache.Digest
	for _, r := range outs {
		if d := r.Entry.Digest; d.IsDir() && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	if err := t.Manifests(ctx, dirs); err != nil && !errors.Is(err, remote.ErrNotFound) {
		return nil, err
	}
	for i, r := range outs {
		if !r.Entry.Digest.IsDir() {
			continue
		}
		m, err := store.Manifest(r.Entry.Digest)
		if err != nil && !errors.Is(err, cache.ErrNotFound) {
			return nil, err
		}
		c.manifests[i] = m
	}
	return c, nil
}

// each calls fn for the outputs, with an empty member, and for the members of
// directories that are asked for.
func (c *cloudOutputs) each(fn func(d cache.Digest, out, member string)) {
	for i, r := range c.outs {
		fn(r.Entry.Digest, r.Path, "")
		if c.manifests[i] == nil {
			continue
		}
		for j := range c.manifests[i].Members {
			b := &c.manifests[i].Members[j]
			if r.Within == "" || b.Path == r.Within || strings.HasPrefix(b.Path, r.Within) && b.Path[len(r.Within)] == '/' {
				fn(b.Digest, r.Path, b.Path)
			}
		}
	}
}

// digests returns all of them, each once.
func (c *cloudOutputs) digests() []cache.Digest {
	most := len(c.outs)
	for _, m := range c.manifests {
		if m != nil {
			most += len(m.Members)
		}
	}
	order := make([]cache.Digest, 0, most)
	seen := make(map[cache.Digest]struct{}, most)
	c.each(func(d cache.Digest, _, _ string) {
		before := len(seen)
		if seen[d] = struct{}{}; len(seen) > before {
			order = append(order, d)
		}
	})
	return order
}

// plainDigests leaves out those of directories, whose members are listed anyway.
func plainDigests(ds []cache.Digest) []cache.Digest {
	list := make([]cache.Digest, 0, len(ds))
	for _, d := range ds {
		if !d.IsDir() {
			list = append(list, d)
		}
	}
	return list
}

func (a *app) printCloud(f *statusFlags, o *openRemote, remotes int, shown map[string]string) error {
	names := make([]string, 0, len(shown))
	for n := range shown {
		names = append(names, n)
	}
	sort.Strings(names)
	switch {
	case f.json:
		w := &jsonText{}
		w.open('{')
		for _, n := range names {
			w.key(n)
			w.text(shown[n])
		}
		w.close('}')
		fmt.Fprintln(a.stdout, w.b.String())
	case a.quiet:
	case len(names) == 0 && remotes > 1:
		a.print("Cache and remotes are in sync.\n")
	case len(names) == 0:
		a.print("Cache and remote '%s' are in sync.\n", o.name)
	default:
		for _, n := range names {
			a.print("\t%-20s%s\n", shown[n]+":", n)
		}
	}
	if len(names) > 0 && (a.quiet || f.checkStale) {
		return &exitError{code: exitFailed}
	}
	return nil
}
