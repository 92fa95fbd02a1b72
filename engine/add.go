package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
)

// AddRequest says what to track, and how.
type AddRequest struct {
	// Paths are files and directories in the project, absolute.
	Paths []string
	// NoCommit records the content without storing it; NoRelink leaves the
	// workspace file as it is.
	NoCommit, NoRelink bool
}

// Add tracks files and directories by content: it stores them in the cache,
// writes a .dvc file beside each and keeps Git from seeing the data. A path
// inside a tracked directory updates that directory's .dvc file. It returns the
// .dvc files, in the order of the paths. Objects are in the cache before the
// .dvc file names them.
func (e *Engine) Add(ctx context.Context, req AddRequest) ([]string, error) {
	done, err := e.using(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := e.section.enter(ctx); err != nil {
		return nil, err
	}
	defer e.section.leave()
	var files []string
	for _, p := range req.Paths {
		file, err := e.add(ctx, req, p)
		if err != nil {
			return files, err
		}
		files = append(files, file)
	}
	return files, nil
}

func (e *Engine) add(ctx context.Context, req AddRequest, abs string) (string, error) {
	rel, ok := e.opt.Project.Rel(abs)
	rel = filepath.ToSlash(rel)
	if !ok || rel == "." {
		return "", fmt.Errorf("'%s' is outside of the project", abs)
	}
	n, err := e.owner(rel, abs)
	if err != nil {
		return "", err
	}
	for _, o := range n.Outs {
		if err := e.checkAdd(n, o); err != nil {
			return "", err
		}
	}
	outs := make([]outState, len(n.Outs))
	for i, o := range n.Outs {
		rec := dataEntry(n, o.Def)
		c := e.addOutput(ctx, req, o, rec)
		if c.missing() {
			return "", fmt.Errorf("output '%s' does not exist: %w", e.show(o.Path), noSuchFile(e.abs(o.Path)))
		}
		if c.err != nil {
			return "", fmt.Errorf("add '%s': %w", e.show(o.Path), c.err)
		}
		outs[i] = outState{out: o, content: c, rec: rec}
	}
	if err := e.ignoreOutputs(n); err != nil {
		return "", err
	}
	return e.abs(n.File), e.saveData(n, outs)
}

// addOutput looks at what is at an output's path and stores it, unless that is
// not wanted.
func (e *Engine) addOutput(ctx context.Context, req AddRequest, o pipeline.Output, rec *lock.Entry) content {
	if e.legacyEntry(rec) || req.NoCommit || !o.Cache || !inside(o.Path) {
		c := e.look(ctx, o.Path, rec)
		if c.err != nil {
			return c
		}
		c = e.current(ctx, o.Path, c, rec)
		if !req.NoCommit && c.err == nil {
			c.err = e.storeOutput(ctx, o, c, !req.NoRelink)
		}
		return c
	}
	// What is new is read only once.
	opt := cache.SaveOptions{Relink: !req.NoRelink && !o.Persist}
	entry, m, err := e.opt.Store.Add(ctx, &e.ws.scanner, e.abs(o.Path), opt)
	if err == nil {
		e.links().note(o.Path, entry.Digest)
	}
	c := content{entry: entry, err: err}
	if m != nil {
		c.tree = cache.TreeOf(entry, m)
	}
	return c
}

// owner finds the .dvc file that tracks a path or a directory around it, or
// makes a new one.
func (e *Engine) owner(rel, abs string) (*node, error) {
	for _, n := range e.nodes {
		for _, o := range n.Outs {
			switch {
			case o.Path == rel && n.IsData(), strings.HasPrefix(rel, o.Path+"/") && n.IsData():
				return n, nil
			case o.Path == rel, strings.HasPrefix(rel, o.Path+"/"), strings.HasPrefix(o.Path, rel+"/") && !n.IsData():
				return nil, hintError{
					fmt.Errorf("cannot update '%s': overlaps with an output of stage: '%s' in '%s'.", e.show(rel), n.Name, e.show(n.File)), //nolint:staticcheck,revive // DVC's words
					fmt.Sprintf("run the pipeline or use `flow commit` to update '%s'", e.show(rel)),
				}
			case strings.HasPrefix(o.Path, rel+"/"):
				return nil, hintError{
					fmt.Errorf("cannot add '%s', because it is overlapping with other flow tracked output: '%s'.", e.show(rel), e.show(o.Path)), //nolint:staticcheck,revive // DVC's words
					fmt.Sprintf("to include '%s' in '%s', run `flow remove %s` and then `flow add %s`", e.show(o.Path), e.show(rel), e.show(n.File), e.show(rel)),
				}
			}
		}
	}
	if strings.HasSuffix(rel, ".dvc") || path.Base(rel) == "dvc.yaml" {
		return nil, fmt.Errorf("'%s' is a pipeline file, not data", e.show(rel))
	}
	for dir := filepath.Dir(abs); dir != e.opt.Project.Root; dir = filepath.Dir(dir) {
		if fi, err := os.Lstat(dir); err == nil && fi.Mode()&os.ModeSymlink != 0 {
			return nil, fmt.Errorf("cannot add files inside symlinked directories: '%s'", e.show(rel))
		}
	}
	file := rel + ".dvc"
	entry := lock.DataEntry{Entry: lock.Entry{Path: path.Base(rel), Size: -1, Files: -1}, Cache: true, Push: true}
	s := &pipeline.Stage{
		File: file, Wdir: path.Dir(rel), Data: lock.NewData(file, entry),
		Outs: []pipeline.Output{{Def: path.Base(rel), Path: rel, Cache: true, Push: true}},
	}
	return &node{Stage: s, index: -1, name: s.Address(e.opt.Dir)}, nil
}

func (e *Engine) checkAdd(n *node, o pipeline.Output) error {
	if !exists(e.abs(o.Path)) {
		return nil // told by the scan
	}
	return e.checkOutput(n, o)
}

// CommitRequest says what to record as it is.
type CommitRequest struct {
	Targets []*pipeline.Stage // none means all
	// Force records without asking; otherwise Confirm is asked, nil means no.
	Force, NoRelink bool
	Confirm         func(question string) bool
}

// Commit records the current state of stages and data, as if they had just
// run, and stores their outputs in the cache.
func (e *Engine) Commit(ctx context.Context, req CommitRequest) error {
	done, err := e.using(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := e.section.enter(ctx); err != nil {
		return err
	}
	defer e.section.leave()
	targets := req.Targets
	if targets == nil {
		targets = e.opt.Pipeline.Stages
	}
	for _, s := range targets {
		if err := e.commit(ctx, req, e.byStage[s]); err != nil {
			return err
		}
	}
	return e.locks.flush(false)
}

func (e *Engine) commit(ctx context.Context, req CommitRequest, n *node) error {
	rs, err := e.differences(ctx, n)
	if err != nil {
		return &StageError{Stage: n.name, Err: err}
	}
	if q := commitQuestion(n, rs); q != "" && !req.Force && (req.Confirm == nil || !req.Confirm(q)) {
		return fmt.Errorf("unable to commit changed stage: '%s'. Use `-f|--force` to force.", n.name) //nolint:staticcheck,revive // DVC's words
	}
	rec, err := e.locks.stage(n)
	if err != nil {
		return err
	}
	outs, err := e.outputs(ctx, n, rec)
	if err != nil {
		return err
	}
	for i := range outs {
		if outs[i].content.missing() {
			return fmt.Errorf("output '%s' does not exist", outs[i].out.Def)
		}
		outs[i].content = e.current(ctx, outs[i].out.Path, outs[i].content, outs[i].rec)
	}
	if n.IsData() {
		if err := e.storeOutputs(ctx, n, outs, !req.NoRelink); err != nil {
			return err
		}
		return e.saveData(n, outs)
	}
	v := &verdict{rec: rec, outs: outs}
	if v.in, err = e.inputs(ctx, n, rec); err != nil {
		return err
	}
	if err := e.checkRunnable(n, v.in); err != nil {
		return err
	}
	if err := e.storeOutputs(ctx, n, outs, !req.NoRelink); err != nil {
		return err
	}
	v.key, v.fields = key(n, v.in)
	return e.record(ctx, n, &Request{}, v, outs, &LastRun{Key: v.key.String(), Fields: v.fields, Started: e.opt.Now(), Outcome: Done})
}

// commitQuestion says what changed, in the words of DVC's question; empty when
// nothing that asks for consent did.
func commitQuestion(n *node, rs []Reason) string {
	var deps, outs []string
	cmd := false
	seen := map[string]bool{}
	for _, r := range rs {
		id := string(r.Aspect) + r.Path
		switch r.Aspect {
		case AspectDep, AspectParam:
			if !seen[id] {
				deps = append(deps, "'"+r.Path+"'")
			}
		case AspectOut:
			if r.Change != ChangeNotInCache && !seen[id] {
				outs = append(outs, "'"+r.Path+"'")
			}
		case AspectCommand:
			cmd = true
		}
		seen[id] = true
	}
	const sure = " Are you sure you want to commit it?"
	switch {
	case len(deps) > 0 && len(outs) > 0:
		return fmt.Sprintf("dependencies [%s] and outputs [%s] of stage: '%s' changed.", strings.Join(deps, ", "), strings.Join(outs, ", "), n.name) + sure
	case len(deps) > 0:
		return fmt.Sprintf("dependencies [%s] of stage: '%s' changed.", strings.Join(deps, ", "), n.name) + sure
	case len(outs) > 0:
		return fmt.Sprintf("outputs [%s] of stage: '%s' changed.", strings.Join(outs, ", "), n.name) + sure
	case cmd:
		return fmt.Sprintf("'cmd' of stage: '%s' has changed.", n.name) + sure
	}
	return ""
}

// errNotTracked tells that a path belongs to no stage.
var errNotTracked = errors.New("not tracked")

// NotTracked reports whether err says that a path belongs to no stage.
func NotTracked(err error) bool { return errors.Is(err, errNotTracked) }

// entryOf is the recorded entry of an output, in the cache's terms.
func (e *Engine) entryOf(n *node, o pipeline.Output) (cache.Entry, *lock.Entry, error) {
	var le *lock.Entry
	if n.IsData() {
		le = dataEntry(n, o.Def)
	} else {
		rec, err := e.locks.stage(n)
		if err != nil {
			return cache.Entry{}, nil, err
		}
		le = recordedOut(rec, o.Def)
	}
	c, err := e.cacheEntry(le)
	if err == nil && le != nil && le.Listed {
		// The entry is the manifest; what it says is checked as any manifest is.
		if m, perr := cache.ParseManifest(cache.MD5, le.Manifest()); perr == nil {
			e.opt.Store.Know(c, m)
		}
	}
	return c, le, err
}
