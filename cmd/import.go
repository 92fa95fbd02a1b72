package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/project"
)

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	var settings settingsFlags
	c := &cobra.Command{
		Use:   "import url path",
		Short: "Copy data of another project and track where it came from",
		Long: `Copy what 'flow get' would: an output of another project, a file or directory in
one, or a file of its Git repository; and track it with the commit it is of, HEAD or
that of --rev. 'flow update' brings a newer version. What is imported is never
pushed: 'flow pull' brings it from where it came. url and path are recorded as they
are given, the data itself in the project's cache.`,
		Example: `  flow import https://example.com/team/reviews.git data/train.csv
  flow import ../other model.pkl --rev v1.0 -o models/old.pkl`,
		Args: cobra.ExactArgs(2),
		RunE: run(func(ctx context.Context, args []string) error {
			return cloudFailed(fmt.Sprintf("failed to import '%s' from '%s'.", args[1], project.HidePassword(args[0])), a.importFrom(ctx, &f, &settings, args[0], args[1]))
		}),
	}
	fl := c.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "import to `path`, or into it when it is a directory")
	fl.StringVar(&f.rev, "rev", "", "the Git `revision` to take, and to follow in updates")
	fl.BoolVarP(&f.force, "force", "f", false, "replace what is there")
	fl.BoolVar(&f.noExec, "no-exec", false, "only record the source and ask nothing: 'flow update' brings the data")
	fl.BoolVar(&f.noDownload, "no-download", false, "only record the commit: 'flow update' or 'flow pull' brings the data")
	c.MarkFlagsMutuallyExclusive("no-exec", "no-download")
	settings.add(c)
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "objects at once (default 64 for S3, else 4 for each processor)")
	return c
}

