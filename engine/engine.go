package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/graph"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/stages"
)

// Options configure an Engine. Project, Store and Pipeline are required.
type Options struct {
	Project  *project.Project
	Store    *cache.Store
	Memo     *cache.Memo
	Pipeline *pipeline.Set
	// Values are the project's parameter files; nil reads them afresh.
	Values *pipeline.Values
	// Ignore holds the project's ignore rules; nil reads them afresh.
	Ignore *project.Ignore
	// Stages are the Go functions that `flow stage <name>` commands call.
	Stages *stages.Registry
	// Remote has the results of others, for requests that pull; nil means none.
	Remote Remote
	// Sink receives the events; nil drops them.
	Sink Sink
	// Workers bounds parallel hashing; 0 means the number of CPUs.
	Workers int
	// Wait makes the engine wait for other processes' locks without limit.
	Wait bool
	// Command is the command line, shown to processes that we block.
	Command string
	// Dir is the directory that display names are relative to, root-relative
	// with slashes; empty means the root.
	Dir string
	// Stdin is given to commands that run alone (one worker); nil means none.
	Stdin io.Reader
	// Interrupted, when closed, makes running commands be killed at once.
	Interrupted <-chan struct{}
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Engine decides and runs the stages of one project. Its methods may not be
// called concurrently with each other; each uses as many goroutines as it is
// asked to.
type Engine struct {
	opt    Options
	nodes  []*node
	graph  *graph.Graph
	active *graph.Graph
	// graphErr is what is wrong with the graph; only verbs that run or draw
	// stages refuse on it.
	graphErr []error
	byStage  map[*pipeline.Stage]*node

	ws      *workspace
	locks   *lockFiles
	runs    *lock.RunCache // nil in the native format
	section *section
	values  *pipeline.Values
	ignore  *project.Ignore
	states  *stateStore
	git     *project.Git // nil outside Git

	remote   remoteState
	linkOnce sync.Once
	linked   *linkTable // use links()

	emitMu sync.Mutex
}

// node is a stage in the engine: the stage with its place in the graph.
type node struct {
	*pipeline.Stage
	index int
	name  string // display name
	goRef *goStage
	// place is where the stage stands in the current plan, worker who handles it.
	place, worker int
}

// New builds the engine and the graph. A faulty graph (cycles, overlapping
// outputs) is no error here: verbs that need a sound graph return it.
func New(o Options) (*Engine, error) {
	if o.Project == nil || o.Store == nil || o.Pipeline == nil {
		return nil, errors.New("engine: project, store and pipeline are required")
	}
	if o.Sink == nil {
		o.Sink = noSink{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dir == "" {
		o.Dir = "."
	}
	e := &Engine{opt: o, values: o.Values, byStage: map[*pipeline.Stage]*node{}}
	if e.values == nil {
		e.values = pipeline.NewValues(o.Project.Root)
	}
	gnodes := make([]graph.Node, 0, len(o.Pipeline.Stages))
	for i, s := range o.Pipeline.Stages {
		n := &node{Stage: s, index: i, name: s.Address(o.Dir)}
		n.goRef = parseGoStage(s, o.Stages)
		e.nodes = append(e.nodes, n)
		e.byStage[s] = n
		gnodes = append(gnodes, graphNode(n))
	}
	e.graph, e.graphErr = graph.Build(gnodes)
	e.active = e.graph.Active()
	e.ignore = o.Ignore
	if e.ignore == nil {
		e.ignore = project.NewIgnore(o.Project.Root)
	}
	e.ws = newWorkspace(e)
	e.locks = newLockFiles(e)
	e.section = newSection(e)
	e.states = newStateStore(o.Project.StateDir())
	if o.Project.Format == project.DVC {
		e.runs = &lock.RunCache{Dir: filepath.Join(o.Project.CacheDir(), "runs")}
	}
	if g, ok := o.Project.Git(); ok {
		e.git = g
	}
	return e, nil
}

func graphNode(n *node) graph.Node {
	g := graph.Node{Name: n.name, File: n.File, Frozen: n.Frozen, Line: n.Pos.Line, Column: n.Pos.Column}
	for _, d := range n.Deps {
		if !d.URL {
			g.Deps = append(g.Deps, d.Path)
		}
	}
	for _, p := range n.Params {
		g.Deps = append(g.Deps, p.Path)
	}
	for _, o := range n.Outs {
		if !o.URL {
			g.Outs = append(g.Outs, o.Path)
		}
	}
	return g
}

// Graph returns the graph of all stages, in the order of the pipeline set, and
// what is wrong with it, nil if nothing is.
func (e *Engine) Graph() (*graph.Graph, error) { return e.graph, errors.Join(e.graphErr...) }

// Index returns the place of a stage in the graph.
func (e *Engine) Index(s *pipeline.Stage) int { return e.byStage[s].index }

// Close ends the use of the engine: it writes what is pending in lock files
// and the stat memo. It must be called also after an error.
func (e *Engine) Close() error {
	err := errors.Join(e.locks.flush(true), e.linked.save(), e.states.close())
	e.section.drop()
	if e.opt.Memo != nil {
		// The memo only spares work; a read-only disk is no reason to fail.
		_ = e.opt.Memo.Save()
	}
	return err
}

// emit hands one event to the sink, one at a time.
func (e *Engine) emit(ev Event) {
	e.emitMu.Lock()
	defer e.emitMu.Unlock()
	if ev.Time.IsZero() {
		ev.Time = e.opt.Now()
	}
	e.opt.Sink.Emit(ev)
}

func (e *Engine) warn(n *node, text, hint string) {
	ev := Event{Kind: Warned, Text: text, Hint: hint}
	if n != nil {
		ev.Stage = n.name
	}
	e.emit(ev)
}

// abs returns the place of a root-relative or absolute path in the workspace.
func (e *Engine) abs(path string) string {
	if filepath.IsAbs(filepath.FromSlash(path)) {
		return filepath.FromSlash(path)
	}
	return e.opt.Project.Abs(path)
}

// inside reports whether a resolved path lies in the project.
func inside(path string) bool { return !filepath.IsAbs(filepath.FromSlash(path)) }

// show returns a path as users expect it in messages: relative to where they are.
func (e *Engine) show(path string) string {
	if !inside(path) {
		return path
	}
	rel, err := filepath.Rel(filepath.FromSlash(e.opt.Dir), filepath.FromSlash(path))
	if err != nil {
		return path
	}
	return rel
}

// showAbs is show for an absolute path.
func (e *Engine) showAbs(abs string) string {
	rel, ok := e.opt.Project.Rel(abs)
	if !ok {
		return abs
	}
	return e.show(filepath.ToSlash(rel))
}

// section is the part of the engine's work during which the project's lock is
// held: everything but running commands. DVC takes the same lock, so that the
// two never write the same files at once.
type section struct {
	e       *Engine
	mu      sync.Mutex
	holders int
	release func() error // nil when the lock is not held
	timer   *time.Timer
}

// linger is how long the lock is kept when nobody is in the section. Commands
// that take less do not pay for giving it up and taking it again.
const linger = 5 * time.Millisecond

func newSection(e *Engine) *section { return &section{e: e} }

// enter takes the project's lock, or joins the holders in this process.
func (s *section) enter(ctx context.Context) error { return s.take(ctx, s.e.opt.Wait) }

// reenter is enter for who was in the section and left it for a while. It waits
// as long as it takes, also when ctx is done, since who was in must leave.
func (s *section) reenter(ctx context.Context) error {
	return s.take(context.WithoutCancel(ctx), true)
}

func (s *section) take(ctx context.Context, wait bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.release == nil {
		release, err := s.e.opt.Project.Lock(ctx, wait)
		if err != nil {
			return err
		}
		s.release = release
	}
	s.holders++
	return nil
}

// leave gives the lock up soon after the last holder has left.
func (s *section) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders--
	if s.holders > 0 {
		return
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(linger, s.drop)
	} else {
		s.timer.Reset(linger)
	}
}

// drop gives the lock up at once unless somebody is in the section.
func (s *section) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders > 0 || s.release == nil {
		return
	}
	// The lock is advisory and goes with the descriptor: nothing to do on error.
	_ = s.release()
	s.release = nil
}

// exists reports whether anything is at path, without following a final link.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// StageError is the failure of one stage.
type StageError struct {
	Stage string // display name
	Err   error
	hint  string
}

// Error says which stage failed and why, in DVC's words.
func (e *StageError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("failed to reproduce '%s'", e.Stage)
	}
	return fmt.Sprintf("failed to reproduce '%s': %v", e.Stage, e.Err)
}

// Unwrap returns the cause.
func (e *StageError) Unwrap() error { return e.Err }

// Hint says what the user can do, if anything.
func (e *StageError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	var h interface{ Hint() string }
	if e.Err != nil && errors.As(e.Err, &h) {
		return h.Hint()
	}
	return ""
}

// hintError is an error with advice.
type hintError struct {
	error
	hint string
}

func (e hintError) Hint() string  { return e.hint }
func (e hintError) Unwrap() error { return e.error }
