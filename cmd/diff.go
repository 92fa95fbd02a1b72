package cmd

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
)

type dataDiffFlags struct {
	targets                         []string
	json, md, showHash, hideMissing bool
}

func (a *app) diffCommand() *cobra.Command {
	var f dataDiffFlags
	c := &cobra.Command{
		Use:   "diff [old] [new]",
		Short: "Compare the data of two revisions",
		Long: `Compare the cached outputs and their files at two revisions, by default those of
HEAD with those in the workspace: what was added, deleted, renamed and modified.
Compared with the workspace, it is also shown what of the old revision is not in
the cache. An output that no lock or .dvc file records does not exist at that
revision. Paths are from the root of the project. --json has the shape of DVC's.`,
		Args: cobra.MaximumNArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			return failed(a.diffData(ctx, &f, args))
		}),
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.targets, "targets", nil, "only this `path`, stage or .dvc file; may be repeated")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.md, "md", false, "print a table in Markdown")
	fl.BoolVar(&f.showHash, "show-hash", false, "also the digests")
	fl.BoolVar(&f.hideMissing, "hide-missing", false, "without what is not in the cache")
	c.MarkFlagsMutuallyExclusive("json", "md")
	return c
}

// dataDiff is what is shown: changes by their kind.
type dataDiff struct {
	kinds map[string][]dataChange
	empty bool
}

func (a *app) diffData(ctx context.Context, f *dataDiffFlags, args []string) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	d, err := s.diffTrees(ctx, f, args)
	if err != nil {
		return fmt.Errorf("compare data: %w", err)
	}
	kinds := []string{"added", "deleted", "renamed", "modified"}
	if len(args) < 2 && !f.hideMissing {
		kinds = append(kinds, "not in cache")
	}
	switch {
	case f.json:
		fmt.Fprintln(a.stdout, d.json(kinds, f.showHash))
	case a.quiet:
	case f.md:
		d.markdown(kinds, f.showHash).write(a.stdout, true)
	default:
		d.print(a, kinds, f.showHash)
	}
	return nil
}

// diffTrees compares what args name: revisions, HEAD and the workspace when
// they are not given.
func (s *session) diffTrees(ctx context.Context, f *dataDiffFlags, args []string) (*dataDiff, error) {
	g, ok := s.project.Git()
	if !ok {
		return nil, errNoGit
	}
	d := &dataDiff{kinds: map[string][]dataChange{}, empty: true}
	if len(args) == 0 {
		if _, err := g.Resolve(ctx, "HEAD"); err != nil {
			return d, ctx.Err() // nothing was committed yet
		}
	}
	names := append(slices.Clone(args), []string{"HEAD", workspaceName}[len(args):]...)
	var sides [2]*revision
	for i, name := range names {
		var err error
		if sides[i], err = s.at(ctx, name); err != nil {
			return nil, err
		}
	}
	if sides[0].commit == sides[1].commit {
		return d, nil
	}
	scope := dataScope{}
	for _, t := range f.targets {
		paths := append(sides[0].targetPaths(s, t), sides[1].targetPaths(s, t)...)
		if len(paths) == 0 {
			return nil, fmt.Errorf("no output, stage or .dvc file '%s' at '%s' or '%s'", t, names[0], names[1])
		}
		scope.paths = append(scope.paths, paths...)
	}
	var trees [2]*dataTree
	for i, r := range sides {
		if r.commit != "" {
			trees[i] = r.recordedTree(scope)
			continue
		}
		var err error
		if trees[i], err = s.workspaceTree(ctx, scope); err != nil {
			return nil, err
		}
	}
	for _, c := range compareTrees(trees[0], trees[1]) {
		if c.kind != "unknown" && c.kind != "unchanged" {
			d.kinds[c.kind] = append(d.kinds[c.kind], c)
			d.empty = false
		}
	}
	if len(args) < 2 {
		lost, err := s.absent(ctx, trees[0])
		if err != nil {
			return nil, err
		}
		for _, rel := range lost {
			d.kinds["not in cache"] = append(d.kinds["not in cache"], dataChange{path: rel, old: trees[0].items[rel]})
			d.empty = false
		}
	}
	return d, nil
}

