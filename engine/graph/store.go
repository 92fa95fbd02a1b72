package graph

import (
	"slices"

	dag "github.com/dominikbraun/graph"
)

// store keeps a library graph whose vertices are the indexes of a node list.
// Adjacency is kept in slices in order of insertion, which makes everything
// read from it deterministic and keeps building linear; the library's own
// store keeps maps of maps and lists them in random order.
//
// It is filled by one goroutine and only read afterwards, hence no lock.
type store struct {
	nodes     []Node
	known     int // vertices 0 to known-1 were added
	in, out   [][]int
	edges     map[[2]int]dag.Edge[int]
	insertion [][2]int
}

// newStore returns an empty store for nodes and the library graph over it.
func newStore(nodes []Node) (*store, dag.Graph[int, int]) {
	s := &store{
		nodes: nodes,
		in:    make([][]int, len(nodes)),
		out:   make([][]int, len(nodes)),
		edges: make(map[[2]int]dag.Edge[int], len(nodes)),
	}
	g := dag.NewWithStore(dag.IntHash, s, dag.Directed())
	for i := range nodes {
		_ = g.AddVertex(i) // cannot fail: indexes come once and in order
	}
	return s, g
}

func (s *store) has(i int) bool { return i >= 0 && i < s.known }

func (s *store) AddVertex(k, _ int, _ dag.VertexProperties) error {
	switch {
	case s.has(k):
		return dag.ErrVertexAlreadyExists
	case k != s.known || k >= len(s.nodes):
		return dag.ErrVertexNotFound
	}
	s.known++
	return nil
}

func (s *store) Vertex(k int) (int, dag.VertexProperties, error) {
	if !s.has(k) {
		return 0, dag.VertexProperties{}, dag.ErrVertexNotFound
	}
	return k, dag.VertexProperties{}, nil
}

// RemoveVertex removes the vertex added last; others keep their index.
func (s *store) RemoveVertex(k int) error {
	switch {
	case !s.has(k):
		return dag.ErrVertexNotFound
	case len(s.in[k])+len(s.out[k]) > 0 || k != s.known-1:
		return dag.ErrVertexHasEdges
	}
	s.known--
	return nil
}

func (s *store) ListVertices() ([]int, error) {
	list := make([]int, s.known)
	for i := range list {
		list[i] = i
	}
	return list, nil
}

func (s *store) VertexCount() (int, error) { return s.known, nil }

func (s *store) AddEdge(from, to int, e dag.Edge[int]) error {
	if !s.has(from) || !s.has(to) {
		return dag.ErrVertexNotFound
	}
	k := [2]int{from, to}
	if _, dup := s.edges[k]; dup {
		return dag.ErrEdgeAlreadyExists
	}
	e.Properties.Attributes = nil // nobody sets them; one map an edge is dear
	s.edges[k] = e
	s.insertion = append(s.insertion, k)
	s.out[from] = append(s.out[from], to)
	s.in[to] = append(s.in[to], from)
	return nil
}

func (s *store) UpdateEdge(from, to int, e dag.Edge[int]) error {
	k := [2]int{from, to}
	if _, ok := s.edges[k]; !ok {
		return dag.ErrEdgeNotFound
	}
	s.edges[k] = e
	return nil
}

func (s *store) RemoveEdge(from, to int) error {
	k := [2]int{from, to}
	if _, ok := s.edges[k]; !ok {
		return dag.ErrEdgeNotFound
	}
	delete(s.edges, k)
	without := func(list []int, x int) []int {
		return slices.DeleteFunc(list, func(y int) bool { return y == x })
	}
	s.out[from], s.in[to] = without(s.out[from], to), without(s.in[to], from)
	s.insertion = slices.DeleteFunc(s.insertion, func(e [2]int) bool { return e == k })
	return nil
}

func (s *store) Edge(from, to int) (dag.Edge[int], error) {
	e, ok := s.edges[[2]int{from, to}]
	if !ok {
		return e, dag.ErrEdgeNotFound
	}
	return e, nil
}

func (s *store) ListEdges() ([]dag.Edge[int], error) {
	list := make([]dag.Edge[int], len(s.insertion))
	for i, k := range s.insertion {
		list[i] = s.edges[k]
	}
	return list, nil
}
