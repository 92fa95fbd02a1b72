package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"sync"
	"time"

	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/internal/atomicfile"
)

// flushEvery bounds how much recorded work a crash can lose to re-checking:
// the action record of a finished stage is on disk at once, so what is lost
// with an unwritten lock is one restore per stage, never a run.
const flushEvery = time.Second

// lockFiles holds the project's dvc.lock files in memory and writes them a few
// times a run instead of once a stage. Safe for concurrent use.
type lockFiles struct {
	e  *Engine
	mu sync.Mutex
	// byPath is keyed by the lock's root-relative path.
	byPath map[string]*lockFile
	last   time.Time
}

type lockFile struct {
	path  string
	file  *lock.File
	data  []byte // as last read or written; nil when the file does not exist
	stamp stamp
	dirty map[string]*lock.Stage // not yet in file; nil value: to be removed
	// added are the stages that this run has appended, in the order of the
	// file, which is kept to be that of the plan, whatever finished first.
	added []placed
	place map[string]int // of the stages in dirty
}

type placed struct {
	place int
	name  string
}

// stamp tells whether a file was replaced since it was read.
type stamp struct {
	size int64
	mod  time.Time
}

func stampOf(path string) stamp {
	fi, err := os.Stat(path)
	if err != nil {
		return stamp{size: -1}
	}
	return stamp{fi.Size(), fi.ModTime()}
}

func newLockFiles(e *Engine) *lockFiles {
	return &lockFiles{e: e, byPath: map[string]*lockFile{}}
}

func lockPath(pipelineFile string) string { return path.Join(path.Dir(pipelineFile), "dvc.lock") }

// load returns the lock beside a pipeline file, reading it on first use.
func (l *lockFiles) load(pipelineFile string) (*lockFile, error) {
	p := lockPath(pipelineFile)
	if f := l.byPath[p]; f != nil {
		return f, nil
	}
	f := &lockFile{path: p, dirty: map[string]*lock.Stage{}, place: map[string]int{}}
	if err := f.read(l.e.abs(p)); err != nil {
		return nil, err
	}
	l.byPath[p] = f
	return f, nil
}

func (f *lockFile) read(abs string) error {
	stamp := stampOf(abs)
	data, err := os.ReadFile(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.file, f.data, f.stamp = lock.New(), nil, stamp
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	file, err := lock.Parse(f.path, data)
	if err != nil {
		return err
	}
	if data == nil {
		data = []byte{}
	}
	f.file, f.data, f.stamp = file, data, stamp
	return nil
}

// stage returns what is recorded of a stage, nil if nothing is.
func (l *lockFiles) stage(n *node) (*lock.Stage, error) {
	if n.IsData() {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.load(n.File)
	if err != nil {
		return nil, err
	}
	return f.stage(n.Name), nil
}

// refresh reads a stage's lock again if another process replaced it.
func (l *lockFiles) refresh(n *node) error {
	if n.IsData() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.load(n.File)
	if err != nil {
		return err
	}
	abs := l.e.abs(f.path)
	if stampOf(abs) == f.stamp {
		return nil
	}
	f.added = nil
	return f.read(abs)
}

// stage returns the newest record of a stage, nil if there is none.
func (f *lockFile) stage(name string) *lock.Stage {
	if s, ok := f.dirty[name]; ok {
		return s
	}
	s, _ := f.file.Stage(name)
	return s
}

// set records a stage. It is in memory on return and on disk within flushEvery
// or at the next flush. created and updated tell what to announce.
func (l *lockFiles) set(ctx context.Context, n *node, s *lock.Stage) (created, updated bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.load(n.File)
	if err != nil {
		return false, false, err
	}
	if old := f.stage(n.Name); old != nil && old.Equal(s) {
		return false, false, nil
	}
	created = f.data == nil && len(f.dirty) == 0
	f.dirty[n.Name] = s
	f.place[n.Name] = n.place
	if l.last.IsZero() {
		l.last = l.e.opt.Now()
	}
	if l.e.opt.Now().Sub(l.last) >= flushEvery {
		err = l.flushLocked()
	}
	return created, true, err
}

// remove forgets a stage; an emptied lock file is deleted at the flush.
func (l *lockFiles) remove(pipelineFile, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.load(pipelineFile)
	if err != nil {
		return err
	}
	if f.stage(name) != nil {
		f.dirty[name] = nil
	}
	return nil
}

// flush writes what is not yet on disk. With section set it takes the
// project's lock for it; otherwise the caller holds it.
func (l *lockFiles) flush(takeLock bool) error {
	l.mu.Lock()
	pending := false
	for _, f := range l.byPath {
		pending = pending || len(f.dirty) > 0
	}
	l.mu.Unlock()
	if !pending {
		return nil
	}
	if takeLock {
		if err := l.e.section.enter(context.Background()); err != nil {
			return err
		}
		defer l.e.section.leave()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushLocked()
}

func (l *lockFiles) flushLocked() error {
	paths := make([]string, 0, len(l.byPath))
	for p := range l.byPath {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var errs []error
	for _, p := range paths {
		if f := l.byPath[p]; len(f.dirty) > 0 {
			if err := f.write(l.e.abs(p), l.e.opt.Project.TempDir()); err != nil {
				errs = append(errs, err)
			}
		}
	}
	l.last = l.e.opt.Now()
	return errors.Join(errs...)
}

// write puts the lock on disk. When another process replaced the file since it
// was read, its stages are kept and only ours are changed.
func (f *lockFile) write(abs, tempDir string) error {
	if stampOf(abs) != f.stamp {
		if err := f.read(abs); err != nil {
			return err
		}
		f.added = nil
	}
	f.apply()
	data := f.file.Encode()
	if len(f.file.Names()) == 0 && f.file.Empty() {
		if err := os.Remove(abs); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", f.path, err)
		}
		f.data = nil
	} else if !bytes.Equal(data, f.data) || f.data == nil {
		if err := writeDurably(tempDir, abs, data); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
		f.data = data
	}
	f.stamp = stampOf(abs)
	clear(f.dirty)
	return nil
}

// apply brings what is dirty into the file: known stages in their place, new
// ones at the end in the order of the plan.
func (f *lockFile) apply() {
	var fresh []placed
	names := make([]string, 0, len(f.dirty))
	for name := range f.dirty {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		switch _, known := f.file.Stage(name); {
		case f.dirty[name] == nil:
			f.file.Remove(name)
		case known:
			f.file.Set(name, f.dirty[name])
		default:
			fresh = append(fresh, placed{f.place[name], name})
		}
	}
	if len(fresh) == 0 {
		return
	}
	sort.SliceStable(fresh, func(i, j int) bool { return fresh[i].place < fresh[j].place })
	for k := len(f.added); k > 0 && f.added[k-1].place > fresh[0].place; k-- {
		last := f.added[k-1]
		f.added = f.added[:k-1]
		if s, ok := f.file.Stage(last.name); ok {
			f.dirty[last.name] = s
			f.file.Remove(last.name)
			fresh = append(fresh, last)
		}
	}
	sort.SliceStable(fresh, func(i, j int) bool { return fresh[i].place < fresh[j].place })
	for _, p := range fresh {
		f.file.Set(p.name, f.dirty[p.name])
		f.added = append(f.added, p)
	}
}

// writeDurably replaces a file: the new content is on disk before the name
// points to it, and the name before the function returns. The temporary file is
// made in tempDir, out of the user's sight should the process be killed.
func writeDurably(tempDir, abs string, data []byte) error {
	return atomicfile.Write(abs, data, atomicfile.Options{Sync: true, Temp: tempDir})
}
