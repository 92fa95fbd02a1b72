package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

// reproFlags are the flags of `flow repro`.
type reproFlags struct {
	req         engine.Request
	set         []string
	glob        bool
	recursive   bool
	interactive bool
	remote      string
	json        bool
	trace       string
}

func (a *app) reproCommand() *cobra.Command {
	var f reproFlags
	c := &cobra.Command{
		Use:   "repro [target]...",
		Short: "Reproduce pipelines: run what is stale, restore what is known, skip the rest",
		Long: `Reproduce the stages of dvc.yaml in this directory, or the given targets, and
everything they depend on. A target is a stage, a group, a dvc.yaml or .dvc file,
or path/dvc.yaml:stage.

Stages that are up to date are skipped. Results that were computed before, for
the same command, inputs and parameters, are restored from the cache, with --pull
also from the remote. Everything else runs, in parallel where the graph allows.`,
		Example: `  flow repro
  flow repro -S train.lr=0.1 evaluate
  flow repro -j 4 -k
  flow repro --dry`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return a.repro(ctx, &f, args)
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.req.Force, "force", "f", false, "run every stage taken, also those up to date")
	fl.BoolVarP(&f.req.Single, "single-item", "s", false, "only the targets, in the order given")
	fl.BoolVarP(&f.req.Component, "pipeline", "p", false, "the whole pipelines that the targets belong to")
	fl.BoolVarP(&f.req.All, "all-pipelines", "P", false, "all pipelines of the project")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "all stages below the target directories")
	fl.BoolVar(&f.req.Downstream, "downstream", false, "the targets and what depends on them")
	fl.BoolVar(&f.req.ForceDownstream, "force-downstream", false, "run what depends on a stage that ran")
	fl.BoolVar(&f.req.Dry, "dry", false, "tell what would run, and run nothing")
	fl.BoolVarP(&f.req.KeepGoing, "keep-going", "k", false, "go on with stages that do not need a failed one")
	fl.BoolVar(&f.req.IgnoreErrors, "ignore-errors", false, "go on with all stages after a failure")
	fl.BoolVar(&f.req.NoCommit, "no-commit", false, "do not store outputs in the cache")
	fl.BoolVar(&f.req.NoRunCache, "no-run-cache", false, "do not use results of earlier runs")
	fl.BoolVar(&f.req.AllowMissing, "allow-missing", false, "take absent data for unchanged")
	fl.BoolVar(&f.req.Pull, "pull", false, "fetch results and data that are not here from the remote")
	fl.StringVarP(&f.remote, "remote", "r", "", "with --pull: the remote to use instead of the default `name`")
	fl.BoolVar(&f.req.RequireCached, "require-cached", false, "fail where a stage would have to run")
	fl.BoolVar(&f.glob, "glob", false, "targets are patterns of stage names")
	fl.BoolVarP(&f.interactive, "interactive", "i", false, "ask before each stage")
	fl.IntVarP(&f.req.Jobs, "jobs", "j", 0, "stages at once (default the number of CPUs)")
	fl.StringArrayVarP(&f.set, "set-param", "S", nil, "write `[file:]key=value` to params.yaml first (+key adds, ~key removes)")
	fl.BoolVar(&f.json, "json", false, "print events as JSON lines")
	fl.StringVar(&f.trace, "trace", "", "write a Chrome trace to `file`")
	return c
}

func (a *app) repro(ctx context.Context, f *reproFlags, args []string) (err error) {
	if f.req.Jobs < 0 {
		return &exitError{exitUsage, fmt.Errorf("--jobs %d: must not be negative", f.req.Jobs)}
	}
	if f.interactive {
		f.req.Jobs = 1
		f.req.Confirm = a.confirmStage()
	}
	sink, finish, err := a.reproSink(f)
	if err != nil {
		return err
	}
	changes := new(changeSink)
	s, err := a.open(openOptions{
		sink: engine.Sinks{sink, changes}, alone: f.req.Jobs == 1 && !f.interactive,
		remote: &reproRemote{app: a, named: f.remote},
		before: func(p *project.Project) error { return setParams(p, f.set) },
	})
	if err != nil {
		return errors.Join(err, finish())
	}
	applySettings(&f.req, s.project.Config)
	if f.req.Targets, err = a.reproTargets(s, f, args); err != nil {
		return errors.Join(err, finish())
	}
	res, err := s.engine.Repro(ctx, f.req)
	err = s.close(err)
	if ferr := finish(); err == nil {
		err = ferr
	}
	if err != nil {
		return afterKeepGoing(f, res, err)
	}
	if f.json {
		return nil
	}
	if !res.Changed() {
		a.print("Data and pipelines are up to date.\n")
		return nil
	}
	if f.req.Dry {
		return nil
	}
	return a.trackChanges(ctx, s, changes.files())
}

