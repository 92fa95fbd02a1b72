package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/internal/atomicfile"
)

// LastRun is what is kept, on this machine only, of a stage's last run: what
// its key was made of, how long it took and where its log is. Losing it loses
// explanations; in a DVC project, whose lock has no place for them, also the
// notice that a Go stage's version or a declared variable is another.
type LastRun struct {
	Stage  string        `json:"stage"`
	File   string        `json:"file"`
	Key    string        `json:"key"`
	Fields []cache.Field `json:"fields"`
	// Recorded are the fields of the last run whose result was recorded, when
	// that is not this one: the recorded outputs are its product.
	Recorded []cache.Field `json:"recorded,omitempty"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration_ns"`
	Outcome  State         `json:"outcome"`
	Error    string        `json:"error,omitempty"`
	Reasons  []string      `json:"reasons,omitempty"`
	// Unrecorded is set when the run's result may not be taken for that of
	// its inputs, because they changed meanwhile.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// recorded returns the fields of the last run whose result was recorded.
func (r *LastRun) recorded() []cache.Field {
	if (r.Outcome == Done || r.Outcome == Restored) && !r.Unrecorded {
		return r.Fields
	}
	return r.Recorded
}

// stateStore keeps the last run of each stage in a journal, runs.jsonl: a line
// for each run, the stage's id and its LastRun, of which the last one counts.
// A line is appended with one write, which costs a tenth of a file of its own.
// Safe for concurrent use.
type stateStore struct {
	dir string

	mu      sync.Mutex
	loaded  bool
	known   map[string][]byte // id -> JSON of its last line
	lines   int               // in the journal
	journal *os.File          // open for appending once something is written

	ids sync.Map // *node -> id

	logsMu sync.Mutex
	logs   map[string]bool // ids of stages that have a log; nil before it is looked
}

// compactAbove is how many outdated lines a journal may have before it is
// written anew.
const compactAbove = 1000

func newStateStore(dir string) *stateStore { return &stateStore{dir: dir} }

// id is a name for a stage that can be one of a file: readable, and unique by
// the digest at its end.
func (s *stateStore) id(n *node) string {
	if id, ok := s.ids.Load(n); ok {
		return id.(string)
	}
	id := makeID(n)
	s.ids.Store(n, id)
	return id
}

func makeID(n *node) string {
	h := cache.BLAKE3.New()
	fmt.Fprintf(h, "%s\x00%s", n.File, n.Name)
	readable := []rune(n.Name)
	if len(readable) > 40 {
		readable = readable[:40]
	}
	for i, r := range readable {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			readable[i] = '_'
		}
	}
	return fmt.Sprintf("%s-%x", string(readable), h.Sum(nil)[:6])
}

func (s *stateStore) journalPath() string { return filepath.Join(s.dir, "runs.jsonl") }

func (s *stateStore) logPath(n *node) string {
	return filepath.Join(s.dir, "logs", s.id(n)+".log")
}

// load reads the journal on first use. One that cannot be read is empty.
func (s *stateStore) load() {
	if s.loaded {
		return
	}
	s.loaded, s.known = true, map[string][]byte{}
	data, _ := os.ReadFile(s.journalPath())
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		data = rest
		id, text, ok := bytes.Cut(line, []byte{'\t'})
		if whole && ok {
			s.known[string(id)] = text
			s.lines++
		}
	}
}

// last returns the stage's last run, nil if none is known. A damaged line is
// as good as none.
func (s *stateStore) last(n *node) *LastRun {
	s.mu.Lock()
	s.load()
	text := s.known[s.id(n)]
	s.mu.Unlock()
	r := new(LastRun)
	if text == nil || json.Unmarshal(text, r) != nil || r.Stage != n.Name || r.File != n.File {
		return nil
	}
	return r
}

