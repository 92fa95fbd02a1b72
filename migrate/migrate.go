package migrate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
)

// Options say what is converted. All but Memo, Ignore, AllowMissing and Progress
// are required. The project's lock must be held.
type Options struct {
	Project  *project.Project
	Store    *cache.Store
	Memo     *cache.Memo
	Pipeline *pipeline.Set
	Engine   *engine.Engine
	Ignore   *project.Ignore
	// To is the format to convert to, another than the project's.
	To *project.Format
	// AllowMissing forgets the digests in dvc.lock of what is nowhere to be found,
	// so that the stages run again. Data of .dvc files cannot be forgotten.
	AllowMissing bool
	// Workers bounds parallel reading; 0 means the number of CPUs.
	Workers int
	// Progress is told what was done since the last call, from several goroutines.
	Progress func(Progress)
}

// Progress is what was done, or found to do, since the last time.
type Progress struct {
	Objects, Bytes, MoreObjects, MoreBytes int64
}

// Report says what is to be done, or was.
type Report struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Objects and Bytes are in the cache in the old format.
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
	// Linked objects take no further space, Copied ones do. Resumed were done by
	// an earlier attempt.
	Linked  int `json:"linked"`
	Copied  int `json:"copied"`
	Resumed int `json:"resumed"`
	// Damaged objects were not what their name says; Incomplete are directories of
	// which a member is missing. Neither has a name in the new format.
	Damaged    []string `json:"damaged"`
	Incomplete []string `json:"incomplete"`
	// Records of results were carried over; those left depend on what the other
	// format cannot tell, or on content that is no longer here.
	Records     int `json:"records"`
	RecordsLeft int `json:"records_left"`
	// Files of the workspace are rewritten; their paths are relative to the root.
	Files []string `json:"files"`
	// Links are symbolic links into the cache that are renewed.
	Links int `json:"links"`
	// Missing is what is recorded and nowhere to be found.
	Missing []Missing `json:"missing"`
	// Notes are for people.
	Notes []string `json:"notes"`
}

// Missing is a recorded entry whose content is neither in the cache nor in the
// workspace nor in Git's current commit.
type Missing struct {
	// File is the dvc.lock or .dvc file, Stage the stage in it.
	File  string `json:"file"`
	Stage string `json:"stage,omitempty"`
	// Path is relative to the root.
	Path   string `json:"path"`
	Digest string `json:"digest"`
}

// MissingError says that something recorded cannot be converted.
type MissingError struct{ List []Missing }

func (e *MissingError) Error() string {
	const most = 5
	parts := make([]string, 0, most)
	for i, m := range e.List {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.List)-most))
			break
		}
		where := m.File
		if m.Stage != "" {
			where += ", stage '" + m.Stage + "'"
		}
		parts = append(parts, fmt.Sprintf("'%s' (%s, %s)", m.Path, where, m.Digest))
	}
	return "the content of what is recorded is neither in the cache nor in the workspace: " + strings.Join(parts, "; ")
}

// Hint says what to do about it.
func (e *MissingError) Hint() string {
	return "bring it with `flow fetch`, restore or commit the file, or run `flow repro`; " +
		"with --allow-missing such entries of dvc.lock are forgotten and their stages run again"
}

// Migration is one conversion in progress. It is not safe for concurrent use.
type Migration struct {
	o      Options
	target *cache.Store // the same directory, of the new algorithm
	report Report
	known  map[cache.Digest]cache.Entry
	notes  *notes
	files  []rewritten
	was    cache.Scanner
	now    cache.Scanner
	done   *doneLog
	lost   []string // files that should be executable

	records results
}

// rewritten is a file of the project with its new text.
type rewritten struct {
	rel      string
	was, now []byte
}

// New returns the conversion of a project. Nothing is written.
func New(o Options) (*Migration, error) {
	if o.To == o.Project.Format {
		return nil, fmt.Errorf("the project is in the %s format already", o.To)
	}
	target, err := cache.Open(cache.Options{
		Dir: o.Store.Dir(), Hash: o.To.Hash, Workers: o.Workers,
		Shared: sharedCache(o.Project),
	})
	if err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Ignore == nil {
		o.Ignore = project.NewIgnore(o.Project.Root)
	}
	m := &Migration{o: o, target: target, known: map[cache.Digest]cache.Entry{}}
	m.report = Report{
		From: o.Project.Format.Name, To: o.To.Name, Damaged: []string{}, Incomplete: []string{},
		Files: []string{}, Missing: []Missing{}, Notes: []string{},
	}
	m.was = cache.Scanner{Hash: o.Project.Format.Hash, Memo: o.Memo, Workers: o.Workers, Ignore: m.ignored("")}
	m.now = m.was
	m.now.Hash = o.To.Hash
	if m.notes, err = readNotes(o.Project); err != nil {
		return nil, err
	}
	return m, nil
}

