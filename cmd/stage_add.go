package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine/graph"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/project"
)

func (a *app) stageAddCommand() *cobra.Command {
	var f stageSpec
	c := &cobra.Command{
		Use:   "add -n name [flags] command...",
		Short: "Add a stage to dvc.yaml in this directory",
		Long: `Add a stage to dvc.yaml in this directory, creating the file when there is none,
and have Git ignore its cached outputs. Comments and everything else in the file
stay as they are. The rest of the command line is the stage's command; arguments
with spaces get double quotes.`,
		Example: `  flow stage add -n prepare -d raw.csv -o clean.csv -p prepare.seed python prepare.py
  flow stage add -n score -d model -M metrics.json flow stage evaluate`,
		RunE: run(func(ctx context.Context, args []string) error {
			return a.stageAdd(ctx, &f, args)
		}),
	}
	fl := c.Flags()
	fl.SetInterspersed(false)
	fl.StringVarP(&f.name, "name", "n", "", "`name` of the stage")
	fl.BoolVarP(&f.force, "force", "f", false, "overwrite an existing stage")
	fl.StringArrayVarP(&f.deps, "deps", "d", nil, "file or directory `path` it depends on")
	fl.StringArrayVarP(&f.params, "params", "p", nil, "parameters it depends on: `[file:]a,b`, or file: for all of it")
	fl.StringArrayVarP(&f.outs, "outs", "o", nil, "output `path`")
	fl.StringArrayVarP(&f.outsNoCache, "outs-no-cache", "O", nil, "output `path`, not cached")
	fl.StringArrayVar(&f.outsPersist, "outs-persist", nil, "output `path` that is not removed before a run")
	fl.StringArrayVar(&f.outsPersistNoCache, "outs-persist-no-cache", nil, "output `path`, neither removed nor cached")
	fl.StringArrayVarP(&f.metrics, "metrics", "m", nil, "metrics `path`")
	fl.StringArrayVarP(&f.metricsNoCache, "metrics-no-cache", "M", nil, "metrics `path`, not cached")
	fl.StringArrayVar(&f.plots, "plots", nil, "plots `path`")
	fl.StringArrayVar(&f.plotsNoCache, "plots-no-cache", nil, "plots `path`, not cached")
	fl.StringVarP(&f.wdir, "wdir", "w", "", "`directory` the command runs in, and paths count from")
	fl.BoolVar(&f.alwaysChanged, "always-changed", false, "always run the stage")
	fl.StringVar(&f.desc, "desc", "", "`text` about the stage")
	fl.BoolVar(&f.run, "run", false, "run the stage afterwards")
	return c
}

func (a *app) stageAdd(ctx context.Context, f *stageSpec, args []string) (err error) {
	command := joinCommand(args)
	switch {
	case f.name == "":
		return &exitError{exitUsage, errors.New("the following arguments are required: -n/--name")}
	case strings.TrimSpace(command) == "":
		return errors.New("command is not specified")
	case !validStageName(f.name):
		return errors.New("Stage name cannot contain punctuation characters.") //nolint:staticcheck,revive // DVC's words
	}
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			err = s.close(err)
		}
	}()
	file := path.Join(s.dir, "dvc.yaml")
	if owner, ok := s.set.File(file); ok && !f.force {
		_, stage := owner.Stage(f.name)
		if _, group := owner.Groups[f.name]; stage || group {
			return fmt.Errorf("Stage '%s' already exists in 'dvc.yaml'. Use '--force' to overwrite.", f.name) //nolint:staticcheck,revive // DVC's words
		}
	}
	if err := s.checkStage(f); err != nil {
		return err
	}
	stage, err := f.stage(command)
	if err != nil {
		return err
	}
	abs := s.project.Abs(file)
	var before []byte
	err = s.locked(ctx, a.waitLock, func() error {
		return editFile(abs, func(data []byte) ([]byte, error) {
			before = data
			keepNotes(stage, data, f.name)
			return yaml12.Set(data, []any{"stages", f.name}, stage)
		})
	})
	if err != nil {
		return err
	}
	if err := s.reload(file); err != nil {
		// What does not load must not stay.
		return errors.Join(err, editFile(abs, func([]byte) ([]byte, error) { return before, nil }))
	}
	a.print("Added stage '%s' in 'dvc.yaml'\n", f.name)
	changed, err := a.gitIgnore(s.project, f.cached(filepath.Join(s.cwd, f.wdir)))
	if err != nil {
		return err
	}
	files := []string{"dvc.yaml"}
	for _, c := range changed {
		files = append(files, s.showAbs(c))
	}
	if err := a.trackChanges(ctx, s, files); err != nil || !f.run {
		return err
	}
	open = false
	if err := s.close(nil); err != nil {
		return err
	}
	var r reproFlags
	r.req.Single = true
	return a.repro(ctx, &r, []string{f.name})
}

