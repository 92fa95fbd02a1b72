package graph

import (
	"fmt"
	"slices"
	"strings"
)

// Place says where a stage that takes part in a fault is declared.
type Place struct {
	// Name is the stage's display address.
	Name string
	// File, Line and Column are as in Node.
	File         string
	Line, Column int
}

// String is the place as "file:line:column", or as much of it as is known.
func (p Place) String() string {
	switch {
	case p.Line <= 0:
		return p.File
	case p.Column <= 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func placeOf(nodes []Node, i int) Place {
	n := &nodes[i]
	return Place{Name: n.Name, File: n.File, Line: n.Line, Column: n.Column}
}

// DuplicateError reports an output that is declared more than once.
type DuplicateError struct {
	Path string
	// Nodes and Places are the stages that declare it, in order; just one
	// when a stage declares it twice.
	Nodes  []int
	Places []Place
}

func (e *DuplicateError) Error() string {
	if len(e.Places) == 1 {
		return fmt.Sprintf("output '%s' is already specified in stage: '%s'.", e.Path, e.Places[0].Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "output '%s' is specified in:", e.Path)
	for _, p := range e.Places {
		b.WriteString("\n\t- " + p.Name)
	}
	return b.String()
}

// Hint says what to do about it.
func (e *DuplicateError) Hint() string {
	if len(e.Places) == 1 {
		return "list the output once"
	}
	return "let one stage own the output; `flow remove <stage>` drops a stage you do not need"
}

// Where returns the stages to look at.
func (e *DuplicateError) Where() []Place { return e.Places }

// OverlapError reports an output that lies inside another output.
type OverlapError struct {
	Outer, Inner string
	// Places are the stages that declare the outer and the inner output.
	Places [2]Place
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("The output paths:\n'%s'('%s')\n'%s'('%s')\noverlap and are thus in the same tracked directory.",
		e.Outer, e.Places[0].Name, e.Inner, e.Places[1].Name)
}

// Hint says what to do about it.
func (e *OverlapError) Hint() string {
	return "give every output a directory of its own, or list the files of the directory one by one"
}

// Where returns the stages to look at.
func (e *OverlapError) Where() []Place { return e.Places[:] }

// InsideError reports a pipeline or .dvc file that lies inside an output, so
// that producing the output would delete it.
type InsideError struct {
	Output string
	// Place is the first stage of that file.
	Place Place
}

func (e *InsideError) Error() string {
	return fmt.Sprintf("stage: '%s' is within an output '%s' of another stage", e.Place.Name, e.Output)
}

// Hint says what to do about it.
func (e *InsideError) Hint() string {
	return fmt.Sprintf("move '%s' out of '%s', which is deleted before its stage runs", e.Place.File, e.Output)
}

// Where returns the stage to look at.
func (e *InsideError) Where() []Place { return []Place{e.Place} }

// CycleError reports stages that wait for each other, or a stage that reads
// what it writes.
type CycleError struct {
	// Nodes are the stages in the direction of the data, from the smallest
	// index; each produces what the next one reads, the last what the first does.
	Nodes  []int
	Places []Place
	// Deps[i] is the dependency by which the stage after Nodes[i] reads it.
	Deps []string
}

func newCycle(nodes []Node, members []int, deps []string) *CycleError {
	first := slices.Index(members, slices.Min(members))
	turn := func(i int) int { return (first + i) % len(members) }
	e := &CycleError{}
	for i := range members {
		m := members[turn(i)]
		e.Nodes = append(e.Nodes, m)
		e.Places = append(e.Places, placeOf(nodes, m))
		e.Deps = append(e.Deps, deps[turn(i)])
	}
	return e
}

func (e *CycleError) Error() string {
	names := make([]string, len(e.Places), len(e.Places)+1)
	for i, p := range e.Places {
		names[i] = p.Name
	}
	word := "stages"
	if len(names) == 1 {
		word = "stage"
	}
	return fmt.Sprintf("Same item(s) are defined as both a dependency and an output in %s: %s.\ncycle: %s",
		word, strings.Join(names, ", "), strings.Join(append(names, names[0]), " -> "))
}

// Hint names the dependencies that close the cycle.
func (e *CycleError) Hint() string {
	if len(e.Places) == 1 {
		return fmt.Sprintf("'%s' reads '%s', which it writes itself", e.Places[0].Name, e.Deps[0])
	}
	parts := make([]string, len(e.Places))
	for i, p := range e.Places {
		reader := e.Places[(i+1)%len(e.Places)]
		parts[i] = fmt.Sprintf("'%s' reads '%s' of '%s'", reader.Name, e.Deps[i], p.Name)
	}
	return strings.Join(parts, ", ")
}

// Where returns the stages to look at.
func (e *CycleError) Where() []Place { return e.Places }
