package stages

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
)

// Func is the body of a stage. It reads the call's dependencies, writes its
// outputs and nothing else, and never changes the working directory or other
// process-wide state, since stages run side by side. It returns promptly with
// ctx.Err() when ctx is done.
type Func func(ctx context.Context, c *Call) error

// Stage is a Go function that pipelines call by name: `cmd: flow stage <name>`.
type Stage struct {
	// Name is the word after `flow stage`.
	Name string
	// Version is part of the key of every result. Change it whenever the
	// stage would write other bytes for the same input.
	Version string
	// Doc is one line on what the stage does.
	Doc string
	// Run does the work.
	Run Func
}

// Call is everything a stage function sees.
type Call struct {
	// Stage is the name of the pipeline stage, for messages.
	Stage string
	// Root is the absolute path of the project's root. It is for what belongs
	// to the project as a whole, such as its tracking store; what the stage
	// reads and writes is in Deps and Outs.
	Root string
	// Deps and Outs are the declared paths in order, with where they are.
	Deps, Outs []Path
	// Params are the declared parameters by full dotted key.
	Params Params
	// Args are the words after the stage's name in the command.
	Args []string
	// Log receives structured messages; they end up in the stage's log.
	Log *slog.Logger
	// Progress, never nil, reports work done out of total in the named unit.
	// A total of 0 means unknown. It may be called often and concurrently.
	Progress func(done, total int64, unit string)
}

// Path is a declared path of a stage.
type Path struct {
	// Name is the path as the pipeline file declares it.
	Name string
	// File is the absolute path in the workspace.
	File string
}

// Registry holds the stages a program offers. The zero Registry is empty and
// ready to use. It is not safe for concurrent Add.
type Registry struct {
	byName map[string]Stage
}

// NewRegistry returns a registry of the given stages. It panics where Add does.
func NewRegistry(list ...Stage) *Registry {
	r := new(Registry)
	for _, s := range list {
		r.Add(s)
	}
	return r
}

// Add registers a stage. It panics on an empty name or version, a missing
// function or a duplicate: these are errors of the program, not of its input.
func (r *Registry) Add(s Stage) {
	switch {
	case s.Name == "" || s.Version == "" || s.Run == nil:
		panic(fmt.Sprintf("stages: stage %q needs a name, a version and a function", s.Name))
	case r.byName == nil:
		r.byName = map[string]Stage{}
	}
	if _, dup := r.byName[s.Name]; dup {
		panic(fmt.Sprintf("stages: stage %q registered twice", s.Name))
	}
	r.byName[s.Name] = s
}

// Lookup returns the stage of that name.
func (r *Registry) Lookup(name string) (Stage, bool) {
	if r == nil {
		return Stage{}, false
	}
	s, ok := r.byName[name]
	return s, ok
}

// List returns all stages sorted by name.
func (r *Registry) List() []Stage {
	if r == nil {
		return nil
	}
	list := make([]Stage, 0, len(r.byName))
	for _, s := range r.byName {
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}
