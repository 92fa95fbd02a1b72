package pipeline

import (
	"github.com/flowrepro/flow/engine/lock"
)

// Stage is one resolved stage: templates replaced, foreach and matrix expanded.
type Stage struct {
	// Name is the final name ("train", "train@a"); empty for a .dvc file.
	Name string
	// Group is the name in the file for a foreach or matrix stage, else "".
	Group string
	// File is the dvc.yaml or .dvc file that declares the stage, relative to
	// the project root, with slashes.
	File string
	// Wdir is the working directory relative to the project root, with
	// slashes; "." for the root. WdirDef is as declared, "" if it is not.
	Wdir, WdirDef string
	// Cmd is what runs; empty for a .dvc file.
	Cmd Command

	Deps   []Dependency
	Params []ParamFile
	Outs   []Output

	Frozen        bool
	AlwaysChanged bool
	Desc          string
	// Meta is the user's data (see yaml12.Map), nil if there is none.
	Meta any
	// Data is the .dvc file that declares the stage, nil for dvc.yaml stages.
	Data *lock.DataFile
	// Templated is set when the stage's text holds ${...} or it was generated,
	// so that it cannot be edited in place.
	Templated bool
	// Pos is where the stage is declared.
	Pos Position
}

// Position is a place in a file; lines and columns count from 1.
type Position struct {
	File         string
	Line, Column int
}

// Command is what a stage runs. IsList tells a list of commands from one text,
// which the lock keeps apart.
type Command struct {
	Lines  []string
	IsList bool
}

// Dependency is a declared dependency.
type Dependency struct {
	// Def is the path as declared, the dependency's identity in the lock.
	Def string
	// Path is relative to the project root with slashes when inside the
	// project, else absolute; for an URL it is the URL itself.
	Path string
	// URL is set for anything with a scheme (s3://, https://, remote://, ds://).
	URL bool
	Pos Position
}

// ParamFile is a declared dependency on parameters.
type ParamFile struct {
	// Def is the file as declared ("params.yaml" by default), relative to Wdir.
	Def string
	// Path is relative to the project root like Dependency.Path.
	Path string
	// Keys are the tracked dotted keys in declared order; nil for the whole file.
	Keys []string
	Pos  Position
}

// OutputKind is the role of an output.
type OutputKind uint8

// The kinds of outputs.
const (
	PlainOutput OutputKind = iota
	MetricOutput
	PlotOutput
)

// Output is a declared output with its flags.
type Output struct {
	Def, Path string // as in Dependency
	URL       bool
	Kind      OutputKind
	Cache     bool // stored in the cache
	Persist   bool // not removed before the command
	Push      bool
	Remote    string
	// Plot holds the plot properties of a plot output (template, x, y, ...).
	Plot map[string]any
	Pos  Position
}

// Address returns the stage's name for display: "train", "sub/dvc.yaml:train"
// or "data.dvc", relative to the directory dir (root-relative with slashes).
func (s *Stage) Address(dir string) string { return address(s, dir) }

// IsData reports whether the stage is a .dvc file.
func (s *Stage) IsData() bool { return s.Data != nil }

// IsCallback reports whether the stage has neither dependencies nor outputs,
// so that it always runs.
func (s *Stage) IsCallback() bool {
	return !s.IsData() && len(s.Deps) == 0 && len(s.Params) == 0 && len(s.Outs) == 0
}
