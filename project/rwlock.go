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
	"time"

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
	// Linger, if not 0, lets the release be written up to that much later,
	// with the next change if one comes before. ReleasePaths writes it at once.
	Linger time.Duration
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
	// over are the locks whose release is not written yet, unless they were
	// taken again, and timer is what will write it.
	over  []pathHold
	timer *time.Timer
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
	self := holder{PID: os.Getpid(), Cmd: o.Cmd}
	ensured := false
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
			p.paths.drop(o)
			p.paths.mu.Unlock()
		}
		if errors.Is(err, fs.ErrNotExist) && !ensured {
			ensured = true
			if err := p.EnsureControl(); err != nil {
				return nil, err
			}
			continue
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
		p.paths.mu.Lock()
		p.paths.drop(o)
		if o.Linger > 0 {
			if p.paths.timer == nil {
				// What goes wrong is tried again, and told, by ReleasePaths.
				p.paths.timer = time.AfterFunc(o.Linger, func() { _ = p.ReleasePaths() })
			} else {
				p.paths.timer.Reset(o.Linger)
			}
		}
		p.paths.mu.Unlock()
		if o.Linger > 0 {
			return nil
		}
		return p.ReleasePaths()
	}, nil
}

// ReleasePaths writes the releases that linger.
func (p *Project) ReleasePaths() error {
	p.paths.mu.Lock()
	none := len(p.paths.over) == 0
	p.paths.mu.Unlock()
	if none {
		return nil
	}
	// Letting go must work also when a context is what ended the work.
	return p.editPathTable(context.Background(), func(*pathTable) error { return nil })
}

func (p *Project) pathTableFile() string { return filepath.Join(p.TempDir(), "rwlock") }

// editPathTable changes the lock file under its guard, lingering releases first.
// It is written also when change fails, because dead holders may have been
// dropped by then.
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
	f, table, before, err := p.paths.read(file)
	if err != nil {
		return err
	}
	if f != nil {
		defer f.Close() //nolint:errcheck // a page that was written is in the file
	}
	p.paths.strike(table)
	changed := change(table)
	after, err := json.Marshal(table)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		if err := writePathTable(f, file, after); err != nil {
			return errors.Join(changed, fmt.Errorf("write locks: %w", err))
		}
	}
	p.paths.written, p.paths.table = after, table
	p.paths.over = p.paths.over[:0]
	return changed
}

// read returns the table in the file, its canonical text, and the file if there is
// one, open for writing if it may be. What is kept of the table is dropped until
// the caller has written.
func (p *pathHolds) read(file string) (f *os.File, t *pathTable, text []byte, err error) {
	written, table := p.written, p.table
	p.written, p.table = nil, nil
	var data []byte
	if f, err = plainfile.Open(file, os.O_RDWR, 0); errors.Is(err, fs.ErrPermission) {
		f, err = plainfile.Open(file, os.O_RDONLY, 0)
	}
	if err == nil {
		data, err = readWhole(f)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && f != nil && table != nil && bytes.Equal(bytes.TrimRight(data, " "), written) {
		return f, table, written, nil
	}
	if err != nil {
		err = fmt.Errorf("read locks: %w", err)
	} else if table, err = parsePathTable(file, data, f != nil); err == nil {
		text, err = json.Marshal(table)
	}
	if err != nil {
		if f != nil {
			_ = f.Close() // only read
		}
		return nil, nil, nil, err
	}
	return f, table, text, nil
}

// readWhole reads the whole of a file that is seldom larger than a page.
func readWhole(f *os.File) ([]byte, error) {
	page := make([]byte, pathTablePage+1)
	n, err := f.ReadAt(page, 0)
	if errors.Is(err, io.EOF) {
		return page[:n], nil
	}
	if err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(io.NewSectionReader(f, int64(n), 1<<62))
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
func writePathTable(f *os.File, file string, data []byte) error {
	if f != nil && len(data) < pathTablePage {
		if fi, err := os.Lstat(file); err == nil && fi.Mode().IsRegular() && fi.Size() <= pathTablePage {
			page := bytes.Repeat([]byte{' '}, pathTablePage)
			copy(page, data)
			if _, err = f.WriteAt(page, 0); err == nil {
				return nil
			}
		}
	}
	if f != nil {
		_ = f.Close() // Windows replaces no file that is open
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

// drop lets go of the locks; strike takes them out of the table. The caller holds
// the mutex.
func (p *pathHolds) drop(o PathLocks) {
	one := func(h pathHold) {
		if p.count[h]--; p.count[h] <= 0 {
			delete(p.count, h)
			p.over = append(p.over, h)
		}
	}
	for _, path := range o.Read {
		one(pathHold{path, o.Cmd, false})
	}
	for _, path := range o.Write {
		one(pathHold{path, o.Cmd, true})
	}
}

// strike takes the locks that are over out of the table. The caller holds the
// mutex.
func (p *pathHolds) strike(t *pathTable) {
	for _, h := range p.over {
		if p.count[h] > 0 {
			continue
		}
		self := holder{PID: os.Getpid(), Cmd: h.cmd}
		if h.write {
			if t.Write[h.path] == self {
				delete(t.Write, h.path)
			}
			continue
		}
		left := slices.DeleteFunc(t.Read[h.path], func(r holder) bool { return r == self })
		if len(left) == 0 {
			delete(t.Read, h.path)
		} else {
			t.Read[h.path] = left
		}
	}
}
