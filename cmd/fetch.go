package cmd

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
)

func (a *app) fetchCommand() *cobra.Command {
	var f transferFlags
	c := &cobra.Command{
		Use:   "fetch [target]...",
		Short: "Bring data and results from a remote into the cache",
		Long: `Bring from the remote what the cache does not have of all that dvc.lock and .dvc
files record, or of the targets. The workspace is left alone: 'flow checkout' or
'flow pull' brings it there.`,
		ValidArgsFunction: a.completeStages,
		RunE: run(func(ctx context.Context, args []string) error {
			return cloudFailed("failed to fetch data from the cloud", a.fetch(ctx, &f, args))
		}),
	}
	f.add(c)
	f.addMore(c, "also all records of results")
	c.Flags().StringSliceVar(&f.kinds, "type", nil, "only `metrics` or plots")
	return c
}

func (a *app) fetch(ctx context.Context, f *transferFlags, args []string) (err error) {
	s, sel, rep, err := a.bring(ctx, f, args)
	_ = sel
	if s != nil {
		defer func() { err = s.close(err) }()
	}
	if rep == nil {
		return err
	}
	if f.json {
		return errors.Join(err, printJSON(a.stdout, rep))
	}
	a.printMoved(rep, "Fetched")
	switch {
	case err != nil:
	case rep.Objects > 0:
		a.print("%s fetched\n", count(rep.Objects, "file"))
	default:
		a.print("Everything is up to date.\n")
	}
	if err == nil && len(rep.Missing) > 0 {
		err = missingError(len(rep.Missing))
	}
	return err
}

// missingError says that objects are nowhere; which ones has been told.
func missingError(n int) error {
	return &hinted{
		errors.New(count(n, "file") + " failed to download: neither in the cache nor on the remote"),
		"push them from where they are, or make them again with `flow repro`",
	}
}

// bring fetches what the arguments choose. The session is to be closed by the
// caller; the report is nil when nothing was begun.
func (a *app) bring(ctx context.Context, f *transferFlags, args []string) (*session, *transferSelection, *transferReport, error) {
	if err := f.check(); err != nil {
		return nil, nil, nil, err
	}
	kinds, err := f.outputKinds()
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := a.openForTransfer()
	if err != nil {
		return nil, nil, nil, err
	}
	sel, err := a.choose(ctx, s, f, args)
	if err != nil {
		return s, nil, nil, err
	}
	rep := newReport()
	err = s.useCache(ctx, func() error { return a.fetchAll(ctx, s, f, sel, s.fetchable(sel.outs, kinds), rep) })
	return s, sel, rep, err
}

func (f *transferFlags) outputKinds() (map[pipeline.OutputKind]bool, error) {
	if len(f.kinds) == 0 {
		return nil, nil
	}
	kinds := map[pipeline.OutputKind]bool{}
	for _, k := range f.kinds {
		switch k {
		case "metrics":
			kinds[pipeline.MetricOutput] = true
		case "plots":
			kinds[pipeline.PlotOutput] = true
		default:
			return nil, &exitError{exitUsage, errors.New("--type: must be metrics or plots")}
		}
	}
	return kinds, nil
}

// fetchable leaves out what has no objects on remotes.
func (s *session) fetchable(outs []engine.Recorded, kinds map[pipeline.OutputKind]bool) []engine.Recorded {
	kindOf := map[string]pipeline.OutputKind{}
	for _, st := range s.set.Stages {
		for _, o := range st.Outs {
			kindOf[o.Path] = o.Kind
		}
	}
	var list []engine.Recorded
	for _, r := range outs {
		if r.Cache && (kinds == nil || kinds[kindOf[r.Path]]) {
			list = append(list, r)
		}
	}
	return list
}

