package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/remote"
)

// fetchAll brings what is selected into the cache: imports from other projects
// from there, everything else from the remotes, and what those do not have of
// other imports from its source.
func (a *app) fetchAll(ctx context.Context, s *session, f *transferFlags, sel *transferSelection, outs []engine.Recorded, rep *transferReport) error {
	var imported, rest []engine.Recorded
	for _, r := range outs {
		if r.OfRepository() {
			imported = append(imported, r)
		} else {
			rest = append(rest, r)
		}
	}
	var errs []error
	for _, r := range imported {
		if err := a.fetchImport(ctx, s, r, f.jobs, rep); err != nil {
			if ctx.Err() != nil {
				return err
			}
			errs = append(errs, fmt.Errorf("import '%s': %w", s.show(r.Path), err))
		}
	}
	if len(rest) == 0 && !f.runCache && (len(imported) > 0 || len(s.unrecorded(sel)) > 0) {
		return errors.Join(errs...) // no remote is needed
	}
	errs = append(errs, a.fetchSelected(ctx, s, f, rest, rep))
	for _, r := range rest {
		if r.Source == nil || ctx.Err() != nil {
			continue
		}
		if err := a.fetchImport(ctx, s, r, f.jobs, rep); err != nil {
			errs = append(errs, fmt.Errorf("import '%s' is not on the remote, and not to be had from where it came: %w", s.show(r.Path), err))
		}
	}
	return errors.Join(errs...)
}

// allImported reports whether all outputs are imports.
func allImported(outs []engine.Recorded) bool {
	return len(outs) > 0 && !slices.ContainsFunc(outs, func(r engine.Recorded) bool { return r.Source == nil })
}

// fetchImport brings an import into the cache from its source, unless it is there.
// What comes must be what is recorded.
func (a *app) fetchImport(ctx context.Context, s *session, r engine.Recorded, jobs int, rep *transferReport) error {
	lost, err := s.store.Missing(ctx, r.Entry.Digest)
	if err != nil || len(lost) == 0 {
		return err
	}
	p := a.progress("Fetching", "Fetched")
	defer p.close()
	var res remote.Result
	if r.OfRepository() {
		res, err = a.fetchFromRepository(ctx, s, r, jobs, p.add)
	} else {
		res, err = s.fetchFromSource(ctx, r, p.add)
	}
	if err != nil {
		return err
	}
	rep.Objects += res.Objects
	rep.Bytes += res.Bytes
	rep.found(lost)
	return nil
}

// found takes back that objects are missing.
func (r *transferReport) found(ds []cache.Digest) {
	for _, d := range ds {
		delete(r.missing, d)
		r.Missing = slices.DeleteFunc(r.Missing, func(m string) bool { return m == d.String() })
	}
}

func (a *app) fetchFromRepository(ctx context.Context, s *session, r engine.Recorded, jobs int, progress func(remote.Progress)) (remote.Result, error) {
	from, err := a.openImported(ctx, s, r.Source, s.project.Abs(r.Wdir), jobs)
	if err != nil {
		return remote.Result{}, err
	}
	defer from.close()
	outs := from.outputs()
	if len(outs) == 1 && outs[0].Within == "" && outs[0].Path == from.within && outs[0].Entry.Digest == r.Entry.Digest && from.store == s.store {
		return from.fetch(ctx, outs, progress)
	}
	return s.keep(ctx, r, func(place string) (remote.Result, error) {
		return from.download(ctx, place, false, progress)
	})
}

func (s *session) fetchFromSource(ctx context.Context, r engine.Recorded, progress func(remote.Progress)) (remote.Result, error) {
	from, err := s.openSource(r.Source.Path, s.project.Abs(r.Wdir), sourceSettings(r.Source), r.Entry.Digest.Hash())
	if err != nil {
		return remote.Result{}, err
	}
	return s.keep(ctx, r, func(place string) (remote.Result, error) {
		return remote.Result{}, from.fetch(ctx, place, progress)
	})
}

