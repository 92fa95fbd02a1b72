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

type checkoutFlags struct {
	req             engine.CheckoutRequest
	deps, recursive bool
	summary, json   bool
}

func (a *app) checkoutCommand() *cobra.Command {
	var f checkoutFlags
	c := &cobra.Command{
		Use:   "checkout [target]...",
		Short: "Bring recorded outputs and data from the cache into the workspace",
		Long: `Make the workspace hold what dvc.lock and .dvc files record: all of it, or the
targets: stages, .dvc files, outputs, or paths inside tracked directories. Content
that exists nowhere else is not overwritten without --force.`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return a.checkout(ctx, &f, args)
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.req.Force, "force", "f", false, "overwrite changes that are stored nowhere")
	fl.BoolVarP(&f.deps, "with-deps", "d", false, "also what the targets depend on")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "all stages below the target directories")
	fl.BoolVar(&f.req.Relink, "relink", false, "make links or copies anew")
	fl.BoolVar(&f.req.AllowMissing, "allow-missing", false, "leave out what the cache does not have")
	fl.BoolVar(&f.req.Verify, "verify", false, "hash every object before it reaches the workspace")
	fl.BoolVar(&f.summary, "summary", false, "print only how much changed")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (a *app) checkout(ctx context.Context, f *checkoutFlags, args []string) (err error) {
	s, err := a.open(openOptions{sink: noticeSink{a}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	if len(args) > 0 {
		sub, err := s.subjects(args, f.recursive)
		var unknown *unknownTarget
		if errors.As(err, &unknown) {
			return fmt.Errorf("Did you mean `git checkout %s`?: %w", unknown.target, err) //nolint:staticcheck,revive // DVC's words
		}
		if err != nil {
			return err
		}
		f.req.Targets, f.req.Outs = sub.named, sub.outs
		if f.deps {
			f.req.Targets = s.withDeps(sub.stages)
		}
		if len(f.req.Targets)+len(f.req.Outs) == 0 {
			return nil // an empty directory or group: not everything
		}
	}
	changes, err := s.engine.Checkout(ctx, f.req)
	if perr := a.printCheckout(f, changes, err); err == nil {
		err = perr
	}
	return err
}

func (a *app) printCheckout(f *checkoutFlags, c cache.Changes, err error) error {
	if f.json {
		type changes struct {
			Added    []string `json:"added"`
			Modified []string `json:"modified"`
			Deleted  []string `json:"deleted"`
		}
		return printJSON(a.stdout, changes{notNil(c.Added), notNil(c.Modified), notNil(c.Deleted)})
	}
	if f.summary {
		if text := summary(c); text != "" || err == nil {
			if text == "" {
				text = "No changes."
			}
			a.print("%s\n", text)
		}
		return nil
	}
	for _, group := range []struct {
		letter string
		paths  []string
	}{{"M", c.Modified}, {"A", c.Added}, {"D", c.Deleted}} {
		for _, p := range group.paths {
			a.print("%s\t%s\n", group.letter, p)
		}
	}
	if f.req.Relink && err == nil {
		a.print("Relinked successfully\n")
	}
	return nil
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// summary counts changes: "2 files added and 1 file modified".
func summary(c cache.Changes) string {
	var parts []string
	for _, group := range []struct {
		word  string
		count int
	}{{"modified", len(c.Modified)}, {"added", len(c.Added)}, {"deleted", len(c.Deleted)}} {
		if group.count > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", count(group.count, "file"), group.word))
		}
	}
	if len(parts) > 1 {
		last := len(parts) - 1
		return strings.Join(parts[:last], ", ") + " and " + parts[last]
	}
	return strings.Join(parts, "")
}

// count is "1 file" or "2 files".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
