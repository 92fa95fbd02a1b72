package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/track"
)

type promoteFlags struct {
	alias, reason       string
	dryRun, force, json bool
}

func (a *app) modelPromoteCommand() *cobra.Command {
	f := promoteFlags{}
	c := &cobra.Command{
		Use:   "promote name[@alias | /version]",
		Short: "Move a version to production if it passes the gates",
		Long: `Move a version to production: the one in Staging unless another is named. What was
in production is archived in the same step. The section promotion of params.yaml
has the conditions:

  promotion:
    minimum: {accuracy: 0.85}     # of the version's metrics
    maximum: {ece: 0.05, latency_p99_ms: 5}
    margin:  {roc_auc: 0.005}     # how much worse than production it may be
    other_data: false             # compare only what was measured on the same data

A metric that a condition names and nobody measured does not pass. --force
promotes in spite of them and asks for a reason, which the history keeps. With
--alias another alias than production is moved, for which there are no conditions.

The exit code is 1 when the gates refuse, also with --dry-run.`,
		Example: `  flow model promote sentiment
  flow model promote sentiment/3 --dry-run
  flow model promote sentiment@staging --alias canary`,
		Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error { return a.modelPromote(ctx, t, &f, args[0]) })
		}),
	}
	fl := c.Flags()
	fl.StringVar(&f.alias, "alias", track.AliasProduction, "the alias to move")
	fl.StringVar(&f.reason, "reason", "", "`text` for the history")
	fl.BoolVar(&f.dryRun, "dry-run", false, "only tell whether it would be promoted")
	fl.BoolVar(&f.force, "force", false, "promote even if the gates refuse; needs --reason")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// promoter returns one with the project's gates.
func (t *tracking) promoter(ctx context.Context) (*track.Promoter, error) {
	p := &track.Promoter{Store: t, By: userName(), GitCommit: t.commit(ctx)}
	return p, t.decodeParams("promotion", &p.Gates)
}

