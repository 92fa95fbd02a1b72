package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/project"
)

// perform carries out a verdict and returns the state the stage ends in. The
// caller holds the section; running a command leaves it meanwhile.
func (e *Engine) perform(ctx context.Context, n *node, req *Request, v *verdict) (State, error) {
	if v.action != doSkip {
		if err := e.contained(n); err != nil {
			return Failed, err
		}
	}
	switch v.action {
	case doSkip:
		return Skipped, nil
	case doRecommit:
		return Skipped, e.storeOutputs(ctx, n, v.outs, true)
	case doVerify:
		return Verified, e.verify(ctx, n, req, v)
	case doPull:
		ok, err := e.pullOutputs(ctx, n, req, v.outs)
		if err != nil {
			return Failed, err
		}
		if ok {
			return Restored, nil
		}
		return Verified, e.verify(ctx, n, req, v)
	case doRestore:
		err := e.restore(ctx, n, v)
		var gone *cache.MissingError
		if errors.As(err, &gone) {
			// An object went between the look and the checkout: run after all.
			break
		}
		return Restored, err
	}
	if req.RequireCached {
		return Failed, requiredError(v)
	}
	return Done, e.run(ctx, n, req, v)
}

// run executes the command and records what it made.
func (e *Engine) run(ctx context.Context, n *node, req *Request, v *verdict) error {
	unlock, err := e.lockPaths(ctx, n)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.clearOutputs(ctx, n, v); err != nil {
		return err
	}
	if v.fields == nil {
		v.key, v.fields = key(n, v.in)
	}
	last := &LastRun{Key: v.key.String(), Fields: v.fields, Started: e.opt.Now()}
	for _, r := range v.reasons {
		last.Reasons = append(last.Reasons, r.String())
	}
	began := time.Now()
	err = e.runCommand(ctx, n, req, v)
	last.Duration = time.Since(began)
	for _, o := range n.Outs {
		e.ws.forget(e.abs(o.Path))
	}
	if errors.Is(err, errStopped) {
		return err // it never began: its last run is the one before
	}
	if err != nil {
		last.Outcome, last.Error = Failed, err.Error()
		_ = e.states.put(n, last) // the run's own error matters more
		return err
	}
	e.setState(n, Saving, nil, nil, 0)
	changed, err := e.changedMeanwhile(ctx, n, v)
	if err != nil {
		return err
	}
	outs, err := e.outputsAfter(ctx, n, v.rec)
	if err != nil {
		last.Outcome, last.Error = Failed, err.Error()
		_ = e.states.put(n, last)
		return err
	}
	last.Outcome = Done
	if len(changed) > 0 {
		last.Unrecorded = true
		for _, c := range changed {
			e.warn(n, fmt.Sprintf("'%s' changed while stage '%s' was running; the result is not recorded as its product", c, n.name),
				"run `flow repro` again when nothing else writes to it")
		}
		return e.states.put(n, last)
	}
	if !req.NoCommit {
		if err := e.storeOutputs(ctx, n, outs, true); err != nil {
			return err
		}
	}
	return e.record(ctx, n, req, v, outs, last)
}

