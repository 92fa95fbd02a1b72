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
// To the library, node i has the key i+1: its search for strongly connected
// components takes the zero key for none.
//
// It is filled by one goroutine and only read afterwards, hence no lock.
type store struct {
	nodes     []Node
	known     int // nodes 0 to known-1 were added
	in, out   [][]int
	edges     map[[2]int]dag.Edge[int] // by nodes
	insertion [][2]int                 // nodes
}

// keyOf is the library's key of a node.
func keyOf(node int) int { return node + 1 }

// nodeOf is the node of a library's key.
func nodeOf(key int) int { return key - 1 }

// newStore returns an empty store for nodes and the library graph over it.
func newStore(nodes []Node) (*store, dag.Graph[int, int]) {
	s := &store{
		nodes: nodes,
		in:    make([][]int, len(nodes)),
		out:   make([][]int, len(nodes)),
		edges: make(map[[2]int]dag.Edge[int], len(nodes)),
	}
	g := dag.NewWithStore(keyOf, s, dag.Directed())
	for i := range nodes {
		_ = g.AddVertex(i) // cannot fail: indexes come once and in order
	}
	return s, g
}

func (s *store) has(node int) bool { return node >= 0 && node < s.known }

func (s *store) AddVertex(key, node int, _ dag.VertexProperties) error {
	switch {
	case s.has(node):
		return dag.ErrVertexAlreadyExists
	case key != keyOf(node) || node != s.known || node >= len(s.nodes):
		return dag.ErrVertexNotFound
	}
	s.known++
	return nil
}

func (s *store) Vertex(key int) (int, dag.VertexProperties, error) {
	if !s.has(nodeOf(key)) {
		return 0, dag.VertexProperties{}, dag.ErrVertexNotFound
	}
	return nodeOf(key), dag.VertexProperties{}, nil
}

// RemoveVertex removes the vertex added last; others keep their key.
func (s *store) RemoveVertex(key int) error {
	i := nodeOf(key)
	switch {
	case !s.has(i):
		return dag.ErrVertexNotFound
	case len(s.in[i])+len(s.out[i]) > 0 || i != s.known-1:
		return dag.ErrVertexHasEdges
	}
	s.known--
	return nil
}

func (s *store) ListVertices() ([]int, error) {
	list := make([]int, s.known)
	for i := range list {
		list[i] = keyOf(i)
	}
	return list, nil
}

func (s *store) VertexCount() (int, error) { return s.known, nil }

func (s *store) AddEdge(from, to int, e dag.Edge[int]) error {
	k := [2]int{nodeOf(from), nodeOf(to)}
	if !s.has(k[0]) || !s.has(k[1]) {
		return dag.ErrVertexNotFound
	}
	if _, dup := s.edges[k]; dup {
		return dag.ErrEdgeAlreadyExists
	}
	e.Properties.Attributes = nil // nobody sets them; one map an edge is dear
	s.edges[k] = e
	s.insertion = append(s.insertion, k)
	s.out[k[0]] = append(s.out[k[0]], k[1])
	s.in[k[1]] = append(s.in[k[1]], k[0])
	return nil
}

func (s *store) UpdateEdge(from, to int, e dag.Edge[int]) error {
	k := [2]int{nodeOf(from), nodeOf(to)}
	if _, ok := s.edges[k]; !ok {
		return dag.ErrEdgeNotFound
	}
	s.edges[k] = e
	return nil
}

func (s *store) RemoveEdge(from, to int) error {
	k := [2]int{nodeOf(from), nodeOf(to)}
	if _, ok := s.edges[k]; !ok {
		return dag.ErrEdgeNotFound
	}
	delete(s.edges, k)
	without := func(list []int, x int) []int {
		return slices.DeleteFunc(list, func(y int) bool { return y == x })
	}
	s.out[k[0]], s.in[k[1]] = without(s.out[k[0]], k[1]), without(s.in[k[1]], k[0])
	s.insertion = slices.DeleteFunc(s.insertion, func(e [2]int) bool { return e == k })
	return nil
}

func (s *store) Edge(from, to int) (dag.Edge[int], error) {
	e, ok := s.edges[[2]int{nodeOf(from), nodeOf(to)}]
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
