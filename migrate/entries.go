package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
)

// place is where an entry is recorded: paths are relative to the root.
type place struct{ file, stage string }

// entryRef is a recorded entry and what it is about.
type entryRef struct {
	entry *lock.Entry
	// path is relative to the root, or an URL.
	path string
	// out is set for outputs that have to be in the cache.
	out bool
	// url is set for what is not in the workspace.
	url bool
}

// eachEntry calls fn for what the project's lock and .dvc files record. Entries
// may be changed.
func (m *Migration) eachEntry(fn func(at place, e *entryRef) error) error {
	return m.eachFile(func(f *pipeline.File, rel string, data []byte) error {
		if f.IsData() {
			d, err := lock.ParseData(rel, data)
			if err != nil {
				return err
			}
			return m.dataEntries(f, d, fn)
		}
		l, err := lock.Parse(rel, data)
		if err != nil {
			return err
		}
		for _, name := range l.Names() {
			st, _ := l.Stage(name)
			if err := m.stageEntries(f, rel, name, copyStage(st), fn); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachFile calls fn for the lock file of each dvc.yaml, where there is one, and
// for each .dvc file.
func (m *Migration) eachFile(fn func(f *pipeline.File, rel string, data []byte) error) error {
	for _, f := range m.o.Pipeline.Files {
		rel := f.Path
		if !f.IsData() {
			rel = path.Join(f.Dir(), "dvc.lock")
		}
		data, err := os.ReadFile(m.o.Project.Abs(rel))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read '%s': %w", rel, err)
		}
		if err := fn(f, rel, data); err != nil {
			return err
		}
	}
	return nil
}

func (m *Migration) dataEntries(f *pipeline.File, d *lock.DataFile, fn func(place, *entryRef) error) error {
	st := f.Stages[0]
	at := place{file: f.Path}
	for i := range d.Deps {
		if err := fn(at, &entryRef{entry: &d.Deps[i].Entry, path: st.Deps[i].Path, url: st.Deps[i].URL}); err != nil {
			return err
		}
	}
	for i := range d.Outs {
		if err := fn(at, &entryRef{entry: &d.Outs[i].Entry, path: st.Outs[i].Path, url: st.Outs[i].URL, out: st.Outs[i].Cache}); err != nil {
			return err
		}
	}
	return nil
}

// stageEntries calls fn for the entries of a stage's record. Where the pipeline no
// longer declares them, paths count from the file's directory.
func (m *Migration) stageEntries(f *pipeline.File, rel, name string, st *lock.Stage, fn func(place, *entryRef) error) error {
	at := place{file: rel, stage: name}
	decl, ok := f.Stage(name)
	if !ok {
		decl = new(pipeline.Stage)
	}
	for i := range st.Deps {
		e := &entryRef{entry: &st.Deps[i], path: path.Join(f.Dir(), st.Deps[i].Path), url: strings.Contains(st.Deps[i].Path, "://")}
		for _, d := range decl.Deps {
			if d.Def == st.Deps[i].Path {
				e.path, e.url = d.Path, d.URL
			}
		}
		if err := fn(at, e); err != nil {
			return err
		}
	}
	for i := range st.Outs {
		e := &entryRef{entry: &st.Outs[i], path: path.Join(f.Dir(), st.Outs[i].Path), url: strings.Contains(st.Outs[i].Path, "://"), out: true}
		for _, o := range decl.Outs {
			if o.Def == st.Outs[i].Path {
				e.path, e.url, e.out = o.Path, o.URL, o.Cache
			}
		}
		if err := fn(at, e); err != nil {
			return err
		}
	}
	return nil
}

// copyStage is a copy whose entries may be changed.
func copyStage(s *lock.Stage) *lock.Stage {
	c := *s
	c.Deps, c.Outs = append([]lock.Entry(nil), s.Deps...), append([]lock.Entry(nil), s.Outs...)
	return &c
}

// old reads a recorded entry in the cache's terms. It is zero when there is
// nothing to convert.
func (m *Migration) old(at place, e *lock.Entry) (cache.Entry, error) {
	for _, key := range []string{"cloud", "files"} {
		if _, ok := e.Extra.Get(key); ok {
			return cache.Entry{}, fmt.Errorf("'%s': entry '%s' is of a cloud-versioned remote, for which the other format has no place", at.file, e.Path)
		}
	}
	if e.Digest == "" {
		return cache.Entry{}, nil
	}
	h, err := cache.RecordedHash(e.Hash)
	if err != nil {
		return cache.Entry{}, fmt.Errorf("'%s': entry '%s': %w", at.file, e.Path, err)
	}
	if h == m.o.To.Hash {
		return cache.Entry{}, nil
	}
	d, err := cache.ParseDigest(h, e.Digest)
	if err != nil {
		return cache.Entry{}, fmt.Errorf("'%s': entry '%s': %w", at.file, e.Path, err)
	}
	return cache.Entry{Digest: d, Size: max(e.Size, 0), Exec: e.Exec}, nil
}

// available reports whether the content of an entry can be found.
func (m *Migration) available(ctx context.Context, at place, e *entryRef) (bool, error) {
	old, err := m.old(at, e.entry)
	if err != nil || old.Digest.IsZero() {
		return err == nil, err
	}
	lost, err := m.o.Store.Missing(ctx, old.Digest)
	if err != nil || len(lost) == 0 {
		return err == nil, err
	}
	_, ok, err := m.look(ctx, e, old.Digest)
	return ok, err
}

// convert gives an entry its digest in the new format; false means that its
// content is nowhere to be found.
func (m *Migration) convert(ctx context.Context, at place, e *entryRef) (bool, error) {
	old, err := m.old(at, e.entry)
	if err != nil || old.Digest.IsZero() {
		return err == nil, err
	}
	now, ok := m.known[old.Digest]
	if ok && old.Digest.IsDir() {
		// Execute bits that nobody noted are those of the workspace.
		if m.o.To.Hash == cache.BLAKE3 {
			if now, err = m.withExec(ctx, e, old.Digest, now); err != nil {
				return false, err
			}
		}
	}
	if !ok {
		var found *found
		if found, ok, err = m.look(ctx, e, old.Digest); err != nil || !ok {
			return false, err
		}
		if now, err = m.rehash(ctx, found); err != nil {
			return false, err
		}
		m.known[old.Digest] = now
	}
	le := e.entry
	le.Hash, le.Digest, le.Size = now.Digest.Hash().Name, now.Digest.String(), now.Size
	if now.Digest.IsDir() {
		le.Files = int64(now.Files)
	}
	return true, nil
}

// withExec returns a directory with the execute bits that it has in the
// workspace, when that is where it is.
func (m *Migration) withExec(ctx context.Context, e *entryRef, old cache.Digest, now cache.Entry) (cache.Entry, error) {
	if e.url {
		return now, nil
	}
	there, seen, err := m.scan(ctx, old, m.o.Project.Abs(e.path), "")
	if err != nil || there.Digest != old {
		return now, nil //nolint:nilerr // what is not there or cannot be read is something else
	}
	if noted, ok := m.notes.Exec[old.String()]; ok {
		m.lostExec(e, noted, seen)
		return now, nil
	}
	was, err := m.o.Store.Manifest(old)
	if err != nil {
		return now, nil //nolint:nilerr // as it was converted, then
	}
	full, ok := m.manifest(was, m.executable(old, seen))
	if !ok {
		return now, nil
	}
	if now, err = m.target.PutManifest(full); err == nil {
		m.known[old] = now
	}
	return now, err
}

// lostExec remembers the files of a directory in the workspace that should be
// executable and are not: a checkout by DVC loses that.
func (m *Migration) lostExec(e *entryRef, noted []string, seen *cache.Manifest) {
	for _, p := range noted {
		if b, ok := seen.Lookup(p); ok && !b.Exec {
			m.lost = append(m.lost, filepath.Join(m.o.Project.Abs(e.path), filepath.FromSlash(p)))
		}
	}
}

// restoreExec makes those files executable again. A file that shares its bytes
// with the cache is left for a checkout.
func (m *Migration) restoreExec() {
	for _, path := range m.lost {
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o200 != 0 {
			_ = os.Chmod(path, info.Mode().Perm()|info.Mode().Perm()&0o444>>2) // who may read may run
		}
	}
}

// found is where the content of an entry is, other than in the cache.
type found struct {
	// path is absolute; root stands for the project's root when it is a copy.
	path, root string
	out        bool
}

// look finds content in the workspace or in Git's current commit.
func (m *Migration) look(ctx context.Context, e *entryRef, d cache.Digest) (*found, bool, error) {
	if e.url {
		return nil, false, nil
	}
	abs := m.o.Project.Abs(e.path)
	if there, _, err := m.scan(ctx, d, abs, ""); err == nil && there.Digest == d {
		return &found{path: abs, out: e.out}, true, nil
	} else if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	if copied, ok := m.fromGit(ctx, e.path); ok {
		at := filepath.Join(copied, filepath.FromSlash(e.path))
		if there, _, err := m.scan(ctx, d, at, copied); err == nil && there.Digest == d {
			return &found{path: at, root: copied, out: e.out}, true, nil
		}
	}
	return nil, false, ctx.Err()
}

// scan hashes what is at a path as the digest d is made.
func (m *Migration) scan(ctx context.Context, d cache.Digest, abs, root string) (cache.Entry, *cache.Manifest, error) {
	sc := m.was
	sc.Hash = d.Hash()
	if root != "" {
		sc.Memo, sc.Ignore = nil, m.ignored(root)
	}
	return sc.Scan(ctx, abs)
}

// rehash hashes what was found by the new algorithm. An output goes into the
// cache, where it was not.
func (m *Migration) rehash(ctx context.Context, f *found) (cache.Entry, error) {
	sc := m.now
	if f.root != "" {
		sc.Memo, sc.Ignore = nil, m.ignored(f.root)
	}
	if f.out {
		e, _, err := m.target.Add(ctx, &sc, f.path, cache.SaveOptions{})
		return e, err
	}
	e, _, err := sc.Scan(ctx, f.path)
	return e, err
}

// fromGit returns a directory that stands for the root and has what Git's current
// commit has at a path.
func (m *Migration) fromGit(ctx context.Context, rel string) (string, bool) {
	g, ok := m.o.Project.Git()
	abs := m.o.Project.Abs(rel)
	if _, inside := m.o.Project.Rel(abs); !ok || !inside {
		return "", false
	}
	dir := filepath.Join(m.o.Project.StateDir(), "migrate", "git")
	if os.RemoveAll(dir) != nil || os.MkdirAll(dir, 0o777) != nil {
		return "", false
	}
	files, err := g.Tree(ctx, "HEAD", filepath.Dir(abs))
	if err != nil {
		return "", false
	}
	exec := map[string]bool{}
	some := false
	parent := filepath.Dir(abs)
	below := abs + string(filepath.Separator)
	for _, f := range files {
		if f.Path == abs || strings.HasPrefix(f.Path, below) {
			some = true
			exec[f.Path] = f.Exec
		}
	}
	if !some {
		return "", false
	}
	to := filepath.Dir(filepath.Join(dir, filepath.FromSlash(rel)))
	err = g.Extract(ctx, "HEAD", parent, to, func(name string, _ int64) bool {
		_, ok := exec[filepath.Join(parent, filepath.FromSlash(name))]
		return ok
	})
	if err != nil {
		return "", false
	}
	for name, x := range exec {
		if at, err := filepath.Rel(parent, name); x && err == nil {
			_ = os.Chmod(filepath.Join(to, at), 0o700) // without it the digest is another
		}
	}
	return dir, true
}