// runCommand runs the Go function or the shell commands with the section left
// and their output going to the stage's log and to the sinks.
func (e *Engine) runCommand(ctx context.Context, n *node, req *Request, v *verdict) (err error) {
	log, err := e.states.newLog(n)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	out := &stageOutput{e: e, n: n, log: log}
	defer out.flush()
	e.section.leave()
	defer func() {
		// The section must be ours again before anything is recorded, also
		// when the run was interrupted meanwhile.
		if lerr := e.section.reenter(ctx); lerr != nil && err == nil {
			err = lerr
		}
	}()
	select {
	case req.slots <- struct{}{}:
		defer func() { <-req.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if req.stopped() {
		return errStopped
	}
	e.setState(n, Running, v.reasons, nil, 0)
	if n.goRef != nil {
		e.emit(Event{Kind: CommandShown, Stage: n.name, Index: n.place, Text: n.Cmd.Lines[0]})
		return e.call(ctx, n, v.in.params, out)
	}
	return e.shell(ctx, n, req.jobs() == 1, out)
}

// lockPaths tells other processes what this stage reads and writes. The error
// is errAgain when it had to wait for one of them.
func (e *Engine) lockPaths(ctx context.Context, n *node) (func(), error) {
	o := project.PathLocks{Cmd: e.opt.Command, Linger: linger, Warn: func(text string) { e.warn(n, text, "") }}
	for _, d := range n.Deps {
		o.Read = append(o.Read, e.abs(d.Path))
	}
	for _, t := range n.Outs {
		o.Write = append(o.Write, e.abs(t.Path))
	}
	waited := false
	for {
		release, err := e.opt.Project.LockPaths(ctx, o)
		var busy *project.BusyError
		if errors.As(err, &busy) && e.opt.Wait {
			// Whoever has the paths needs the section to let them go.
			waited = true
			e.section.leave()
			err := pause(ctx, lockPoll)
			if serr := e.section.reenter(ctx); err == nil {
				err = serr
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		unlock := func() {
			if err := release(); err != nil {
				e.warn(n, err.Error(), "")
			}
		}
		if waited {
			unlock()
			return nil, errAgain
		}
		return unlock, nil
	}
}

// errAgain asks for a stage to be decided anew: another process had its paths
// meanwhile, and may have done its work.
var errAgain = errors.New("decide again")

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// clearOutputs removes what an earlier run left at the outputs, so that the
// command starts clean. Content that exists nowhere else is moved aside.
func (e *Engine) clearOutputs(ctx context.Context, n *node, v *verdict) error {
	for i := range v.outs {
		o := &v.outs[i]
		abs := e.abs(o.out.Path)
		if !exists(abs) {
			if err := os.MkdirAll(filepath.Dir(abs), 0o777); err != nil {
				return fmt.Errorf("make directory of output '%s': %w", o.out.Def, err)
			}
			continue
		}
		if o.out.Persist {
			if err := e.opt.Store.Unprotect(abs); err != nil {
				return fmt.Errorf("unprotect output '%s': %w", o.out.Def, err)
			}
			continue
		}
		saved, err := e.savedElsewhere(ctx, o)
		if err != nil {
			return err
		}
		if saved {
			err = os.RemoveAll(abs)
		} else {
			err = e.keepAside(n, abs)
		}
		if err != nil {
			return fmt.Errorf("clear output '%s': %w", o.out.Def, err)
		}
		e.ws.forget(abs)
	}
	return nil
}

// savedElsewhere reports whether the content of an output may be deleted: it is
// what a recorded run made, or the cache holds it, or there is nothing in it.
func (e *Engine) savedElsewhere(ctx context.Context, o *outState) (bool, error) {
	if o.content.err != nil || o.same() || o.content.entry.Size == 0 {
		return o.content.err == nil || missing(o.content.err), nil
	}
	if o.content.tree != nil {
		m, err := o.content.tree.Manifest(ctx)
		if err != nil {
			return false, err
		}
		ds := make([]cache.Digest, len(m.Members))
		for i := range m.Members {
			ds[i] = m.Members[i].Digest
		}
		lost, err := e.opt.Store.Missing(ctx, ds...)
		return len(lost) == 0, err
	}
	return e.opt.Store.Has(o.content.entry.Digest), nil
}

// keepAside moves a file or directory into the state directory and says where.
func (e *Engine) keepAside(n *node, abs string) error {
	rel, ok := e.opt.Project.Rel(abs)
	if !ok {
		rel = filepath.Base(abs)
	}
	dir := filepath.Join(e.opt.Project.StateDir(), "kept", e.opt.Now().UTC().Format("20060102T150405.000000000"))
	to := filepath.Join(dir, rel)
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if err := moveAside(abs, to); err != nil {
		return err
	}
	e.emit(Event{Kind: Kept, Stage: n.name, Index: n.place, Text: e.show(filepath.ToSlash(rel)), File: e.showAbs(to)})
	return nil
}

// changedMeanwhile looks at the inputs again after the command and returns
// those that are no longer what was hashed before it.
func (e *Engine) changedMeanwhile(ctx context.Context, n *node, v *verdict) ([]string, error) {
	var changed []string
	for i, d := range n.Deps {
		was := v.in.deps[i]
		now, _, err := e.ws.rescan(ctx, e.abs(d.Path), was.legacy)
		if err != nil && !missing(err) {
			return nil, fmt.Errorf("dependency '%s': %w", d.Def, err)
		}
		if err != nil || now.Digest != was.entry.Digest {
			changed = append(changed, d.Def)
			e.ws.forget(e.abs(d.Path))
		}
	}
	params, err := e.readParams(n)
	if err != nil {
		return nil, err
	}
	before, after := lockParams(v.in.params), lockParams(params)
	for i := range before {
		if i >= len(after) || typedText(before[i].Values) != typedText(after[i].Values) {
			changed = append(changed, before[i].Path)
		}
	}
	return changed, nil
}

// record writes what the stage made: the run record first, then the lock.
func (e *Engine) record(ctx context.Context, n *node, req *Request, v *verdict, outs []outState, last *LastRun) error {
	entries := make([]lock.Entry, len(outs))
	for i := range outs {
		var err error
		if entries[i], err = e.lockEntry(ctx, outs[i].out.Def, outs[i].out.Path, outs[i].content, recordedOut(v.rec, outs[i].out.Def)); err != nil {
			return fmt.Errorf("output '%s': %w", outs[i].out.Def, err)
		}
	}
	rec, err := e.recordOf(ctx, n, v, entries)
	if err != nil {
		return err
	}
	if !req.NoCommit && e.recordable(n) {
		if err := e.recordResult(n, v, rec, outs, last); err != nil {
			return fmt.Errorf("record the result: %w", err)
		}
	}
	if err := e.ignoreOutputs(n); err != nil {
		return err
	}
	if err := e.states.put(n, last); err != nil {
		return err
	}
	return e.setLock(ctx, n, rec)
}

// recordable reports whether the result may be restored later: its outputs are
// in the cache. Metrics and plots that are not cached are stored for that.
func (e *Engine) recordable(n *node) bool {
	if !e.restorable(n) {
		return false
	}
	for _, o := range n.Outs {
		if !o.Cache && o.Kind == 0 {
			return false
		}
	}
	return true
}

func (e *Engine) recordResult(n *node, v *verdict, rec *lock.Stage, outs []outState, last *LastRun) error {
	if e.runs != nil {
		return e.runs.Save(rec)
	}
	r := &cache.Record{Key: v.key, Version: keyVersion, Stage: n.Name, Fields: v.fields, Started: last.Started, Duration: last.Duration,
		Log: e.logTail(n)}
	for i := range outs {
		r.Outputs = append(r.Outputs, cache.Output{Path: outs[i].out.Path, Kind: kindName(outs[i].out.Kind), Entry: outs[i].content.entry})
	}
	return e.opt.Store.PutRecord(r)
}

// setLock records the stage in its lock and announces it.
func (e *Engine) setLock(ctx context.Context, n *node, rec *lock.Stage) error {
	created, updated, err := e.locks.set(ctx, n, rec)
	if err != nil {
		return err
	}
	file := e.show(lockPath(n.File))
	if created {
		e.emit(Event{Kind: LockUpdated, Stage: n.name, Index: n.place, File: file, Created: true})
	}
	if updated {
		e.emit(Event{Kind: LockUpdated, Stage: n.name, Index: n.place, File: file})
	}
	return nil
}
