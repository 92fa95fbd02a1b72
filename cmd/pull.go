package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
)

type pullFlags struct {
	transferFlags
	force, allowMissing bool
}

func (a *app) pullCommand() *cobra.Command {
	var f pullFlags
	c := &cobra.Command{
		Use:   "pull [target]...",
		Short: "Bring data and results from a remote into the workspace",
		Long: `Bring from the remote what the cache does not have of all that dvc.lock and .dvc
files record, or of the targets, and check it out. Content of the workspace that
exists nowhere else is not overwritten without --force.`,
		Example: `  flow pull
  flow pull data/train
  flow pull -r backup -j 16 model.pkl`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return cloudFailed("failed to pull data from the cloud", a.pull(ctx, &f, args))
		}),
	}
	f.add(c)
	f.addMore(c, "also all records of results")
	c.Flags().BoolVarP(&f.force, "force", "f", false, "overwrite changes that are stored nowhere")
	c.Flags().BoolVar(&f.allowMissing, "allow-missing", false, "leave out what is neither in the cache nor on the remote")
	return c
}

func (a *app) pull(ctx context.Context, f *pullFlags, args []string) (err error) {
	s, sel, rep, err := a.bring(ctx, &f.transferFlags, args)
	if s != nil {
		defer func() { err = s.close(err) }()
	}
	if rep == nil {
		return err
	}
	ferr := err
	if ctx.Err() != nil {
		return ferr
	}
	var changes cache.Changes
	var counts engine.FileCounts
	var cerr error
	if !sel.nothing {
		req := sel.req
		req.Force, req.AllowMissing, req.Counts = f.force, f.allowMissing || f.maxSize != "", &counts
		changes, cerr = s.engine.Checkout(ctx, req)
		came, err := a.pullUnrecorded(ctx, s, f.jobs, sel)
		rep.Objects += len(came)
		counts.Added += len(came)
		changes.Added = append(changes.Added, came...)
		cerr = errors.Join(cerr, err)
	}
	if f.json {
		out := struct {
			*transferReport
			Added    []string `json:"added"`
			Modified []string `json:"modified"`
			Deleted  []string `json:"deleted"`
		}{rep, notNil(changes.Added), notNil(changes.Modified), notNil(changes.Deleted)}
		return errors.Join(ferr, cerr, printJSON(a.stdout, out))
	}
	a.printMoved(rep, "Fetched")
	if err := a.printCheckout(&checkoutFlags{}, changes, nil); err != nil {
		return err
	}
	if text := pullSummary(rep.Objects, counts); text != "" {
		a.print("%s\n", text)
	} else if ferr == nil && cerr == nil {
		a.print("Everything is up to date.\n")
	}
	return errors.Join(ferr, cerr)
}

// pullSummary is "4 files fetched and 3 files added".
func pullSummary(fetched int, c engine.FileCounts) string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{fetched, "fetched"}, {c.Modified, "modified"}, {c.Added, "added"}, {c.Deleted, "deleted"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", count(p.n, "file"), p.word))
		}
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}
