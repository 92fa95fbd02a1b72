package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

// workspaceName is how the workspace is called among revisions.
const workspaceName = "workspace"

// maxResultFile bounds metrics, plots and parameter files, in bytes.
const maxResultFile = 256 << 20

// revision is the workspace or a commit: a pipeline, and the files that go
// with it. Files that Git does not have come from the cache, by the digests of
// the revision's lock and .dvc files.
type revision struct {
	name   string
	commit string // "" for the workspace
	set    *pipeline.Set
	s      *session
	cached map[string]cache.Digest
	sizes  map[string]int64 // of what is in cached, in bytes, as recorded
	execs  map[string]bool  // those of them that are executable
}

// workspace returns the session's own files as a revision.
func (s *session) workspace() *revision {
	r := &revision{name: workspaceName, set: s.set, s: s}
	r.index(func(rel string) ([]byte, error) { return os.ReadFile(s.project.Abs(rel)) })
	return r
}

// errNoGit says that there are no revisions.
var errNoGit = errors.New("the project is not in a Git repository, so it has no revisions to compare")

// at loads a revision by its name; "workspace" is the workspace.
func (s *session) at(ctx context.Context, name string) (*revision, error) {
	if name == workspaceName {
		return s.workspace(), nil
	}
	g, ok := s.project.Git()
	if !ok {
		return nil, errNoGit
	}
	commit, err := g.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.atCommit(ctx, g, name, commit)
}

// atCommit loads the pipeline of a commit from a copy of the files that it may
// be made of.
func (s *session) atCommit(ctx context.Context, g *project.Git, name, commit string) (r *revision, err error) {
	r = &revision{name: name, commit: commit, s: s}
	dir, err := os.MkdirTemp("", "flow-revision-")
	if err != nil {
		return nil, fmt.Errorf("load revision '%s': %w", name, err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary directory does no harm
	const largest = 4 << 20
	err = g.Extract(ctx, commit, s.project.Root, dir, func(rel string, size int64) bool {
		base := path.Base(rel)
		switch path.Ext(base) {
		case ".yaml", ".yml", ".json", ".toml", ".py":
			return size <= largest
		}
		return base == "dvc.lock" || base == ".dvcignore" || path.Ext(base) == ".dvc"
	})
	if err != nil {
		return nil, fmt.Errorf("load revision '%s': %w", name, err)
	}
	o := pipelineOptions(s.project, project.NewIgnore(dir))
	o.Root, o.GitIgnored = dir, nil
	if r.set, err = pipeline.Load(o); err != nil {
		return nil, fmt.Errorf("load revision '%s': %s", name, firstLine(err.Error()))
	}
	r.index(func(rel string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(rel)))
	})
	return r, nil
}

// index finds the digests of cached outputs. Lock files that cannot be read
// name none: what depends on them is reported as missing.
func (r *revision) index(read func(rel string) ([]byte, error)) {
	r.cached, r.sizes, r.execs = map[string]cache.Digest{}, map[string]int64{}, map[string]bool{}
	locks := map[string]*lock.File{}
	for _, st := range r.set.Stages {
		var entries []lock.Entry
		if st.IsData() {
			for _, o := range st.Data.Outs {
				entries = append(entries, o.Entry)
			}
		} else {
			file := path.Join(path.Dir(st.File), "dvc.lock")
			l, seen := locks[file]
			if !seen {
				if data, err := read(file); err == nil {
					l, _ = lock.Parse(file, data)
				}
				locks[file] = l
			}
			if l == nil {
				continue
			}
			if rec, ok := l.Stage(st.Name); ok {
				entries = rec.Outs
			}
		}
		for _, o := range st.Outs {
			for _, e := range entries {
				if e.Path != o.Def {
					continue
				}
				h, err := cache.RecordedHash(e.Hash)
				if err != nil {
					continue
				}
				if d, err := cache.ParseDigest(h, e.Digest); err == nil {
					r.cached[o.Path], r.sizes[o.Path], r.execs[o.Path] = d, e.Size, e.Exec
				}
			}
		}
	}
}

