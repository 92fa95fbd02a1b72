package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
)

// LastRun is what is kept, on this machine only, of a stage's last run: what
// its key was made of, how long it took and where its log is. Losing it loses
// explanations, never results.
type LastRun struct {
	Stage    string        `json:"stage"`
	File     string        `json:"file"`
	Key      string        `json:"key"`
	Fields   []cache.Field `json:"fields"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration_ns"`
	Outcome  State         `json:"outcome"`
	Error    string        `json:"error,omitempty"`
	Reasons  []string      `json:"reasons,omitempty"`
	// Unrecorded is set when the run's result may not be taken for that of
	// its inputs, because they changed meanwhile.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// stateStore keeps the last run of each stage under one directory. Safe for
// concurrent use on different stages.
type stateStore struct {
	dir  string
	mu   sync.Mutex
	made bool
}

func newStateStore(dir string) *stateStore { return &stateStore{dir: dir} }

// id is a file name for a stage: readable, and unique by the digest at its end.
func (s *stateStore) id(n *node) string {
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

func (s *stateStore) make() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made {
		return nil
	}
	for _, d := range []string{"stages", "logs"} {
		if err := os.MkdirAll(filepath.Join(s.dir, d), 0o777); err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
	}
	s.made = true
	return nil
}

func (s *stateStore) path(n *node) string {
	return filepath.Join(s.dir, "stages", s.id(n)+".json")
}

func (s *stateStore) logPath(n *node) string {
	return filepath.Join(s.dir, "logs", s.id(n)+".log")
}

// last returns the stage's last run, nil if none is known. A damaged file is
// as good as none.
func (s *stateStore) last(n *node) *LastRun {
	data, err := os.ReadFile(s.path(n))
	if err != nil {
		return nil
	}
	r := new(LastRun)
	if json.Unmarshal(data, r) != nil || r.Stage != n.Name || r.File != n.File {
		return nil
	}
	return r
}

func (s *stateStore) put(n *node, r *LastRun) error {
	if err := s.make(); err != nil {
		return err
	}
	r.Stage, r.File = n.Name, n.File
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record last run: %w", err)
	}
	tmp := fmt.Sprintf("%s.%d.tmp", s.path(n), os.Getpid())
	if err := os.WriteFile(tmp, data, 0o666); err != nil {
		return fmt.Errorf("record last run: %w", err)
	}
	if err := os.Rename(tmp, s.path(n)); err != nil {
		return fmt.Errorf("record last run: %w", err)
	}
	return nil
}

func (s *stateStore) field(n *node, name string) (string, bool) {
	r := s.last(n)
	if r == nil {
		return "", false
	}
	for _, f := range r.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// openLog creates the log of a new run, replacing that of the run before. The
// old one is unlinked, not truncated, so that a reader keeps what it reads.
func (s *stateStore) openLog(n *node) (*os.File, error) {
	if err := s.make(); err != nil {
		return nil, err
	}
	if err := os.Remove(s.logPath(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace log: %w", err)
	}
	f, err := os.OpenFile(s.logPath(n), os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
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
// not run the stage they count as changed, and a record may still restore it.
func (e *Engine) envChanges(n *node, s *snapshot) []Reason {
	var rs []Reason
	for _, v := range s.env {
		old, ok := e.states.field(n, "env:"+v.name)
		switch {
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
