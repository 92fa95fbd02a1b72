package pipeline

import (
	"path"

	"github.com/flowrepro/flow/internal/yaml12"
)

// File is one loaded pipeline file: a dvc.yaml or a .dvc file.
type File struct {
	// Path is relative to the project root, with slashes.
	Path string
	// Doc is the parsed text; for excerpts and edits.
	Doc *yaml12.Document
	// Groups maps the name of a foreach or matrix stage to the names it
	// generated, in order.
	Groups map[string][]string
	// GroupNames are the keys of Groups in file order.
	GroupNames []string
	// Metrics and Params are the top-level lists, relative to the project root
	// like Dependency.Path. Entries may be directories.
	Metrics, Params []string
	Plots           []Plot
	Artifacts       []Artifact
	// Datasets is the value of the top-level key, nil without it.
	Datasets any
	// Vars are the values that templates of the whole file see: params.yaml
	// beside it and its vars, merged.
	Vars *yaml12.Map
	// Stages in declared order, groups expanded in place.
	Stages []*Stage

	byName map[string]*Stage
}

// Dir returns the file's directory relative to the project root, "." for the
// root.
func (f *File) Dir() string { return path.Dir(f.Path) }

// IsData reports whether it is a .dvc file.
func (f *File) IsData() bool { return path.Base(f.Path) != fileName }

// Stage returns the stage of that final name.
func (f *File) Stage(name string) (*Stage, bool) {
	s, ok := f.byName[name]
	return s, ok
}

// Plot is an entry of the top-level plots.
type Plot struct {
	// ID is a path relative to the file, or any name when Props say where the
	// data is.
	ID string
	// Path is ID as a path relative to the project root.
	Path string
	// Props are x, y, x_label, y_label, title and template as declared; nil
	// for a bare path.
	Props *yaml12.Map
	Pos   Position
}

// Artifact is an entry of the top-level artifacts.
type Artifact struct {
	Name string
	// Def is the path as declared, Path the same relative to the root.
	Def, Path  string
	Desc, Type string
	Labels     []string
	Meta       any
	Pos        Position
}