func (s *stateStore) put(n *node, r *LastRun) error {
	r.Stage, r.File = n.Name, n.File
	if r.recorded() == nil {
		if before := s.last(n); before != nil {
			r.Recorded = before.recorded()
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record last run: %w", err)
	}
	id := s.id(n)
	line := append(append(append(make([]byte, 0, len(id)+len(text)+2), id...), '\t'), append(text, '\n')...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		if err := os.MkdirAll(s.dir, 0o777); err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
		if s.journal, err = os.OpenFile(s.journalPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666); err != nil {
			return fmt.Errorf("record last run: %w", err)
		}
		if torn(s.journalPath()) {
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err := s.journal.Write(line); err != nil {
		return fmt.Errorf("record last run: %w", err)
	}
	if s.loaded {
		s.known[id] = text
		s.lines++
	}
	return nil
}

// torn reports whether a file does not end with a line's end: the process that
// wrote it was killed.
func torn(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, fi.Size()-1)
	return err == nil && last[0] != '\n'
}

// close ends the use of the journal and, when most of it is outdated, writes it
// anew. A line that another process appends meanwhile may be lost.
func (s *stateStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	err := s.journal.Close()
	s.journal = nil
	if err != nil {
		return fmt.Errorf("record last run: %w", err)
	}
	s.loaded = false
	s.lines = 0
	if fi, err := os.Stat(s.journalPath()); err != nil || fi.Size() < 1<<20 {
		return nil //nolint:nilerr // a journal that is gone needs no compaction
	}
	s.load()
	if s.lines-len(s.known) < compactAbove+len(s.known) {
		return nil
	}
	ids := make([]string, 0, len(s.known))
	for id := range s.known {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	var text []byte
	for _, id := range ids {
		text = append(append(append(append(text, id...), '\t'), s.known[id]...), '\n')
	}
	if err := atomicfile.Write(s.journalPath(), text, atomicfile.Options{}); err != nil {
		return fmt.Errorf("compact last runs: %w", err)
	}
	return nil
}

func (s *stateStore) field(n *node, name string) (string, bool) {
	r := s.last(n)
	if r == nil {
		return "", false
	}
	for _, f := range r.recorded() {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// stageLog is the log of a new run. It is created with its first line: most
// commands print nothing.
type stageLog struct {
	path    string
	file    *os.File
	created func()
}

// logged reports whether the stage has a log.
func (s *stateStore) logged(n *node) bool {
	s.logsMu.Lock()
	defer s.logsMu.Unlock()
	if s.logs == nil {
		s.logs = map[string]bool{}
		list, _ := os.ReadDir(filepath.Join(s.dir, "logs")) // none, if there is no such directory
		for _, e := range list {
			if id, ok := strings.CutSuffix(e.Name(), ".log"); ok {
				s.logs[id] = true
			}
		}
	}
	return s.logs[s.id(n)]
}

func (s *stateStore) setLogged(n *node, is bool) {
	s.logsMu.Lock()
	defer s.logsMu.Unlock()
	s.logs[s.id(n)] = is
}

// newLog makes way for the log of a new run. The old one is unlinked, not
// truncated, so that a reader keeps what it reads.
func (s *stateStore) newLog(n *node) (*stageLog, error) {
	path := s.logPath(n)
	if s.logged(n) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("replace log: %w", err)
		}
		s.setLogged(n, false)
	}
	return &stageLog{path: path, created: func() { s.setLogged(n, true) }}, nil
}

// Write implements io.Writer.
func (l *stageLog) Write(p []byte) (int, error) {
	if l.file == nil {
		if err := os.MkdirAll(filepath.Dir(l.path), 0o777); err != nil {
			return 0, fmt.Errorf("make log directory: %w", err)
		}
		const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY | os.O_APPEND
		f, err := os.OpenFile(l.path, flags, 0o666)
		if errors.Is(err, fs.ErrExist) && os.Remove(l.path) == nil {
			f, err = os.OpenFile(l.path, flags, 0o666) // another process had made one since
		}
		if err != nil {
			return 0, fmt.Errorf("open log: %w", err)
		}
		l.file = f
		l.created()
	}
	return l.file.Write(p)
}

// Close ends the log.
func (l *stageLog) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// versionChanges notices that a Go stage has another version than the one that
// made the recorded result.
func (e *Engine) versionChanges(n *node, rec *lock.Stage) []Reason {
	if n.goRef == nil || !n.goRef.known || rec == nil {
		return nil
	}
	old := rec.Version
	if old == "" {
		old, _ = e.states.field(n, "version")
	}
	if old == "" || old == n.goRef.stage.Version {
		return nil
	}
	return []Reason{{Aspect: AspectVersion, Change: ChangeModified, Old: old, New: n.goRef.stage.Version}}
}

// envChanges compares declared environment variables with those of the last
// run on this machine. The lock has no place for them: on a machine that has
// not run the stage those that are set count as changed, and a record may still
// restore it. The lock is trusted as to those that are not set, as DVC does,
// which knows none.
func (e *Engine) envChanges(n *node, s *snapshot) []Reason {
	var rs []Reason
	for _, v := range s.env {
		old, ok := e.states.field(n, "env:"+v.name)
		switch {
		case !ok && v.value == "":
		case !ok:
			rs = append(rs, Reason{Aspect: AspectEnv, Path: v.name, Change: ChangeNew, New: v.value})
		case old != v.value:
			rs = append(rs, Reason{Aspect: AspectEnv, Path: v.name, Change: ChangeModified, Old: old, New: v.value})
		}
	}
	return rs
}

// LastRun returns what is known of a stage's last run here; ok is false if
// nothing is.
func (e *Engine) LastRun(n int) (*LastRun, bool) {
	r := e.states.last(e.nodes[n])
	return r, r != nil
}

// LogFile returns the path of the log of the stage's last run here.
func (e *Engine) LogFile(n int) string { return e.states.logPath(e.nodes[n]) }