// targetPaths returns the paths that a target means at a revision: those of the
// outputs of stages, or itself when it is an output, holds some or is in one.
func (r *revision) targetPaths(s *session, target string) []string {
	rel := path.Clean(s.fromHere(target))
	for _, out := range r.cachedOutputs() {
		if out == rel || strings.HasPrefix(rel, out+"/") || strings.HasPrefix(out, rel+"/") {
			return []string{rel}
		}
	}
	stages, err := r.set.Resolve(target, s.dir, false)
	if err != nil {
		return nil
	}
	list := []string{}
	for _, st := range stages {
		for _, o := range st.Outs {
			list = append(list, o.Path)
		}
	}
	return list
}

// label is the path as it is shown.
func (c *dataChange) label() string {
	if c.kind == "renamed" {
		return c.name() + " -> " + c.renamedName()
	}
	if c.kind == "modified" && c.old.IsDir() {
		return c.path + "/"
	}
	return c.name()
}

// short are the digests in few characters.
func (c *dataChange) short() string {
	if c.kind == "modified" {
		return c.old.Hex()[:8] + ".." + c.new.Hex()[:8]
	}
	return c.digest().Hex()[:8]
}

func (c *dataChange) digest() cache.Digest {
	if c.old.IsZero() {
		return c.new
	}
	return c.old
}

// json has the shape and order of DVC's: no keys at all when nothing differs.
func (d *dataDiff) json(kinds []string, hashes bool) string {
	w := &jsonText{}
	pair := func(key, before, after string) {
		w.key(key)
		w.open('{')
		w.key("old")
		w.text(before)
		w.key("new")
		w.text(after)
		w.close('}')
	}
	w.open('{')
	for _, kind := range []string{"added", "deleted", "modified", "renamed", "not in cache"} {
		if d.empty || !slices.Contains(kinds, kind) {
			continue
		}
		w.key(kind)
		w.open('[')
		for _, c := range d.kinds[kind] {
			w.item()
			w.open('{')
			if kind == "renamed" {
				pair("path", c.name(), c.renamedName())
			} else {
				w.key("path")
				w.text(c.label())
			}
			switch {
			case !hashes:
			case kind == "modified":
				pair("hash", c.old.String(), c.new.String())
			default:
				w.key("hash")
				w.text(c.digest().String())
			}
			w.close('}')
		}
		w.close(']')
	}
	w.close('}')
	return w.b.String()
}

func (d *dataDiff) markdown(kinds []string, hashes bool) table {
	t := table{head: []string{"Status", "Path"}}
	if hashes {
		t.head = []string{"Status", "Hash", "Path"}
	}
	for _, k := range kinds {
		for _, c := range d.kinds[k] {
			row := []string{k, c.label()}
			if hashes {
				row = []string{k, c.short(), c.label()}
			}
			t.rows = append(t.rows, row)
		}
	}
	return t
}

func (d *dataDiff) print(a *app, kinds []string, hashes bool) {
	var summary []string
	for _, k := range kinds {
		if len(d.kinds[k]) == 0 {
			continue
		}
		a.print("%s%s:\n", strings.ToUpper(k[:1]), k[1:])
		files := 0
		for _, c := range d.kinds[k] {
			if !strings.HasSuffix(c.label(), "/") {
				files++
			}
			hash := ""
			if hashes {
				hash = c.short() + "  "
			}
			a.print("    %s%s\n", hash, c.label())
		}
		a.print("\n")
		if files > 0 {
			summary = append(summary, fmt.Sprintf("%d %s", files, k))
		}
	}
	if len(summary) > 0 {
		a.print("files summary: %s\n", strings.Join(summary, ", "))
	}
}
