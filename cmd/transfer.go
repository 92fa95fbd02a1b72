package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/remote"
)

// transferFlags are what push, pull, fetch and status -c have in common.
type transferFlags struct {
	remote                  string
	jobs                    int
	branches, tags, commits bool
	deps, recursive, glob   bool
	json                    bool
	runCache, noRunCache    bool
	maxSize                 string
	kinds                   []string
}

func (f *transferFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVarP(&f.remote, "remote", "r", "", "the remote to use instead of the default `name`")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "objects at once (default 64 for S3, else 4 for each processor)")
	fl.BoolVarP(&f.branches, "all-branches", "a", false, "also what the tips of all branches use")
	fl.BoolVarP(&f.tags, "all-tags", "T", false, "also what all tags use")
	fl.BoolVarP(&f.commits, "all-commits", "A", false, "also what any commit uses")
	fl.BoolVarP(&f.deps, "with-deps", "d", false, "also what the targets depend on")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "all stages below the target directories")
	fl.BoolVar(&f.json, "json", false, "print JSON")
}

func (f *transferFlags) addMore(c *cobra.Command, runCache string) {
	fl := c.Flags()
	fl.BoolVar(&f.glob, "glob", false, "targets are patterns")
	fl.BoolVar(&f.runCache, "run-cache", false, runCache)
	fl.BoolVar(&f.noRunCache, "no-run-cache", false, "leave out records of results")
	c.MarkFlagsMutuallyExclusive("run-cache", "no-run-cache")
	fl.StringVar(&f.maxSize, "max-size", "", "only outputs smaller than `size`, in bytes or such as 10M")
}

func (f *transferFlags) check() error {
	if f.jobs < 0 {
		return &exitError{exitUsage, fmt.Errorf("--jobs %d: must not be negative", f.jobs)}
	}
	return nil
}

// selection is what a verb moves.
type transferSelection struct {
	outs []engine.Recorded
	// req is the same for checkout; nothing is set when there was no target and
	// everything is meant.
	req engine.CheckoutRequest
	// nothing is set when targets named nothing at all: not everything is meant.
	nothing bool
}

// choose resolves targets and flags to recorded outputs. What is not cached is
// among them, for the records that need it.
func (a *app) choose(ctx context.Context, s *session, f *transferFlags, args []string) (*transferSelection, error) {
	sel := new(transferSelection)
	if f.glob && len(args) > 0 {
		var err error
		if args, err = s.expand(args); err != nil {
			return nil, err
		}
	}
	if len(args) > 0 {
		sub, err := s.subjects(args, f.recursive)
		if err != nil {
			a.warn("failed to collect 'workspace', skipping")
			return nil, err
		}
		sel.req.Targets, sel.req.Outs = sub.named, sub.outs
		if f.deps {
			sel.req.Targets = s.withDeps(sub.stages)
		}
		sel.nothing = len(sel.req.Targets)+len(sel.req.Outs) == 0
	}
	if !sel.nothing {
		var err error
		if sel.outs, err = s.engine.Recorded(sel.req, true); err != nil {
			return nil, err
		}
	}
	if f.branches || f.tags || f.commits {
		more, err := a.recordedInHistory(ctx, s, f, sel)
		if err != nil {
			return nil, err
		}
		sel.outs = append(sel.outs, more...)
	}
	return sel, f.filter(sel)
}

// filter leaves out what is too large, or of another kind.
func (f *transferFlags) filter(sel *transferSelection) error {
	if f.maxSize == "" {
		return nil
	}
	most, err := parseBytes(f.maxSize)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--max-size %s: %w", f.maxSize, err)}
	}
	var kept []engine.Recorded
	for _, r := range sel.outs {
		if r.Entry.Size < most { // as DVC has it
			kept = append(kept, r)
		}
	}
	sel.outs = kept
	return nil
}

// expand replaces patterns by what they match: outputs, stages and files.
func (s *session) expand(patterns []string) ([]string, error) {
	seen := map[string]bool{}
	var list []string
	for _, p := range patterns {
		hit := false
		take := func(name string) {
			hit = true
			if !seen[name] {
				seen[name] = true
				list = append(list, name)
			}
		}
		for _, st := range s.set.Stages {
			if ok, err := path.Match(p, st.Address(s.dir)); err != nil {
				return nil, &exitError{exitUsage, fmt.Errorf("pattern '%s': %w", p, err)}
			} else if ok {
				take(st.Address(s.dir))
			}
			for _, o := range st.Outs {
				shown := filepath.ToSlash(s.show(o.Path))
				if ok, _ := path.Match(p, shown); ok && !seen[st.Address(s.dir)] {
					take(shown)
				}
			}
		}
		found, _ := filepath.Glob(filepath.FromSlash(p)) // its syntax was checked above
		for _, name := range found {
			if _, ok := s.set.ResolveOutput(name, s.dir); ok {
				take(name)
			}
		}
		if !hit {
			return nil, fmt.Errorf("nothing matches '%s'", p)
		}
	}
	return list, nil
}

