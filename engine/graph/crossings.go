package graph

import (
	"slices"
	"sort"
)

// reduceCrossings orders the vertices of all layers: down, up if there was
// any crossing, and down again.
func (s *sheet) reduceCrossings() {
	left := 0
	for r := range s.layers {
		left += s.improve(r, above)
	}
	if left > 0 {
		for r := len(s.layers) - 1; r >= 0; r-- {
			s.improve(r, beneath)
		}
	}
	for r := range s.layers {
		s.improve(r, above)
	}
}

// improve orders layer r by the places of its neighbours in one direction and
// returns the number of crossings that are left. A layer without any is not
// touched.
func (s *sheet) improve(r, direction int) int {
	layer, near := s.layers[r], s.near[direction]
	if s.crossings(layer, near) == 0 {
		return 0
	}
	for _, v := range layer {
		if len(near[v]) == 0 {
			continue // keeps the weight of its present place
		}
		sum := 0.0
		for _, u := range near[v] {
			sum += s.weight[u]
		}
		s.weight[v] = sum / float64(len(near[v]))
	}
	slices.SortStableFunc(layer, func(a, b int) int {
		switch {
		case s.weight[a] < s.weight[b]:
			return -1
		case s.weight[a] > s.weight[b]:
			return 1
		}
		return 0
	})
	left := s.swapNeighbours(layer, near)
	s.number(r)
	return left
}

// crossings counts the crossings between a layer and its neighbours in one
// direction: the inversions among the places of edge ends, read from left to
// right. (Barth and Mutzel, 2002.)
func (s *sheet) crossings(layer []int, near [][]int) int {
	most := -1
	for _, v := range layer {
		for _, u := range near[v] {
			most = max(most, s.pos[u])
		}
	}
	ends := make(fenwick, most+2)
	count, total := 0, 0
	var places []int
	for _, v := range layer {
		places = places[:0]
		for _, u := range near[v] {
			places = append(places, s.pos[u])
		}
		slices.Sort(places)
		for _, p := range places {
			count += total - ends.upTo(p)
			ends.add(p)
			total++
		}
	}
	return count
}

// fenwick counts numbers and answers how many are at most p, both in
// logarithmic time.
type fenwick []int

func (f fenwick) add(p int) {
	for i := p + 1; i < len(f); i += i & -i {
		f[i]++
	}
}

func (f fenwick) upTo(p int) (n int) {
	for i := p + 1; i > 0; i -= i & -i {
		n += f[i]
	}
	return n
}

// swapNeighbours goes once through the layer and swaps two neighbours where
// their edges then cross less, ends at the same place counted as crossing
// after the swap. It returns the crossings of each pair as left.
func (s *sheet) swapNeighbours(layer []int, near [][]int) int {
	left := 0
	var ends []float64
	for j := 1; j < len(layer); j++ {
		a, b := layer[j-1], layer[j]
		ends = ends[:0]
		for _, u := range near[a] {
			ends = append(ends, s.weight[u])
		}
		sort.Float64s(ends)
		now, swapped := 0, 0
		for _, u := range near[b] {
			w := s.weight[u]
			upTo := sort.Search(len(ends), func(i int) bool { return ends[i] > w })
			now += len(ends) - upTo
			swapped += upTo
		}
		if swapped < now {
			layer[j-1], layer[j] = b, a
			left += swapped
		} else {
			left += now
		}
	}
	return left
}
