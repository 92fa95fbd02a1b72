package project

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/internal/plainfile"
)

// PathLocks asks for locks on paths. Paths are absolute.
type PathLocks struct {
	Read, Write []string
	// Cmd is what is told to those who have to wait.
	Cmd string
	// Wait waits for the holders instead of failing.
	Wait bool
	// Warn is called with a line about each dead process whose locks were
	// dropped; it may be nil.
	Warn func(msg string)
}

// holder is a process in the lock file.
type holder struct {
	PID int    `json:"pid"`
	Cmd string `json:"cmd"`
}

// pathTable is the lock file's content. The order of the fields is DVC's.
type pathTable struct {
	Write map[string]holder   `json:"write"`
	Read  map[string][]holder `json:"read"`
}

// pathHolds counts what this process holds, since the file says only that it
// does: of two stages that read one file the first to finish must not let go
// for the other.
type pathHolds struct {
	mu    sync.Mutex
	count map[pathHold]int
	// written is what this process last wrote into the file, and table what
	// that says: most of the time nobody else has written since.
	written []byte
	table   *pathTable
}

type pathHold struct {
	path  string
	cmd   string
	write bool
}

// LockPaths takes read and write locks on paths against other processes, DVC
// included. Two locks conflict when one of them is for writing, the paths are
// equal or one contains the other, and they are not of the same process and
// Cmd. Locks of dead processes are dropped. Without Wait a conflict is a
// *BusyError.
func (p *Project) LockPaths(ctx context.Context, o PathLocks) (release func() error, err error) {
	if err := p.EnsureControl(); err != nil {
		return nil, err
	}
	self := holder{PID: os.Getpid(), Cmd: o.Cmd}
	for {
		taken := false
		err := p.editPathTable(ctx, func(t *pathTable) error {
			if err := t.check(p.pathTableFile(), self, o); err != nil {
				return err
			}
			p.paths.take(t, self, o)
			taken = true
			return nil
		})
		if err != nil && taken {
			// Not written: nobody but us knows.
			p.paths.mu.Lock()
			p.paths.drop(&pathTable{}, self, o)
			p.paths.mu.Unlock()
		}
		var busy *BusyError
		if !o.Wait || !errors.As(err, &busy) {
			if err != nil {
				return nil, err
			}
			break
		}
		if err := sleep(ctx, lockDelay); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", busy.Path, err)
		}
	}
	return func() error {
		// Letting go must work also when ctx is what ended the work.
		return p.editPathTable(context.WithoutCancel(ctx), func(t *pathTable) error {
			p.paths.drop(t, self, o)
			return nil
		})
	}, nil
}

func (p *Project) pathTableFile() string { return filepath.Join(p.TempDir(), "rwlock") }

// editPathTable changes the lock file under its guard. It is written also
// when change fails, because dead holders may have been dropped by then.
func (p *Project) editPathTable(ctx context.Context, change func(*pathTable) error) (err error) {
	p.paths.mu.Lock()
	defer p.paths.mu.Unlock()
	file := p.pathTableFile()
	lock := lockFile
	if p.Config != nil && p.Config.Bool("core", "hardlink_lock", false) {
		lock = lockHardlink
	}
	unguard, err := lock(ctx, file+".lock", patient(false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unguard()) }()
	table, before, err := p.paths.read(file)
	if err != nil {
		return err
	}
	changed := change(table)
	after, err := json.Marshal(table)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		if err := writePathTable(file, after); err != nil {
			return errors.Join(changed, fmt.Errorf("write locks: %w", err))
		}
	}
	p.paths.written, p.paths.table = after, table
	return changed
}

// read returns the table in the file and its canonical text. What is kept of
// it is dropped until the caller has written.
func (p *pathHolds) read(file string) (*pathTable, []byte, error) {
	written, table := p.written, p.table
	p.written, p.table = nil, nil
	data, err := readWhole(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read locks: %w", err)
	}
	if table != nil && err == nil && bytes.Equal(bytes.TrimRight(data, " "), written) {
		return table, written, nil
	}
	if table, err = parsePathTable(file, data, err == nil); err != nil {
		return nil, nil, err
	}
	before, err := json.Marshal(table)
	return table, before, err
}

// readWhole is os.ReadFile for a small file.
func readWhole(file string) ([]byte, error) {
	f, err := plainfile.Open(file, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	page := make([]byte, pathTablePage+1)
	n, err := io.ReadFull(f, page)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return page[:n], nil
	}
	if err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(f)
	return append(page, rest...), err
}