// recordedInHistory adds what the chosen revisions record: all of it, or of the
// targets.
func (a *app) recordedInHistory(ctx context.Context, s *session, f *transferFlags, sel *transferSelection) ([]engine.Recorded, error) {
	g, ok := s.project.Git()
	if !ok {
		return nil, errors.New("revisions need a Git repository")
	}
	commits, err := revisions(ctx, g, &gcFlags{branches: f.branches, tags: f.tags, commits: f.commits, num: 1})
	if err != nil {
		return nil, err
	}
	wanted := func(r engine.Recorded) bool {
		if len(sel.req.Targets)+len(sel.req.Outs) == 0 {
			return !sel.nothing
		}
		for _, t := range sel.outs {
			if t.Path == r.Path {
				return true
			}
		}
		return false
	}
	var list []engine.Recorded
	err = s.eachInHistory(ctx, g, commits, func(file string, data []byte, commit string) error {
		rel, ok := s.project.Rel(filepath.Join(g.Root, filepath.FromSlash(file)))
		if !ok {
			return nil
		}
		recorded, err := s.engine.RecordedAt(rel, data)
		if err != nil {
			a.warn(fmt.Sprintf("'%s' of commit %.12s is skipped: %v", file, commit, firstLine(err.Error())))
			return nil
		}
		for _, r := range recorded {
			if wanted(r) {
				list = append(list, r)
			}
		}
		return nil
	})
	return list, err
}

// byRemote groups what is to be moved by the remote it belongs to. With a named
// remote, outputs with one of their own are left out, as DVC does.
func byRemote(outs []engine.Recorded, named string) (names []string, groups map[string][]engine.Recorded) {
	groups = map[string][]engine.Recorded{}
	for _, r := range outs {
		name := strings.ToLower(r.Remote)
		if named != "" {
			if name != "" && name != strings.ToLower(named) {
				continue
			}
			name = strings.ToLower(named)
		}
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], r)
	}
	sort.Strings(names)
	return names, groups
}

func items(outs []engine.Recorded) []remote.Item {
	list := make([]remote.Item, len(outs))
	for i, r := range outs {
		list[i] = remote.Item{Entry: r.Entry, Within: r.Within}
	}
	return list
}

// transferReport is what --json prints, and what the summary is made of.
type transferReport struct {
	Remotes  []string                `json:"remotes"`
	Objects  int                     `json:"objects"`
	Bytes    int64                   `json:"bytes"`
	Records  int                     `json:"records"`
	Seconds  float64                 `json:"seconds"`
	Missing  []string                `json:"missing"`
	Requests map[string]remote.Count `json:"requests"`
	began    time.Time
	missing  map[cache.Digest]bool
}

func newReport() *transferReport {
	return &transferReport{
		Remotes: []string{}, Missing: []string{}, Requests: map[string]remote.Count{},
		began: time.Now(), missing: map[cache.Digest]bool{},
	}
}

// add takes in what was done with one remote.
func (r *transferReport) add(o *openRemote, res remote.Result) {
	r.Remotes = append(r.Remotes, o.name)
	r.Objects += res.Objects
	r.Bytes += res.Bytes
	r.Records += res.Records
	for _, d := range res.Missing {
		if !r.missing[d] {
			r.missing[d] = true
			r.Missing = append(r.Missing, d.String())
		}
	}
	for op, c := range o.metrics.Counts() {
		sum := r.Requests[op]
		sum.Operations += c.Operations
		sum.Failed += c.Failed
		sum.Bytes += c.Bytes
		sum.Took += c.Took
		r.Requests[op] = sum
	}
	r.Seconds = time.Since(r.began).Seconds()
}

// printMoved prints the summary of what moved, and what is on neither side.
func (a *app) printMoved(r *transferReport, verb string) {
	if len(r.Missing) > 0 {
		var b strings.Builder
		b.WriteString("Some of the cache files do not exist neither locally nor on remote. Missing cache files:")
		sort.Strings(r.Missing)
		for _, d := range r.Missing {
			kind := "md5"
			if len(strings.TrimSuffix(d, ".dir")) > 32 {
				kind = "blake3"
			}
			fmt.Fprintf(&b, "\n%s: %s", kind, d)
		}
		a.warn(b.String())
	}
	if r.Objects == 0 && r.Records == 0 {
		return
	}
	text := fmt.Sprintf("%s %s, %s in %s", verb, count(r.Objects, "object"), byteCount(r.Bytes), round(time.Duration(r.Seconds*float64(time.Second))))
	if r.Seconds > 0 && r.Bytes > 0 {
		text += fmt.Sprintf(" (%s/s)", byteCount(int64(float64(r.Bytes)/r.Seconds)))
	}
	if r.Records > 0 {
		text += fmt.Sprintf(", and %s of results", count(r.Records, "record"))
	}
	a.print("%s\n", text)
}

// cloudFailed puts DVC's words before an error of push, fetch or pull, and gives
// it their exit code.
func cloudFailed(what string, err error) error {
	if err == nil || interruptedBy(err) {
		return err
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	return &exitError{exitFailed, &cloudError{what, err}}
}

// cloudError is an error of a transfer in DVC's words. It hides what kinds of
// errors it wraps from the choice of the exit code, which is always 1.
type cloudError struct {
	what string
	err  error
}

func (e *cloudError) Error() string { return e.what + " - " + e.err.Error() }

func (e *cloudError) Hint() string {
	var h interface{ Hint() string }
	if errors.As(e.err, &h) {
		return h.Hint()
	}
	return ""
}

// useCache keeps garbage collection away from objects that no lock file of the
// workspace may name yet.
func (s *session) useCache(ctx context.Context, f func() error) error {
	done, err := s.engine.Using(ctx)
	if err != nil {
		return err
	}
	defer done()
	return f()
}

// openForTransfer opens the session of push, fetch and pull.
func (a *app) openForTransfer() (*session, error) {
	return a.open(openOptions{sink: noticeSink{a}})
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
