package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/stages"
)

// app is one invocation of the program.
type app struct {
	registry       *stages.Registry
	stdin          io.Reader
	stdout, stderr io.Writer
	interrupted    <-chan struct{} // closed at the second interrupt

	// Global flags.
	cd        string
	quiet     bool
	verbose   int
	waitLock  bool
	arguments []string
}

// session is an open project: what most verbs work on.
type session struct {
	project *project.Project
	store   *cache.Store
	memo    *cache.Memo
	// set and engine are nil when the verb does not load the pipeline.
	set    *pipeline.Set
	engine *engine.Engine
	// dir is the current directory relative to the root, with slashes.
	dir string
	// cwd is the current directory, absolute.
	cwd string
	// warn prints a warning.
	warn func(text string)
}

// openOptions say what a verb needs of a session.
type openOptions struct {
	// noPipeline skips dvc.yaml and .dvc files.
	noPipeline bool
	sink       engine.Sink
	// remote, if not nil, becomes the engine's.
	remote *reproRemote
	// alone gives the commands of stages the terminal's input.
	alone bool
	// before runs after the project is found and before its pipeline is read.
	before func(p *project.Project) error
}

// open finds the project around the current directory and loads it.
func (a *app) open(o openOptions) (*session, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the current directory: %w", err)
	}
	p, err := project.Find(cwd)
	if err != nil {
		return nil, err
	}
	s := &session{project: p, cwd: cwd, dir: ".", warn: a.warn}
	if rel, ok := p.Rel(cwd); ok {
		s.dir = filepath.ToSlash(rel)
	}
	s.memo = cache.OpenMemo(filepath.Join(p.StateDir(), "memo"), time.Now)
	s.store, err = openStore(p, s.memo)
	if err != nil {
		return nil, err
	}
	if o.before != nil {
		if err := o.before(p); err != nil {
			return nil, err
		}
	}
	if o.noPipeline {
		return s, nil
	}
	ignore := project.NewIgnore(p.Root)
	if s.set, err = loadPipeline(p, ignore); err != nil {
		return nil, err
	}
	for _, w := range s.set.Warnings {
		a.warn(w)
	}
	if p.Config.Bool("flow", "lock_wait", false) {
		a.waitLock = true
	}
	eo := engine.Options{
		Project: p, Store: s.store, Memo: s.memo, Pipeline: s.set, Stages: a.registry, Ignore: ignore,
		Workers: p.Config.Int("core", "checksum_jobs", p.Config.Int("flow", "checksum_jobs", 0)), Sink: o.sink, Wait: a.waitLock, Command: "flow " + strings.Join(a.arguments, " "),
		Dir: s.dir, Interrupted: a.interrupted,
	}
	if o.alone {
		eo.Stdin = a.stdin
	}
	if o.remote != nil {
		o.remote.s = s
		eo.Remote = o.remote
	}
	s.engine, err = engine.New(eo)
	return s, err
}

// close writes what is pending. It returns err, joined with its own.
func (s *session) close(err error) error {
	if s.engine != nil {
		return errors.Join(err, s.engine.Close())
	}
	_ = s.memo.Save() // only spares work
	return err
}

func openStore(p *project.Project, memo *cache.Memo) (*cache.Store, error) {
	o := cache.Options{Dir: p.CacheDir(), Hash: p.Format.Hash, Memo: memo, Temp: p.TempDir()}
	for _, t := range p.Config.List("cache", "type") {
		o.Links = append(o.Links, cache.LinkType(t))
	}
	if shared, ok := p.Config.Get("cache", "shared"); ok && shared == "group" {
		o.Shared = true
	}
	if !p.Config.Bool("flow", "cache_packs", true) {
		o.PackFrom = -1
	}
	return cache.Open(o)
}

// loadPipeline reads the project's pipeline files.
func loadPipeline(p *project.Project, ig *project.Ignore) (*pipeline.Set, error) {
	return pipeline.Load(pipelineOptions(p, ig))
}

func pipelineOptions(p *project.Project, ig *project.Ignore) pipeline.Options {
	o := pipeline.Options{Root: p.Root, Ignored: ig.Match}
	if g, ok := p.Git(); ok {
		o.GitIgnored = func(rel string, dir bool) bool { return g.Ignored(p.Abs(rel), dir) }
	}
	if v, ok := p.Config.Get("parsing", "bool"); ok {
		o.BoolOptional = v == "boolean_optional"
	}
	if v, ok := p.Config.Get("parsing", "list"); ok {
		o.ListAppend = v == "append"
	}
	return o
}

// targets resolves the arguments of a verb to stages; none means the dvc.yaml
// of the current directory.
func (s *session) targets(args []string, glob bool) ([]*pipeline.Stage, error) {
	if len(args) == 0 {
		args = []string{"dvc.yaml"}
	}
	var list []*pipeline.Stage
	for _, t := range args {
		found, err := s.set.Resolve(t, s.dir, glob)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// print writes to standard output unless --quiet was given.
func (a *app) print(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stdout, format, args...)
	}
}

func (a *app) warn(text string) { fmt.Fprintf(a.stderr, "WARNING: %s\n", text) }

// terminal reports whether w is one, with its width.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return width, true
}

// exitError is an error with the exit code it asks for. A nil err means that
// everything has been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// verb is the body of a command.
type verb func(ctx context.Context, args []string) error

// run turns a verb into what cobra calls.
func run(v verb) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error { return v(c.Context(), args) }
}
