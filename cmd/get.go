package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

type getFlags struct {
	settingsFlags
	out, rev       string
	jobs           int
	showURL, force bool
	json           bool
}

func (a *app) getCommand() *cobra.Command {
	var f getFlags
	c := &cobra.Command{
		Use:   "get url path",
		Short: "Download a file or directory of another project",
		Long: `Download what another project tracks, or a file of its Git repository: an output,
a file or directory inside one, or a directory with outputs in it. The project is in
a directory, or in the Git repository at the given URL; of a directory without --rev
its files are taken as they are, else those of the commit. Tracked data comes from
the project's cache, when that can be read, or from its remote. Nothing is recorded:
'flow import' does that.`,
		Example: `  flow get https://example.com/team/reviews.git data/train.csv
  flow get ../other model.pkl --rev v1.0 -o models/old.pkl
  flow get https://example.com/team/reviews.git data --show-url`,
		Args: cobra.ExactArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			return cloudFailed(fmt.Sprintf("failed to get '%s'", args[1]), a.get(ctx, &f, args[0], args[1]))
		}),
	}
	fl := c.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "download to `path`, or into it when it is a directory")
	fl.StringVar(&f.rev, "rev", "", "the Git `revision` to take")
	fl.BoolVar(&f.showURL, "show-url", false, "print where the object lies on the remote and download nothing")
	fl.BoolVarP(&f.force, "force", "f", false, "replace what is there")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "objects at once (default 64 for S3, else 4 for each processor)")
	f.settingsFlags.add(c)
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (a *app) get(ctx context.Context, f *getFlags, url, path string) error {
	if f.jobs < 0 {
		return &exitError{exitUsage, fmt.Errorf("--jobs %d: must not be negative", f.jobs)}
	}
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the current directory: %w", err)
	}
	here := &session{cwd: cwd}
	var dest string
	if !f.showURL {
		if dest, err = here.destination(path, f.out, f.force); err != nil {
			return err
		}
	}
	ref := repositoryRef{url: url, rev: f.rev, path: path}
	ref.settings.base = importBase{cwd, cwd, cwd}
	described, err := f.describe()
	if err != nil {
		return err
	}
	if err := ref.describe(described); err != nil {
		return err
	}
	if dir := filepath.Dir(here.abs(dest)); fileExists(dir) {
		ref.temp = dir
	}
	r, err := a.openRepository(ctx, ref, nil)
	if err != nil {
		return err
	}
	defer r.close()
	r.jobs = f.jobs
	if f.showURL {
		address, err := r.address(ctx)
		if err == nil {
			fmt.Fprintln(a.stdout, address)
		}
		return err
	}
	began := time.Now()
	p := a.progress("Downloading", "Downloaded")
	res, err := r.download(ctx, here.abs(dest), f.force, p.add)
	p.close()
	if err != nil {
		return err
	}
	rep := newReport()
	rep.began = began
	rep.Objects, rep.Bytes, rep.Seconds = res.Objects, res.Bytes, time.Since(began).Seconds()
	if f.json {
		return printJSON(a.stdout, rep)
	}
	a.printMoved(rep, "Fetched")
	return nil
}
