package graph

import "slices"

// The layout is the layered method of Sugiyama, Tagawa and Toda: nodes get
// layers (this file), the nodes of a layer an order with few crossings
// (crossings.go), then x coordinates (coordinates.go).
//
// Where the method leaves choices, they are those of the layout that DVC's
// users know, since the drawings have to come out the same.

// point is a place in a drawing; y grows downward.
type point struct{ x, y float64 }

// geometry is what a layout needs to know of the medium.
type geometry struct {
	width  []float64 // of each node's box
	height float64   // of all boxes
	xspace float64   // least distance of neighbours in a layer
	yspace float64   // distance of layers
	bend   float64   // room for an edge that passes a layer
}

// layout is the finished placement of one component.
type layout struct {
	centre []point   // of each node's box
	line   [][]point // of each edge, from centre to centre over its bends
}

// maxBends bounds the work for graphs that no one can read anyway: with more
// bends than this, long edges are drawn straight and may cross boxes.
const maxBends = 50_000

// sheet is a layout being made. Vertices below n are the nodes, the others
// bends: one for every layer that an edge passes.
type sheet struct {
	n      int
	edges  [][2]int // acyclic
	chain  [][]int  // of each edge, its vertices from source to target
	layers [][]int
	rank   []int     // layer of a vertex
	pos    []int     // place in its layer
	weight []float64 // barycentre: its place in the layer, scaled to 0…1
	width  []float64
	near   [2][][]int // neighbours one layer up and one down; indexed by above and beneath
	xspace float64
}

// The directions in which layers are looked at.
const (
	above   = 0
	beneath = 1
)

// arrange places the nodes 0 to n-1 of a connected graph.
func arrange(n int, edges [][2]int, geo geometry) layout {
	s := &sheet{n: n, xspace: geo.xspace, width: slices.Clone(geo.width)}
	var turned []bool
	s.edges, turned = acyclic(n, edges)
	s.assignLayers()
	s.addBends(geo.bend)
	s.reduceCrossings()
	x := s.coordinates()

	at := func(v int) point {
		return point{x[v], float64(s.rank[v])*(geo.height+geo.yspace) + geo.height/2}
	}
	out := layout{centre: make([]point, n), line: make([][]point, len(edges))}
	for v := range n {
		out.centre[v] = at(v)
	}
	for e, chain := range s.chain {
		for _, v := range chain {
			out.line[e] = append(out.line[e], at(v))
		}
		if turned[e] {
			slices.Reverse(out.line[e])
		}
	}
	return out
}

// acyclic returns the edges with those turned around that close a cycle, which
// only views of collapsed groups and views made by hand have.
func acyclic(n int, edges [][2]int) (straight [][2]int, turned []bool) {
	straight, turned = edges, make([]bool, len(edges))
	out := make([][]int, n)
	waiting := make([]int, n)
	for i, e := range edges {
		out[e[0]] = append(out[e[0]], i)
		waiting[e[1]]++
	}
	var queue []int
	for v, w := range waiting {
		if w == 0 {
			queue = append(queue, v)
		}
	}
	for k := 0; k < len(queue); k++ {
		for _, i := range out[queue[k]] {
			if t := edges[i][1]; waiting[t] > 0 {
				if waiting[t]--; waiting[t] == 0 {
					queue = append(queue, t)
				}
			}
		}
	}
	if len(queue) == n {
		return straight, turned
	}
	// Number the nodes depth first; what leads to a smaller finishing time
	// than its source's is no back edge, everything else is turned.
	finish := make([]int, n)
	seen := make([]bool, n)
	clock := 0
	type frame struct{ v, next int }
	for root := range n {
		if seen[root] {
			continue
		}
		seen[root] = true
		for stack := []frame{{v: root}}; len(stack) > 0; {
			f := &stack[len(stack)-1]
			if f.next == len(out[f.v]) {
				clock++
				finish[f.v] = clock
				stack = stack[:len(stack)-1]
				continue
			}
			t := edges[out[f.v][f.next]][1]
			f.next++
			if !seen[t] {
				seen[t] = true
				stack = append(stack, frame{v: t})
			}
		}
	}
	straight = slices.Clone(edges)
	for i, e := range straight {
		if finish[e[0]] < finish[e[1]] {
			straight[i], turned[i] = [2]int{e[1], e[0]}, true
		}
	}
	return straight, turned
}

