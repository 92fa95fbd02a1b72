package cmd

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
)

func (a *app) pushCommand() *cobra.Command {
	var f transferFlags
	c := &cobra.Command{
		Use:   "push [target]...",
		Short: "Send data and results to a remote",
		Long: `Send to the remote what it does not have: all that dvc.lock and .dvc files record,
or the targets: stages, .dvc files, outputs, or paths inside tracked directories.

In the native format the records of results go along, so that others can restore
them with 'flow repro --pull'. In a DVC project the run cache does with
--run-cache, as in DVC, or always with the setting flow.push_run_cache.`,
		Example: `  flow push
  flow push -r backup train
  flow push --all-branches --all-tags`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return cloudFailed("failed to push data to the cloud", a.push(ctx, &f, args))
		}),
	}
	f.add(c)
	f.addMore(c, "also all records of results (the default in the native format)")
	return c
}

func (a *app) push(ctx context.Context, f *transferFlags, args []string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	s, err := a.openForTransfer()
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	sel, err := a.choose(ctx, s, f, args)
	if err != nil {
		return err
	}
	rep := newReport()
	err = s.useCache(ctx, func() error { return a.pushSelected(ctx, s, f, sel, rep) })
	if f.json {
		return errors.Join(err, printJSON(a.stdout, rep))
	}
	a.printMoved(rep, "Sent")
	switch {
	case err != nil:
	case rep.Objects > 0:
		a.print("%s pushed\n", count(rep.Objects, "file"))
	default:
		a.print("Everything is up to date.\n")
	}
	return err
}

func (a *app) pushSelected(ctx context.Context, s *session, f *transferFlags, sel *transferSelection, rep *transferReport) error {
	withRuns := !f.noRunCache &&
		(f.runCache || s.project.Format == project.Native || s.project.Config.Bool("flow", "push_run_cache", false))
	names, groups := byRemote(pushable(s, sel.outs, withRuns), f.remote)
	var records []remote.Record
	if withRuns && !sel.nothing {
		var needs []engine.Recorded
		var err error
		if records, needs, err = s.localRecords(sel); err != nil {
			return err
		}
		main := strings.ToLower(f.remote)
		if len(records) > 0 && groups[main] == nil {
			names = append(names, main)
		}
		groups[main] = append(groups[main], needs...)
	}
	if len(names) == 0 {
		// There may be nothing to send; but where to must be known.
		names = []string{f.remote}
	}
	var errs []error
	for _, name := range names {
		o, err := s.openRemote(name, f.jobs, patientAttempts)
		if err != nil {
			return err
		}
		if err := o.notVersioned("push", "push with `dvc push`, which keeps the versions in dvc.lock and .dvc files; flow reads such remotes"); err != nil {
			return err
		}
		var own []remote.Record
		if name == strings.ToLower(f.remote) {
			own = records
		}
		p := a.progress("Pushing", "Sent")
		res, err := o.transfer(s, p.add).Push(ctx, items(groups[name]), own)
		p.close()
		rep.add(o, res)
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// pushable leaves out what may not be sent, and what is not cached unless a
// record may need it and its object is there.
func pushable(s *session, outs []engine.Recorded, withRuns bool) []engine.Recorded {
	var list []engine.Recorded
	for _, r := range outs {
		if !r.Push || r.OfRepository() {
			continue
		}
		if !r.Cache && (!withRuns || !s.store.Has(r.Entry.Digest)) {
			continue
		}
		list = append(list, r)
	}
	return list
}

// localRecords returns the records of results that go with a selection: in the
// native format those of which all outputs are selected, in DVC's all, with the
// outputs that they name.
func (s *session) localRecords(sel *transferSelection) ([]remote.Record, []engine.Recorded, error) {
	if s.project.Format == project.DVC {
		return s.localRuns()
	}
	selected := map[cache.Digest]bool{}
	for _, r := range sel.outs {
		if r.Within == "" && r.Push {
			selected[r.Entry.Digest] = true
		}
	}
	var list []remote.Record
	err := s.store.WalkRecords(func(r *cache.Record, _ int64, _ time.Time) error {
		rec := remote.Record{Name: remote.RecordName(r.Key.String())}
		for _, o := range r.Outputs {
			if !selected[o.Entry.Digest] {
				return nil
			}
			rec.Needs = append(rec.Needs, o.Entry.Digest)
		}
		var err error
		if rec.Data, err = r.Encode(); err != nil {
			return err
		}
		list = append(list, rec)
		return nil
	})
	return list, nil, err
}

// localRuns returns all entries of DVC's run cache.
func (s *session) localRuns() ([]remote.Record, []engine.Recorded, error) {
	var list []remote.Record
	var needs []engine.Recorded
	runs := s.runCache()
	err := runs.Walk(func(key, value, path string) error {
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		got, outs, err := engine.RunEntry(key, data)
		if err != nil || got != value {
			return nil //nolint:nilerr // a damaged entry is none
		}
		rec := remote.Record{Name: remote.RunName(key, value), Data: data}
		for i := range outs {
			entry, err := entryOf(&outs[i])
			if err != nil || !s.store.Has(entry.Digest) {
				return nil //nolint:nilerr // it could not be restored
			}
			rec.Needs = append(rec.Needs, entry.Digest)
			needs = append(needs, engine.Recorded{Path: outs[i].Path, Entry: entry, Cache: true, Push: true})
		}
		list = append(list, rec)
		return nil
	})
	return list, needs, err
}

func (s *session) runCache() *lock.RunCache { return &lock.RunCache{Dir: runsDir(s.project)} }
