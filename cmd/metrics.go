package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// defaultPrecision is the number of digits after the point in tables.
const defaultPrecision = 5

// tableFlags say how values are printed.
type tableFlags struct {
	json, md  bool
	precision int
}

func (f *tableFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.md, "md", false, "print a table in Markdown")
	fl.IntVar(&f.precision, "precision", defaultPrecision, "round to `n` digits after the point")
	c.MarkFlagsMutuallyExclusive("json", "md")
}

func (a *app) metricsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "metrics",
		Short: "Show and compare metrics",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.metricsShowCommand(), a.metricsDiffCommand())
	return c
}

func (a *app) metricsShowCommand() *cobra.Command {
	var f tableFlags
	var revs revisionFlags
	var recursive bool
	c := &cobra.Command{
		Use:   "show [file]...",
		Short: "Show the metrics of the workspace, or of other revisions too",
		Long: `Show the metrics that dvc.yaml names, or those of the given files, which it need
not name. A column is a value by its dotted key; only numbers, booleans and texts
count. --json has the shape of DVC's.`,
		RunE: run(func(ctx context.Context, args []string) (err error) {
			s, err := a.open(openOptions{sink: noticeSink{a}})
			if err != nil {
				return err
			}
			defer func() { err = s.close(err) }()
			list, err := a.chosen(ctx, s, revs)
			if err != nil {
				return err
			}
			return a.showMetrics(ctx, s, list, args, revs.any(), &f)
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&revs.branches, "all-branches", "a", false, "also the tips of all branches")
	fl.BoolVarP(&revs.tags, "all-tags", "T", false, "also all tags")
	fl.BoolVarP(&revs.commits, "all-commits", "A", false, "also all commits")
	fl.BoolVarP(&recursive, "recursive", "R", false, "all files below the given directories (always so)")
	f.add(c)
	return c
}

func (a *app) showMetrics(ctx context.Context, s *session, revs []*revision, targets []string, named bool, f *tableFlags) error {
	type result struct {
		r     *revision
		files []valueFile
	}
	var all []result
	for _, r := range revs {
		files, err := r.metrics(ctx, s, targets)
		if err != nil {
			return err
		}
		a.failures("metrics", r, files, r.commit != "")
		all = append(all, result{r, files})
	}
	// The workspace says nothing new when it equals the branch it is on.
	if g, ok := s.project.Git(); ok && named {
		for _, x := range all[1:] {
			if x.r.name == g.Branch() && slices.EqualFunc(x.files, all[0].files, func(a, b valueFile) bool {
				return a.path == b.path && a.err == nil && b.err == nil && yaml12.Identical(a.data, b.data)
			}) {
				all = all[1:]
				break
			}
		}
	}
	if f.json {
		out := new(yaml12.Map)
		for _, x := range all {
			name := x.r.name
			if !named {
				name = ""
			}
			out.Set(name, filesJSON(x.files))
		}
		fmt.Fprintln(a.stdout, string(python.JSON(out)))
		return nil
	}
	t := table{head: []string{"Path"}}
	columns := map[string]bool{}
	for _, x := range all {
		for _, file := range x.files {
			for _, l := range leaves(file.data) {
				columns[l.key] = true
			}
		}
	}
	keys := make([]string, 0, len(columns))
	for k := range columns {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	t.head = append(t.head, keys...)
	for _, x := range all {
		for _, file := range x.files {
			if file.err != nil && len(targets) == 0 {
				continue
			}
			values := map[string]any{}
			for _, l := range leaves(file.data) {
				values[l.key] = l.value
			}
			row := []string{file.path}
			for _, k := range keys {
				row = append(row, cell(values[k], f.precision))
			}
			if named {
				row = append([]string{x.r.name}, row...)
			}
			t.rows = append(t.rows, row)
		}
	}
	if named {
		t.head = append([]string{"Revision"}, t.head...)
	}
	if len(t.rows) > 0 && !a.quiet {
		t.write(a.stdout, f.md)
	}
	return nil
}

// filesJSON has DVC's shape: data by file, each with data or an error.
func filesJSON(files []valueFile) *yaml12.Map {
	data := new(yaml12.Map)
	for _, f := range files {
		one := new(yaml12.Map)
		if f.err != nil {
			e := new(yaml12.Map)
			e.Set("type", errorType(f.err))
			e.Set("msg", f.err.Error())
			one.Set("error", e)
		} else {
			v := f.data
			if v == nil {
				v = new(yaml12.Map)
			}
			one.Set("data", v)
		}
		data.Set(f.path, one)
	}
	out := new(yaml12.Map)
	out.Set("data", data)
	return out
}

// metrics reads the metrics of a revision: of targets, relative to the current
// directory, or of the files that the pipeline names.
func (r *revision) metrics(ctx context.Context, s *session, targets []string) ([]valueFile, error) {
	var named []string
	for _, t := range targets {
		named = append(named, path.Clean(s.fromHere(t)))
	}
	if len(targets) == 0 {
		for _, f := range r.set.Files {
			named = append(named, f.Metrics...)
			for _, st := range f.Stages {
				for _, o := range st.Outs {
					if o.Kind == pipeline.MetricOutput && !o.URL {
						named = append(named, o.Path)
					}
				}
			}
		}
	}
	paths, err := r.expand(ctx, named)
	if err != nil {
		return nil, err
	}
	return r.readValues(ctx, paths, func(_ string, v any) any { return onlyMetrics(v) })
}

// expand replaces directories by the files below, sorts and removes doubles.
func (r *revision) expand(ctx context.Context, named []string) ([]string, error) {
	var paths []string
	for _, n := range named {
		list, err := r.files(ctx, n)
		if err != nil {
			return nil, err
		}
		paths = append(paths, list...)
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// onlyMetrics drops from a value what is no metric: lists, nulls and maps
// without metrics.
func onlyMetrics(v any) any {
	switch v := v.(type) {
	case *yaml12.Map:
		out := new(yaml12.Map)
		for _, it := range v.Items {
			if e := onlyMetrics(it.Value); e != nil {
				out.Set(python.Str(it.Key), e)
			}
		}
		if out.Len() == 0 {
			return nil
		}
		return out
	case []any, nil:
		return nil
	}
	return v
}

type diffFlags struct {
	tableFlags
	targets                      []string
	all, noPath, recursive, deps bool
}

func (a *app) metricsDiffCommand() *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use:   "diff [old] [new]",
		Short: "Compare the metrics of two revisions",
		Long: `Compare the metrics of two revisions, by default those of HEAD with those of the
workspace. --json has the shape of DVC's.`,
		Args: cobra.MaximumNArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.diffValues(ctx, &f, args, "metrics", func(s *session, r *revision) ([]valueFile, error) {
				return r.metrics(ctx, s, f.targets)
			})
		}),
	}
	f.addDiff(c)
	c.Flags().BoolVarP(&f.recursive, "recursive", "R", false, "all files below the given directories (always so)")
	return c
}

func (f *diffFlags) addDiff(c *cobra.Command) {
	fl := c.Flags()
	fl.StringArrayVar(&f.targets, "targets", nil, "only this `file`; may be repeated")
	fl.BoolVar(&f.all, "all", false, "also what has not changed")
	fl.BoolVar(&f.noPath, "no-path", false, "without the column of files")
	f.add(c)
}

// diffValues compares the values that read finds at two revisions.
func (a *app) diffValues(ctx context.Context, f *diffFlags, args []string, what string, read func(*session, *revision) ([]valueFile, error)) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	names := append(slices.Clone(args), []string{"HEAD", workspaceName}[len(args):]...)
	if _, ok := s.project.Git(); !ok {
		return errNoGit
	}
	var sides [2][]valueFile
	for i, name := range names {
		r, err := s.at(ctx, name)
		if err != nil {
			return err
		}
		if sides[i], err = read(s, r); err != nil {
			return err
		}
		// A file that one side lacks is a difference, not a failure.
		a.failures(what, r, sides[i], true)
	}
	list := compareValues(sides[0], sides[1], f.all)
	if f.json {
		fmt.Fprintln(a.stdout, string(python.JSON(changesJSON(list))))
		return nil
	}
	if len(list) == 0 || a.quiet {
		return nil
	}
	title := "Metric"
	if what == "params" {
		title = "Param"
	}
	changesTable(list, title, names[0], names[1], what == "metrics", f.noPath, f.precision).write(a.stdout, f.md)
	return nil
}

// errorType names an error for scripts as Python would.
func errorType(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "FileNotFoundError"
	}
	return "ParseError"
}
