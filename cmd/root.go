package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/stages"
)

// Main runs the program with the given stage functions on the process's
// arguments and exits. The first interrupt stops cleanly, the second at once.
func Main(registry *stages.Registry) {
	if os.Getenv("GOGC") == "" {
		// A short run allocates little: collecting garbage often costs more
		// time than it saves memory.
		debug.SetGCPercent(400)
	}
	ctx, cancel := context.WithCancel(context.Background())
	now := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		close(now)
		<-signals
		os.Exit(exitInterrupted)
	}()
	a := &app{registry: registry, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, interrupted: now}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// Run runs the program on the given arguments and returns its exit code. It
// may change the process's working directory (--cd), as Main does.
func Run(ctx context.Context, registry *stages.Registry, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{registry: registry, stdin: stdin, stdout: stdout, stderr: stderr}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	a.arguments = args
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	return a.report(c, err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "flow",
		Short: "Reproduce machine-learning pipelines and serve what they make",
		Long: `flow reproduces machine-learning pipelines: it reads dvc.yaml and params.yaml,
hashes what goes into each stage, skips what is up to date, restores what was
computed before and runs the rest in parallel.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: false,
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.enter() },
	}
	f := root.PersistentFlags()
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	f.CountVarP(&a.verbose, "verbose", "v", "print more; twice for everything")
	f.StringVar(&a.cd, "cd", "", "change to `directory` first")
	f.BoolVar(&a.waitLock, "wait-for-lock", false, "wait for other processes without limit")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{c, err} })
	root.AddCommand(a.commands()...)
	for _, c := range append(root.Commands(), root) {
		checkArgs(c)
	}
	return root
}

// checkArgs makes wrong numbers of arguments usage errors.
func checkArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		checkArgs(sub)
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return &usageError{c, err}
			}
			return nil
		}
	}
}

// enter applies the global flags before a verb runs.
func (a *app) enter() error {
	if a.cd != "" {
		if err := os.Chdir(a.cd); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--cd: %w", err)}
		}
	}
	return nil
}

// usageError is a mistake in the arguments of a command.
type usageError struct {
	cmd *cobra.Command
	err error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// isUnknownCommand recognises cobra's errors for verbs and flags that do not exist
// or exclude each other; they have no types of their own.
func isUnknownCommand(err error) bool {
	return strings.HasPrefix(err.Error(), "unknown command ") || strings.HasPrefix(err.Error(), "unknown flag: ") ||
		strings.HasPrefix(err.Error(), "unknown shorthand flag: ") || strings.HasPrefix(err.Error(), "if any flags in the group ")
}

// interruptedBy reports whether err is only the echo of an interrupt.
func interruptedBy(err error) bool {
	return errors.Is(err, context.Canceled)
}
