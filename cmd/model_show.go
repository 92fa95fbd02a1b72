package cmd

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/track"
)

func (a *app) modelShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show name | name@alias | name/version",
		Short: "Show a model's versions, or one version with what led to it",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error { return a.modelShow(ctx, t, args[0], asJSON) })
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// shownVersion is a version in JSON.
type shownVersion struct {
	Name        string             `json:"name"`
	Version     int                `json:"version"`
	Stage       string             `json:"stage"`
	Aliases     []string           `json:"aliases"`
	Description string             `json:"description,omitempty"`
	Created     *time.Time         `json:"created"`
	RunID       string             `json:"run_id"`
	Source      string             `json:"source"`
	Tags        map[string]string  `json:"tags"`
	Metrics     map[string]float64 `json:"metrics,omitempty"`
	Params      map[string]string  `json:"params,omitempty"`
}

// versionJSON describes a version; the run may be nil.
func versionJSON(v track.Version, r *track.Run) shownVersion {
	s := shownVersion{
		Name: v.Name, Version: v.Version, Stage: v.Stage, Aliases: v.Aliases, Description: v.Description,
		Created: jsonTime(v.Created), RunID: v.RunID, Source: v.Source, Tags: v.Tags,
	}
	if s.Aliases == nil {
		s.Aliases = []string{}
	}
	if r != nil {
		s.Params, s.Metrics = r.Params, finiteMetrics(r)
	}
	return s
}

// runOf returns the run of a version, nil if the store does not have it.
func (t *tracking) runOf(ctx context.Context, v track.Version) (*track.Run, error) {
	if v.RunID == "" {
		return nil, nil
	}
	r, err := t.Run(ctx, v.RunID)
	if errors.Is(err, track.ErrNotFound) {
		return nil, nil
	}
	return &r, err
}

func (a *app) modelShow(ctx context.Context, t *tracking, arg string, asJSON bool) error {
	name, u, versioned, err := modelAddress(arg)
	if err != nil {
		return err
	}
	if versioned {
		v, err := track.FindVersion(ctx, t, u)
		if err != nil {
			return err
		}
		r, err := t.runOf(ctx, v)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.stdout, versionJSON(v, r))
		}
		a.printVersion(v, r)
		return nil
	}
	m, err := t.Model(ctx, name)
	if err != nil {
		return err
	}
	versions, err := t.Versions(ctx, name)
	if err != nil {
		return err
	}
	runs := make([]*track.Run, len(versions))
	for i, v := range versions {
		if i < 50 { // a request each
			if runs[i], err = t.runOf(ctx, v); err != nil {
				return err
			}
		}
	}
	if asJSON {
		list := []shownVersion{}
		for i, v := range versions {
			list = append(list, versionJSON(v, runs[i]))
		}
		return printJSON(a.stdout, map[string]any{
			"name": m.Name, "description": m.Description, "created": jsonTime(m.Created), "aliases": m.Aliases, "versions": list,
		})
	}
	a.print("%s: %s in %s\n", m.Name, count(len(versions), "version"), t.Location())
	if m.Description != "" {
		a.print("%s\n", m.Description)
	}
	if len(versions) == 0 {
		return nil
	}
	a.print("\n")
	metrics := headlineMetrics(runs, 2)
	head := []string{"VERSION", "STAGE", "ALIASES", "CREATED", "RUN"}
	for _, k := range metrics {
		head = append(head, strings.ToUpper(k))
	}
	rows := [][]string{head}
	for i, v := range versions {
		row := []string{strconv.Itoa(v.Version), v.Stage, dash(strings.Join(v.Aliases, ",")), timeText(v.Created), dash(shortID(v.RunID))}
		rows = append(rows, append(row, metricCells(runs[i], metrics)...))
	}
	printColumns(a.stdout, a.tableWidth(), rows)
	return nil
}

func (a *app) printVersion(v track.Version, r *track.Run) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(a.stdout, "%-14s %s\n", name+":", value)
		}
	}
	line("model", fmt.Sprintf("%s version %d", v.Name, v.Version))
	line("stage", v.Stage)
	line("aliases", strings.Join(v.Aliases, ", "))
	line("created", timeText(v.Created))
	line("run", v.RunID)
	line("source", v.Source)
	line("description", v.Description)
	keys := make([]string, 0, len(v.Tags))
	for k := range v.Tags {
		if !strings.HasPrefix(k, "flow.metrics.") && k != track.TagKey {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		line(strings.ReplaceAll(strings.TrimPrefix(k, "flow."), "_", " "), v.Tags[k])
	}
	if r != nil {
		a.printValues(r)
	}
}

// printValues prints metrics and parameters of a run.
func (a *app) printValues(r *track.Run) {
	for _, part := range []struct {
		title string
		keys  []string
		value func(k string) string
	}{
		{"metrics", keysOf(r.Metrics), func(k string) string { return track.FormatFloat(r.Metrics[k].Value) }},
		{"parameters", keysOf(r.Params), func(k string) string { return r.Params[k] }},
	} {
		if len(part.keys) == 0 {
			continue
		}
		fmt.Fprintf(a.stdout, "\n%s\n", part.title)
		var rows [][]string
		for _, k := range part.keys {
			rows = append(rows, []string{"  " + k, part.value(k)})
		}
		printColumnsIndented(a, rows)
	}
}

// printColumnsIndented keeps the indentation that printColumns would take for
// blanks to be joined.
func printColumnsIndented(a *app, rows [][]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len([]rune(r[0])))
	}
	for _, r := range rows {
		fmt.Fprintf(a.stdout, "%-*s  %s\n", width, r[0], cutText(r[1], max(20, a.tableWidth()-width-2)))
	}
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// shortID is the start of a run's id.
func shortID(id string) string { return id[:min(len(id), 8)] }

// headlineMetrics chooses the metrics that a table of runs shows: the usual ones
// first, then those that most runs have.
func headlineMetrics(runs []*track.Run, n int) []string {
	seen := map[string]int{}
	for _, r := range runs {
		if r == nil {
			continue
		}
		for k := range r.Metrics {
			seen[k]++
		}
	}
	rank := map[string]int{"accuracy": 9, "roc_auc": 8, "auc": 8, "f1": 7, "precision": 6, "recall": 5}
	keys := keysOf(seen)
	sort.SliceStable(keys, func(i, j int) bool {
		if rank[keys[i]] != rank[keys[j]] {
			return rank[keys[i]] > rank[keys[j]]
		}
		return seen[keys[i]] > seen[keys[j]]
	})
	return keys[:min(n, len(keys))]
}

func metricCells(r *track.Run, keys []string) []string {
	var cells []string
	for _, k := range keys {
		cell := "-"
		if r != nil {
			if m, ok := r.Metrics[k]; ok {
				cell = metricText(m.Value)
			}
		}
		cells = append(cells, cell)
	}
	return cells
}
