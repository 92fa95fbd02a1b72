package cmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/track"
)

func (a *app) runsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "runs",
		Short: "List, show and compare tracked runs",
		Long: `Look at runs: those in the project's own store, mlflow.db, or on the MLflow server
that MLFLOW_TRACKING_URI names. A run is given by its id or the start of it.

MLflow's own page shows the project's store too: mlflow ui --backend-store-uri
sqlite:///mlflow.db, started in the project's root. It upgrades the file, which
flow goes on using; an older MLflow cannot.`,
	}
	c.AddCommand(a.runsListCommand(), a.runsShowCommand(), a.runsCompareCommand())
	return c
}

type runsFlags struct {
	experiment, sort string
	metrics          []string
	limit            int
	all, json        bool
}

func (a *app) runsListCommand() *cobra.Command {
	f := runsFlags{}
	c := &cobra.Command{
		Use:   "list",
		Short: "List runs, the newest first",
		Args:  cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return a.withTracking(func(t *tracking) error { return a.runsList(ctx, t, &f) })
		}),
	}
	fl := c.Flags()
	fl.StringVarP(&f.experiment, "experiment", "e", "", "only runs of the experiment of that `name`")
	fl.StringVar(&f.sort, "sort", "", "order by a `metric`, the greatest first; with - in front the smallest")
	fl.StringSliceVarP(&f.metrics, "metric", "m", nil, "show this `metric`; may be repeated")
	fl.IntVarP(&f.limit, "limit", "n", 20, "show at most so many; 0 for all")
	fl.BoolVarP(&f.all, "all", "a", false, "also show the runs of single stages")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// shownRun is a run in JSON. Metrics that are not numbers are null.
type shownRun struct {
	RunID      string              `json:"run_id"`
	Name       string              `json:"name"`
	Experiment string              `json:"experiment"`
	Status     track.Status        `json:"status"`
	Start      *time.Time          `json:"start"`
	End        *time.Time          `json:"end"`
	User       string              `json:"user,omitempty"`
	Parent     string              `json:"parent_run_id,omitempty"`
	Artifacts  string              `json:"artifact_uri"`
	Metrics    map[string]*float64 `json:"metrics"`
	Params     map[string]string   `json:"params"`
	Tags       map[string]string   `json:"tags"`
	Inputs     []shownInput        `json:"inputs"`
	Files      []string            `json:"files,omitempty"`
}

type shownInput struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Context string `json:"context,omitempty"`
}

func runJSON(r track.Run, experiment string) shownRun {
	s := shownRun{
		RunID: r.ID, Name: r.Name, Experiment: experiment, Status: r.Status, Start: jsonTime(r.Start), End: jsonTime(r.End),
		User: r.User, Parent: r.Parent(), Artifacts: r.ArtifactURI, Metrics: map[string]*float64{}, Params: r.Params, Tags: r.Tags,
		Inputs: []shownInput{},
	}
	for k, m := range r.Metrics {
		s.Metrics[k] = nil
		if v := m.Value; !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.Metrics[k] = &v
		}
	}
	for _, d := range r.Inputs {
		s.Inputs = append(s.Inputs, shownInput{d.Name, d.Digest, d.Context})
	}
	return s
}

// finiteMetrics are the metrics that JSON can hold.
func finiteMetrics(r *track.Run) map[string]float64 {
	m := map[string]float64{}
	for k, v := range r.Metrics {
		if !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0) {
			m[k] = v.Value
		}
	}
	return m
}

