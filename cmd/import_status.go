package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

// compareSources adds to the status of imports how their sources differ: with
// updates, those in other projects that are at another commit than the recorded
// one; and those URLs and paths whose imports are not frozen. What cannot be
// looked at is warned of.
func (a *app) compareSources(ctx context.Context, s *session, list []engine.StageStatus, updates bool) error {
	commits := map[repositoryRef]askedCommit{}
	for i := range list {
		st := s.set.Stages[list[i].Index]
		dep := importOf(st)
		if dep == nil || dep.Repo == nil && st.Frozen || dep.Repo != nil && !updates {
			continue
		}
		var reason *engine.Reason
		var err error
		if dep.Repo != nil {
			reason, err = s.repositoryChange(ctx, st, dep, commits)
		} else {
			reason, err = s.sourceChange(ctx, st, dep)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			a.warn(fmt.Sprintf("'%s': its source cannot be looked at: %v", list[i].Stage, err))
			continue
		}
		if reason != nil {
			list[i].Reasons = slices.Insert(list[i].Reasons, 0, *reason)
		}
	}
	return nil
}

// askedCommit is the answer of a repository.
type askedCommit struct {
	commit string
	err    error
}

// repositoryChange compares the recorded commit with that of the revision that is
// followed. Each repository is asked once.
func (s *session) repositoryChange(ctx context.Context, st *pipeline.Stage, dep *lock.DataEntry, commits map[repositoryRef]askedCommit) (*engine.Reason, error) {
	locked, _ := dep.Repo.Get("rev_lock")
	old, _ := locked.(string)
	if old == "" {
		return nil, nil
	}
	next := unlocked(*dep, "")
	ref, err := s.repositoryOf(&next, s.project.Abs(st.Wdir))
	if err != nil {
		return nil, err
	}
	key := repositoryRef{url: ref.url, rev: ref.rev}
	asked, ok := commits[key]
	if !ok {
		asked.commit, asked.err = currentCommit(ctx, ref)
		commits[key] = asked
	}
	if asked.err != nil || asked.commit == old {
		return nil, asked.err
	}
	url, _ := dep.Repo.Get("url")
	return &engine.Reason{
		Aspect: engine.AspectDep, Path: fmt.Sprintf("%s (%s)", dep.Path, url), Change: engine.ChangeUpdate, Old: old, New: asked.commit,
	}, nil
}

// currentCommit is the commit of a revision of a repository, "" for its HEAD.
func currentCommit(ctx context.Context, ref repositoryRef) (string, error) {
	if g, ok := project.FindGit(ref.url); ok && fileExists(ref.url) && !isBare(ref.url) {
		rev := ref.rev
		if rev == "" {
			rev = "HEAD"
		}
		return g.Resolve(ctx, rev)
	}
	return project.UserClones().Resolve(ctx, ref.url, ref.rev)
}

// sourceChange compares the recorded version of a URL or path with what is there.
func (s *session) sourceChange(ctx context.Context, st *pipeline.Stage, dep *lock.DataEntry) (*engine.Reason, error) {
	from, err := s.sourceOf(st)
	if err != nil {
		return nil, err
	}
	r := &engine.Reason{Aspect: engine.AspectDep, Path: st.Deps[0].Def, Change: engine.ChangeModified}
	now, err := from.state(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Change = engine.ChangeDeleted
		return r, nil
	case err != nil:
		return nil, err
	case sameSource(dep, &now):
		return nil, nil
	}
	if !now.IsKnown() {
		return nil, nil // only downloading it would tell
	}
	return r, nil
}
