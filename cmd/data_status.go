package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
)

type dataStatusFlags struct {
	json, granular, unchanged bool
	untracked                 string
	notInRemote               bool
	remote                    string
	jobs                      int
}

func (a *app) dataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Show the state of data",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.dataStatusCommand())
	return c
}

func (a *app) dataStatusCommand() *cobra.Command {
	var f dataStatusFlags
	c := &cobra.Command{
		Use:   "status [target]...",
		Short: "Compare data with what is recorded, and with HEAD",
		Long: `Show what of the recorded data is not in the cache, or with --not-in-remote not on
the remote, how the lock and .dvc files differ from those of HEAD (committed
changes), and how the workspace differs from them (uncommitted changes). Targets are
paths. Paths are from the root of the
project, those of untracked files from the current directory. The exit code is 0
also when something differs. --json has the shape of DVC's.`,
		RunE: run(func(ctx context.Context, args []string) error {
			return failed(a.dataStatus(ctx, &f, args))
		}),
	}
	fl := c.Flags()
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.granular, "granular", false, "also the files of directories")
	fl.BoolVar(&f.unchanged, "unchanged", false, "also what has not changed")
	fl.StringVar(&f.untracked, "untracked-files", "no", "show files that neither Git nor flow tracks: `no or all`")
	fl.Lookup("untracked-files").NoOptDefVal = "all"
	fl.BoolVar(&f.notInRemote, "not-in-remote", false, "show what has not been pushed")
	fl.StringVarP(&f.remote, "remote", "r", "", "with --not-in-remote, the remote to use instead of the default `name`")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "with --not-in-remote, questions at once (default 64 for S3, else 4 for each processor)")
	return c
}

// statusPart is a part of what data status shows.
type statusPart struct {
	key, title string
	hints      []string
	paths      []string     // when it has no kinds
	changes    []dataChange // when it has
}

func (a *app) dataStatus(ctx context.Context, f *dataStatusFlags, args []string) (err error) {
	if f.untracked != "no" && f.untracked != "all" {
		return errors.New("--untracked-files must be no or all")
	}
	if f.jobs < 0 {
		return &exitError{exitUsage, fmt.Errorf("--jobs %d: must not be negative", f.jobs)}
	}
	if f.remote != "" && !f.notInRemote {
		return errors.New("--remote can be used with --not-in-remote only")
	}
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	scope := dataScope{shallow: !f.granular}
	for _, t := range args {
		scope.paths = append(scope.paths, path.Clean(s.fromHere(t)))
	}
	recorded := s.workspace().recordedTree(scope)
	files, err := s.workspaceTree(ctx, scope)
	if err != nil {
		return err
	}
	lost, err := s.absent(ctx, recorded)
	if err != nil {
		return err
	}
	for i, rel := range lost {
		if recorded.items[rel].IsDir() {
			lost[i] += "/"
		}
	}
	var unpushed []string
	if f.notInRemote {
		if unpushed, err = a.notInRemote(ctx, s, f, scope); err != nil {
			return err
		}
	}
	uncommitted, same := unchangedApart(compareTrees(recorded, files))
	state, err := s.gitState(ctx, f.untracked == "all", scope)
	if err != nil {
		return err
	}
	var committed []dataChange
	if state.present {
		head := newDataTree()
		if !state.empty {
			r, err := s.at(ctx, "HEAD")
			if err != nil {
				return err
			}
			head = r.recordedTree(scope)
		}
		var sameAsHead []string
		committed, sameAsHead = unchangedApart(compareTrees(head, recorded))
		kept := map[string]bool{}
		for _, p := range sameAsHead {
			kept[p] = true
		}
		same = slices.DeleteFunc(same, func(p string) bool { return !kept[p] })
	}
	parts := []statusPart{
		{key: "not_in_cache", title: "Not in cache", paths: lost, hints: []string{`use "flow fetch <file>..." to download files`}},
		{key: "not_in_remote", title: "Not in remote", paths: unpushed, hints: []string{`use "flow push <file>..." to upload files`}},
		{key: "committed", title: "DVC committed changes", changes: committed, hints: []string{"git commit the corresponding dvc files to update the repo"}},
		{
			key: "uncommitted", title: "DVC uncommitted changes", changes: uncommitted,
			hints: []string{`use "flow commit <file>..." to track changes`, `use "flow checkout <file>..." to discard changes`},
		},
	}
	if f.untracked == "all" {
		parts = append(parts, statusPart{
			key: "untracked", title: "Untracked files", paths: state.untracked,
			hints: []string{`use "git add <file> ..." or "flow add <file>..." to commit to git or to flow`},
		})
	}
	if f.unchanged {
		parts = append(parts, statusPart{key: "unchanged", title: "DVC unchanged files", paths: same})
	}
	parts = slices.DeleteFunc(parts, func(p statusPart) bool { return len(p.paths)+len(p.changes) == 0 })
	if f.json {
		fmt.Fprintln(a.stdout, dataStatusJSON(parts))
		return nil
	}
	a.printDataStatus(parts, state)
	return nil
}

