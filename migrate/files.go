package migrate

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

// rewrite gives all lock and .dvc files their new text, in memory.
func (m *Migration) rewrite(ctx context.Context) error {
	m.files = nil
	defer os.RemoveAll(filepath.Join(m.o.Project.StateDir(), "migrate", "git")) //nolint:errcheck // copies of what Git has
	return m.eachFile(func(f *pipeline.File, rel string, data []byte) error {
		var now []byte
		var err error
		if f.IsData() {
			now, err = m.rewriteData(ctx, f, data)
		} else {
			now, err = m.rewriteLock(ctx, f, rel, data)
		}
		if err != nil || string(now) == string(data) {
			return err
		}
		m.files = append(m.files, rewritten{rel, data, now})
		m.report.Files = append(m.report.Files, rel)
		return nil
	})
}

// converting is what converts each entry and notes what is missing.
func (m *Migration) converting(ctx context.Context) func(place, *entryRef) error {
	return func(at place, e *entryRef) error {
		ok, err := m.convert(ctx, at, e)
		if err == nil && !ok {
			m.miss(at, e)
			// What stays without digest is recorded as never seen.
			*e.entry = lock.Entry{Path: e.entry.Path, Size: -1, Files: -1}
		}
		return err
	}
}

func (m *Migration) rewriteData(ctx context.Context, f *pipeline.File, data []byte) ([]byte, error) {
	d, err := lock.ParseData(f.Path, data)
	if err != nil {
		return nil, err
	}
	checked := d.MD5 != "" && d.MD5 == d.Checksum()
	if err := m.dataEntries(f, d, m.converting(ctx)); err != nil {
		return nil, err
	}
	if checked {
		d.MD5 = d.Checksum()
	}
	return d.Recast()
}

func (m *Migration) rewriteLock(ctx context.Context, f *pipeline.File, rel string, data []byte) ([]byte, error) {
	l, err := lock.Parse(rel, data)
	if err != nil {
		return nil, err
	}
	for _, name := range l.Names() {
		was, _ := l.Stage(name)
		now := copyStage(was)
		if err := m.stageEntries(f, rel, name, now, m.converting(ctx)); err != nil {
			return nil, err
		}
		m.version(f, rel, name, was, now)
		l.Set(name, now)
	}
	return l.Encode(), nil
}

// version keeps the version of a Go function where the format has no place for
// it, and takes it back. Of one that DVC's format never had, this program's
// counts, as it does for flow in such a project.
func (m *Migration) version(f *pipeline.File, rel, name string, was, st *lock.Stage) {
	id := rel + ":" + name
	if m.o.To == project.DVC {
		if st.Version == "" {
			return
		}
		version := st.Version
		st.Version = ""
		m.notes.Versions[id] = versionNote{Version: version, Entry: lock.RunValue(st)}
		return
	}
	if note, ok := m.notes.Versions[id]; ok && note.Entry == lock.RunValue(was) {
		st.Version = note.Version
		return
	}
	if decl, ok := f.Stage(name); ok {
		if _, version, ok := m.o.Engine.GoStage(decl); ok {
			st.Version = version
		}
	}
}

// relinks prepares symbolic links into the cache to lead to the objects' new
// places.
func (m *Migration) relinks(ctx context.Context, s *project.Switch) error {
	m.report.Links = 0
	for _, st := range m.o.Pipeline.Stages {
		for _, o := range st.Outs {
			if o.URL || filepath.IsAbs(filepath.FromSlash(o.Path)) {
				continue
			}
			err := filepath.WalkDir(m.o.Project.Abs(o.Path), func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return nil //nolint:nilerr // an output that is not there has no links
				}
				if d.Type()&fs.ModeSymlink == 0 {
					return ctx.Err()
				}
				target, err := os.Readlink(path)
				if err != nil {
					return err
				}
				if now, ok := m.linkTarget(target); ok {
					rel, _ := m.o.Project.Rel(path)
					s.Relink(rel, target, s.Moved(now))
					m.report.Links++
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// linkTarget is the new object for one of the old format.
func (m *Migration) linkTarget(target string) (string, bool) {
	if !strings.HasPrefix(target, m.o.Store.Dir()+string(filepath.Separator)) {
		return "", false
	}
	text := filepath.Base(filepath.Dir(target)) + filepath.Base(target)
	for _, h := range []*cache.Hash{m.o.Project.Format.Hash, cache.MD5Text} {
		d, err := cache.ParseDigest(h, text)
		if err != nil || m.o.Store.Path(d) != target {
			continue
		}
		if e, ok := m.known[d]; ok {
			return m.target.Path(e.Digest), true
		}
	}
	return "", false
}
