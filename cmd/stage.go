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
	if address := stageFromEnvironment(s.project); address != "" {
		for _, dir := range s.callerDirs() {
			for _, st := range s.set.Stages {
				// The name in the command guards against a variable that
				// was left over. It may be anywhere in a line of shell.
				if !st.IsData() && st.Address(dir) == address && strings.Contains(strings.Join(st.Cmd.Steps(), "\n"), name) {
					return st, nil
				}
			}
		}
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

// stageFromEnvironment returns the address of the running stage. It is of no
// use when it belongs to another project.
func stageFromEnvironment(p *project.Project) string {
	if root := os.Getenv("DVC_ROOT"); root != "" {
		if here, err := filepath.EvalSymlinks(p.Root); err == nil {
			if there, err := filepath.EvalSymlinks(root); err == nil && here != there {
				return ""
			}
		}
	}
	if v := os.Getenv("FLOW_STAGE"); v != "" {
		return v
	}
	return os.Getenv("DVC_STAGE")
}

// callerDirs are the directories that an address from the environment may be
// relative to: the root or, when DVC was started below it, the shell's
// directory, which DVC leaves in PWD.
func (s *session) callerDirs() []string {
	dirs := []string{"."}
	if pwd := os.Getenv("PWD"); pwd != "" {
		if rel, ok := s.project.Rel(pwd); ok {
			dirs = append(dirs, filepath.ToSlash(rel))
		}
	}
	return dirs
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