// reload checks that a pipeline file can be read.
func (s *session) reload(file string) error {
	set, err := loadPipeline(s.project, project.NewIgnore(s.project.Root))
	if err == nil {
		return nil
	}
	var list, mine yaml12.Errors
	if set == nil || !errors.As(err, &list) {
		return err
	}
	for _, e := range list {
		if e.File == file {
			mine = append(mine, e)
		}
	}
	return mine.Err()
}

// checkStage refuses what `stage add` can know to be wrong: a directory that
// is not there, paths given twice, and outputs that clash with other stages.
func (s *session) checkStage(f *stageSpec) error {
	wdir := s.abs(f.wdir)
	if fi, err := os.Stat(wdir); err != nil || !fi.IsDir() {
		return fmt.Errorf("stage working dir '%s' does not exist", wdir)
	}
	node := graph.Node{Name: f.name, File: path.Join(s.dir, "dvc.yaml")}
	deps, outs := map[string]bool{}, map[string]bool{}
	resolve := func(p string) (abs, where string) {
		if strings.Contains(p, "://") {
			return p, p
		}
		abs = filepath.FromSlash(p)
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(wdir, abs)
		}
		rel, _ := s.project.Rel(filepath.Clean(abs))
		return abs, filepath.ToSlash(rel)
	}
	for _, d := range f.deps {
		abs, where := resolve(d)
		if deps[where] {
			return fmt.Errorf("file '%s' is specified more than once.", abs) //nolint:staticcheck,revive // DVC's words
		}
		deps[where] = true
		node.Deps = append(node.Deps, where)
	}
	for _, o := range f.allOuts() {
		abs, where := resolve(o)
		base := path.Base(where)
		switch {
		case base == "dvc.yaml" || strings.HasSuffix(base, ".dvc"):
			return fmt.Errorf("DVC file '%s' cannot be an output.", o) //nolint:staticcheck,revive // DVC's words
		case outs[where]:
			return fmt.Errorf("file '%s' is specified more than once.", abs) //nolint:staticcheck,revive // DVC's words
		case deps[where]:
			return fmt.Errorf("'%s' is specified as an output and as a dependency.", abs) //nolint:staticcheck,revive // DVC's words
		}
		outs[where] = true
		node.Outs = append(node.Outs, where)
		if owners, ok := s.set.ResolveOutput(abs, s.dir); ok {
			for _, st := range owners {
				name := st.Address(s.dir)
				if name != f.name && s.owns(st, where) {
					return &hinted{fmt.Errorf("output '%s' is already specified in stage: '%s'.", s.show(where), name), //nolint:staticcheck,revive // DVC's words
						fmt.Sprintf("Use `flow remove %s` to stop tracking the overlapping output.", name)}
				}
			}
		}
	}
	return s.checkGraph(node, f.name)
}

// checkGraph joins the graph of all stages but the one replaced with a new one.
func (s *session) checkGraph(node graph.Node, replaced string) error {
	g, faults := s.engine.Graph()
	if faults != nil {
		return faults
	}
	nodes := make([]graph.Node, 0, g.Len()+1)
	for i := range g.Len() {
		if n := g.Node(i); n.Name != replaced && !strings.HasPrefix(n.Name, replaced+"@") {
			nodes = append(nodes, n)
		}
	}
	_, err := graph.New(append(nodes, node))
	return err
}