func (a *app) fetchSelected(ctx context.Context, s *session, f *transferFlags, outs []engine.Recorded, rep *transferReport) error {
	names, groups := byRemote(outs, f.remote)
	if len(names) == 0 {
		names = []string{f.remote}
	}
	var errs []error
	for i, name := range names {
		o, err := s.openRemote(name, f.jobs, patientAttempts)
		if err != nil {
			if name == "" && s.allHere(ctx, groups[name]) && !f.runCache {
				continue // nothing is needed from a remote that does not exist
			}
			var none *noRemoteError
			if errors.As(err, &none) && allImported(groups[name]) && !f.runCache {
				continue // their sources are asked later
			}
			return err
		}
		o.tell(groups[name])
		p := a.progress("Fetching", "Fetched")
		t := o.transfer(s, p.add)
		list := items(groups[name])
		var runs []fetchedRun
		if f.runCache && i == 0 {
			if runs, err = s.remoteRuns(ctx, t); err != nil {
				p.close()
				return err
			}
			for _, r := range runs {
				list = append(list, r.needs...)
			}
		}
		res, err := t.Fetch(ctx, list)
		p.close()
		n, kerr := s.keepRuns(ctx, runs, &res)
		res.Records = n
		rep.add(o, res)
		errs = append(errs, err, kerr)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// allHere reports whether the cache lacks nothing of the outputs.
func (s *session) allHere(ctx context.Context, outs []engine.Recorded) bool {
	for _, r := range outs {
		if lost, err := s.store.Missing(ctx, r.Entry.Digest); err != nil || len(lost) > 0 {
			return false
		}
	}
	return len(outs) > 0
}

// fetchedRun is a record that came from a remote and is kept once its objects
// are there.
type fetchedRun struct {
	needs []remote.Item
	keep  func() error
}

const (
	// recordLimit bounds the size of a record.
	recordLimit = 16 << 20
	// recordsLimit bounds how many records one listing may name.
	recordsLimit = 1 << 20
)

// remoteRuns reads the records of results on a remote that are not here.
func (s *session) remoteRuns(ctx context.Context, t *remote.Transfer) ([]fetchedRun, error) {
	var list []fetchedRun
	err := t.Records(ctx, s.project.Format == project.DVC, recordsLimit, recordLimit, s.hasRecord, func(key, value string, data []byte) error {
		if s.project.Format == project.DVC {
			got, outs, err := engine.RunEntry(key, data)
			if err != nil || got != value {
				return nil //nolint:nilerr // damaged, or not what it is called
			}
			r := fetchedRun{keep: func() error {
				st, err := lock.ParseRun(data)
				if err != nil {
					return err
				}
				return s.runCache().Save(st)
			}}
			for i := range outs {
				entry, err := entryOf(&outs[i])
				if err != nil {
					return nil //nolint:nilerr // of a kind that is not known here
				}
				r.needs = append(r.needs, remote.Item{Entry: entry})
			}
			list = append(list, r)
			return nil
		}
		rec, err := cache.ParseRecord(data)
		if err != nil || rec.Key.String() != key {
			return nil //nolint:nilerr // damaged, or not what it is called
		}
		r := fetchedRun{keep: func() error { return s.store.PutRecord(rec) }}
		for _, o := range rec.Outputs {
			r.needs = append(r.needs, remote.Item{Entry: o.Entry})
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

func (s *session) hasRecord(key, value string) bool {
	if s.project.Format == project.DVC {
		return fileExists(filepath.Join(runsDir(s.project), key[:2], key, value))
	}
	k, err := cache.ParseKey(key)
	if err != nil {
		return false
	}
	_, err = s.store.Record(k)
	return err == nil
}

// keepRuns stores the records all of whose objects are here. Objects that only
// a record misses are no failure.
func (s *session) keepRuns(ctx context.Context, runs []fetchedRun, res *remote.Result) (int, error) {
	n := 0
	for _, r := range runs {
		all := true
		for _, it := range r.needs {
			lost, err := s.store.Missing(ctx, it.Entry.Digest)
			if err != nil {
				return n, err
			}
			all = all && len(lost) == 0
		}
		if !all {
			continue
		}
		if err := r.keep(); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func runsDir(p *project.Project) string { return filepath.Join(p.CacheDir(), "runs") }

// entryOf reads a recorded entry in the cache's terms.
func entryOf(le *lock.Entry) (cache.Entry, error) {
	h, err := cache.RecordedHash(le.Hash)
	if err != nil {
		return cache.Entry{}, err
	}
	d, err := cache.ParseDigest(h, le.Digest)
	return cache.Entry{Digest: d, Size: max(le.Size, 0), Files: int(max(le.Files, 0)), Exec: le.Exec}, err
}
