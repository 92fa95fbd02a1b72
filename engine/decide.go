package engine

import (
	"context"
	"fmt"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
)

// action is what a verdict asks for.
type action uint8

const (
	doSkip     action = iota // nothing changed
	doRecommit               // outputs are there, their objects are not: store them
	doVerify                 // record a frozen stage or data source as it is
	doRestore                // take the outputs from the cache
	doPull                   // bring a data source or the outputs of a frozen stage
	doRun                    // run the command
)

// verdict is the decision on one stage, with everything it rests on.
type verdict struct {
	action  action
	reasons []Reason
	rec     *lock.Stage // the lock's entry, nil if none
	in      *snapshot
	outs    []outState
	key     cache.Key
	fields  []cache.Field
	// restore holds what to take from the cache for doRestore, by output.
	restore []cache.Entry
	// log is that of the run that made what is restored, if known.
	log string
}

// decide looks at a stage whose inputs are final. force skips the records.
func (e *Engine) decide(ctx context.Context, n *node, req *Request, force bool) (*verdict, error) {
	rec, err := e.locks.stage(n)
	if err != nil {
		return nil, err
	}
	v := &verdict{rec: rec}
	if n.IsData() {
		rec = nil
	}
	if n.Frozen || n.IsData() {
		return v, e.decideKept(ctx, n, req, v)
	}
	if v.in, err = e.inputs(ctx, n, rec); err != nil {
		return nil, err
	}
	if v.outs, err = e.outputs(ctx, n, rec); err != nil {
		return nil, err
	}
	in := e.inputChanges(n, v.in, rec)
	out := outChanges(v.outs)
	if rec == nil && len(in)+len(out) == 0 {
		in = append(in, Reason{Aspect: AspectUnknown})
	}
	if req.AllowMissing {
		if in, err = e.tolerate(n, rec, in); err != nil {
			return nil, err
		}
		out = withoutMissing(out)
	}
	if len(n.Cmd.Steps()) == 0 {
		return v, nil // no command: nothing can change
	}
	v.reasons = append(in, out...)
	if force {
		v.reasons = append(v.reasons, Reason{Aspect: AspectForced})
	}
	switch {
	case len(v.reasons) == 0:
		v.action = doSkip
		return v, nil
	case onlyUncached(v.reasons, v.outs) && !force:
		v.action = doRecommit
		return v, nil
	}
	v.action = doRun
	if came, err := e.pullDeps(ctx, n, req, v.in); err != nil {
		return nil, err
	} else if came {
		return e.decide(ctx, n, req, force)
	}
	if err := e.checkRunnable(n, v.in); err != nil {
		if req.Dry {
			return v, nil
		}
		return nil, err
	}
	v.key, v.fields = key(n, v.in)
	if force || !e.restorable(n) {
		return v, nil
	}
	return v, e.findResult(ctx, n, req, v, len(in) == 0)
}

// decideKept decides a frozen stage or a data source: it never runs, but its
// outputs may have to be recorded as they are.
func (e *Engine) decideKept(ctx context.Context, n *node, req *Request, v *verdict) error {
	var err error
	if v.outs, err = e.outputs(ctx, n, v.rec); err != nil {
		return err
	}
	v.reasons = outChanges(v.outs)
	if req.AllowMissing {
		v.reasons = withoutMissing(v.reasons)
	}
	if onlyUncached(v.reasons, v.outs) {
		v.action = doRecommit
		return nil
	}
	if len(v.reasons) == 0 && (n.IsData() || v.rec != nil || len(n.Outs) == 0) {
		v.action = doSkip
		return nil
	}
	v.action = doVerify
	if req.Pull && !req.Dry && pullable(v.outs) {
		v.action = doPull
	}
	return nil
}

// restorable reports whether results of the stage may be taken from records:
// not those that always run, have no inputs or outputs, or keep their outputs.
func (e *Engine) restorable(n *node) bool {
	if n.IsCallback() || n.AlwaysChanged || len(n.Outs) == 0 || len(n.Deps)+len(n.Params) == 0 {
		return false
	}
	for _, o := range n.Outs {
		if o.Persist || o.URL || !inside(o.Path) {
			return false
		}
	}
	for _, d := range n.Deps {
		if d.URL {
			return false
		}
	}
	return true
}

