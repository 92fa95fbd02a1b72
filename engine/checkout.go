package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/pipeline"
)

// CheckoutRequest says what to bring into the workspace, and how.
type CheckoutRequest struct {
	// Targets are stages; Outs are outputs or paths inside tracked
	// directories, root-relative with slashes. Neither means everything.
	Targets []*pipeline.Stage
	Outs    []string
	// Force overwrites content that exists nowhere else.
	Force bool
	// Relink makes anew the links of files that are up to date.
	Relink bool
	// AllowMissing leaves out what the cache does not have.
	AllowMissing bool
	// Verify hashes every object before it reaches the workspace.
	Verify bool
	// Counts, if not nil, is given the number of files that changed; the
	// changes that Checkout returns name whole outputs.
	Counts *FileCounts
}

// FileCounts counts files, those inside directories too.
type FileCounts struct{ Added, Modified, Deleted int }

// CheckoutError lists the outputs that could not be checked out because their
// objects are missing.
type CheckoutError struct{ Paths []string }

// Error lists the paths, in DVC's words.
func (e *CheckoutError) Error() string {
	return "Checkout failed for following targets:\n" + strings.Join(e.Paths, "\n") + "\nIs your cache up to date?"
}

// Hint says what the user can do.
func (e *CheckoutError) Hint() string {
	return "run `flow repro` to make what is missing again"
}

// UnsavedError lists the workspace files, absolute, that a checkout would
// overwrite or delete and that are nowhere in the cache. They are untouched.
type UnsavedError struct{ Paths []string }

// Error lists the paths, in DVC's words.
func (e *UnsavedError) Error() string {
	return "Can't remove the following unsaved files without confirmation. Use `--force` to force.\n" + strings.Join(e.Paths, "\n")
}

// Hint says what the user can do.
func (e *UnsavedError) Hint() string {
	return "save them with `flow add` or `flow commit`, or let them go with --force"
}

// Checkout brings the recorded outputs into the workspace. Everything that can
// be checked out is, also when something else is missing. With no targets it
// also deletes what it checked out earlier and no stage declares any more, if
// that was not touched since. The changes name outputs, relative to the
// engine's directory; directories end with a slash.
func (e *Engine) Checkout(ctx context.Context, req CheckoutRequest) (cache.Changes, error) {
	var all cache.Changes
	done, err := e.using(ctx)
	if err != nil {
		return all, err
	}
	defer done()
	if err := e.section.enter(ctx); err != nil {
		return all, err
	}
	defer e.section.leave()
	jobs, err := e.checkouts(req)
	if err != nil {
		return all, err
	}
	known := e.links()
	if len(req.Targets)+len(req.Outs) == 0 {
		gone, err := e.removeUndeclared(ctx, known)
		if err != nil {
			return all, err
		}
		all.Deleted = append(all.Deleted, gone...)
	}
	var failed []string
	var unsaved *UnsavedError
	for _, j := range jobs {
		if err := e.containedPath(j.path); err != nil {
			return all, err
		}
		there := exists(e.abs(path.Join(j.path, j.within)))
		ch, err := e.checkoutOne(ctx, req, j)
		var lost *cache.MissingError
		var keep *cache.UnsavedError
		switch {
		case errors.As(err, &lost):
			if !req.AllowMissing {
				failed = append(failed, e.show(j.path))
			}
			continue
		case errors.As(err, &keep):
			if unsaved == nil {
				unsaved = new(UnsavedError)
			}
			unsaved.Paths = append(unsaved.Paths, keep.Paths...)
			continue
		case err != nil:
			return all, fmt.Errorf("checkout '%s': %w", e.show(j.path), err)
		}
		e.ws.forget(e.abs(j.path))
		if j.within == "" {
			known.note(j.path, j.entry.Digest)
		}
		if ch.Empty() {
			continue
		}
		if c := req.Counts; c != nil {
			c.Added, c.Modified, c.Deleted = c.Added+len(ch.Added), c.Modified+len(ch.Modified), c.Deleted+len(ch.Deleted)
		}
		if there {
			all.Modified = append(all.Modified, e.showJob(j))
		} else {
			all.Added = append(all.Added, e.showJob(j))
		}
	}
	sort.Strings(all.Added)
	sort.Strings(all.Modified)
	sort.Strings(all.Deleted)
	switch {
	case unsaved != nil:
		return all, unsaved
	case len(failed) > 0:
		sort.Strings(failed)
		return all, &CheckoutError{failed}
	}
	return all, nil
}

