package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/remote"
)

type importFlags struct {
	out, rev, remote                   string
	jobs                               int
	force, noExec, noDownload, toCloud bool
	fsConfig                           []string
}

func (a *app) importURLCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import-url url [out]",
		Short: "Copy data from a URL or path and track where it came from",
		Long: `Copy a file or directory from outside of the project and track it, as 'flow add'
does, with where it came from and which version that was: 'flow update' brings a
newer one. Sources are paths, http:// and https:// (the environment variable
FLOW_SOURCE_AUTHORIZATION is sent as the Authorization header), s3:// with the
credentials that AWS's own tools use, also all objects below a name, and
remote://NAME/PATH with the settings of the project's remote.`,
		Example: `  flow import-url https://example.com/reviews.csv.gz data/reviews.csv.gz
  flow import-url s3://bucket/reviews
  flow import-url /mnt/share/embeddings --no-download`,
		Args: cobra.RangeArgs(1, 2),
		RunE: run(func(ctx context.Context, args []string) error {
			if len(args) > 1 {
				f.out = args[1]
			}
			return cloudFailed(fmt.Sprintf("failed to import %s. You could also try downloading it manually, and adding it with `flow add`.", project.HidePassword(args[0])),
				a.importURL(ctx, &f, args[0]))
		}),
	}
	fl := c.Flags()
	fl.BoolVarP(&f.force, "force", "f", false, "replace what is there")
	fl.BoolVar(&f.noExec, "no-exec", false, "only record the source and ask nothing: 'flow update' brings the data")
	fl.BoolVar(&f.noDownload, "no-download", false, "only record the source and its version: 'flow update' or 'flow pull' brings the data")
	fl.StringArrayVar(&f.fsConfig, "fs-config", nil, "a setting for the source as a remote would have it, as `name=value`; may be repeated")
	f.where(c)
	c.MarkFlagsMutuallyExclusive("no-exec", "no-download", "to-remote")
	return c
}

// where adds the flags that say where data from a URL goes.
func (f *importFlags) where(c *cobra.Command) {
	fl := c.Flags()
	fl.BoolVar(&f.toCloud, "to-remote", false, "send the data to the remote and not to the workspace: 'flow pull' brings it")
	fl.StringVarP(&f.remote, "remote", "r", "", "with --to-remote, the remote to use instead of the default `name`")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "objects at once (default 64 for S3, else 4 for each processor)")
	c.MarkFlagsMutuallyExclusive("no-download", "to-remote")
}

func (f *importFlags) check() error {
	switch {
	case f.jobs < 0:
		return &exitError{exitUsage, fmt.Errorf("--jobs %d: must not be negative", f.jobs)}
	case f.remote != "" && !f.toCloud:
		return errors.New("--remote can't be used without --to-remote")
	}
	return nil
}

func (a *app) importURL(ctx context.Context, f *importFlags, url string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	if err := noSecrets("--fs-config", f.fsConfig); err != nil {
		return err
	}
	settings, err := settingsMap("--fs-config", f.fsConfig)
	if err != nil {
		return err
	}
	changes := new(changeSink)
	s, err := a.open(openOptions{sink: engine.Sinks{noticeSink{a}, changes}})
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()
	out, err := s.destination(url, f.out, f.force)
	if err != nil {
		return err
	}
	im := &importing{a: a, s: s, flags: f, dest: s.abs(out), source: lock.NewSource(s.sourcePath(url, s.abs(out)))}
	if settings.Len() > 0 {
		im.source.Extra = withItem(nil, "fs_config", settings)
	}
	if im.from, err = s.openSource(url, s.cwd, settings, s.project.Format.Hash); err != nil {
		return err
	}
	if err := s.engine.CheckImport(im.dest); err != nil {
		return err
	}
	if f.noExec {
		return a.recordOnly(ctx, s, engine.ImportRequest{Path: im.dest, Source: im.source}, changes)
	}
	a.print("Importing '%s' -> '%s'\n", url, s.showAbs(im.dest))
	if err := s.useCache(ctx, func() error { return im.run(ctx) }); err != nil {
		return notThere(url, err)
	}
	return a.trackChanges(ctx, s, changes.files())
}

// notThere says in DVC's words that a source does not exist.
func notThere(url string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dependency '%s' does not exist: %w", url, err)
	}
	return err
}

