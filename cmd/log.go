package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine"
)

func (a *app) logCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "log stage",
		Short: "Show the log of a stage's last run on this machine",
		Long: `Show when a stage last ran here, how it ended, how long it took and what it
printed. With --quiet only the output of its commands is printed.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(_ context.Context, args []string) error {
			return failed(a.log(args[0], asJSON))
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// runLog is what `flow log --json` prints.
type runLog struct {
	Stage    string        `json:"stage"`
	Outcome  engine.State  `json:"outcome"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration_ns"`
	Error    string        `json:"error,omitempty"`
	Reasons  []string      `json:"reasons,omitempty"`
	File     string        `json:"log_file"`
	Log      string        `json:"log"`
}

func (a *app) log(target string, asJSON bool) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	sub, err := s.subjects([]string{target}, false)
	if err != nil {
		return err
	}
	if len(sub.stages) != 1 {
		return fmt.Errorf("'%s' names %d stages: name one", target, len(sub.stages))
	}
	st := sub.stages[0]
	name := st.Address(s.dir)
	if st.IsData() {
		return fmt.Errorf("'%s' is data: it has no command and so no log", name)
	}
	i := s.engine.Index(st)
	last, ok := s.engine.LastRun(i)
	if !ok {
		return fmt.Errorf("stage '%s' has not run on this machine", name)
	}
	text, err := os.ReadFile(s.engine.LogFile(i))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read log of stage '%s': %w", name, err)
	}
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(runLog{
			Stage: name, Outcome: last.Outcome, Started: last.Started, Duration: last.Duration, Error: last.Error,
			Reasons: last.Reasons, File: s.engine.LogFile(i), Log: string(text),
		})
	}
	if !a.quiet {
		fmt.Fprintf(a.stdout, "%s: %s\n", name, lastRunText(last, time.Now()))
		for _, r := range last.Reasons {
			fmt.Fprintf(a.stdout, "  because %s\n", r)
		}
		if last.Error != "" {
			fmt.Fprintf(a.stdout, "  error: %s\n", last.Error)
		}
		if len(text) > 0 {
			fmt.Fprintln(a.stdout)
		}
	}
	if len(text) > 0 && !strings.HasSuffix(string(text), "\n") {
		text = append(text, '\n')
	}
	_, err = a.stdout.Write(text)
	return err
}