// promotedJSON is the outcome in JSON.
type promotedJSON struct {
	Model    string             `json:"model"`
	Version  int                `json:"version"`
	Alias    string             `json:"alias"`
	Previous int                `json:"previous"`
	Passed   bool               `json:"passed"`
	Promoted bool               `json:"promoted"`
	Forced   bool               `json:"forced"`
	DryRun   bool               `json:"dry_run"`
	Checks   []track.Check      `json:"checks"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
}

func (a *app) modelPromote(ctx context.Context, t *tracking, f *promoteFlags, arg string) error {
	if f.force && f.reason == "" {
		return &exitError{exitUsage, errors.New("--force needs a --reason, for the history")}
	}
	name, u, versioned, err := modelAddress(arg)
	if err != nil {
		return err
	}
	p, err := t.promoter(ctx)
	if err != nil {
		return err
	}
	var v track.Version
	if versioned {
		v, err = track.FindVersion(ctx, t, u)
	} else {
		v, err = t.candidate(ctx, name)
	}
	if err != nil {
		return err
	}
	d, err := p.Plan(ctx, v, f.alias)
	if err != nil {
		return err
	}
	out := promotedJSON{
		Model: name, Version: v.Version, Alias: f.alias, Passed: d.Passed, DryRun: f.dryRun,
		Checks: append([]track.Check{}, d.Checks...), Metrics: d.Metrics,
	}
	if d.Previous != nil {
		out.Previous = d.Previous.Version
	}
	switch {
	case d.Already:
		out.Promoted = true
	case !f.dryRun && (d.Passed || f.force):
		e, err := p.Promote(ctx, d, f.force, f.reason)
		if err != nil {
			return err
		}
		out.Promoted, out.Forced = true, e.Gate == "forced"
	}
	if f.json {
		if err := printJSON(a.stdout, out); err != nil {
			return err
		}
	} else {
		a.printPromotion(&d, &out)
	}
	if !d.Passed && !f.force && !d.Already {
		return &exitError{code: exitFailed}
	}
	return nil
}

// candidate is the version to promote when none is named. Where everything is in
// production already, that is it.
func (t *tracking) candidate(ctx context.Context, name string) (track.Version, error) {
	v, err := track.Staged(ctx, t, name)
	if errors.Is(err, track.ErrNotFound) {
		if now, perr := track.FindVersion(ctx, t, track.ModelURI{Name: name, Latest: true}); perr == nil && now.HasAlias(track.AliasProduction) {
			return now, nil
		}
	}
	return v, err
}

func (a *app) printPromotion(d *track.Promotion, out *promotedJSON) {
	if len(d.Checks) > 0 {
		rows := [][]string{{"GATE", "METRIC", "VALUE", "BOUND", "PRODUCTION", "", ""}}
		for _, c := range d.Checks {
			verdict := "ok"
			if !c.OK {
				verdict = "FAILS"
			}
			rows = append(rows, []string{c.Gate, dash(c.Metric), optionalMetric(c.Have), optionalMetric(c.Want), optionalMetric(c.Production), verdict, c.Reason})
		}
		if !a.quiet {
			printColumns(a.stdout, a.tableWidth(), rows)
		}
		a.print("\n")
	}
	what := fmt.Sprintf("Model '%s' version %d", out.Model, out.Version)
	instead := ""
	if out.Previous > 0 && out.Previous != out.Version {
		instead = fmt.Sprintf(" instead of version %d", out.Previous)
	}
	place := out.Alias
	if place != track.AliasProduction {
		place = "at '" + place + "'"
	} else {
		place = "in production"
	}
	switch {
	case d.Already:
		a.print("%s is %s already.\n", what, place)
	case out.Forced:
		a.print("%s is %s%s, although the gates refuse it.\n", what, place, instead)
	case out.Promoted:
		a.print("%s is %s%s.\n", what, place, instead)
	case !d.Passed:
		a.print("%s is not promoted: %s.\n", what, refusal(d.Checks))
	default:
		a.print("%s would be %s%s.\n", what, place, instead)
	}
}

func refusal(list []track.Check) string {
	n := 0
	for _, c := range list {
		if !c.OK {
			n++
		}
	}
	if n == 1 {
		return "1 gate refuses it"
	}
	return fmt.Sprintf("%d gates refuse it", n)
}

func optionalMetric(v *float64) string {
	if v == nil {
		return "-"
	}
	return metricText(*v)
}

func (a *app) modelRollbackCommand() *cobra.Command {
	var reason string
	var dryRun, asJSON bool
	c := &cobra.Command{
		Use:   "rollback name",
		Short: "Put back in production what was there before",
		Long: `Move production back to the version that was in it before. What is in it now is
archived in the same step. Done again, it goes back one more promotion.`,
		Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error {
				name, _, versioned, err := modelAddress(args[0])
				if err == nil && versioned {
					err = errors.New("give only the model's name; to promote a version again: flow model promote " + args[0])
				}
				if err != nil {
					return &exitError{exitUsage, err}
				}
				p := &track.Promoter{Store: t, By: userName(), GitCommit: t.commit(ctx)}
				e, err := p.Rollback(ctx, name, reason, dryRun)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, e)
				}
				verb := "is back"
				if dryRun {
					verb = "would be back"
				}
				a.print("Model '%s' version %d %s in production instead of version %d.\n", name, e.Version, verb, e.Previous)
				return nil
			})
		}),
	}
	fl := c.Flags()
	fl.StringVar(&reason, "reason", "", "`text` for the history")
	fl.BoolVar(&dryRun, "dry-run", false, "only tell what it would do")
	fl.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) modelHistoryCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "history name",
		Short: "Show what was in production when, and why",
		Args:  cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error {
				list, err := track.History(ctx, t, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, append([]track.Event{}, list...))
				}
				if len(list) == 0 {
					a.print("Nothing was promoted yet.\n")
					return nil
				}
				a.printHistory(list)
				return nil
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// printHistory prints events, the newest first, each with its reason below it.
func (a *app) printHistory(list []track.Event) {
	rows := [][]string{{"TIME", "ACTION", "VERSION", "GATES", "COMMIT", "BY"}}
	var reasons []string
	for i := len(list) - 1; i >= 0; i-- {
		rows = append(rows, historyRow(list[i]))
		reasons = append(reasons, reasonOf(list[i]))
	}
	var table strings.Builder
	printColumns(&table, a.tableWidth(), rows)
	for i, line := range strings.SplitAfter(strings.TrimSuffix(table.String(), "\n"), "\n") {
		fmt.Fprintln(a.stdout, strings.TrimSuffix(line, "\n"))
		if i > 0 && reasons[i-1] != "" {
			fmt.Fprintf(a.stdout, "    %s\n", reasons[i-1])
		}
	}
}

func historyRow(e track.Event) []string {
	version := strconv.Itoa(e.Version)
	if e.Previous > 0 {
		version = strconv.Itoa(e.Previous) + " → " + version
	}
	action := e.Action
	if e.Alias != track.AliasProduction {
		action = "@" + e.Alias
	}
	return []string{e.Time.Local().Format(minuteLayout), action, version, e.Gate, dash(e.Git[:min(len(e.Git), 7)]), dash(e.By)}
}

// reasonOf is the reason that was given, with what failed and was overridden.
func reasonOf(e track.Event) string {
	var texts []string
	if e.Reason != "" {
		texts = append(texts, e.Reason)
	}
	for _, c := range e.Checks {
		if !c.OK {
			texts = append(texts, "failed "+c.String())
		}
	}
	return strings.Join(texts, "; ")
}
