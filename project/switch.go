package project

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/flowrepro/flow/internal/atomicfile"
)

// A change of a project's format must not be seen half done, by flow or by DVC,
// whenever the process is killed. Everything is prepared in the state directory
// of the old format: a whole new control directory, and in it a journal with the
// new text of every file of the workspace that changes. One rename decides. A
// .dvc directory goes before a .flow directory, so that
//
//   - a project becomes DVC's by giving the new directory the name .dvc;
//   - a project becomes native by taking the name away from .dvc, when the new
//     directory is .flow already, which has counted for nothing until then.
//
// What the journal says is done afterwards, by the same process or by whichever
// opens the project next; see finishSwitch. Until it is done, the configuration
// in a new .dvc directory is one that DVC refuses, naming what to do.

const (
	// migrateDir is where a switch is prepared, below the old state directory.
	migrateDir = "migrate"
	// switchDir is where the journal is, below the new state directory.
	switchDir = "switch"

	journalName = "journal.json"
	retiredName = "old"

	// unfinishedConfig is the configuration until the switch is complete.
	unfinishedConfig = "# This project is being converted by flow and the process was interrupted.\n" +
		"# Run 'flow status': it completes the conversion.\n[conversion is not complete: run flow status]\n"
)

// switchJournal is what remains to be done once the switch is decided. Paths are
// relative to the root, with slashes.
type switchJournal struct {
	// Old is the old control directory, or where it is now.
	Old string `json:"old"`
	// Moves are paths in the old control directory that go to the same place in
	// the new one.
	Moves []string       `json:"moves"`
	Files []replacedFile `json:"files"`
	Links []replacedLink `json:"links"`
}

// replacedFile is a file of the workspace and where its new text is.
type replacedFile struct {
	Path string `json:"path"`
	// Was is the SHA-256 of the text that is replaced, in hex.
	Was    string `json:"was"`
	Staged string `json:"staged"`
}

// replacedLink is a symbolic link into the cache.
type replacedLink struct {
	Path string `json:"path"`
	Was  string `json:"was"`
	Now  string `json:"now"`
}

// Switch is a change of a project's format in preparation. Until Commit nothing
// of the project is touched. It is not safe for concurrent use.
type Switch struct {
	p, to   *Project
	staged  string // the new control directory
	state   string // the new state directory, relative to the control directory
	journal switchJournal
	notes   []string
}

// NewSwitch begins to prepare the change to another format. The project's lock
// must be held until Commit or Discard. A switch that was prepared before and not
// decided is discarded.
func (p *Project) NewSwitch(to *Format) (*Switch, error) {
	if to == p.Format {
		return nil, fmt.Errorf("switch format: the project is in the %s format already", to)
	}
	s := &Switch{p: p, to: &Project{Root: p.Root, Format: to}}
	s.staged = filepath.Join(p.StateDir(), migrateDir, "control")
	state, err := filepath.Rel(s.to.ControlDir(), s.to.StateDir())
	if err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	s.state = state
	if err := s.clear(); err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	for _, dir := range []string{filepath.Join(s.switchDir(), "files"), filepath.Join(s.staged, "tmp")} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, fmt.Errorf("switch format: %w", err)
		}
	}
	if err := s.stageControl(); err != nil {
		_ = s.clear() // the error that counts is that
		return nil, fmt.Errorf("switch format: %w", err)
	}
	return s, nil
}

func (s *Switch) switchDir() string { return filepath.Join(s.staged, s.state, switchDir) }

// clear removes what an earlier attempt has left.
func (s *Switch) clear() error {
	for _, dir := range []string{s.p.ControlDir(), s.to.ControlDir()} {
		info, err := os.Lstat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("'%s' is not a directory", dir)
		}
	}
	if isDir(s.to.ControlDir()) {
		if _, err := os.Stat(filepath.Join(s.to.ControlDir(), s.state, switchDir, journalName)); err != nil {
			return fmt.Errorf("there is a directory '%s' already", s.to.ControlDir())
		}
		if err := os.RemoveAll(s.to.ControlDir()); err != nil {
			return err
		}
	}
	return os.RemoveAll(s.staged)
}

// Notes are what the user should know of settings that could not be taken over
// as they are.
func (s *Switch) Notes() []string { return s.notes }

// Put writes a file of the new control directory.
func (s *Switch) Put(name string, data []byte) error {
	return atomicfile.Write(filepath.Join(s.staged, name), data, atomicfile.Options{Sync: true})
}

// Replace prepares the new text of a file of the project, whose path is relative
// to the root and whose text is was.
func (s *Switch) Replace(rel string, was, now []byte) error {
	name := strconv.Itoa(len(s.journal.Files))
	if err := atomicfile.Write(filepath.Join(s.switchDir(), "files", name), now, atomicfile.Options{Sync: true}); err != nil {
		return fmt.Errorf("prepare '%s': %w", rel, err)
	}
	s.journal.Files = append(s.journal.Files, replacedFile{Path: rel, Was: sha256Hex(was), Staged: name})
	return nil
}

// Relink prepares the new target of a symbolic link of the project.
func (s *Switch) Relink(rel, was, now string) {
	s.journal.Links = append(s.journal.Links, replacedLink{Path: rel, Was: was, Now: now})
}

