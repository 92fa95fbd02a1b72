package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/plots"
)

// plotFlags are those of show and diff.
type plotFlags struct {
	out                      string
	template, x, y           string
	title, xLabel, yLabel    string
	noHeader, json, showVega bool
	targets                  []string
}

func (f *plotFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "write into `directory` (default dvc_plots, or plots.out_dir)")
	fl.StringVarP(&f.template, "template", "t", "", "draw by this `template`")
	fl.StringVarP(&f.x, "x", "x", "", "`field` of the X axis")
	fl.StringVarP(&f.y, "y", "y", "", "`field` of the Y axis")
	fl.StringVar(&f.title, "title", "", "`title` of the plot")
	fl.StringVar(&f.xLabel, "x-label", "", "`label` of the X axis")
	fl.StringVar(&f.yLabel, "y-label", "", "`label` of the Y axis")
	fl.BoolVar(&f.noHeader, "no-header", false, "CSV and TSV files have no line of names")
	fl.BoolVar(&f.json, "json", false, "print JSON: Vega-Lite specifications, and where images are")
	fl.BoolVar(&f.showVega, "show-vega", false, "print the Vega-Lite specification of the one target")
	c.MarkFlagsMutuallyExclusive("json", "show-vega")
}

func (a *app) plotsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "plots",
		Short: "Draw plots, and compare them",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.plotsShowCommand(), a.plotsDiffCommand(), a.plotsTemplatesCommand())
	return c
}

func (a *app) plotsShowCommand() *cobra.Command {
	var f plotFlags
	c := &cobra.Command{
		Use:   "show [target]...",
		Short: "Draw the plots of the workspace as a page of HTML",
		Long: `Draw the plots that dvc.yaml names, or the given ones: names of plots, or files,
which dvc.yaml need not name. The page needs nothing from outside, and its path is
printed. --json has the shape of DVC's, with Vega-Lite specifications.`,
		RunE: run(func(ctx context.Context, args []string) error {
			f.targets = args
			return a.plot(ctx, &f, []string{workspaceName})
		}),
	}
	f.add(c)
	return c
}

func (a *app) plotsDiffCommand() *cobra.Command {
	var f plotFlags
	c := &cobra.Command{
		Use:   "diff [revision]...",
		Short: "Draw the plots of several revisions over each other",
		Long: `Draw the plots of the given revisions, by default of the workspace and HEAD; one
revision is compared with the workspace.`,
		RunE: run(func(ctx context.Context, args []string) error {
			switch len(args) {
			case 0:
				args = []string{workspaceName, "HEAD"}
			case 1:
				args = []string{workspaceName, args[0]}
			}
			return a.plot(ctx, &f, args)
		}),
	}
	f.add(c)
	c.Flags().StringArrayVar(&f.targets, "targets", nil, "only this `target`; may be repeated")
	return c
}

func (a *app) plotsTemplatesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "templates",
		Short: "List the templates of plots",
		Args:  cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			for _, t := range plots.Templates() {
				a.print("%s\n", t)
			}
			return nil
		}),
	}
}

func (a *app) plot(ctx context.Context, f *plotFlags, names []string) (err error) {
	if f.showVega && len(f.targets) != 1 {
		return &exitError{exitUsage, errors.New("--show-vega needs exactly one target")}
	}
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	var revs []*revision
	for _, n := range names {
		r, err := s.at(ctx, n)
		if err != nil {
			return err
		}
		revs = append(revs, r)
	}
	g := &gathered{s: s, f: f}
	if err := g.gather(ctx, revs); err != nil {
		return err
	}
	for _, p := range g.problems {
		a.warn(p.String())
	}
	switch {
	case f.showVega:
		for _, it := range g.items {
			if it.Plot != nil {
				fmt.Fprintln(a.stdout, string(it.Plot.JSON()))
			}
		}
		return nil
	case len(g.items) == 0 && !f.json:
		if len(g.problems) == 0 {
			a.print("No plots were found. Name them in the plots section of dvc.yaml.\n")
		}
		return nil
	}
	out := f.out
	if out == "" {
		out, _ = s.project.Config.Get("plots", "out_dir")
	}
	if out == "" {
		out = "dvc_plots"
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(s.cwd, out)
	}
	if f.json {
		return a.printPlots(g, out)
	}
	var page bytes.Buffer
	if err := plots.WritePage(&page, "Plots of "+filepath.Base(s.project.Root), g.items); err != nil {
		return err
	}
	file := filepath.Join(out, "index.html")
	if err := writeOutput(file, page.Bytes()); err != nil {
		return err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(file)}
	if !strings.HasPrefix(u.Path, "/") { // a drive of Windows
		u.Path = "/" + u.Path
	}
	a.print("%s\n", u.String())
	return nil
}

// writeOutput replaces a file that can be made again, making its directory.
func writeOutput(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil { //nolint:gosec // as readable as the umask allows
		return fmt.Errorf("write plots: %w", err)
	}
	err := atomicfile.Create(file, 0o666, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("write plots: %w", err)
	}
	return nil
}

// printPlots prints DVC's JSON, and writes the images that it names.
func (a *app) printPlots(g *gathered, out string) error {
	data := new(yaml12.Map)
	for _, it := range g.items {
		var list []any
		if it.Plot != nil {
			one := new(yaml12.Map)
			one.Set("type", "vega")
			var revs []any
			for _, r := range it.Plot.Revisions {
				revs = append(revs, r)
			}
			one.Set("revisions", revs)
			one.Set("content", it.Plot.Spec())
			list = append(list, one)
		}
		for _, i := range it.Images {
			name := strings.NewReplacer("/", "_", `\`, "_", ":", "_").Replace(i.Revision + "_" + i.Name)
			file := filepath.Join(out, name)
			if err := writeOutput(file, i.Data); err != nil {
				return err
			}
			one := new(yaml12.Map)
			one.Set("type", "image")
			one.Set("revisions", []any{i.Revision})
			one.Set("url", file)
			list = append(list, one)
		}
		data.Set(it.ID, list)
	}
	all := new(yaml12.Map)
	if len(g.problems) > 0 {
		var list []any
		for _, p := range g.problems {
			one := new(yaml12.Map)
			one.Set("name", p.plot)
			one.Set("rev", p.rev)
			if p.source != "" {
				one.Set("source", p.source)
			}
			one.Set("type", errorType(p.err))
			one.Set("msg", p.err.Error())
			list = append(list, one)
		}
		all.Set("errors", list)
	}
	all.Set("data", data)
	fmt.Fprintln(a.stdout, string(python.JSON(all)))
	return nil
}

// plotProblem is why something is not drawn.
type plotProblem struct {
	plot, rev, source string
	err               error
}

func (p plotProblem) String() string {
	if p.rev == "" { // the error says which plot
		return firstLine(p.err.Error())
	}
	return fmt.Sprintf("failed to load plot '%s' at '%s': %s", p.plot, p.rev, firstLine(p.err.Error()))
}

// sorted orders items by ID.
func sortedItems(items []plots.Item) {
	slices.SortStableFunc(items, func(a, b plots.Item) int { return strings.Compare(a.ID, b.ID) })
}
