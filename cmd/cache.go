package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
)

func (a *app) cacheCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cache",
		Short: "Manage the cache",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown verb '%s'", args[0])
			}
			return errors.New("the following arguments are required: a verb")
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	c.AddCommand(a.cacheDirCommand(), a.cacheVerifyCommand())
	return c
}

func (a *app) cacheDirCommand() *cobra.Command {
	var f configFlags
	c := &cobra.Command{
		Use:   "dir [path]",
		Short: "Show or set where the cache is",
		Long: `Print the cache directory, or set it. A relative path counts from the current
directory and is stored relative to the configuration file.`,
		Args: cobra.MaximumNArgs(1),
		RunE: run(func(_ context.Context, args []string) error {
			_, chosen := f.level()
			switch {
			case f.unset && len(args) > 0:
				return failed(errors.New("-u/--unset can't be used together with a path"))
			case f.unset, chosen && len(args) == 0:
				return a.config(&f, []string{"cache.dir"})
			case len(args) == 1:
				return a.config(&f, []string{"cache.dir", args[0]})
			}
			s, err := a.open(openOptions{noPipeline: true})
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, s.project.CacheDir())
			return nil
		}),
	}
	f.add(c, c.Flags())
	c.Flags().BoolVarP(&f.unset, "unset", "u", false, "use the default again")
	return c
}

func (a *app) cacheVerifyCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Read every object and compare it with its name",
		Long: `Hash every object of the cache. What does not have the content that its name says
is moved to quarantine and counts as missing from then on: flow repro makes it
again, or flow pull brings it. The exit code is 1 when anything was found.`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return a.cacheVerify(ctx, asJSON)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) cacheVerify(ctx context.Context, asJSON bool) (err error) {
	s, err := a.open(openOptions{noPipeline: true})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	var o cache.VerifyOptions
	if _, ok := terminal(a.stderr); ok && !a.quiet {
		var objects, bytes, told atomic.Int64
		o.Progress = func(n, size int64) {
			done, sum := objects.Add(n), bytes.Add(size)
			if last := told.Load(); done-last >= 100 && told.CompareAndSwap(last, done) {
				fmt.Fprintf(a.stderr, "\r%d objects, %s\x1b[K", done, byteCount(sum))
			}
		}
		defer fmt.Fprint(a.stderr, "\r\x1b[K")
	}
	rep, err := s.store.Verify(ctx, o)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(a.stdout, verifyJSON(&rep))
	} else {
		a.printVerified(s, &rep)
	}
	if err == nil && !rep.OK() {
		return &exitError{code: exitFailed}
	}
	return err
}

func verifyJSON(rep *cache.VerifyReport) any {
	type report struct {
		Checked    int64             `json:"checked"`
		Bytes      int64             `json:"bytes"`
		Corrupt    []string          `json:"corrupt"`
		Unreadable map[string]string `json:"unreadable"`
		Incomplete []string          `json:"incomplete"`
		BadRecords int               `json:"bad_records"`
		TornPacks  int               `json:"torn_packs"`
	}
	out := report{
		rep.Checked, rep.Bytes, digestTexts(rep.Corrupt), map[string]string{}, digestTexts(rep.Incomplete), rep.BadRecords, rep.TornPacks,
	}
	for d, err := range rep.Unreadable {
		out.Unreadable[d.String()] = err.Error()
	}
	return out
}

func digestTexts(ds []cache.Digest) []string {
	list := make([]string, len(ds))
	for i, d := range ds {
		list[i] = d.String()
	}
	return list
}

func (a *app) printVerified(s *session, rep *cache.VerifyReport) {
	for _, d := range rep.Corrupt {
		fmt.Fprintf(a.stdout, "corrupt: %s\n", d)
	}
	unreadable := make([]cache.Digest, 0, len(rep.Unreadable))
	for d := range rep.Unreadable {
		unreadable = append(unreadable, d)
	}
	sort.Slice(unreadable, func(i, j int) bool { return unreadable[i].String() < unreadable[j].String() })
	for _, d := range unreadable {
		fmt.Fprintf(a.stdout, "unreadable: %s: %v\n", d, rep.Unreadable[d])
	}
	for _, d := range rep.Incomplete {
		fmt.Fprintf(a.stdout, "incomplete: %s\n", d)
	}
	a.print("Verified %s, %s.\n", count(int(rep.Checked), "object"), byteCount(rep.Bytes))
	if n := len(rep.Corrupt); n > 0 {
		a.print("Moved %s to '%s'.\n", count(n, "corrupted object"), s.showAbs(filepath.Join(s.store.Dir(), "quarantine")))
	}
	if rep.TornPacks > 0 {
		a.print("Moved %s to '%s': what was in them was missing.\n", count(rep.TornPacks, "torn pack"), s.showAbs(filepath.Join(s.store.Dir(), "quarantine")))
	}
	if rep.BadRecords > 0 {
		a.print("Removed %s of results that were damaged.\n", count(rep.BadRecords, "record"))
	}
}
