package graph

import (
	"errors"
	"slices"

	dag "github.com/dominikbraun/graph"
)

// Node is one stage as the graph sees it.
type Node struct {
	// Name is the display address: "train", "sub/dvc.yaml:train", "data.dvc".
	Name string
	// File is the pipeline or .dvc file that declares the stage, relative to
	// the project's root.
	File string
	// Deps and Outs are slash paths, relative to the project's root or, for
	// what lies outside, absolute. URLs match only URLs.
	Deps, Outs []string
	// Frozen marks a stage whose producers do not matter: see Graph.Active.
	Frozen bool
	// Line and Column are the place in File, from 1; 0 when unknown.
	Line, Column int
}

// Graph is an immutable acyclic graph of nodes, known by their index. Slices
// it returns are shared and must not be changed. It is safe for concurrent use.
type Graph struct {
	nodes []Node
	store *store
	lib   dag.Graph[int, int]
	outs  *outIndex
	order []int
}

// New joins nodes into a graph. The error joins everything that is wrong with
// them: *DuplicateError, *OverlapError, *InsideError and *CycleError, in this
// order of kinds. With an error there is no graph; see Build.
func New(nodes []Node) (*Graph, error) {
	g, faults := Build(nodes)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return g, nil
}

// Build is New for commands that show what they can in a broken project. The
// graph is always usable: a path with several owners connects its readers with
// all of them, and of every cycle one edge at least is left out.
func Build(nodes []Node) (*Graph, []error) {
	g := &Graph{nodes: nodes, outs: indexOuts(nodes)}
	g.store, g.lib = newStore(nodes)
	faults := g.outs.faults(nodes)

	self := g.connect()
	g.order = topological(g.store)
	cycles := self
	if len(g.order) < len(nodes) {
		cycles = append(cycles, g.cycles()...)
		g.cutCycles()
		g.order = topological(g.store)
	}
	slices.SortStableFunc(cycles, func(a, b *CycleError) int { return a.Nodes[0] - b.Nodes[0] })
	for _, c := range cycles {
		faults = append(faults, c)
	}
	return g, faults
}

// connect adds the edges from producers to readers, for every reader in order
// of its declared dependencies. It returns a fault for each node that reads
// its own output.
func (g *Graph) connect() (self []*CycleError) {
	var found []int
	seen := make([]int, len(g.nodes)) // reader+1 that an edge was last added for
	for reader := range g.nodes {
		for _, dep := range g.nodes[reader].Deps {
			found = g.outs.overlapping(cleanPath(dep), found[:0])
			for _, o := range found {
				producer := g.outs.list[o].node
				if seen[producer] == reader+1 {
					continue
				}
				seen[producer] = reader + 1
				if producer == reader {
					self = append(self, newCycle(g.nodes, []int{reader}, []string{dep}))
					continue
				}
				_ = g.lib.AddEdge(keyOf(producer), keyOf(reader)) // both exist, and seen excludes a second
			}
		}
	}
	return self
}

// Len is the number of nodes.
func (g *Graph) Len() int { return len(g.nodes) }

// Node returns node i as it was given.
func (g *Graph) Node(i int) Node { return g.nodes[i] }

// Parents returns the nodes that produce what i reads, in the order of i's
// dependencies.
func (g *Graph) Parents(i int) []int { return slices.Clip(g.store.in[i]) }

// Children returns the nodes that read what i produces, ascending.
func (g *Graph) Children(i int) []int { return slices.Clip(g.store.out[i]) }

// Edges returns the number of edges.
func (g *Graph) Edges() int { return len(g.store.insertion) }

// Order returns all nodes, producers before readers; among those that could
// come next the smallest index does.
func (g *Graph) Order() []int { return slices.Clip(g.order) }

// Library returns the graph for use with the algorithms of
// github.com/dominikbraun/graph. Values are the indexes of nodes and keys are
// one more; edges run from producer to reader. It must not be changed.
func (g *Graph) Library() dag.Graph[int, int] { return g.lib }

// Active returns the graph that decides what has to run first: the same nodes
// without the edges into frozen ones. It is g itself when nothing is frozen.
func (g *Graph) Active() *Graph {
	if !slices.ContainsFunc(g.nodes, func(n Node) bool { return n.Frozen }) {
		return g
	}
	a := &Graph{nodes: g.nodes, outs: g.outs}
	a.store, a.lib = newStore(g.nodes)
	for _, e := range g.store.insertion {
		if !g.nodes[e[1]].Frozen {
			_ = a.lib.AddEdge(keyOf(e[0]), keyOf(e[1]))
		}
	}
	a.order = topological(a.store)
	return a
}

// Producer returns the node one of whose outputs is path or holds it. When
// the project is broken and there are several, it is the first of the deepest.
func (g *Graph) Producer(path string) (int, bool) {
	for p, ok := cleanPath(path), true; ok; p, ok = parentPath(p) {
		if o, found := g.outs.first[p]; found {
			return g.outs.list[o].node, true
		}
	}
	return 0, false
}

// Producers returns the nodes with an output that is path, holds it or lies
// inside it, ascending.
func (g *Graph) Producers(path string) []int {
	var nodes []int
	for _, o := range g.outs.overlapping(cleanPath(path), nil) {
		nodes = append(nodes, g.outs.list[o].node)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}