// Moved returns where a path in the old control directory will be.
func (s *Switch) Moved(abs string) string {
	for _, m := range s.journal.Moves {
		if rel, ok := relativeTo(filepath.Join(s.p.ControlDir(), filepath.FromSlash(m)), abs); ok {
			return filepath.Join(s.to.ControlDir(), filepath.FromSlash(m), filepath.FromSlash(rel))
		}
	}
	return abs
}

// Discard removes what was prepared.
func (s *Switch) Discard() error { return os.RemoveAll(s.staged) }

// Commit switches, and returns the project in its new format. With an error the
// project is as it was, unless the project is returned too: then it has been
// switched, and what could not be completed is tried again when it is opened
// next.
func (s *Switch) Commit() (*Project, error) {
	s.journal.Old = s.p.Format.Control
	// Of the two names .dvc counts, if it is there.
	giveUp := s.p.Format == DVC
	if giveUp {
		rel, _ := relativeTo(s.p.Root, filepath.Join(s.to.StateDir(), switchDir, retiredName))
		s.journal.Old = rel
	}
	data, err := json.MarshalIndent(s.journal, "", " ")
	if err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(s.switchDir(), journalName), data, atomicfile.Options{Sync: true}); err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	// Both locks are held on files that keep them when their directory gets its
	// name: whoever finds the new project waits for its completion.
	finishing, err := tryLockFile(filepath.Join(s.switchDir(), "lock"))
	if err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	defer finishing() //nolint:errcheck // the file is gone by then
	working, err := tryLockFile(filepath.Join(s.staged, "tmp", "lock"))
	if err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	defer working() //nolint:errcheck // nothing is written to it
	if err := os.Rename(s.staged, s.to.ControlDir()); err != nil {
		return nil, fmt.Errorf("switch format: %w", err)
	}
	if giveUp {
		if err := os.Rename(s.p.ControlDir(), filepath.Join(s.p.Root, filepath.FromSlash(s.journal.Old))); err != nil {
			return nil, errors.Join(fmt.Errorf("switch format: %w", err), os.RemoveAll(s.to.ControlDir()))
		}
	}
	err = atomicfile.SyncDir(s.p.Root)
	if err == nil {
		err = s.to.completeSwitch()
	}
	if err != nil {
		return s.to, fmt.Errorf("complete the conversion: %w", err)
	}
	return New(s.p.Root, s.to.Format)
}

// finishSwitch completes a switch that was decided and then interrupted.
func (p *Project) finishSwitch() error {
	dir := filepath.Join(p.StateDir(), switchDir)
	if _, err := os.Stat(filepath.Join(dir, journalName)); err != nil {
		return nil //nolint:nilerr // there is nearly never one
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else has just completed it
	}
	if err != nil {
		return fmt.Errorf("complete the conversion: %w", err)
	}
	defer f.Close()
	for {
		ok, err := tryLock(f)
		if err != nil {
			return fmt.Errorf("complete the conversion: %w", err)
		}
		if ok {
			break
		}
		if err := sleepBriefly(); err != nil {
			return err
		}
	}
	if err := p.completeSwitch(); err != nil {
		return fmt.Errorf("complete the conversion: %w", err)
	}
	return nil
}

// completeSwitch does what the journal says, as far as it has not been done.
func (p *Project) completeSwitch() error {
	dir := filepath.Join(p.StateDir(), switchDir)
	data, err := os.ReadFile(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var j switchJournal
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	old := filepath.Join(p.Root, filepath.FromSlash(j.Old))
	for _, m := range j.Moves {
		if err := moveOnce(filepath.Join(old, filepath.FromSlash(m)), filepath.Join(p.ControlDir(), filepath.FromSlash(m))); err != nil {
			return err
		}
	}
	for _, f := range j.Files {
		if err := p.replace(f, filepath.Join(dir, "files", f.Staged)); err != nil {
			return err
		}
	}
	for _, l := range j.Links {
		if err := p.relink(l); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	config := filepath.Join(p.ControlDir(), "config")
	if err := os.Rename(filepath.Join(dir, "config"), config); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := errors.Join(atomicfile.SyncDir(p.ControlDir()), atomicfile.SyncDir(p.Root)); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, journalName)); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// moveOnce renames unless that has been done.
func moveOnce(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	_ = os.Remove(to) // an empty directory that somebody has made meanwhile
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("cannot move '%s' to '%s', which exists", from, to)
	}
	return os.Rename(from, to)
}

// replace gives a file its new text. One that is not as it was when the switch
// was decided belongs to somebody who came between: it is left, and the new text
// put beside it.
func (p *Project) replace(f replacedFile, staged string) error {
	now, err := os.ReadFile(staged)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // done before
	}
	if err != nil {
		return err
	}
	path := p.Abs(f.Path)
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch sha256Hex(was) {
	case sha256Hex(now):
	case f.Was:
		err = atomicfile.Write(path, now, atomicfile.Options{Sync: true, Temp: p.TempDir()})
	default:
		err = atomicfile.Write(path+".converted", now, atomicfile.Options{Sync: true, Temp: p.TempDir()})
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // its directory is gone, too
		}
	}
	if err != nil {
		return err
	}
	return os.Remove(staged)
}

func (p *Project) relink(l replacedLink) error {
	path := p.Abs(l.Path)
	if at, err := os.Readlink(path); err != nil || at != l.Was {
		return nil //nolint:nilerr // done before, or no longer a link into the cache
	}
	tmp := filepath.Join(filepath.Dir(path), atomicfile.Prefix+filepath.Base(path))
	_ = os.Remove(tmp) // left by a process that was killed
	if err := os.Symlink(l.Now, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