// sourcePath is how the .dvc file beside dest writes a source: a URL or a path
// outside of the project as it is, another path relative to the file.
func (s *session) sourcePath(url, dest string) string {
	if strings.Contains(url, "://") {
		return url
	}
	abs := s.abs(url)
	if _, inside := s.project.Rel(abs); !inside && filepath.IsAbs(filepath.FromSlash(url)) {
		return filepath.ToSlash(url)
	}
	rel, err := filepath.Rel(filepath.Dir(dest), abs)
	if err != nil {
		return filepath.ToSlash(abs)
	}
	return filepath.ToSlash(rel)
}

// importing is an import from a URL or path that is under way.
type importing struct {
	a      *app
	s      *session
	flags  *importFlags
	from   importSource
	dest   string // absolute
	source lock.DataEntry
}

// run brings the data and records it.
func (im *importing) run(ctx context.Context) error {
	now, err := im.state(ctx)
	if err != nil {
		return err
	}
	return im.bring(ctx, now)
}

// state is what the source has now. The digest of local data is that of its copy,
// which is hashed anyway.
func (im *importing) state(ctx context.Context) (lock.DataEntry, error) {
	if l, ok := im.from.(*localSource); ok && !im.flags.noDownload {
		fi, err := os.Stat(l.path)
		e := lock.NewSource("")
		if err == nil {
			e.Exec = fi.Mode().IsRegular() && fi.Mode()&0o100 != 0
		}
		return e, err
	}
	return im.from.state(ctx)
}

// bring brings the version of the source that now describes, and records it.
func (im *importing) bring(ctx context.Context, now lock.DataEntry) error {
	now.Path = im.source.Path
	if v, ok := im.source.Extra.Get("fs_config"); ok {
		now.Extra = withItem(now.Extra, "fs_config", v)
	}
	req := engine.ImportRequest{Path: im.dest, Source: now}
	if im.flags.noDownload && now.IsKnown() {
		req.Content = new(cache.Entry)
		return im.record(ctx, req)
	}
	stage, err := newStaging(filepath.Dir(im.dest))
	if err != nil {
		return err
	}
	defer stage.remove()
	place := stage.place
	p := im.a.progress("Importing", "Imported")
	err = im.from.fetch(ctx, place, p.add)
	p.close()
	if err != nil {
		return err
	}
	if _, local := im.from.(*localSource); !local && now.IsKnown() {
		// What came must be what is recorded.
		after, err := im.from.state(ctx)
		if err != nil {
			return err
		}
		if !sameSource(&now, &after) {
			return &hinted{fmt.Errorf("'%s' changed while it was downloaded", now.Path), "try again"}
		}
	}
	switch {
	case im.flags.toCloud:
		if req.Content, err = im.send(ctx, stage); err != nil {
			return err
		}
	case im.flags.noDownload:
		// Only the content tells which version it is; it is not kept.
		entry, _, err := im.s.engine.Scan(ctx, filepath.ToSlash(place), im.s.project.Format.Hash)
		if err != nil {
			return err
		}
		e := lock.NewSource(now.Path)
		e.Digest, e.Size = entry.Digest.String(), entry.Size
		if entry.Digest.IsDir() {
			e.Files = int64(entry.Files)
		}
		req.Source, req.Content = e, new(cache.Entry)
	default:
		if err := stage.take(im.dest, true); err != nil {
			return err
		}
	}
	return im.record(ctx, req)
}

func (im *importing) record(ctx context.Context, req engine.ImportRequest) error {
	_, err := im.s.engine.Import(ctx, req)
	return err
}

// send puts the data onto the remote, by way of a store in a temporary directory.
func (im *importing) send(ctx context.Context, stage *staging) (*cache.Entry, error) {
	h := im.s.project.Format.Hash
	store, err := cache.Open(cache.Options{Dir: filepath.Join(stage.dir, "cache"), Hash: h, Temp: filepath.Join(stage.dir, "tmp"), Links: []cache.LinkType{cache.Hardlink}})
	if err != nil {
		return nil, err
	}
	entry, _, err := store.Add(ctx, &cache.Scanner{Hash: h}, stage.place, cache.SaveOptions{})
	if err != nil {
		return nil, err
	}
	o, err := im.s.openRemote(im.flags.remote, im.flags.jobs, patientAttempts)
	if err != nil {
		return nil, err
	}
	p := im.a.progress("Pushing", "Sent")
	t := o.transfer(im.s, p.add)
	t.Cache = store
	_, err = t.Push(ctx, []remote.Item{{Entry: entry}}, nil)
	p.close()
	return &entry, err
}