// checkoutJob is one recorded output, or one member of a recorded directory.
type checkoutJob struct {
	path  string // root-relative
	entry cache.Entry
	// within is set when only this member path of a directory is wanted.
	within string
	node   *node
	out    pipeline.Output
}

func (e *Engine) checkouts(req CheckoutRequest) ([]checkoutJob, error) {
	return e.checkoutsOf(req, false)
}

// checkoutsOf lists what is recorded of the outputs that are asked for; uncached
// takes in those that are not cached.
func (e *Engine) checkoutsOf(req CheckoutRequest, uncached bool) ([]checkoutJob, error) {
	var jobs []checkoutJob
	chosen := map[*pipeline.Stage]bool{}
	for _, t := range req.Targets {
		chosen[t] = true
	}
	everything := len(req.Targets)+len(req.Outs) == 0
	found := map[string]bool{}
	for _, n := range e.nodes {
		for _, o := range n.Outs {
			if o.URL || !o.Cache && !uncached {
				continue
			}
			take, within := everything || chosen[n.Stage], ""
			for _, want := range req.Outs {
				switch {
				case want == o.Path:
					take = true
				case strings.HasPrefix(want, o.Path+"/"):
					take, within = true, strings.TrimPrefix(want, o.Path+"/")
				default:
					continue
				}
				found[want] = true
			}
			if !take {
				continue
			}
			entry, _, err := e.entryOf(n, o)
			if err != nil {
				return nil, err
			}
			if entry.Digest.IsZero() {
				continue // never recorded: nothing to bring
			}
			jobs = append(jobs, checkoutJob{path: o.Path, entry: entry, within: within, node: n, out: o})
		}
	}
	for _, want := range req.Outs {
		if !found[want] {
			return nil, hintError{fmt.Errorf("'%s' is no output of any stage: %w", e.show(want), errNotTracked),
				fmt.Sprintf("did you mean `git checkout %s`?", e.show(want))}
		}
	}
	return jobs, nil
}

func (e *Engine) checkoutOne(ctx context.Context, req CheckoutRequest, j checkoutJob) (cache.Changes, error) {
	opt := cache.CheckoutOptions{Force: req.Force, Verify: req.Verify, Relink: req.Relink, Ignore: e.ws.scanner.Ignore}
	if j.within == "" {
		return e.opt.Store.Checkout(ctx, e.abs(j.path), j.entry, opt)
	}
	m, err := e.opt.Store.Manifest(j.entry.Digest)
	if err != nil {
		return cache.Changes{}, err
	}
	var all cache.Changes
	hit := false
	for _, member := range m.Members {
		if member.Path != j.within && !strings.HasPrefix(member.Path, j.within+"/") {
			continue
		}
		hit = true
		one := cache.Entry{Digest: member.Digest, Size: member.Size, Exec: member.Exec}
		place := path.Join(j.path, member.Path)
		if err := os.MkdirAll(e.abs(path.Dir(place)), 0o777); err != nil {
			return all, err
		}
		ch, err := e.opt.Store.Checkout(ctx, e.abs(place), one, opt)
		if err != nil {
			return all, err
		}
		if len(ch.Added)+len(ch.Modified) > 0 {
			all.Added = append(all.Added, member.Path)
		}
	}
	if !hit {
		return all, fmt.Errorf("'%s' is not in '%s': %w", j.within, e.show(j.path), errNotTracked)
	}
	return all, nil
}

// showJob names what a job brings, a directory with a slash at its end.
func (e *Engine) showJob(j checkoutJob) string {
	name := e.show(path.Join(j.path, j.within))
	if isDir(e.abs(path.Join(j.path, j.within))) {
		name += "/"
	}
	return name
}