func (a *app) runsList(ctx context.Context, t *tracking, f *runsFlags) error {
	experiments, err := t.Experiments(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	q := track.Query{}
	for _, e := range experiments {
		names[e.ID] = e.Name
		if e.Name == f.experiment {
			q.ExperimentIDs = []string{e.ID}
		}
	}
	if f.experiment != "" && q.ExperimentIDs == nil {
		return fmt.Errorf("there is no experiment '%s' in %s", f.experiment, t.Location())
	}
	list, err := t.SearchRuns(ctx, q)
	if err != nil {
		return err
	}
	if !f.all {
		kept := list[:0]
		for _, r := range list {
			if r.Parent() == "" {
				kept = append(kept, r)
			}
		}
		list = kept
	}
	sortRuns(list, f.sort)
	if f.limit > 0 && len(list) > f.limit {
		list = list[:f.limit]
	}
	if f.json {
		out := []shownRun{}
		for _, r := range list {
			out = append(out, runJSON(r, names[r.ExperimentID]))
		}
		return printJSON(a.stdout, out)
	}
	if len(list) == 0 {
		a.print("There are no runs in %s.\n", t.Location())
		return nil
	}
	a.printRuns(list, f, names)
	return nil
}

func (a *app) printRuns(list []track.Run, f *runsFlags, names map[string]string) {
	pointers := make([]*track.Run, len(list))
	for i := range list {
		pointers[i] = &list[i]
	}
	metrics := f.metrics
	if len(metrics) == 0 {
		metrics = headlineMetrics(pointers, 3)
	}
	several := len(names) > 2 && f.experiment == ""
	head := []string{"RUN", "NAME", "STATUS", "STARTED"}
	if several {
		head = append(head, "EXPERIMENT")
	}
	for _, k := range metrics {
		head = append(head, strings.ToUpper(k))
	}
	rows := [][]string{head}
	for i := range list {
		r := &list[i]
		row := []string{shortID(r.ID), dash(r.Name), strings.ToLower(string(r.Status)), timeText(r.Start)}
		if several {
			row = append(row, names[r.ExperimentID])
		}
		rows = append(rows, append(row, metricCells(r, metrics)...))
	}
	printColumns(a.stdout, a.tableWidth(), rows)
}

// sortRuns orders by a metric; runs without it come last.
func sortRuns(list []track.Run, by string) {
	if by == "" {
		return
	}
	by, ascending := strings.CutPrefix(by, "-")
	sort.SliceStable(list, func(i, j int) bool {
		x, xok := list[i].Metrics[by]
		y, yok := list[j].Metrics[by]
		switch {
		case xok != yok:
			return xok
		case ascending:
			return x.Value < y.Value
		}
		return x.Value > y.Value
	})
}

// findRun returns the run whose id begins with a text.
func (t *tracking) findRun(ctx context.Context, text string) (track.Run, error) {
	text = strings.ToLower(strings.TrimPrefix(text, "runs:/"))
	if len(text) == 32 {
		return t.Run(ctx, text)
	}
	if len(text) < 4 {
		return track.Run{}, fmt.Errorf("'%s': give at least four characters of a run's id", text)
	}
	list, err := t.SearchRuns(ctx, track.Query{})
	if err != nil {
		return track.Run{}, err
	}
	var found []track.Run
	for _, r := range list {
		if strings.HasPrefix(r.ID, text) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return track.Run{}, track.NotFound("find run '" + text + "'")
	}
	return track.Run{}, fmt.Errorf("'%s' begins the ids of %d runs", text, len(found))
}

func (a *app) runsShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show run",
		Short: "Show a run: metrics, parameters, inputs, artifacts",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error { return a.runsShow(ctx, t, args[0], asJSON) })
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) runsShow(ctx context.Context, t *tracking, id string, asJSON bool) error {
	r, err := t.findRun(ctx, id)
	if err != nil {
		return err
	}
	experiments, err := t.Experiments(ctx)
	if err != nil {
		return err
	}
	experiment := r.ExperimentID
	for _, e := range experiments {
		if e.ID == r.ExperimentID {
			experiment = e.Name
		}
	}
	files, err := track.WalkArtifacts(ctx, t, r.ArtifactURI, "")
	if err != nil && !errors.Is(err, track.ErrUnsupported) {
		return err
	}
	children, err := t.SearchRuns(ctx, track.Query{ExperimentIDs: []string{r.ExperimentID}, Tags: map[string]string{track.TagParent: r.ID}})
	if err != nil {
		return err
	}
	if asJSON {
		out := runJSON(r, experiment)
		for _, f := range files {
			out.Files = append(out.Files, f.Path)
		}
		sort.Strings(out.Files)
		return printJSON(a.stdout, out)
	}
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(a.stdout, "%-14s %s\n", name+":", value)
		}
	}
	line("run", r.ID)
	line("name", r.Name)
	line("experiment", experiment)
	line("status", strings.ToLower(string(r.Status)))
	line("started", timeText(r.Start))
	if !r.End.IsZero() {
		line("duration", r.End.Sub(r.Start).Round(time.Millisecond).String())
	}
	line("user", r.User)
	line("commit", r.Tags[track.TagGitCommit])
	line("part of", r.Parent())
	line("artifacts", r.ArtifactURI)
	a.printValues(&r)
	if len(r.Inputs) > 0 {
		rows := [][]string{}
		for _, d := range r.Inputs {
			text := d.Digest
			if d.Context != "" {
				text += " (" + d.Context + ")"
			}
			rows = append(rows, []string{"  " + d.Name, text})
		}
		fmt.Fprint(a.stdout, "\ninputs\n")
		printColumnsIndented(a, rows)
	}
	if len(children) > 0 {
		fmt.Fprint(a.stdout, "\nstages\n")
		for _, c := range children {
			fmt.Fprintf(a.stdout, "  %s  %s\n", shortID(c.ID), c.Name)
		}
	}
	if len(files) > 0 {
		sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
		rows := [][]string{}
		for _, f := range files {
			rows = append(rows, []string{"  " + f.Path, byteCount(f.Size)})
		}
		fmt.Fprint(a.stdout, "\nfiles\n")
		printColumnsIndented(a, rows)
	}
	return nil
}

func (a *app) runsCompareCommand() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "compare run run...",
		Short: "Show what runs differ in",
		Args:  cobra.MinimumNArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error {
				var sides []side
				for _, id := range args {
					r, err := t.findRun(ctx, id)
					if err != nil {
						return err
					}
					sides = append(sides, runSide(r))
				}
				return a.printDifferences(sides, all, asJSON)
			})
		}),
	}
	c.Flags().BoolVar(&all, "all", false, "also show what is equal")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