func (a *app) importFrom(ctx context.Context, f *importFlags, settings *settingsFlags, url, path string) (err error) {
	if f.jobs < 0 {
		return &exitError{exitUsage, fmt.Errorf("--jobs %d: must not be negative", f.jobs)}
	}
	if project.HidePassword(url) != url {
		return &hinted{errors.New("the URL has a password in it, which would be recorded"), "let Git know it: git config credential.helper"}
	}
	if err := noSecrets("--remote-config", settings.remoteConfig); err != nil {
		return err
	}
	described, err := settings.describe()
	if err != nil {
		return err
	}
	changes := new(changeSink)
	s, err := a.open(openOptions{sink: engine.Sinks{noticeSink{a}, changes}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	out, err := s.destination(path, f.out, f.force)
	if err != nil {
		return err
	}
	dest := s.abs(out)
	if err := s.engine.CheckImport(dest); err != nil {
		return err
	}
	dep := lock.NewSource(filepath.ToSlash(path))
	dep.Repo = withItem(nil, "url", url)
	if f.rev != "" {
		dep.Repo = withItem(dep.Repo, "rev", f.rev)
	}
	for _, it := range described.Items {
		dep.Repo = withItem(dep.Repo, it.Key.(string), it.Value)
	}
	if f.noExec {
		return a.recordOnly(ctx, s, engine.ImportRequest{Path: dest, Source: dep}, changes)
	}
	a.print("Importing '%s (%s)' -> '%s'\n", path, url, s.showAbs(dest))
	err = s.useCache(ctx, func() error {
		r, err := a.openImported(ctx, s, &dep, s.cwd, f.jobs)
		if err != nil {
			return err
		}
		defer r.close()
		return a.importAt(ctx, s, r, dep, dest, f.noDownload)
	})
	if err != nil {
		return err
	}
	return a.trackChanges(ctx, s, changes.files())
}

// recordOnly records an import of which nothing but the source is known.
func (a *app) recordOnly(ctx context.Context, s *session, req engine.ImportRequest, changes *changeSink) error {
	req.Content = new(cache.Entry)
	if err := s.useCache(ctx, func() error { _, err := s.engine.Import(ctx, req); return err }); err != nil {
		return err
	}
	return a.trackChanges(ctx, s, changes.files())
}

// openImported opens the repository of an import: at the revision that it follows,
// or when that is set at rev_lock. Objects that the project can use come into its
// own store.
func (a *app) openImported(ctx context.Context, s *session, dep *lock.DataEntry, base string, jobs int) (*repository, error) {
	ref, err := s.repositoryOf(dep, base)
	if err != nil {
		return nil, err
	}
	ref.temp = s.project.TempDir()
	if err := os.MkdirAll(ref.temp, 0o777); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	r, err := a.openRepository(ctx, ref, s.store)
	if err != nil {
		return nil, err
	}
	r.jobs = jobs
	if r.rev.commit == "" {
		r.close()
		return nil, &hinted{fmt.Errorf("'%s' is not in a Git repository: there is no commit to record", ref.url), "use `flow import-url` or `flow get`"}
	}
	return r, nil
}

// repositoryOf is what an import refers to. A relative url counts from where DVC
// takes it, the current directory, or else from base or the project's root.
func (s *session) repositoryOf(dep *lock.DataEntry, base string) (repositoryRef, error) {
	ref := repositoryRef{path: dep.Path, committed: true}
	for key, to := range map[string]*string{"url": &ref.url, "rev": &ref.rev} {
		v, ok := dep.Repo.Get(key)
		if !ok || v == nil {
			continue
		}
		if *to, ok = v.(string); !ok {
			return ref, fmt.Errorf("the import of '%s': its %s is no text", dep.Path, key)
		}
	}
	if err := ref.describe(dep.Repo); err != nil {
		return ref, fmt.Errorf("the import of '%s': %w", dep.Path, err)
	}
	ref.settings.base = importBase{s.cwd, base, s.project.Root}
	if lock, ok := dep.Repo.Get("rev_lock"); ok {
		if text, ok := lock.(string); ok && text != "" {
			ref.rev = text
		}
	}
	if !isRepositoryURL(ref.url) {
		if at := ref.settings.base.resolve(filepath.FromSlash(ref.url)); fileExists(at) {
			ref.url = at
		}
	}
	return ref, nil
}

// importAt brings what an opened repository has to dest and records it, with the
// commit.
func (a *app) importAt(ctx context.Context, s *session, r *repository, dep lock.DataEntry, dest string, noDownload bool) error {
	dep.Repo = withItem(dep.Repo, "rev_lock", r.rev.commit)
	req := engine.ImportRequest{Path: dest, Source: dep}
	if noDownload {
		if _, err := r.list(ctx, 1, false); err != nil {
			return err
		}
		req.Content = new(cache.Entry)
	} else {
		p := a.progress("Importing", "Imported")
		_, err := r.download(ctx, dest, true, p.add)
		p.close()
		if err != nil {
			return err
		}
	}
	_, err := s.engine.Import(ctx, req)
	return err
}

// repoKeys is the order in which DVC writes what describes a repository.
var repoKeys = []string{"url", "rev", "rev_lock", "config", "remote"}

// withItem returns a map with a key set. Keys of a repository are in DVC's order.
func withItem(m *yaml12.Map, key string, value any) *yaml12.Map {
	out := &yaml12.Map{}
	if m != nil {
		out.Items = slices.Clone(m.Items)
	}
	out.Set(key, value)
	if _, ok := out.Get("url"); !ok {
		return out
	}
	sorted := &yaml12.Map{}
	for _, name := range repoKeys {
		if v, ok := out.Get(name); ok {
			sorted.Items = append(sorted.Items, yaml12.Item{Key: name, Value: v})
		}
	}
	return sorted
}

// importOf is the dependency of an import, nil if a stage is none.
func importOf(st *pipeline.Stage) *lock.DataEntry {
	if !st.IsData() {
		return nil
	}
	return st.Data.Source()
}

// unlocked is the dependency without its rev_lock: what the import follows.
func unlocked(dep lock.DataEntry, rev string) lock.DataEntry {
	dep.Repo = dep.Repo.Without("rev_lock")
	if rev != "" {
		dep.Repo = withItem(dep.Repo, "rev", rev)
	}
	return dep
}

// errNotImported says that a target of update is no import.
var errNotImported = errors.New("is no import")