// notInRemote returns what may be pushed and is not on the remote it belongs to,
// sorted; without a remote that is everything.
func (a *app) notInRemote(ctx context.Context, s *session, f *dataStatusFlags, c dataScope) ([]string, error) {
	recorded, err := s.engine.Recorded(engine.CheckoutRequest{}, false)
	if err != nil {
		return nil, err
	}
	var outs []engine.Recorded
	for _, r := range recorded {
		if r.Push && !r.OfRepository() && c.touches(r.Path) {
			outs = append(outs, r)
		}
	}
	var list []string
	names, groups := byRemote(outs, f.remote)
	for _, name := range names {
		tree := newDataTree()
		for _, r := range groups[name] {
			var m *cache.Manifest
			if r.Entry.Digest.IsDir() && !c.shallow {
				m, _ = s.store.Manifest(r.Entry.Digest) // of one that is not here only itself is looked for
			}
			tree.add(r.Path, r.Entry.Digest, m)
		}
		digests := map[cache.Digest]bool{}
		for _, d := range c.trim(tree).items {
			digests[d] = true
		}
		there := map[cache.Digest]int64{}
		o, err := s.openRemote(name, f.jobs, patientAttempts)
		var none *noRemoteError
		if err == nil {
			p := a.progress("Comparing", "")
			there, err = o.transfer(s, p.add).Present(ctx, slices.Collect(maps.Keys(digests)))
			p.close()
		} else if errors.As(err, &none) {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		for rel, d := range tree.items {
			if _, ok := there[d]; ok {
				continue
			}
			if d.IsDir() {
				rel += "/"
			}
			list = append(list, rel)
		}
	}
	slices.Sort(list)
	return list, nil
}

// unchangedApart takes the names of what has not changed out of a comparison,
// and what is unknown because the new side cannot be read.
func unchangedApart(list []dataChange) (changed []dataChange, same []string) {
	for _, c := range list {
		switch {
		case c.kind == "unchanged":
			same = append(same, c.name())
		case c.kind != "unknown" || !c.new.IsZero():
			changed = append(changed, c)
		}
	}
	return changed, same
}

// gitState is what Git says about the working tree.
type gitState struct {
	present, empty, dirty bool
	untracked             []string // as seen from the current directory
}

func (s *session) gitState(ctx context.Context, untracked bool, c dataScope) (gitState, error) {
	g, ok := s.project.Git()
	if !ok {
		return gitState{}, nil
	}
	st := gitState{present: true}
	if _, err := g.Resolve(ctx, "HEAD"); err != nil {
		if ctx.Err() != nil {
			return st, err
		}
		st.empty = true
	}
	dirty, files, err := g.Status(ctx, untracked)
	if err != nil {
		return st, err
	}
	st.dirty = dirty
	for _, abs := range files {
		if rel, ok := s.project.Rel(abs); ok && c.has(filepath.ToSlash(rel)) {
			st.untracked = append(st.untracked, filepath.ToSlash(s.show(filepath.ToSlash(rel))))
		}
	}
	return st, nil
}

func (a *app) printDataStatus(parts []statusPart, state gitState) {
	other := "other "
	if len(parts) == 0 {
		other = ""
		if state.empty {
			a.print("No changes in an empty git repo.\n")
		} else {
			a.print("No changes.\n")
		}
	}
	for i, p := range parts {
		if i > 0 {
			a.print("\n")
		}
		a.print("%s:\n", p.title)
		for _, h := range p.hints {
			a.print("  (%s)\n", h)
		}
		for _, name := range p.paths {
			a.print("        %s\n", name)
		}
		for _, c := range p.changes {
			a.print("        %s: %s\n", c.kind, strings.Join(c.names(), " -> "))
		}
	}
	if state.dirty {
		a.print("(there are %schanges not tracked by flow, use \"git status\" to see)\n", other)
	}
}

// names are the paths of a change, two when it is renamed.
func (c *dataChange) names() []string {
	if c.kind == "renamed" {
		return []string{c.name(), c.renamedName()}
	}
	return []string{c.name()}
}

func dataStatusJSON(parts []statusPart) string {
	w := &jsonText{}
	w.open('{')
	for _, p := range parts {
		w.key(p.key)
		if p.changes == nil {
			w.list(p.paths)
			continue
		}
		w.open('{')
		for i, c := range p.changes {
			if i == 0 || p.changes[i-1].kind != c.kind {
				if i > 0 {
					w.close(']')
				}
				w.key(c.kind)
				w.open('[')
			}
			w.item()
			if n := c.names(); len(n) == 2 {
				w.open('{')
				w.key("old")
				w.text(n[0])
				w.key("new")
				w.text(n[1])
				w.close('}')
			} else {
				w.text(n[0])
			}
		}
		w.close(']')
		w.close('}')
	}
	w.close('}')
	return w.b.String()
}

func (w *jsonText) list(texts []string) {
	w.open('[')
	for _, t := range texts {
		w.item()
		w.text(t)
	}
	w.close(']')
}