// read returns the content of a file by its path from the root. The error
// wraps fs.ErrNotExist when the revision does not have it.
func (r *revision) read(ctx context.Context, rel string) ([]byte, error) {
	var data []byte
	var err error
	if r.commit == "" {
		abs := r.s.project.Abs(rel)
		var fi fs.FileInfo
		if fi, err = os.Stat(abs); err == nil && fi.Size() > maxResultFile {
			return nil, fmt.Errorf("'%s' is larger than %d MiB", rel, maxResultFile>>20)
		}
		data, err = os.ReadFile(abs)
	} else {
		g, _ := r.s.project.Git()
		data, err = g.ReadFile(ctx, r.commit, r.s.project.Abs(rel))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	d, ok := r.cached[rel]
	if !ok {
		d, ok = r.member(rel)
	}
	if !ok {
		return nil, fmt.Errorf("no such file in '%s': '%s': %w", r.name, rel, fs.ErrNotExist)
	}
	f, err := r.s.store.Open(d)
	if err != nil {
		return nil, fmt.Errorf("read '%s' of '%s' from the cache: %w", rel, r.name, err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	data, err = io.ReadAll(io.LimitReader(f, maxResultFile+1))
	if err == nil && len(data) > maxResultFile {
		err = fmt.Errorf("'%s' is larger than %d MiB", rel, maxResultFile>>20)
	}
	return data, err
}

// member finds a file in a cached directory.
func (r *revision) member(rel string) (cache.Digest, bool) {
	for dir := path.Dir(rel); dir != "." && dir != "/"; dir = path.Dir(dir) {
		d, ok := r.cached[dir]
		if !ok {
			continue
		}
		m, err := r.s.store.Manifest(d)
		if err != nil {
			return cache.Digest{}, false
		}
		found, ok := m.Lookup(strings.TrimPrefix(rel, dir+"/"))
		return found.Digest, ok
	}
	return cache.Digest{}, false
}

// files returns the files that a path means: itself, or, of a directory, all
// below it in order. A path that does not exist is returned as it is.
func (r *revision) files(ctx context.Context, rel string) ([]string, error) {
	rel = path.Clean(rel)
	var list []string
	if r.commit == "" {
		abs := r.s.project.Abs(rel)
		if fi, err := os.Stat(abs); err == nil && !fi.IsDir() {
			return []string{rel}, nil
		}
		err := filepath.WalkDir(abs, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			below, err := filepath.Rel(abs, p)
			list = append(list, path.Join(rel, filepath.ToSlash(below)))
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	} else {
		g, _ := r.s.project.Git()
		all, err := g.ListFiles(ctx, r.commit, r.s.project.Abs(rel))
		if err != nil {
			return nil, err
		}
		for _, abs := range all {
			if p, ok := r.s.project.Rel(abs); ok {
				list = append(list, filepath.ToSlash(p))
			}
		}
	}
	if len(list) == 0 {
		if d, ok := r.cached[rel]; ok && d.IsDir() {
			m, err := r.s.store.Manifest(d)
			if err != nil {
				return nil, fmt.Errorf("list '%s' of '%s': %w", rel, r.name, err)
			}
			for _, f := range m.Members {
				list = append(list, path.Join(rel, f.Path))
			}
		}
	}
	if len(list) == 0 {
		list = []string{rel}
	}
	slices.Sort(list)
	return list, nil
}

// show returns a path from the root as it is seen from the current directory.
func (r *revision) show(rel string) string { return r.s.show(rel) }

// revisionFlags choose the revisions that are shown beside the workspace.
type revisionFlags struct{ branches, tags, commits bool }

func (f revisionFlags) any() bool { return f.branches || f.tags || f.commits }

// chosen returns the workspace and the chosen commits, those with several
// names once. Revisions that cannot be loaded are warned of and left out.
func (a *app) chosen(ctx context.Context, s *session, f revisionFlags) ([]*revision, error) {
	list := []*revision{s.workspace()}
	if !f.any() {
		return list, nil
	}
	g, ok := s.project.Git()
	if !ok {
		return nil, errNoGit
	}
	var found []project.Revision
	for _, part := range []struct {
		wanted bool
		list   func(context.Context) ([]project.Revision, error)
	}{{f.branches, g.Branches}, {f.tags, g.Tags}, {f.commits, func(ctx context.Context) ([]project.Revision, error) {
		all, err := g.Commits(ctx)
		var revs []project.Revision
		for _, c := range all {
			revs = append(revs, project.Revision{Name: c, Commit: c})
		}
		return revs, err
	}}} {
		if !part.wanted {
			continue
		}
		revs, err := part.list(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, revs...)
	}
	names := map[string][]string{}
	var commits []string
	for _, r := range found {
		if names[r.Commit] == nil {
			commits = append(commits, r.Commit)
		}
		if n := r.Name; n != r.Commit || len(names[r.Commit]) == 0 {
			names[r.Commit] = append(names[r.Commit], n)
		}
	}
	for _, c := range commits {
		r, err := s.atCommit(ctx, g, strings.Join(names[c], ","), c)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			a.warn(err.Error())
			continue
		}
		list = append(list, r)
	}
	return list, nil
}

// fromHere returns a path of the command line, relative to the current
// directory or absolute, as a path from the root, absolute when it lies outside.
func (s *session) fromHere(arg string) string {
	abs := arg
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(s.cwd, arg)
	}
	if rel, ok := s.project.Rel(abs); ok {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(abs)
}
