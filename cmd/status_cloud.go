package cmd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"sort"

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
	paths := map[cache.Digest][]string{}
	var order []cache.Digest
	add := func(d cache.Digest, name string) {
		if paths[d] == nil {
			order = append(order, d)
		}
		paths[d] = append(paths[d], name)
	}
	dirs := map[cache.Digest]bool{}
	for _, r := range outs {
		if r.Entry.Digest.IsDir() {
			dirs[r.Entry.Digest] = true
		}
	}
	if err := t.Close(ctx, dirs); err != nil && !errors.Is(err, remote.ErrNotFound) {
		return err
	}
	for _, r := range outs {
		add(r.Entry.Digest, r.Path)
		if !r.Entry.Digest.IsDir() {
			continue
		}
		m, err := s.store.Manifest(r.Entry.Digest)
		if errors.Is(err, cache.ErrNotFound) {
			continue // it is missing itself
		}
		if err != nil {
			return err
		}
		for i := range m.Members {
			b := &m.Members[i]
			if r.Within == "" || b.Path == r.Within || len(b.Path) > len(r.Within) && b.Path[:len(r.Within)+1] == r.Within+"/" {
				add(b.Digest, path.Join(r.Path, b.Path))
			}
		}
	}
	there, err := t.Present(ctx, order)
	if err != nil {
		return err
	}
	lost, err := s.store.Missing(ctx, plainDigests(order)...)
	if err != nil {
		return err
	}
	absent := map[cache.Digest]bool{}
	for _, d := range lost {
		absent[d] = true
	}
	for _, d := range order {
		_, remotely := there[d]
		here := !absent[d]
		if d.IsDir() {
			here = s.store.Has(d)
		}
		word := ""
		switch {
		case here && !remotely:
			word = "new"
		case !here && remotely:
			word = "deleted"
		case !here:
			word = "missing"
		}
		for _, name := range paths[d] {
			if word != "" {
				shown[filepath.ToSlash(s.show(name))] = word
			}
		}
	}
	return nil
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
