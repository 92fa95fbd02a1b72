package engine

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
)

// Remote is where the results of others are. The engine asks it for what is not
// here; whatever it answers, nothing is believed that the cache has not verified.
// Errors never fail a stage: they make a result be computed that could have been
// fetched.
type Remote interface {
	// Records returns the stored forms of the records of a computation, the one
	// to prefer first: cache.Record's in the native format, entries of the run
	// cache in DVC's. The key is in hex. No records are no error.
	Records(ctx context.Context, key string) ([][]byte, error)
	// Fetch brings the objects of recorded outputs into the cache, those of
	// directories with their members, and reports whether all of them are there.
	Fetch(ctx context.Context, outs []Recorded) (bool, error)
}

// Recorded is an output that a lock or .dvc file records: what is sent to
// remotes and fetched from them.
type Recorded struct {
	// Stage is the display name of the stage.
	Stage string
	// Path is root-relative, with slashes.
	Path  string
	Entry cache.Entry
	// Within is set when only this member path of a directory is asked for.
	Within string
	// Remote is the name of the output's own remote, "" for the default.
	Remote string
	// Cloud is where a cloud-versioned remote has its files, and Manifest the
	// directory's manifest when it follows from that; nil for other outputs.
	Cloud    []lock.CloudFile
	Manifest []byte
	// Cache and Push are the output's flags: what is not cached has objects only
	// if a record needs them, and Push false keeps it from remotes.
	Cache, Push bool
	// Source is where an import comes from, nil for other outputs. Wdir is the
	// root-relative directory that its path or url may be relative to.
	Source *lock.DataEntry
	Wdir   string
}

// OfRepository reports whether the output is imported from another project: it
// belongs on that one's remote and not on this one's.
func (r *Recorded) OfRepository() bool { return r.Source != nil && r.Source.Repo != nil }

// Recorded returns what is recorded of the outputs that Checkout would bring for
// the same request; with uncached also of those that are not cached.
func (e *Engine) Recorded(req CheckoutRequest, uncached bool) ([]Recorded, error) {
	jobs, err := e.checkoutsOf(req, uncached)
	if err != nil {
		return nil, err
	}
	list := make([]Recorded, len(jobs))
	for i, j := range jobs {
		list[i] = e.recordedAs(j.node, j.out, j.entry)
		list[i].Within = j.within
	}
	return list, nil
}

func (e *Engine) recordedAs(n *node, o pipeline.Output, entry cache.Entry) Recorded {
	r := Recorded{Stage: n.name, Path: o.Path, Entry: entry, Remote: o.Remote, Cache: o.Cache, Push: o.Push}
	if n.IsData() {
		r.Source, r.Wdir = n.Data.Source(), n.Wdir
	}
	if now, le, err := e.entryOf(n, o); err == nil && now.Digest == entry.Digest {
		r.locate(le)
	}
	return r
}

// locate takes over what an entry says of a cloud-versioned remote.
func (r *Recorded) locate(le *lock.Entry) {
	if le != nil {
		r.Cloud, r.Manifest = le.CloudFiles(), le.Manifest()
	}
}

