package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/backend"
	"github.com/flowrepro/flow/track/mlflow"
)

func (a *app) mlflowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mlflow",
		Short: "Look into an MLflow server, and bring local runs to it",
		Long: `Work with an MLflow server. Its address is in MLFLOW_TRACKING_URI or in the
setting flow.tracking_uri; credentials are in the variables that MLflow's client
takes, or in ~/.mlflow/credentials. Where a service takes a token as user and
password, as DAGsHub does, the setting flow.token_env or FLOW_MLFLOW_TOKEN_ENV
names the variable that holds it; for dagshub.com that is DAGSHUB_USER_TOKEN
unless something else is said.

Without a server, runs and models are in the project's mlflow.db. MLflow shows
them when started in the project's root:

  mlflow ui --backend-store-uri sqlite:///mlflow.db`,
	}
	c.AddCommand(a.mlflowDoctorCommand(), a.mlflowSyncCommand())
	return c
}

func (a *app) mlflowDoctorCommand() *cobra.Command {
	var write, asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what the configured server can do",
		Long: `Try what flow needs of the server and print a table. With --write it also makes a
run, an artifact, a model and a version named flow-doctor, and removes them again
as far as the server lets it. The exit code is 1 when something does not work.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return a.withTracking(func(t *tracking) error { return a.mlflowDoctor(ctx, t, write, asJSON) })
		}),
	}
	c.Flags().BoolVar(&write, "write", false, "also try to write")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) mlflowDoctor(ctx context.Context, t *tracking, write, asJSON bool) error {
	var list []mlflow.Finding
	if s, ok := t.Store.(*mlflow.Store); ok {
		list = s.Diagnose(ctx, write)
	} else {
		experiments, err := t.Experiments(ctx)
		ok := err == nil
		list = []mlflow.Finding{{Name: "server", Detail: "none is configured: MLFLOW_TRACKING_URI is not set"},
			{Name: "own store", OK: &ok, Detail: fmt.Sprintf("%s, %s", t.Location(), count(len(experiments), "experiment"))}}
		if err != nil {
			list[1].Detail = err.Error()
		}
	}
	failedAny := false
	for _, f := range list {
		failedAny = failedAny || f.OK != nil && !*f.OK
	}
	if asJSON {
		if err := printJSON(a.stdout, list); err != nil {
			return err
		}
	} else {
		a.printFindings(list)
	}
	if failedAny {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (a *app) printFindings(list []mlflow.Finding) {
	width := 0
	for _, f := range list {
		width = max(width, len(f.Name))
	}
	for _, f := range list {
		verdict := "-"
		if f.OK != nil {
			verdict = map[bool]string{true: "yes", false: "NO"}[*f.OK]
		}
		fmt.Fprintf(a.stdout, "%-*s  %-3s  %s\n", width, f.Name, verdict, f.Detail)
		if f.Hint != "" {
			fmt.Fprintf(a.stdout, "%-*s       hint: %s\n", width, "", f.Hint)
		}
	}
}

func (a *app) mlflowSyncCommand() *cobra.Command {
	var to string
	var dryRun, asJSON bool
	c := &cobra.Command{
		Use:   "sync",
		Short: "Bring the project's own runs and models to the server",
		Long: `Replay what is in the project's mlflow.db to the server: runs with metrics,
parameters, tags, inputs and artifacts, registered models with their versions, and
aliases. It can be repeated: what is there is not made again. An alias of the
server that points to a version from elsewhere is left alone.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return a.mlflowSync(ctx, to, dryRun, asJSON) }),
	}
	c.Flags().StringVar(&to, "to", "", "the server's `address` (default MLFLOW_TRACKING_URI)")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what it would do")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) mlflowSync(ctx context.Context, to string, dryRun, asJSON bool) (err error) {
	t, err := a.openTracking()
	if err != nil {
		return err
	}
	if to != "" {
		o := backend.Options{Root: t.root, URI: to, UserAgent: "flow"}
		if t.project != nil {
			o.TokenEnv, _ = t.project.Config.Get("flow", "token_env")
		}
		if t.Store, err = backend.Open(o); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if _, ok := t.Store.(*mlflow.Store); !ok {
		return &exitError{exitUsage, errors.New("to which server? set MLFLOW_TRACKING_URI, or give --to")}
	}
	own, err := backend.Embedded(t.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	y := track.Sync{From: own, To: t.Store, DryRun: dryRun}
	if !asJSON {
		y.Progress = func(what string) { a.print("%s\n", what) }
	}
	done, err := y.Run(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.stdout, done)
	}
	verb := "Brought"
	if dryRun {
		verb = "Would bring"
	}
	a.print("%s %s, %s, %s and %s to %s", verb, count(done.Runs, "run"), count(done.Files, "file"), count(done.Versions, "version"),
		pluralAlias(done.Aliases), t.Location())
	if n := done.RunsThere + done.VersionsThere; n > 0 {
		a.print("; %s and %s were there", count(done.RunsThere, "run"), count(done.VersionsThere, "version"))
	}
	a.print(".\n")
	if len(done.Kept) > 0 {
		a.print("Left alone, as somebody else moved them: %s.\n", strings.Join(done.Kept, ", "))
	}
	return nil
}

func pluralAlias(n int) string {
	if n == 1 {
		return "1 alias"
	}
	return fmt.Sprintf("%d aliases", n)
}
