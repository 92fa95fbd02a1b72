package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine"
)

type explainFlags struct{ json, full bool }

func (a *app) explainCommand() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain stage...",
		Short: "Tell why a stage would run, be restored or be skipped",
		Long: `Compare what goes into a stage now with what went into the result it has: the
verdict, the reasons, and every component of its key that differs, with its old
and its new value. Nothing is changed.`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return a.explain(ctx, &f, args)
		}),
	}
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON list")
	c.Flags().BoolVar(&f.full, "full", false, "do not shorten digests and values")
	return c
}

// explained is an explanation with what only the graph knows.
type explained struct {
	*engine.Explanation
	Upstream []string `json:"upstream,omitempty"`
}

func (a *app) explain(ctx context.Context, f *explainFlags, args []string) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	sub, err := s.subjects(args, false)
	if err != nil {
		return err
	}
	list := make([]explained, 0, len(sub.stages))
	for _, st := range sub.stages {
		x, err := s.engine.Explain(ctx, st)
		if err != nil {
			return err
		}
		e := explained{Explanation: x}
		status, err := s.engine.Status(ctx, sub.stages[len(list):len(list)+1], false)
		if err != nil {
			return err
		}
		for _, one := range status {
			e.Upstream = append(e.Upstream, one.Upstream...)
		}
		if len(e.Upstream) > 0 && (x.Verdict == engine.Fresh || x.Verdict == engine.Cached) {
			x.Verdict = engine.Unknown
		}
		list = append(list, e)
	}
	if f.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	width, ok := terminal(a.stdout)
	if !ok {
		width = 80
	}
	for i := range list {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		printExplanation(a.stdout, &list[i], width, f.full)
	}
	return nil
}

// verdictText says in words what repro would do.
func verdictText(v engine.Verdict) string {
	switch v {
	case engine.Fresh:
		return "fresh: nothing to do"
	case engine.Stale:
		return "stale: it would run"
	case engine.Cached:
		return "stale: its result is known and would be restored"
	case engine.Recording:
		return "changed: its outputs would be recorded as they are"
	case engine.Unknown:
		return "unknown: it depends on what stale stages before it make"
	}
	return string(v)
}

func printExplanation(w io.Writer, x *explained, width int, full bool) {
	fmt.Fprintf(w, "%s: %s\n", x.Stage, verdictText(x.Verdict))
	for _, r := range x.Reasons {
		fmt.Fprintf(w, "  - %s\n", r)
	}
	for _, u := range x.Upstream {
		fmt.Fprintf(w, "  - %s\n", engine.Reason{Aspect: engine.AspectUpward, Path: u})
	}
	if len(x.Differences) > 0 {
		fmt.Fprintf(w, "\n  compared with the %s:\n", x.Against)
		for _, d := range x.Differences {
			fmt.Fprintf(w, "    %s\n", shorten(d.Component, full, width-4))
			printSide(w, '-', d.Old, d.HasOld, full, width)
			printSide(w, '+', d.New, d.HasNew, full, width)
		}
	}
	if x.Last != nil {
		fmt.Fprintf(w, "\n  last run: %s\n", lastRunText(x.Last, time.Now()))
	}
	if full && x.Key != "" {
		fmt.Fprintf(w, "  key: %s\n", x.Key)
	}
}

func printSide(w io.Writer, sign rune, value string, has, full bool, width int) {
	if !has {
		fmt.Fprintf(w, "      %c (not part of the key)\n", sign)
		return
	}
	if value == "" {
		value = `""`
	}
	fmt.Fprintf(w, "      %c %s\n", sign, shorten(value, full, width-8))
}

// lastRunText tells outcome, time and duration.
func lastRunText(r *engine.LastRun, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s)", r.Outcome, r.Started.Local().Format("2006-01-02 15:04:05"), ago(now.Sub(r.Started)))
	if r.Duration > 0 {
		fmt.Fprintf(&b, ", took %s", round(r.Duration))
	}
	if r.Unrecorded {
		b.WriteString(", not recorded: an input changed meanwhile")
	}
	return b.String()
}

// ago is a duration in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// shorten makes a value fit a line: digests keep 12 digits, other texts lose
// their end; line breaks become visible.
func shorten(v string, full bool, width int) string {
	v = strings.NewReplacer("\r", `\r`, "\n", `\n`, "\t", `\t`).Replace(v)
	if full {
		return v
	}
	if head, tail, ok := cutDigest(v); ok {
		return head[:12] + tail
	}
	if width < 8 {
		width = 8
	}
	if utf8.RuneCountInString(v) <= width {
		return v
	}
	r := []rune(v)
	return string(r[:width-1]) + "…"
}

// cutDigest splits a value that begins with a digest into its digits and the
// rest (".dir", " exec").
func cutDigest(v string) (hex, rest string, ok bool) {
	n := 0
	for n < len(v) && (v[n] >= '0' && v[n] <= '9' || v[n] >= 'a' && v[n] <= 'f') {
		n++
	}
	if n != 32 && n != 64 || n < len(v) && v[n] != '.' && v[n] != ' ' {
		return "", "", false
	}
	return v[:n], v[n:], true
}