// RecordedAt is Recorded for a dvc.lock or .dvc file of a revision, whose path is
// relative to the root. The flags of a stage's outputs are those of the workspace's
// stage of that name, where there is one.
func (e *Engine) RecordedAt(file string, data []byte) ([]Recorded, error) {
	dir := path.Dir(file)
	var list []Recorded
	switch {
	case path.Base(file) == "dvc.lock":
		f, err := lock.Parse(file, data)
		if err != nil {
			return nil, err
		}
		for _, name := range f.Names() {
			s, _ := f.Stage(name)
			st, _ := e.opt.Pipeline.Stage(path.Join(dir, "dvc.yaml"), name)
			for i := range s.Outs {
				entry, err := e.cacheEntry(&s.Outs[i])
				if err != nil {
					return nil, err
				}
				r := Recorded{Stage: name, Path: path.Join(dir, s.Outs[i].Path), Entry: entry, Cache: true, Push: true}
				if st != nil {
					for _, o := range st.Outs {
						if o.Def == s.Outs[i].Path {
							r.Path, r.Remote, r.Cache, r.Push = o.Path, o.Remote, o.Cache, o.Push
						}
					}
				}
				if !entry.Digest.IsZero() {
					r.locate(&s.Outs[i])
					list = append(list, r)
				}
			}
		}
	case strings.HasSuffix(file, ".dvc"):
		d, err := lock.ParseData(file, data)
		if err != nil {
			return nil, err
		}
		for i := range d.Outs {
			o := &d.Outs[i]
			entry, err := e.cacheEntry(&o.Entry)
			if err != nil {
				return nil, err
			}
			if !entry.Digest.IsZero() {
				r := Recorded{
					Stage: file, Path: path.Join(dir, d.Wdir, o.Path), Entry: entry,
					Remote: o.Remote, Cache: o.Cache, Push: o.Push,
					Source: d.Source(), Wdir: path.Join(dir, d.Wdir),
				}
				r.locate(&o.Entry)
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// Using marks this process as one that writes to the cache until the returned
// function is called: garbage collection waits for it. Verbs that bring objects
// from elsewhere hold it until lock files name them.
func (e *Engine) Using(ctx context.Context) (func(), error) { return e.using(ctx) }

// RunEntry reads an entry of DVC's run cache, as it comes from a remote, and
// returns the names under which it is kept and the entries of its outputs. An
// entry that is none of key's is an error.
func RunEntry(key string, data []byte) (value string, outs []lock.Entry, err error) {
	s, err := lock.ParseRun(data)
	if err != nil {
		return "", nil, err
	}
	if got := lock.RunKey(s); got != key {
		return "", nil, fmt.Errorf("run cache entry of '%s' lies under '%s'", got, key)
	}
	return lock.RunValue(s), s.Outs, nil
}

// remoteState is what a run has learned of the remote.
type remoteState struct {
	mu   sync.Mutex
	down bool
}

// pulls reports whether a request may ask the remote.
func (e *Engine) pulls(req *Request) bool {
	if !req.Pull || req.Dry || e.opt.Remote == nil {
		return false
	}
	e.remote.mu.Lock()
	defer e.remote.mu.Unlock()
	return !e.remote.down
}

// outside runs f without the section: other processes need not wait for the
// network.
func (e *Engine) outside(ctx context.Context, f func() error) error {
	e.section.leave()
	err := f()
	if serr := e.section.reenter(ctx); serr != nil {
		return serr
	}
	return err
}

// remoteFailed tells of the first failure and gives the remote up for this run,
// so that a server that does not answer costs one wait and not one for each
// stage.
func (e *Engine) remoteFailed(ctx context.Context, n *node, err error) {
	if ctx.Err() != nil {
		return
	}
	e.remote.mu.Lock()
	first := !e.remote.down
	e.remote.down = true
	e.remote.mu.Unlock()
	if !first {
		return
	}
	hint := "what it holds is computed instead"
	e.warn(n, fmt.Sprintf("the remote cannot be used, going on without it: %v", err), hint)
}

func (e *Engine) fetchRecorded(ctx context.Context, n *node, list []Recorded) (bool, error) {
	all := false
	err := e.outside(ctx, func() (err error) {
		all, err = e.opt.Remote.Fetch(ctx, list)
		return err
	})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		e.remoteFailed(ctx, n, err)
	}
	if !all {
		return false, nil
	}
	for _, r := range list {
		if ok, err := e.available(ctx, []cache.Entry{r.Entry}); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// obtain reports whether the cache has all objects of the entries of the stage's
// outputs, if need be from the remote. Outputs, when given, that are in place and
// not cached need none: Git may have brought them.
func (e *Engine) obtain(ctx context.Context, n *node, req *Request, entries []cache.Entry, outs ...outState) (bool, error) {
	var list []Recorded
	for i, c := range entries {
		if i < len(outs) && inPlace(&outs[i], c) {
			continue
		}
		if c.Digest.IsZero() {
			return false, nil
		}
		if ok, err := e.available(ctx, []cache.Entry{c}); err != nil {
			return false, err
		} else if !ok {
			list = append(list, e.recordedAs(n, n.Outs[i], c))
		}
	}
	if len(list) == 0 || !e.pulls(req) {
		return len(list) == 0, nil
	}
	return e.fetchRecorded(ctx, n, list)
}

// inPlace reports whether the workspace holds an output that is not cached as the
// entry has it.
func inPlace(o *outState, c cache.Entry) bool {
	return !o.out.Cache && o.content.err == nil && o.content.entry.Digest == c.Digest
}

// remoteRecords asks for the records of a computation.
func (e *Engine) remoteRecords(ctx context.Context, n *node, req *Request, key string) [][]byte {
	if !e.pulls(req) {
		return nil
	}
	var list [][]byte
	err := e.outside(ctx, func() (err error) {
		list, err = e.opt.Remote.Records(ctx, key)
		return err
	})
	if err != nil {
		e.remoteFailed(ctx, n, err)
	}
	return list
}

// findRemoteRecord looks for the record of a native computation on the remote.
// It is kept here when its objects are.
func (e *Engine) findRemoteRecord(ctx context.Context, n *node, req *Request, v *verdict) error {
	for _, data := range e.remoteRecords(ctx, n, req, v.key.String()) {
		r, err := cache.ParseRecord(data)
		if err != nil || r.Key != v.key {
			continue // not what was asked for
		}
		entries := recordEntries(n, r)
		ok, err := e.obtain(ctx, n, req, entries, v.outs...)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := e.opt.Store.PutRecord(r); err != nil {
			return err
		}
		v.action, v.restore, v.log = doRestore, entries, r.Log
		return nil
	}
	return nil
}

// recordEntries are the entries that a record has for the stage's outputs, in
// their order; zero where it has none.
func recordEntries(n *node, r *cache.Record) []cache.Entry {
	entries := make([]cache.Entry, len(n.Outs))
	for i, o := range n.Outs {
		for _, ro := range r.Outputs {
			if ro.Path == o.Path {
				entries[i] = ro.Entry
			}
		}
	}
	return entries
}

// findRemoteRun looks for a result of DVC's run cache on the remote.
func (e *Engine) findRemoteRun(ctx context.Context, n *node, req *Request, v *verdict, want *lock.Stage) error {
	for _, data := range e.remoteRecords(ctx, n, req, lock.RunKey(want)) {
		s, err := lock.ParseRun(data)
		if err != nil || !lock.SameRun(want, s) {
			continue // not what was asked for
		}
		ok, err := e.takeRun(ctx, n, req, v, s)
		if err != nil {
			return err
		}
		if ok {
			return e.runs.Save(s)
		}
	}
	return nil
}

// takeRun makes the verdict restore a result of the run cache, if its objects
// can be had.
func (e *Engine) takeRun(ctx context.Context, n *node, req *Request, v *verdict, s *lock.Stage) (bool, error) {
	entries := make([]cache.Entry, len(n.Outs))
	for i, o := range n.Outs {
		var err error
		if entries[i], err = e.cacheEntry(recordedOut(s, o.Def)); err != nil {
			return false, nil //nolint:nilerr // an entry that cannot be read is a miss
		}
	}
	ok, err := e.obtain(ctx, n, req, entries, v.outs...)
	if ok {
		v.action, v.restore = doRestore, entries
	}
	return ok, err
}

// pullable reports whether all that is amiss with a frozen stage or data source
// is that recorded outputs are not in the workspace.
func pullable(outs []outState) bool {
	absent := false
	for i := range outs {
		o := &outs[i]
		switch {
		case o.content.missing() && !o.recEntry.Digest.IsZero() && o.out.Cache:
			absent = true
		case !o.same():
			return false
		}
	}
	return absent
}

// pullOutputs brings the recorded outputs that are not in the workspace. It
// reports whether it could.
func (e *Engine) pullOutputs(ctx context.Context, n *node, req *Request, outs []outState) (bool, error) {
	for i := range outs {
		o := &outs[i]
		if !o.content.missing() {
			continue
		}
		ok, err := e.available(ctx, []cache.Entry{o.recEntry})
		if err == nil && !ok && e.pulls(req) {
			ok, err = e.fetchRecorded(ctx, n, []Recorded{e.recordedAs(n, o.out, o.recEntry)})
		}
		if err != nil || !ok {
			return false, err
		}
	}
	unlock, err := e.lockPaths(ctx, n)
	if err != nil {
		return false, err
	}
	defer unlock()
	for i := range outs {
		if outs[i].content.missing() {
			if err := e.place(ctx, outs[i].out.Path, outs[i].recEntry); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// place checks an entry out at a path of the project where nothing is.
func (e *Engine) place(ctx context.Context, path string, entry cache.Entry) error {
	if err := e.containedPath(path); err != nil {
		return err
	}
	abs := e.abs(path)
	if _, err := e.opt.Store.Checkout(ctx, abs, entry, cache.CheckoutOptions{Ignore: e.ws.scanner.Ignore}); err != nil {
		return fmt.Errorf("restore '%s': %w", e.show(path), err)
	}
	e.ws.forget(abs)
	e.links().note(path, entry.Digest)
	return nil
}

// pullDeps brings the dependencies of a stage that are not in the workspace but
// are recorded as outputs of others: --allow-missing left them out, and now the
// stage has to run. It reports whether anything came.
func (e *Engine) pullDeps(ctx context.Context, n *node, req *Request, s *snapshot) (bool, error) {
	if !e.pulls(req) {
		return false, nil
	}
	came := false
	for i, d := range n.Deps {
		if !s.deps[i].missing() {
			continue
		}
		for _, p := range e.nodes {
			for _, o := range p.Outs {
				if p == n || o.URL || !o.Cache || !touches(o.Path, d.Path) || exists(e.abs(o.Path)) {
					continue
				}
				entry, _, err := e.entryOf(p, o)
				if err != nil {
					return came, err
				}
				if entry.Digest.IsZero() {
					continue
				}
				ok, err := e.available(ctx, []cache.Entry{entry})
				if err == nil && !ok {
					ok, err = e.fetchRecorded(ctx, p, []Recorded{e.recordedAs(p, o, entry)})
				}
				if err == nil && ok {
					err = e.place(ctx, o.Path, entry)
					came = true
				}
				if err != nil {
					return came, err
				}
			}
		}
	}
	return came, nil
}

// touches reports whether two paths are equal or one holds the other.
func touches(a, b string) bool {
	a, b = path.Clean(a), path.Clean(b)
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// requiredError refuses to run a stage when only known results are wanted.
func requiredError(v *verdict) error {
	why := "nothing is recorded of it"
	if len(v.reasons) > 0 {
		parts := make([]string, 0, 3)
		for i, r := range v.reasons {
			if i == 3 {
				parts = append(parts, fmt.Sprintf("and %d more", len(v.reasons)-3))
				break
			}
			parts = append(parts, r.String())
		}
		why = strings.Join(parts, "; ")
	}
	return hintError{fmt.Errorf("it would have to run, and no result of it is known (%s)", why),
		"run `flow repro` and `flow push` where it may be computed, or leave out --require-cached"}
}