// keep stores what bring puts at a temporary place, if it is what is recorded.
func (s *session) keep(ctx context.Context, r engine.Recorded, bring func(place string) (remote.Result, error)) (remote.Result, error) {
	stage, err := newStaging(s.project.TempDir())
	if err != nil {
		return remote.Result{}, err
	}
	defer stage.remove()
	place := stage.place
	res, err := bring(place)
	if err != nil {
		return res, err
	}
	scanner := &cache.Scanner{Hash: r.Entry.Digest.Hash()}
	entry, _, err := scanner.Scan(ctx, place)
	if err != nil {
		return res, err
	}
	if entry.Digest != r.Entry.Digest {
		return res, &hinted{fmt.Errorf("the source has another version than the recorded one: %s, not %s", entry.Digest, r.Entry.Digest),
			"`flow update` imports the new version"}
	}
	entry, m, err := s.store.Add(ctx, scanner, place, cache.SaveOptions{})
	if err != nil {
		return res, err
	}
	// What counts is what is new here, whatever was moved for it elsewhere.
	res.Objects, res.Bytes = 1, max(0, entry.Size)
	if m != nil {
		res.Objects += len(m.Members)
	}
	return res, nil
}

// unrecorded are the selected imports of which only the source is recorded and
// that are not in the workspace.
func (s *session) unrecorded(sel *transferSelection) []*pipeline.Stage {
	if sel.nothing {
		return nil
	}
	var list []*pipeline.Stage
	for _, st := range s.set.Stages {
		if importOf(st) == nil || st.Data.Outs[0].Digest != "" || fileExists(s.project.Abs(st.Outs[0].Path)) {
			continue
		}
		everything := len(sel.req.Targets)+len(sel.req.Outs) == 0
		if everything || slices.Contains(sel.req.Targets, st) || slices.Contains(sel.req.Outs, st.Outs[0].Path) {
			list = append(list, st)
		}
	}
	return list
}

// pullUnrecorded brings imports that were made without their data into the
// workspace. As with DVC their .dvc files stay as they are; 'flow update' records
// the data. It returns the paths as they are shown.
func (a *app) pullUnrecorded(ctx context.Context, s *session, jobs int, sel *transferSelection) (came []string, err error) {
	for _, st := range s.unrecorded(sel) {
		dest := s.project.Abs(st.Outs[0].Path)
		if err := s.useCache(ctx, func() error { return a.pullOneUnrecorded(ctx, s, st, dest, jobs) }); err != nil {
			return came, fmt.Errorf("import '%s': %w", s.showAbs(dest), err)
		}
		name := s.showAbs(dest)
		if fi, err := os.Stat(dest); err == nil && fi.IsDir() {
			name += "/"
		}
		came = append(came, name)
	}
	return came, nil
}

func (a *app) pullOneUnrecorded(ctx context.Context, s *session, st *pipeline.Stage, dest string, jobs int) error {
	dep := importOf(st)
	p := a.progress("Fetching", "Fetched")
	defer p.close()
	if dep.Repo != nil {
		r, err := a.openImported(ctx, s, dep, s.project.Abs(st.Wdir), jobs)
		if err != nil {
			return err
		}
		defer r.close()
		if _, err := r.download(ctx, dest, false, p.add); err != nil {
			return err
		}
	} else {
		from, err := s.sourceOf(st)
		if err != nil {
			return err
		}
		now, err := from.state(ctx)
		if err != nil {
			return notThere(dep.Path, err)
		}
		if dep.IsKnown() && now.IsKnown() && !sameSource(dep, &now) {
			return &hinted{fmt.Errorf("'%s' has another version by now than the recorded one", dep.Path), "`flow update` imports the new version"}
		}
		stage, err := newStaging(filepath.Dir(dest))
		if err != nil {
			return err
		}
		defer stage.remove()
		if err := from.fetch(ctx, stage.place, p.add); err != nil {
			return err
		}
		if err := stage.take(dest, false); err != nil {
			return err
		}
	}
	// Stored, so that an update may replace it.
	_, _, err := s.store.Add(ctx, &cache.Scanner{Hash: s.project.Format.Hash}, dest, cache.SaveOptions{Relink: true})
	return err
}