// parsePathTable reads what is in the file; one that does not exist holds
// nothing.
func parsePathTable(file string, data []byte, exists bool) (*pathTable, error) {
	t := &pathTable{}
	if exists {
		if !json.Valid(data) {
			return nil, fmt.Errorf("Unable to read RWLock-file '%s'. JSON structure is corrupted", file) //nolint:staticcheck // DVC's wording
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(t); err != nil {
			return nil, fmt.Errorf("RWLock-file '%s' format error: %w", file, err)
		}
	}
	if t.Write == nil {
		t.Write = map[string]holder{}
	}
	if t.Read == nil {
		t.Read = map[string][]holder{}
	}
	return t, nil
}

// pathTablePage is what one write puts into a file as a whole, also when the
// process is killed meanwhile.
const pathTablePage = 4096

// writePathTable brings the table into the file. Small tables, which are nearly
// all, are written over the old one in a single page, filled up with blanks, as
// replacing a file for each stage would cost more than the stage. The file is
// not synced: locks do not outlive the machine.
func writePathTable(file string, data []byte) error {
	if fi, err := os.Lstat(file); err == nil && fi.Mode().IsRegular() && fi.Size() <= pathTablePage && len(data) < pathTablePage {
		f, err := plainfile.Open(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		page := bytes.Repeat([]byte{' '}, pathTablePage)
		copy(page, data)
		_, err = f.WriteAt(page, 0)
		return errors.Join(err, f.Close())
	}
	return atomicfile.Write(file, data, atomicfile.Options{})
}

// overlaps reports whether paths are equal or one contains the other.
func overlaps(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return strings.HasPrefix(b, a) && (len(a) == len(b) || os.IsPathSeparator(b[len(a)]) || os.IsPathSeparator(a[len(a)-1]))
}

// check finds who is in the way, and drops dead processes from what it looks
// at.
func (t *pathTable) check(file string, self holder, o PathLocks) error {
	dead := map[holder]bool{}
	gone := func(h holder, path string) bool {
		if alive(h.PID) {
			return false
		}
		if !dead[h] && o.Warn != nil {
			o.Warn(fmt.Sprintf("Process '%s' with (Pid %d), in RWLock-file '%s' had been killed. Auto removed it from the lock file.", h.Cmd, h.PID, path))
		}
		dead[h] = true
		return true
	}
	busy := func(wants []string, held string, blockers []holder) error {
		for _, want := range wants {
			if len(blockers) > 0 && overlaps(want, held) {
				e := &BusyError{LockFile: file, Path: want}
				for _, h := range blockers {
					e.Blockers = append(e.Blockers, Blocker(h))
				}
				return e
			}
		}
		return nil
	}
	wants := slices.Concat(o.Read, o.Write)
	touches := func(wants []string, held string) bool {
		return slices.ContainsFunc(wants, func(w string) bool { return overlaps(w, held) })
	}
	for _, held := range sortedKeys(t.Write) {
		if h := t.Write[held]; h != self && touches(wants, held) {
			if gone(h, held) {
				delete(t.Write, held)
			} else if err := busy(wants, held, []holder{h}); err != nil {
				return err
			}
		}
	}
	for _, held := range sortedKeys(t.Read) {
		if !touches(o.Write, held) {
			continue
		}
		t.Read[held] = slices.DeleteFunc(t.Read[held], func(h holder) bool { return h != self && gone(h, held) })
		if len(t.Read[held]) == 0 {
			delete(t.Read, held)
			continue
		}
		others := slices.DeleteFunc(slices.Clone(t.Read[held]), func(h holder) bool { return h == self })
		if err := busy(o.Write, held, others); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// take enters the locks. The caller holds the mutex.
func (p *pathHolds) take(t *pathTable, self holder, o PathLocks) {
	if p.count == nil {
		p.count = map[pathHold]int{}
	}
	for _, path := range o.Read {
		p.count[pathHold{path, o.Cmd, false}]++
		if !slices.Contains(t.Read[path], self) {
			t.Read[path] = append(t.Read[path], self)
		}
	}
	for _, path := range o.Write {
		p.count[pathHold{path, o.Cmd, true}]++
		t.Write[path] = self
	}
}

// drop is the reverse of take.
func (p *pathHolds) drop(t *pathTable, self holder, o PathLocks) {
	last := func(path string, write bool) bool {
		h := pathHold{path, o.Cmd, write}
		if p.count[h]--; p.count[h] > 0 {
			return false
		}
		delete(p.count, h)
		return true
	}
	for _, path := range o.Read {
		if !last(path, false) {
			continue
		}
		left := slices.DeleteFunc(t.Read[path], func(h holder) bool { return h == self })
		if len(left) == 0 {
			delete(t.Read, path)
		} else {
			t.Read[path] = left
		}
	}
	for _, path := range o.Write {
		if last(path, true) && t.Write[path] == self {
			delete(t.Write, path)
		}
	}
}
