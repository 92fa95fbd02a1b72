package graph

import (
	"errors"
	"slices"
	"testing"

	dag "github.com/dominikbraun/graph"
)

// TestLibraryGraph: the store behaves as the library expects of a store, so
// that its algorithms give right answers.
func TestLibraryGraph(t *testing.T) {
	g := mustNew(t, node("a", nil, l("a")), node("b", l("a"), l("b")), node("c", l("b", "a"), l("c")), node("d", nil, nil))
	lib := g.Library()
	reduced, err := dag.TransitiveReduction(lib)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := reduced.Size(); n != 2 {
		t.Errorf("%d edges after reduction, want 2", n)
	}
	path, err := dag.ShortestPath(lib, keyOf(0), keyOf(2))
	if err != nil || !slices.Equal(path, []int{keyOf(0), keyOf(2)}) {
		t.Errorf("shortest path %v, error %v", path, err)
	}
	if _, err := lib.Vertex(0); !errors.Is(err, dag.ErrVertexNotFound) {
		t.Errorf("key 0: %v", err)
	}
	if v, err := lib.Vertex(keyOf(3)); v != 3 || err != nil {
		t.Errorf("key of 3: %d, %v", v, err)
	}
}

func TestStore(t *testing.T) {
	s, g := newStore(make([]Node, 3))
	for _, c := range []struct {
		name string
		got  error
		want error
	}{
		{"edge", g.AddEdge(1, 2), nil},
		{"same edge", g.AddEdge(1, 2), dag.ErrEdgeAlreadyExists},
		{"same edge, directly", s.AddEdge(1, 2, dag.Edge[int]{}), dag.ErrEdgeAlreadyExists},
		{"edge to nowhere", g.AddEdge(1, 4), dag.ErrVertexNotFound},
		{"edge to nowhere, directly", s.AddEdge(0, 1, dag.Edge[int]{}), dag.ErrVertexNotFound},
		{"vertex again", g.AddVertex(0), dag.ErrVertexAlreadyExists},
		{"vertex without node", g.AddVertex(3), dag.ErrVertexNotFound},
		{"update", g.UpdateEdge(1, 2, dag.EdgeWeight(7)), nil},
		{"update of nothing", s.UpdateEdge(2, 1, dag.Edge[int]{}), dag.ErrEdgeNotFound},
		{"removal of a joined vertex", g.RemoveVertex(1), dag.ErrVertexHasEdges},
		{"removal of no vertex", g.RemoveVertex(9), dag.ErrVertexNotFound},
		{"removal of the last", g.RemoveVertex(3), nil},
		{"removal of no edge", s.RemoveEdge(2, 1), dag.ErrEdgeNotFound},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if e, err := g.Edge(1, 2); err != nil || e.Properties.Weight != 7 || e.Source != 0 || e.Target != 1 {
		t.Errorf("edge %+v, error %v", e, err)
	}
	if n, _ := g.Size(); n != 1 {
		t.Errorf("%d edges", n)
	}
	if err := g.RemoveEdge(1, 2); err != nil || len(s.in[1])+len(s.out[0])+len(s.insertion) > 0 {
		t.Errorf("edge is still there: %v, error %v", s, err)
	}
	if _, err := g.Edge(1, 2); !errors.Is(err, dag.ErrEdgeNotFound) {
		t.Errorf("removed edge: %v", err)
	}
}