func sharedCache(p *project.Project) bool {
	v, _ := p.Config.Get("cache", "shared")
	return v == "group"
}

// ignored applies the project's ignore rules to what is in the workspace or, with
// a directory that stands for the root, to copies below that.
func (m *Migration) ignored(root string) func(abs string, dir bool) bool {
	return func(abs string, dir bool) bool {
		if root != "" {
			rel, err := filepath.Rel(root, abs)
			if err != nil {
				return false
			}
			return m.o.Ignore.Match(filepath.ToSlash(rel), dir)
		}
		rel, in := m.o.Project.Rel(abs)
		return in && m.o.Ignore.Match(filepath.ToSlash(rel), dir)
	}
}

// Report returns what is known so far.
func (m *Migration) Report() *Report { return &m.report }

// Survey finds out what there is to do. What Missing says may still be wrong: it
// is there, but not what its name says.
func (m *Migration) Survey(ctx context.Context) error {
	err := m.o.Store.Walk(ctx, func(_ cache.Digest, size int64, _ time.Time) error {
		m.report.Objects++
		m.report.Bytes += size
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the cache: %w", err)
	}
	return m.eachEntry(func(at place, e *entryRef) error {
		if old, err := m.old(at, e.entry); err == nil && !old.Digest.IsZero() && !slices.Contains(m.report.Files, at.file) {
			m.report.Files = append(m.report.Files, at.file)
		}
		ok, err := m.available(ctx, at, e)
		if err == nil && !ok {
			m.miss(at, e)
		}
		return err
	})
}

// Convert gives everything its form in the new format, beside the old one. The
// error is a *MissingError when something recorded is nowhere to be found.
func (m *Migration) Convert(ctx context.Context) error {
	var err error
	if m.done, err = openDoneLog(filepath.Join(m.o.Project.StateDir(), "migrate"), m.target); err != nil {
		return err
	}
	err = m.objects(ctx)
	if err == nil {
		err = m.manifests(ctx)
	}
	if err = errors.Join(err, m.done.close()); err != nil {
		return err
	}
	m.report.Missing = m.report.Missing[:0]
	m.report.Files = m.report.Files[:0]
	if err := m.rewrite(ctx); err != nil {
		return err
	}
	if lost := m.forgotten(); len(lost) > 0 {
		return &MissingError{lost}
	}
	return m.carryRecords(ctx)
}

// forgotten lists what is missing and may not be.
func (m *Migration) forgotten() []Missing {
	var list []Missing
	for _, e := range m.report.Missing {
		if !m.o.AllowMissing || e.Stage == "" {
			list = append(list, e)
		}
	}
	return list
}

func (m *Migration) miss(at place, e *entryRef) {
	m.report.Missing = append(m.report.Missing, Missing{File: at.file, Stage: at.stage, Path: e.path, Digest: e.entry.Digest})
}

// Converted returns an entry of the old format in the new one.
func (m *Migration) Converted(old cache.Entry) (cache.Entry, bool) {
	e, ok := m.known[old.Digest]
	e.Exec = old.Exec
	return e, ok
}

// Switch makes the project one of the new format. When it returns a project, it
// is; an error besides says what is still to be completed.
func (m *Migration) Switch(ctx context.Context) (*project.Project, error) {
	_ = m.o.Memo.Save() // it only spares work
	s, err := m.o.Project.NewSwitch(m.o.To)
	if err != nil {
		return nil, err
	}
	m.report.Notes = append(m.report.Notes, s.Notes()...)
	err = m.prepare(ctx, s)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, s.Discard())
	}
	p, err := s.Commit()
	if p == nil {
		return nil, errors.Join(err, s.Discard())
	}
	m.restoreExec()
	return p, err
}

func (m *Migration) prepare(ctx context.Context, s *project.Switch) error {
	for _, f := range m.files {
		if err := s.Replace(f.rel, f.was, f.now); err != nil {
			return err
		}
	}
	if err := m.relinks(ctx, s); err != nil {
		return err
	}
	if m.o.To == project.DVC {
		data, err := m.notes.encode()
		if err != nil || data == nil {
			return err
		}
		return s.Put(project.NativeNotes, data)
	}
	if m.notes.SelfIgnored {
		return s.IgnoreSelf()
	}
	return nil
}