// findResult looks for a result of the same computation: first the lock's own
// entry (only outputs changed), then the records. A result counts only when all
// of its objects are in the cache.
func (e *Engine) findResult(ctx context.Context, n *node, req *Request, v *verdict, lockMatches bool) error {
	if lockMatches && v.rec != nil {
		entries := make([]cache.Entry, len(v.outs))
		for i := range v.outs {
			entries[i] = v.outs[i].recEntry
		}
		if ok, err := e.obtain(ctx, n, req, entries, v.outs...); ok || err != nil {
			v.action, v.restore = doRestore, entries
			return err
		}
	}
	if req.NoRunCache {
		return nil
	}
	if e.runs != nil {
		if hasAspect(v.reasons, AspectVersion) || hasAspect(v.reasons, AspectEnv) {
			// DVC's run cache knows neither; what it has is of another program.
			return nil
		}
		return e.findRun(ctx, n, req, v)
	}
	r, err := e.opt.Store.Record(v.key)
	if err != nil || r == nil {
		// One that is absent or damaged is a miss.
		return e.findRemoteRecord(ctx, n, req, v)
	}
	entries := recordEntries(n, r)
	ok, err := e.obtain(ctx, n, req, entries, v.outs...)
	if err != nil {
		return err
	}
	if !ok {
		return e.findRemoteRecord(ctx, n, req, v)
	}
	v.action, v.restore, v.log = doRestore, entries, r.Log
	return nil
}

func hasAspect(rs []Reason, a Aspect) bool {
	for _, r := range rs {
		if r.Aspect == a {
			return true
		}
	}
	return false
}

// findRun looks into DVC's run cache.
func (e *Engine) findRun(ctx context.Context, n *node, req *Request, v *verdict) error {
	want, err := e.recordOf(ctx, n, v, nil)
	if err != nil {
		return err
	}
	for _, o := range n.Outs {
		want.Outs = append(want.Outs, lock.Entry{Path: o.Def, Size: -1, Files: -1})
	}
	found, err := e.runs.Lookup(want)
	if err != nil {
		found = nil // an unreadable run cache is a miss
	}
	for _, s := range found {
		if ok, err := e.takeRun(ctx, n, req, v, s); ok || err != nil {
			return err
		}
	}
	return e.findRemoteRun(ctx, n, req, v, want)
}

// available reports whether the cache holds all objects of all entries.
func (e *Engine) available(ctx context.Context, entries []cache.Entry) (bool, error) {
	for _, c := range entries {
		if c.Digest.IsZero() {
			return false, nil
		}
		lost, err := e.opt.Store.Missing(ctx, c.Digest)
		if err != nil {
			return false, fmt.Errorf("look up recorded outputs: %w", err)
		}
		if len(lost) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// recordOf is the lock entry of the stage on the verdict's inputs.
func (e *Engine) recordOf(ctx context.Context, n *node, v *verdict, outs []lock.Entry) (*lock.Stage, error) {
	s := &lock.Stage{Cmd: n.Cmd.Value(), Params: lockParams(v.in.params), Outs: outs}
	if n.goRef != nil && e.runs == nil {
		s.Version = n.goRef.stage.Version
	}
	for i, d := range n.Deps {
		le, err := e.lockEntry(ctx, d.Def, d.Path, v.in.deps[i], recordedDep(v.rec, d.Def))
		if err != nil {
			return nil, fmt.Errorf("dependency '%s': %w", d.Def, err)
		}
		s.Deps = append(s.Deps, le)
	}
	return s, nil
}

// tolerate drops absent dependencies from the reasons, as --allow-missing asks,
// unless the stage that produces one has recorded another result since.
func (e *Engine) tolerate(n *node, rec *lock.Stage, rs []Reason) ([]Reason, error) {
	var kept []Reason
	for _, r := range rs {
		if r.Aspect != AspectDep || r.Change != ChangeDeleted || rec == nil {
			kept = append(kept, r)
			continue
		}
		now, err := e.recordedUpstream(n, r.Path)
		if err != nil {
			return nil, err
		}
		if old := recordedDep(rec, r.Path); now != nil && (old == nil || now.Digest != old.Digest) {
			r.Change, r.New = ChangeModified, now.Digest
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// recordedUpstream is what the producer of a dependency has recorded for it,
// nil when there is no producer or it makes only a part of it.
func (e *Engine) recordedUpstream(n *node, def string) (*lock.Entry, error) {
	for _, d := range n.Deps {
		if d.Def != def {
			continue
		}
		i, ok := e.graph.Producer(d.Path)
		if !ok {
			return nil, nil
		}
		p := e.nodes[i]
		for _, o := range p.Outs {
			if o.Path != d.Path {
				continue
			}
			if p.IsData() {
				return dataEntry(p, o.Def), nil
			}
			rec, err := e.locks.stage(p)
			return recordedOut(rec, o.Def), err
		}
	}
	return nil, nil
}

func withoutMissing(rs []Reason) []Reason {
	var kept []Reason
	for _, r := range rs {
		if r.Change != ChangeDeleted && r.Change != ChangeNotInCache {
			kept = append(kept, r)
		}
	}
	return kept
}
