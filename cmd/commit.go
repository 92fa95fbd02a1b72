package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/engine"
)

type commitFlags struct {
	req             engine.CommitRequest
	deps, recursive bool
}

func (a *app) commitCommand() *cobra.Command {
	var f commitFlags
	c := &cobra.Command{
		Use:   "commit [target]...",
		Short: "Record stages and data as they are, without running anything",
		Long: `Record the current state of stages and data in dvc.lock and .dvc files and store
their outputs in the cache, as if the commands had just run. Stages that changed
are asked about first, unless --force is given.`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			if err := a.commit(ctx, &f, args); err != nil {
				what := "failed to commit"
				if len(args) > 0 {
					what += " " + strings.Join(args, ", ")
				}
				return failed(prefixed(what, err))
			}
			return nil
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.req.Force, "force", "f", false, "do not ask")
	fl.BoolVarP(&f.deps, "with-deps", "d", false, "also what the targets depend on")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "all stages below the target directories")
	fl.BoolVar(&f.req.NoRelink, "no-relink", false, "do not link the workspace to the cache")
	return c
}

func (a *app) commit(ctx context.Context, f *commitFlags, args []string) (err error) {
	changes := new(changeSink)
	s, err := a.open(openOptions{sink: engine.Sinks{noticeSink{a}, changes}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	if len(args) > 0 {
		sub, err := s.subjects(args, f.recursive)
		if err != nil {
			return err
		}
		if f.req.Targets = sub.stages; f.deps {
			f.req.Targets = s.withDeps(sub.stages)
		}
		if len(f.req.Targets) == 0 {
			return nil // an empty directory or group: not everything
		}
	}
	f.req.Confirm = a.asker().confirm
	if err := s.engine.Commit(ctx, f.req); err != nil {
		return err
	}
	if s.project.Config.Bool("core", "autostage", false) {
		return a.trackChanges(ctx, s, changes.files())
	}
	return nil
}