// applySettings fills in what the flags leave open from the configuration.
func applySettings(req *engine.Request, c *project.Config) {
	if req.Jobs == 0 {
		req.Jobs = c.Int("flow", "jobs", c.Int("core", "jobs", 0))
	}
	req.Pull = req.Pull || c.Bool("flow", "pull", false)
	req.KeepGoing = req.KeepGoing || c.Bool("flow", "keep_going", false)
	req.NoRunCache = req.NoRunCache || !c.Bool("flow", "run_cache", true)
}

// setParams applies -S to the project's parameter files, before anything reads
// them.
func setParams(p *project.Project, set []string) error {
	for _, arg := range set {
		if _, err := pipeline.SetParam(p.Root, arg); err != nil {
			return fmt.Errorf("set parameter '%s': %w", arg, err)
		}
	}
	return nil
}

// reproTargets resolves the arguments. -P takes everything whatever they are.
func (a *app) reproTargets(s *session, f *reproFlags, args []string) ([]*pipeline.Stage, error) {
	if f.req.All {
		return nil, nil
	}
	if !f.recursive {
		return s.targets(args, f.glob)
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	var list []*pipeline.Stage
	for _, dir := range args {
		fi, err := os.Stat(dir)
		if err != nil || !fi.IsDir() {
			found, err := s.set.Resolve(dir, s.dir, f.glob)
			if err != nil {
				return nil, err
			}
			list = append(list, found...)
			continue
		}
		list = append(list, s.set.ResolveDir(dir, s.dir)...)
	}
	return list, nil
}

// afterKeepGoing shortens the errors that were told as warnings already.
func afterKeepGoing(f *reproFlags, res *engine.Result, err error) error {
	if !f.req.KeepGoing || res == nil || interruptedBy(err) {
		return err
	}
	var failed []string
	for _, st := range res.Stages {
		if st.Err != nil {
			failed = append(failed, "'"+st.Stage+"'")
		}
	}
	switch len(failed) {
	case 0:
		return err
	case 1:
		return fmt.Errorf("failed to reproduce %s", failed[0])
	}
	last := len(failed) - 1
	return fmt.Errorf("failed to reproduce stages: %s and %s", strings.Join(failed[:last], ", "), failed[last])
}

// trackChanges stages the files that changed in Git, or says how to.
func (a *app) trackChanges(ctx context.Context, s *session, files []string) error {
	g, ok := s.project.Git()
	if !ok || len(files) == 0 || s.project.Config.Bool("core", "no_scm", false) {
		return nil
	}
	sort.Strings(files)
	if s.project.Config.Bool("core", "autostage", false) {
		abs := make([]string, len(files))
		for i, f := range files {
			abs[i] = filepath.Join(s.cwd, f)
			if filepath.IsAbs(f) {
				abs[i] = f
			}
		}
		return g.Add(ctx, abs...)
	}
	a.print("\nTo track the changes with git, run:\n\n\tgit add %s\n\nTo enable auto staging, run:\n\n\tflow config core.autostage true\n",
		strings.Join(files, " "))
	return nil
}

// confirmStage asks on standard input, as -i wants.
func (a *app) confirmStage() func(string) bool {
	in := bufio.NewReader(a.stdin)
	return func(stage string) bool {
		fmt.Fprintf(a.stdout, "Going to reproduce stage: '%s'. Are you sure you want to continue? [y/n]: ", stage)
		yes := readYes(in)
		if f, ok := a.stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
			fmt.Fprintln(a.stdout) // nobody's Enter ended the line
		}
		return yes
	}
}

// readYes reads an answer; anything but yes is no.
func readYes(in *bufio.Reader) bool {
	line, _ := in.ReadString('\n') // the end of input is a no
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

// changeSink collects the files that a run changed and Git tracks.
type changeSink struct{ seen map[string]bool }

func (c *changeSink) Emit(e engine.Event) {
	if e.Kind != engine.LockUpdated && e.Kind != engine.FileChanged {
		return
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	file := e.File
	if filepath.IsAbs(file) {
		if cwd, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(cwd, file); err == nil {
				file = rel
			}
		}
	}
	c.seen[file] = true
}

func (c *changeSink) files() []string {
	list := make([]string, 0, len(c.seen))
	for f := range c.seen {
		list = append(list, f)
	}
	sort.Strings(list)
	return list
}