// assignLayers puts every node one layer below the lowest of its producers,
// then moves producers down towards their readers as far as they can go.
func (s *sheet) assignLayers() {
	in, out := make([][]int, s.n), make([][]int, s.n)
	for _, e := range s.edges {
		out[e[0]] = append(out[e[0]], e[1])
		in[e[1]] = append(in[e[1]], e[0])
	}
	s.rank = make([]int, s.n)
	waiting := make([]int, s.n)
	var ready []int
	for _, v := range s.sequence() {
		if waiting[v] = len(in[v]); waiting[v] == 0 {
			ready = append(ready, v)
		}
	}
	for r := 0; len(ready) > 0; r++ {
		s.layers = append(s.layers, ready)
		var next []int
		for _, v := range ready {
			s.rank[v] = r
			for _, t := range out[v] {
				if waiting[t]--; waiting[t] == 0 {
					next = append(next, t)
				}
			}
		}
		ready = next
	}

	for r := len(s.layers) - 1; r > 0; r-- {
		s.pullDown(r, in, out)
	}
}

// pullDown moves the producers of layer r that have no reader above it to the
// end of the layer before, in the order they are met for the last time. Those
// that are there already go to the end too.
func (s *sheet) pullDown(r int, in, out [][]int) {
	lastMet := map[int]int{} // by producer, when; -1 if it has to stay
	clock := 0
	for _, v := range s.layers[r] {
		for _, p := range in[v] {
			met, known := lastMet[p]
			if !known && slices.ContainsFunc(out[p], func(t int) bool { return s.rank[t] < r }) {
				met = -1
			}
			if met >= 0 {
				met = clock
			}
			lastMet[p] = met
			clock++
		}
	}
	var moved []int
	sources := map[int]bool{} // layers that lose somebody
	for p, met := range lastMet {
		if met >= 0 {
			moved = append(moved, p)
			sources[s.rank[p]] = true
		}
	}
	slices.SortFunc(moved, func(a, b int) int { return lastMet[a] - lastMet[b] })
	for k := range sources {
		s.layers[k] = slices.DeleteFunc(s.layers[k], func(v int) bool {
			met, known := lastMet[v]
			return known && met >= 0
		})
	}
	for _, p := range moved {
		s.rank[p] = r - 1
	}
	s.layers[r-1] = append(s.layers[r-1], moved...)
}

// sequence is the order in which nodes are met: sets of connected nodes, at
// first single ones, are merged edge by edge, the target's behind the source's.
func (s *sheet) sequence() []int {
	set := make([]int, s.n) // union-find; a root has first and last
	first, last, next := make([]int, s.n), make([]int, s.n), make([]int, s.n)
	for v := range s.n {
		set[v], first[v], last[v], next[v] = v, v, v, -1
	}
	find := disjoint(set).find
	for _, e := range s.edges {
		a, b := find(e[0]), find(e[1])
		if a == b {
			continue
		}
		next[last[a]] = first[b]
		last[a] = last[b]
		set[b] = a
	}
	list := make([]int, 0, s.n)
	for v := range s.n {
		if find(v) != v {
			continue
		}
		for x := first[v]; x >= 0; x = next[x] {
			list = append(list, x)
		}
	}
	return list
}

// addBends gives every edge its chain of vertices, and the vertices their
// neighbours, in the order of the edges.
func (s *sheet) addBends(width float64) {
	total := 0
	for _, e := range s.edges {
		total += s.rank[e[1]] - s.rank[e[0]] - 1
	}
	s.chain = make([][]int, len(s.edges))
	for i, e := range s.edges {
		chain := []int{e[0]}
		if total <= maxBends {
			for r := s.rank[e[0]] + 1; r < s.rank[e[1]]; r++ {
				v := len(s.rank)
				s.rank = append(s.rank, r)
				s.width = append(s.width, width)
				s.layers[r] = append(s.layers[r], v)
				chain = append(chain, v)
			}
		}
		s.chain[i] = append(chain, e[1])
	}
	s.near[above], s.near[beneath] = make([][]int, len(s.rank)), make([][]int, len(s.rank))
	for _, chain := range s.chain {
		for k := 1; k < len(chain); k++ {
			a, b := chain[k-1], chain[k]
			if s.rank[b] != s.rank[a]+1 {
				continue // an edge without bends, which the layers do not see
			}
			s.near[beneath][a] = append(s.near[beneath][a], b)
			s.near[above][b] = append(s.near[above][b], a)
		}
	}
	s.pos = make([]int, len(s.rank))
	s.weight = make([]float64, len(s.rank))
	for r := range s.layers {
		s.number(r)
	}
}

// number records the places of a layer's vertices.
func (s *sheet) number(r int) {
	scale := 1.0
	if n := len(s.layers[r]); n > 1 {
		scale = 1 / float64(n-1)
	}
	for i, v := range s.layers[r] {
		s.pos[v] = i
		s.weight[v] = float64(i) * scale
	}
}

// bend reports whether v is a bend of an edge and not a node.
func (s *sheet) bend(v int) bool { return v >= s.n }
