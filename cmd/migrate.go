package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/migrate"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
)

type migrateFlags struct {
	to           string
	dry, json    bool
	remotes      []string
	noRemote     bool
	allowMissing bool
	jobs         int
}

func (a *app) migrateCommand() *cobra.Command {
	var f migrateFlags
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Convert the project to the other format, and back",
		Long: `Convert the project between flow's own format (BLAKE3, .flow) and DVC's (MD5,
.dvc): dvc.lock and .dvc files, the cache, records of results, settings, and on
the remotes what the project uses. Objects are verified while they are read and
linked rather than copied. Nothing is removed: what is in the cache and on the
remotes in the old format stays there, because older revisions name it. History
in Git is not rewritten; commit the conversion as one change.

Until the end the project is as it was. An interrupted conversion goes on where
it was when the command is given again.`,
		Example: `  flow migrate --dry-run
  flow migrate
  flow migrate --to native --no-remote`,
		Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return a.migrate(ctx, &f)
		}),
	}
	fl := c.Flags()
	fl.StringVar(&f.to, "to", "", "the format: native or dvc (default the other one)")
	fl.BoolVar(&f.dry, "dry-run", false, "tell what there is to do, and write nothing")
	fl.StringSliceVarP(&f.remotes, "remote", "r", nil, "convert on the remote `name` only (default all that outputs are pushed to)")
	fl.BoolVar(&f.noRemote, "no-remote", false, "leave remotes alone")
	fl.BoolVar(&f.allowMissing, "allow-missing", false, "forget recorded content that is nowhere to be found, so that its stages run again")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "objects at once to and from remotes")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("remote", "no-remote")
	_ = c.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(
		[]cobra.Completion{project.Native.Name, project.DVC.Name}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// migrateReport is what --json prints.
type migrateReport struct {
	*migrate.Report
	DryRun bool `json:"dry_run"`
	// Fetched and Sent are what remotes took part in.
	Fetched *transferReport `json:"fetched,omitempty"`
	Sent    *transferReport `json:"sent,omitempty"`
}

func (a *app) migrate(ctx context.Context, f *migrateFlags) error {
	s, err := a.openForTransfer()
	if err != nil {
		return err
	}
	to := project.DVC
	if s.project.Format == project.DVC {
		to = project.Native
	}
	if f.to != "" && f.to != to.Name {
		if f.to == s.project.Format.Name {
			a.print("The project is in the %s format already.\n", f.to)
			return s.close(nil)
		}
		return s.close(&exitError{exitUsage, fmt.Errorf("--to %s: not a format; there are %s and %s", f.to, project.Native, project.DVC)})
	}
	rep, switched, err := a.migrateTo(ctx, s, f, to)
	if !switched {
		err = s.close(err)
	}
	// After the switch the old state directory is gone, and stays so.
	if rep == nil {
		return err
	}
	if f.json {
		return errors.Join(err, printJSON(a.stdout, rep))
	}
	if err == nil {
		a.printMigrated(s, f, rep)
	}
	return err
}

func (a *app) migrateTo(ctx context.Context, s *session, f *migrateFlags, to *project.Format) (rep *migrateReport, switched bool, err error) {
	unlock, err := s.project.Lock(ctx, a.waitLock)
	if err != nil {
		return nil, false, err
	}
	defer unlock() //nolint:errcheck // the lock goes with its file
	if err := s.nobodyRuns(ctx); err != nil {
		return nil, false, err
	}
	done, err := s.engine.Using(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	p := a.progress("Converting", "Converted")
	ended := false
	end := func() {
		if !ended {
			p.close()
		}
		ended = true
	}
	defer end()
	m, err := migrate.New(migrate.Options{
		Project: s.project, Store: s.store, Memo: s.memo, Pipeline: s.set, Engine: s.engine, To: to,
		AllowMissing: f.allowMissing,
		Progress: func(d migrate.Progress) {
			p.add(remote.Progress{Objects: d.Objects, Bytes: d.Bytes, MoreObjects: d.MoreObjects, MoreBytes: d.MoreBytes})
		},
	})
	if err != nil {
		return nil, false, err
	}
	rep = &migrateReport{Report: m.Report(), DryRun: f.dry}
	if f.dry {
		return rep, false, m.Survey(ctx)
	}
	groups, err := s.remotesToConvert(f)
	if err != nil {
		return nil, false, err
	}
	if rep.Fetched, err = a.fetchOld(ctx, s, f, groups); err != nil {
		return nil, false, err
	}
	if err := m.Convert(ctx); err != nil {
		return nil, false, err
	}
	end()
	if rep.Sent, err = a.sendConverted(ctx, s, f, m, groups); err != nil {
		return nil, false, err
	}
	np, err := m.Switch(ctx)
	return rep, np != nil, err
}

// nobodyRuns fails when another process works on paths of the project. The
// project's lock is held, so that none can begin to.
func (s *session) nobodyRuns(ctx context.Context) error {
	release, err := s.project.LockPaths(ctx, project.PathLocks{Write: []string{s.project.Root}, Cmd: "flow migrate"})
	if err != nil {
		return err
	}
	return release()
}

// remotesToConvert groups what is recorded by the remotes it belongs on. Without
// any remote there is nothing to convert there.
func (s *session) remotesToConvert(f *migrateFlags) (map[string][]engine.Recorded, error) {
	if f.noRemote {
		return nil, nil
	}
	list, err := s.engine.Recorded(engine.CheckoutRequest{}, true)
	if err != nil {
		return nil, err
	}
	standard, _ := s.project.Config.DefaultRemote()
	groups := map[string][]engine.Recorded{}
	for _, r := range pushable(s, list, true) {
		name := strings.ToLower(r.Remote)
		if name == "" {
			name = standard
		}
		if name != "" {
			groups[name] = append(groups[name], r)
		}
	}
	for _, name := range f.remotes {
		if _, err := s.project.Config.Remote(name); err != nil {
			return nil, err
		}
	}
	if len(f.remotes) > 0 {
		for name := range groups {
			if !slices.ContainsFunc(f.remotes, func(r string) bool { return strings.EqualFold(r, name) }) {
				delete(groups, name)
			}
		}
	}
	return groups, nil
}

func sortedNames(groups map[string][]engine.Recorded) []string {
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// fetchOld brings what the cache lacks of what the remotes have in the old format.
func (a *app) fetchOld(ctx context.Context, s *session, f *migrateFlags, groups map[string][]engine.Recorded) (*transferReport, error) {
	rep := newReport()
	for _, name := range sortedNames(groups) {
		var lacking []engine.Recorded
		for _, r := range groups[name] {
			lost, err := s.store.Missing(ctx, r.Entry.Digest)
			if err != nil {
				return nil, err
			}
			if len(lost) > 0 {
				lacking = append(lacking, r)
			}
		}
		if len(lacking) == 0 {
			continue
		}
		o, err := s.openRemote(name, f.jobs, patientAttempts)
		if err != nil {
			return nil, withoutRemote(err)
		}
		p := a.progress("Fetching", "Fetched")
		res, err := o.transfer(s, p.add).Fetch(ctx, items(lacking))
		p.close()
		rep.add(o, res)
		if err != nil {
			return nil, withoutRemote(err)
		}
	}
	return rep, nil
}

// sendConverted puts what the project uses on its remotes in the new format: files
// and directories, then the records of results.
func (a *app) sendConverted(ctx context.Context, s *session, f *migrateFlags, m *migrate.Migration, groups map[string][]engine.Recorded) (*transferReport, error) {
	rep := newReport()
	standard, _ := s.project.Config.DefaultRemote()
	for _, name := range sortedNames(groups) {
		o, err := s.openRemote(name, f.jobs, patientAttempts)
		if err != nil {
			return nil, withoutRemote(err)
		}
		if err := o.notVersioned("migrate", "use --no-remote, and a remote of its own for the new format"); err != nil {
			return nil, err
		}
		if m.Report().To == project.Native.Name {
			o.packs = s.packs(name)
		} else {
			o.packs = nil
		}
		var list []remote.Item
		for _, r := range groups[name] {
			if e, ok := m.Converted(r.Entry); ok {
				list = append(list, remote.Item{Entry: e})
			}
		}
		var records []remote.Record
		if name == standard {
			if records, err = convertedRecords(m, list); err != nil {
				return nil, err
			}
		}
		p := a.progress("Pushing", "Sent")
		res, err := o.transfer(s, p.add).Push(ctx, list, records)
		p.close()
		rep.add(o, res)
		if err != nil {
			return nil, withoutRemote(err)
		}
	}
	return rep, nil
}

// convertedRecords are the records that go with what is sent: those of which all
// outputs are.
func convertedRecords(m *migrate.Migration, list []remote.Item) ([]remote.Record, error) {
	sent := map[cache.Digest]bool{}
	for _, it := range list {
		sent[it.Entry.Digest] = true
	}
	var records []remote.Record
	add := func(r remote.Record) {
		if !slices.ContainsFunc(r.Needs, func(d cache.Digest) bool { return !sent[d] }) {
			records = append(records, r)
		}
	}
	for _, r := range m.Actions() {
		data, err := r.Encode()
		if err != nil {
			return nil, err
		}
		rec := remote.Record{Name: remote.RecordName(r.Key.String()), Data: data}
		for _, o := range r.Outputs {
			rec.Needs = append(rec.Needs, o.Entry.Digest)
		}
		add(rec)
	}
	for _, run := range m.Runs() {
		rec := remote.Record{Name: remote.RunName(lock.RunKey(run), lock.RunValue(run)), Data: lock.EncodeRun(run)}
		for i := range run.Outs {
			e, err := entryOf(&run.Outs[i])
			if err != nil {
				return nil, err
			}
			rec.Needs = append(rec.Needs, e.Digest)
		}
		add(rec)
	}
	return records, nil
}

// withoutRemote adds how to do without the remote.
func withoutRemote(err error) error {
	if interruptedBy(err) {
		return err
	}
	return &hinted{err, "the project is as it was; with --no-remote it is converted without its remotes, to be pushed afterwards"}
}

func (a *app) printMigrated(s *session, f *migrateFlags, rep *migrateReport) {
	for _, n := range rep.Notes {
		a.warn(n)
	}
	if f.dry {
		a.print("Would convert %s (%s) from the %s to the %s format.\n", count(rep.Objects, "object"), byteCount(rep.Bytes), rep.From, rep.To)
	} else {
		a.print("Converted %s (%s) from the %s to the %s format", count(rep.Objects, "object"), byteCount(rep.Bytes), rep.From, rep.To)
		if rep.Copied > 0 {
			a.print("; %s could not be linked and take further space", count(rep.Copied, "object"))
		}
		a.print(".\n")
		if rep.Records+rep.RecordsLeft > 0 {
			a.print("Carried over %s of results", count(rep.Records, "record"))
			if rep.RecordsLeft > 0 {
				a.print("; %d depend on what the other format cannot tell, or on content that is no longer here", rep.RecordsLeft)
			}
			a.print(".\n")
		}
		if rep.Sent != nil && len(rep.Sent.Remotes) > 0 {
			a.printMoved(rep.Sent, "Sent")
		}
	}
	for _, d := range rep.Damaged {
		a.warn(fmt.Sprintf("object %s is damaged and was moved to quarantine", d))
	}
	if n := len(rep.Incomplete); n > 0 {
		a.warn(fmt.Sprintf("%d of the cache's directories lack members and were left out", n))
	}
	for _, e := range rep.Missing {
		a.warn(fmt.Sprintf("the content of '%s' (%s) is not to be found", e.Path, e.File))
	}
	if f.dry {
		a.print("These files would change:\n")
		for _, file := range rep.Files {
			a.print("\t%s\n", s.show(file))
		}
		return
	}
	if _, ok := s.project.Git(); ok {
		a.print("\nOlder commits are not rewritten: what they name stays in the cache and on remotes.\nTo track the changes with git, run:\n\n\tgit add -A .\n")
	}
}
