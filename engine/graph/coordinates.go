package graph

import (
	"math"
	"slices"
)

// coordinates returns the x coordinate of every vertex by the method of
// Brandes and Köpf: four extreme alignments, each as narrow as possible, and
// the mean of the two in the middle.
func (s *sheet) coordinates() []float64 {
	forbidden := s.conflicts()
	n := len(s.rank)
	a := &alignment{sheet: s, forbidden: forbidden,
		root: make([]int, n), next: make([]int, n), sink: make([]int, n),
		shift: make([]float64, n), x: make([]float64, n), placed: make([]bool, n)}
	var four [4][]float64
	for k, way := range [4]struct {
		fromRight bool
		toward    int
	}{{false, above}, {true, above}, {false, beneath}, {true, beneath}} {
		a.fromRight, a.toward = way.fromRight, way.toward
		a.align()
		four[k] = a.compact()
	}
	x := make([]float64, n)
	for v := range x {
		c := [4]float64{four[0][v], four[1][v], four[2][v], four[3][v]}
		slices.Sort(c[:])
		x[v] = (c[1] + c[2]) / 2
	}
	return x
}

// conflicts returns the links (upper, lower) that cross a piece of a long edge
// and must not be drawn upright, so that long edges can be.
func (s *sheet) conflicts() map[[2]int]bool {
	forbidden := map[[2]int]bool{}
	for r := 1; r < len(s.layers); r++ {
		layer := s.layers[r]
		low, from := 0, 0
		for i, v := range layer {
			if !s.bend(v) {
				continue
			}
			up := s.near[above][v][0]
			if i < len(layer)-1 && !s.bend(up) {
				continue
			}
			high := len(s.layers[r-1]) - 1
			if s.bend(up) {
				high = s.pos[up]
			}
			for _, w := range layer[from : i+1] {
				for _, u := range s.near[above][w] {
					if p := s.pos[u]; p < low || p > high {
						forbidden[[2]int{u, w}] = true
					}
				}
			}
			low, from = high, i+1
		}
	}
	return forbidden
}

// alignment is one of the four: vertices go into upright blocks, each a ring
// through next with its root, and blocks into classes known by their sink.
type alignment struct {
	*sheet
	forbidden map[[2]int]bool
	fromRight bool // prefer the right neighbour of two, and pack to the right
	toward    int  // align with the layer above or beneath

	root, next, sink []int
	shift, x         []float64
	placed           []bool
}

// eachLayer calls f for the layers so that the one looked toward comes first.
func (a *alignment) eachLayer(f func(r int)) {
	for k := range a.layers {
		if a.toward == beneath {
			k = len(a.layers) - 1 - k
		}
		f(k)
	}
}

// each calls f for the vertices of layer r from the preferred side.
func (a *alignment) each(r int, f func(v int)) {
	layer := a.layers[r]
	for i := range layer {
		if a.fromRight {
			i = len(layer) - 1 - i
		}
		f(layer[i])
	}
}

// align makes the blocks: each vertex goes with a median of its neighbours
// unless that would cross a link already used in this pair of layers.
func (a *alignment) align() {
	for v := range a.root {
		a.root[v], a.next[v], a.sink[v] = v, v, v
		a.shift[v], a.x[v], a.placed[v] = math.Inf(1), 0, false
	}
	var places []int
	a.eachLayer(func(r int) {
		other := r - 1
		if a.toward == beneath {
			other = r + 1
		}
		if other < 0 || other >= len(a.layers) {
			return
		}
		used := -1 // place of the last link used
		a.each(r, func(v int) {
			places = places[:0]
			for _, u := range a.near[a.toward][v] {
				places = append(places, a.pos[u])
			}
			slices.Sort(places)
			if a.fromRight {
				slices.Reverse(places)
			}
			n := len(places)
			if n == 0 {
				return
			}
			for _, p := range places[(n-1)/2 : n/2+1] {
				u := a.layers[other][p]
				if a.next[v] != v {
					return
				}
				link := [2]int{u, v}
				if a.toward == beneath {
					link = [2]int{v, u}
				}
				free := used < 0 || (a.fromRight && p < used) || (!a.fromRight && p > used)
				if free && !a.forbidden[link] {
					a.next[u] = v
					a.root[v] = a.root[u]
					a.next[v] = a.root[v]
					used = p
				}
			}
		})
	})
}

// compact returns the x coordinates of the narrowest drawing of the blocks.
func (a *alignment) compact() []float64 {
	a.eachLayer(func(r int) {
		a.each(r, func(v int) {
			if a.root[v] == v {
				a.place(v)
			}
		})
	})
	x := make([]float64, len(a.root))
	for v := range x {
		r := a.root[v]
		x[v] = a.x[r]
		shift := a.shift[a.sink[r]]
		if math.IsInf(shift, 1) {
			shift = 0
		}
		x[v] += shift
		if a.fromRight {
			x[v] = -x[v]
		}
	}
	return x
}

// place puts a block as near to the preferred side as the blocks before it
// allow. Coordinates count from that side.
func (a *alignment) place(v int) {
	if a.placed[v] {
		return
	}
	a.placed[v] = true
	for w := v; ; {
		if before, ok := a.before(w); ok {
			apart := a.xspace + (a.width[before]+a.width[w])/2
			u := a.root[before]
			a.place(u)
			if a.sink[v] == v {
				a.sink[v] = a.sink[u]
			}
			if k := a.sink[u]; a.sink[v] != k {
				a.shift[k] = min(a.shift[k], a.x[v]-(a.x[u]+apart))
			} else {
				a.x[v] = max(a.x[v], a.x[u]+apart)
			}
		}
		if w = a.next[w]; w == v {
			return
		}
	}
}

// before returns the neighbour of v in its layer on the preferred side.
func (a *alignment) before(v int) (int, bool) {
	layer, i := a.layers[a.rank[v]], a.pos[v]-1
	if a.fromRight {
		i = a.pos[v] + 1
	}
	if i < 0 || i >= len(layer) {
		return 0, false
	}
	return layer[i], true
}
