// Package graph joins stages into a directed acyclic graph by the paths they
// read and write, and draws it.
//
// A stage depends on another when one of its dependencies is an output of the
// other, lies inside such an output, or is a directory that holds one. Paths
// are compared by components, so "a/b" does not lie inside "a/bc". Nothing is
// read from disk and nothing is known of hashes or files: names and paths go
// in, a graph comes out.
//
//	g, err := graph.New(nodes)     // refuses what cannot be ordered
//	g.Order()                      // producers before consumers
//	g.Active().Upstream(target)    // what repro has to look at
//	g.View(graph.ViewOptions{}).ASCII()
//
// New refuses an output with two owners, an output inside another output, a
// pipeline file inside an output, and cycles, a stage that reads what it
// writes included. All faults of the project are reported at once, each as a
// typed error with the wording users of DVC know and the places to look at.
// Build does the same checks but hands out a usable graph beside the faults;
// every Graph is acyclic, since Build leaves out the edges that close cycles.
//
// Nodes are known by their index in the list given to New. All results are
// deterministic; where the graph leaves a choice, the smaller index comes
// first. A Graph is immutable and safe for concurrent use.
//
// Frozen nodes keep their edges, since the drawings show them. Active gives
// the graph without the edges into frozen nodes: a frozen node waits for
// nobody, and asking for it does not ask for its producers.
//
// A View is a drawing's content: names, edges and optionally states. Its text
// forms are byte for byte what `dvc dag` prints, where that is determined at
// all; ASCII layout follows the layered method of Sugiyama with the coordinate
// assignment of Brandes and Köpf.
package graph
