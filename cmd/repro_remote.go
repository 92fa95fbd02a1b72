package cmd

import (
	"context"
	"strings"
	"sync"

	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
)

// reproRemote is the remote as the engine sees it. Remotes are opened when they
// are first asked for, so that a run with nothing to fetch pays nothing.
type reproRemote struct {
	// s is set before the engine runs.
	s *session
	// app fetches imports from where they came.
	app *app
	// named is the remote that -r names, "" for the default.
	named string

	mu   sync.Mutex
	open map[string]*openRemote
}

var _ engine.Remote = (*reproRemote)(nil)

func (r *reproRemote) remote(name string) (*openRemote, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.open[name]; o != nil {
		return o, nil
	}
	o, err := r.s.openRemote(name, 0, briefAttempts)
	if err != nil {
		return nil, err
	}
	if r.open == nil {
		r.open = map[string]*openRemote{}
	}
	r.open[name] = o
	return o, nil
}

// resultsOf is how many results of one computation are considered.
const resultsOf = 8

// Records implements engine.Remote.
func (r *reproRemote) Records(ctx context.Context, key string) ([][]byte, error) {
	o, err := r.remote(strings.ToLower(r.named))
	if err != nil {
		return nil, err
	}
	return remote.RecordsOf(ctx, o.store, r.s.project.Format == project.DVC, key, resultsOf, recordLimit)
}

// Fetch implements engine.Remote. Imports come from their sources when they are not
// on a remote.
func (r *reproRemote) Fetch(ctx context.Context, outs []engine.Recorded) (bool, error) {
	var plain []engine.Recorded
	for _, o := range outs {
		if o.Source == nil {
			plain = append(plain, o)
			continue
		}
		if !o.OfRepository() {
			if all, err := r.fetch(ctx, []engine.Recorded{o}); all && err == nil {
				continue
			}
		}
		if err := r.app.fetchImport(ctx, r.s, o, 0, newReport()); err != nil {
			return false, err
		}
	}
	return r.fetch(ctx, plain)
}

// fetch asks the remotes.
func (r *reproRemote) fetch(ctx context.Context, outs []engine.Recorded) (bool, error) {
	names, groups := byRemote(outs, r.named)
	fetched := 0
	for _, name := range names {
		o, err := r.remote(name)
		if err != nil {
			return false, err
		}
		o.tell(groups[name])
		res, err := o.transfer(r.s, nil).Fetch(ctx, items(groups[name]))
		// One object that arrives damaged says nothing about the others.
		if err != nil && remote.KindOf(err) != remote.Corrupt {
			return false, remote.FirstError(err)
		}
		if err != nil || len(res.Missing) > 0 {
			return false, nil //nolint:nilerr // a miss
		}
		fetched += len(groups[name])
	}
	return fetched == len(outs), nil
}
