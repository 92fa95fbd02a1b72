package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

func (a *app) stageCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "stage name [argument]...",
		Short: "Add, list, show and run stages; call a stage function",
		Long: `The verbs below work on the stages of dvc.yaml.

` + "`flow stage <name>`" + ` calls the Go function of that name for the pipeline stage
whose command it is. It is what pipelines write as their command: flow itself
calls the function without a new process, and any other program that reads the
pipeline can start it.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("the following arguments are required: a verb or the name of a stage function")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			var list []cobra.Completion
			for _, s := range a.registry.List() {
				if len(args) == 0 && strings.HasPrefix(s.Name, prefix) {
					list = append(list, cobra.CompletionWithDesc(s.Name, s.Doc))
				}
			}
			return list, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: run(func(ctx context.Context, args []string) error {
			return a.callFunction(ctx, args[0], args[1:])
		}),
	}
	c.Flags().SetInterspersed(false) // what follows the name is the function's
	c.AddCommand(a.stageAddCommand(), a.stageListCommand(), a.stageShowCommand(), a.stageRunCommand())
	return c
}

// callFunction is `flow stage <name>` as a process of its own.
func (a *app) callFunction(ctx context.Context, name string, args []string) (err error) {
	if _, ok := a.registry.Lookup(name); !ok {
		var names []string
		for _, s := range a.registry.List() {
			names = append(names, s.Name)
		}
		return &hinted{fmt.Errorf("no stage function '%s' in this program", name),
			"registered are: " + strings.Join(names, ", ")}
	}
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	st, err := s.calledBy(name, args)
	if err != nil {
		return err
	}
	return s.engine.CallFunction(ctx, st, name, args, a.stderr)
}

// calledBy finds the pipeline stage on whose behalf a stage function was
// started: the one that the environment names or, started by hand, the only one
// with that command.
func (s *session) calledBy(name string, args []string) (*pipeline.Stage, error) {
	if st := s.fromEnvironment(name); st != nil {
		return st, nil
	}
	var callers []*pipeline.Stage
	for _, st := range s.set.Stages {
		if callsFunction(st, name, args) {
			callers = append(callers, st)
		}
	}
	// Stages of the same command in different directories are told apart by
	// where they run.
	if len(callers) > 1 {
		callers = slices.DeleteFunc(callers, func(st *pipeline.Stage) bool { return st.Wdir != s.dir })
	}
	switch len(callers) {
	case 1:
		return callers[0], nil
	case 0:
		return nil, &hinted{fmt.Errorf("no stage has the command 'flow stage %s'", shellquote.Join(append([]string{name}, args...)...)),
			"give a stage of dvc.yaml this command, or run a stage by its own name with `flow stage run`"}
	}
	names := make([]string, len(callers))
	for i, st := range callers {
		names[i] = "'" + st.Address(s.dir) + "'"
	}
	return nil, &hinted{fmt.Errorf("several stages have the command 'flow stage %s': %s", name, strings.Join(names, ", ")),
		"choose one with `flow stage run`"}
}

// fromEnvironment finds the stage that the program which started this process
// says it runs; nil when there is none. Flow gives the address seen from the
// root, DVC the one seen from where it was started, which is not known here: of
// the stages it can mean, the one that works in this directory is meant. That
// the command has the function's name guards against variables left over.
func (s *session) fromEnvironment(name string) *pipeline.Stage {
	if !sameRoot(s.project, os.Getenv("DVC_ROOT")) {
		return nil
	}
	address := os.Getenv("DVC_STAGE")
	exact := os.Getenv("FLOW_STAGE") == address
	bare := address[strings.LastIndexByte(address, ':')+1:]
	var byAddress, byPlace *pipeline.Stage
	for _, st := range s.set.Stages {
		if st.IsData() || !strings.Contains(strings.Join(st.Cmd.Steps(), "\n"), name) {
			continue
		}
		matches := st.Address(".") == address
		here := st.Wdir == s.dir && st.Name == bare
		switch {
		case matches && (exact || here):
			return st
		case matches:
			byAddress = st
		case here:
			byPlace = st
		}
	}
	if byPlace != nil {
		return byPlace
	}
	return byAddress
}

// sameRoot reports whether a root from the environment, if there is one, is
// this project's.
func sameRoot(p *project.Project, root string) bool {
	if root == "" {
		return true
	}
	here, err := os.Stat(p.Root)
	if err != nil {
		return false
	}
	there, err := os.Stat(root)
	return err == nil && os.SameFile(here, there)
}

// callsFunction reports whether one of the stage's commands is
// `flow stage name args`.
func callsFunction(st *pipeline.Stage, name string, args []string) bool {
	want := append([]string{"stage", name}, args...)
	for _, line := range st.Cmd.Steps() {
		if !strings.Contains(line, name) {
			continue
		}
		words, err := shellquote.Split(line)
		if err != nil || len(words) < 3 || strings.TrimSuffix(filepath.Base(words[0]), ".exe") != "flow" {
			continue
		}
		if slices.Equal(words[1:], want) {
			return true
		}
	}
	return false
}

// hinted is an error with advice.
type hinted struct {
	error
	hint string
}

// Hint is what the user can do.
func (e *hinted) Hint() string  { return e.hint }
func (e *hinted) Unwrap() error { return e.error }

func (a *app) stageRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run stage",
		Short: "Call the function of one stage, outside of repro",
		Long: `Call the Go function of one pipeline stage with its declared paths and
parameters. Nothing is compared, cached or recorded: it is for trying a function
out and for debuggers.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) (err error) {
			s, err := a.open(openOptions{sink: noticeSink{a}})
			if err != nil {
				return err
			}
			defer func() { err = s.close(err) }()
			list, err := s.targets(args, false)
			if err != nil {
				return err
			}
			if len(list) != 1 {
				return fmt.Errorf("'%s' names %d stages: name one", args[0], len(list))
			}
			if list[0].IsData() {
				return fmt.Errorf("'%s' is data: it has no command", args[0])
			}
			return s.engine.RunFunction(ctx, list[0], a.stderr)
		}),
	}
}
