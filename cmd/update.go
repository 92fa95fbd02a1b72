package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
)

type updateFlags struct {
	importFlags
	recursive bool
}

func (a *app) updateCommand() *cobra.Command {
	var f updateFlags
	c := &cobra.Command{
		Use:   "update target...",
		Short: "Bring newer versions of imported data",
		Long: `Look whether the sources of imports have changed, and import those again that
have: from URLs and paths when the recorded version is not the current one, from
other projects when the revision that is followed, or that of --rev, is another
commit. Targets are .dvc files or what they track. Data that was edited and is
stored nowhere is not replaced without --force.`,
		ValidArgsFunction: a.completeStages,
		Args:              cobra.MinimumNArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return cloudFailed("failed update data", a.update(ctx, &f, args))
		}),
	}
	fl := c.Flags()
	fl.StringVar(&f.rev, "rev", "", "take this Git `revision` of the other project, and follow it from now on")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "all imports below the target directories")
	fl.BoolVarP(&f.force, "force", "f", false, "replace data with changes that are stored nowhere")
	fl.BoolVar(&f.noDownload, "no-download", false, "only record the new version: 'flow pull' brings the data")
	f.where(c)
	return c
}

func (a *app) update(ctx context.Context, f *updateFlags, args []string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	changes := new(changeSink)
	s, err := a.open(openOptions{sink: engine.Sinks{noticeSink{a}, changes}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	sub, err := s.subjects(args, f.recursive)
	if err != nil {
		return err
	}
	var stages []*pipeline.Stage
	seen := map[*pipeline.Stage]bool{}
	for _, st := range sub.stages {
		switch {
		case seen[st]:
		case importOf(st) != nil:
			stages = append(stages, st)
		case !f.recursive:
			return &hinted{fmt.Errorf("'%s' %w", st.Address(s.dir), errNotImported), "only what `flow import` and `flow import-url` made can be updated"}
		}
		seen[st] = true
	}
	var errs []error
	for _, st := range stages {
		err := s.useCache(ctx, func() error { return a.updateOne(ctx, s, f, st) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("'%s': %w", st.Address(s.dir), err))
		}
	}
	return errors.Join(append(errs, a.trackChanges(ctx, s, changes.files()))...)
}

// updateOne updates an import, if its source is another version than the recorded
// one or the data is not there.
func (a *app) updateOne(ctx context.Context, s *session, f *updateFlags, st *pipeline.Stage) error {
	dest := s.project.Abs(st.Outs[0].Path)
	here, err := s.imported(ctx, st)
	if err != nil {
		return err
	}
	if here == importEdited && !f.force {
		return &hinted{fmt.Errorf("'%s' was changed, and the changes are stored nowhere", s.showAbs(dest)),
			"save them elsewhere, or let them go with --force"}
	}
	if importOf(st).Repo != nil {
		return a.updateFrom(ctx, s, f, st, dest, here)
	}
	if f.rev != "" {
		return errors.New("--rev is for imports from other projects only")
	}
	return a.updateURL(ctx, s, f, st, dest, here)
}

// updateFrom updates an import from another project.
func (a *app) updateFrom(ctx context.Context, s *session, f *updateFlags, st *pipeline.Stage, dest string, here importState) error {
	if f.toCloud {
		return errors.New("data imported from other projects can't be updated with --to-remote")
	}
	dep := importOf(st)
	next := unlocked(*dep, f.rev)
	r, err := a.openImported(ctx, s, &next, s.project.Abs(st.Wdir), f.jobs)
	if err != nil {
		return err
	}
	defer r.close()
	locked, _ := dep.Repo.Get("rev_lock")
	if locked == r.rev.commit && here == importWhole && f.rev == "" {
		a.print("'%s' didn't change, skipping\n", st.Address(s.dir))
		return nil
	}
	url, _ := dep.Repo.Get("url")
	a.print("Importing '%s (%s)' -> '%s'\n", dep.Path, url, s.showAbs(dest))
	if err := a.importAt(ctx, s, r, next, dest, f.noDownload); err != nil {
		return err
	}
	return f.forget(dest)
}

// updateURL updates an import from a URL or path.
func (a *app) updateURL(ctx context.Context, s *session, f *updateFlags, st *pipeline.Stage, dest string, here importState) error {
	dep := importOf(st)
	from, err := s.sourceOf(st)
	if err != nil {
		return err
	}
	now, err := from.state(ctx)
	if err != nil {
		return notThere(dep.Path, err)
	}
	if sameSource(dep, &now) && here == importWhole {
		a.print("'%s' didn't change, skipping\n", st.Address(s.dir))
		return nil
	}
	a.print("Importing '%s' -> '%s'\n", dep.Path, s.showAbs(dest))
	im := &importing{a: a, s: s, flags: &f.importFlags, from: from, dest: dest, source: *dep}
	if _, local := from.(*localSource); local && !f.noDownload {
		// The digest is that of what comes, whatever was there a moment ago.
		now.Digest = ""
	}
	if err := im.bring(ctx, now); err != nil {
		return notThere(dep.Path, err)
	}
	return f.forget(dest)
}

// forget removes the old version of data of which the new one was not brought.
func (f *updateFlags) forget(dest string) error {
	if !f.noDownload && !f.toCloud {
		return nil
	}
	if err := os.RemoveAll(dest); err != nil {
		return fmt.Errorf("remove '%s': %w", dest, err)
	}
	return nil
}

// sourceOf opens the source of an import from a URL or path.
func (s *session) sourceOf(st *pipeline.Stage) (importSource, error) {
	dep := importOf(st)
	h, err := s.recordedHash(&dep.Entry)
	if err != nil {
		return nil, err
	}
	return s.openSource(dep.Path, s.project.Abs(st.Wdir), sourceSettings(dep), h)
}

// sourceSettings are the recorded settings for the store of a source, nil if there
// are none.
func sourceSettings(dep *lock.DataEntry) *yaml12.Map {
	v, _ := dep.Extra.Get("fs_config")
	m, _ := v.(*yaml12.Map) // the parser has seen to that
	return m
}

// recordedHash is the algorithm of an entry, the project's of one that names
// neither it nor a digest.
func (s *session) recordedHash(e *lock.Entry) (*cache.Hash, error) {
	if e.Digest == "" && e.Hash == "" {
		return s.project.Format.Hash, nil
	}
	return cache.RecordedHash(e.Hash)
}

// sameSource reports whether a source is known to be as it was recorded.
func sameSource(recorded, now *lock.DataEntry) bool {
	if tag, ok := now.Tag(); ok {
		old, had := recorded.Tag()
		return had && old == tag
	}
	return now.Digest != "" && now.Digest == recorded.Digest
}

// importState is how the data of an import is in the workspace.
type importState int

const (
	// importWhole is data as it was imported, importAbsent data that is not in the
	// workspace or not in the cache, importOther data that is another than the
	// recorded but stored, importEdited data that is stored nowhere.
	importWhole importState = iota
	importAbsent
	importOther
	importEdited
)

func (s *session) imported(ctx context.Context, st *pipeline.Stage) (importState, error) {
	rel := st.Outs[0].Path
	if _, err := os.Lstat(s.project.Abs(rel)); err != nil {
		return importAbsent, nil //nolint:nilerr // it cannot be lost
	}
	e := &st.Data.Outs[0].Entry
	h, err := s.recordedHash(e)
	if err != nil {
		return importEdited, err
	}
	entry, _, err := s.engine.Scan(ctx, filepath.ToSlash(rel), h)
	if err != nil {
		return importEdited, err
	}
	lost, err := s.store.Missing(ctx, entry.Digest)
	switch stored, same := len(lost) == 0, entry.Digest.String() == e.Digest; {
	case err != nil:
		return importEdited, err
	case same && stored:
		return importWhole, nil
	case same:
		return importAbsent, nil // the source has it, or what comes after it
	case stored:
		return importOther, nil
	}
	return importEdited, nil
}
