package graph

import (
	"slices"

	dag "github.com/dominikbraun/graph"
)

// topological returns the nodes of s, producers first and smallest index
// first among the ready ones. Nodes on or behind a cycle are missing.
//
// The library has this too, but in time quadratic in the number of nodes.
func topological(s *store) []int {
	waiting := make([]int, len(s.nodes))
	order := make([]int, 0, len(s.nodes))
	var ready minHeap
	for i := range waiting {
		if waiting[i] = len(s.in[i]); waiting[i] == 0 {
			ready = append(ready, i) // ascending, hence a heap already
		}
	}
	for len(ready) > 0 {
		i := ready.pop()
		order = append(order, i)
		for _, c := range s.out[i] {
			if waiting[c]--; waiting[c] == 0 {
				ready.push(c)
			}
		}
	}
	return order
}

// minHeap is a binary heap of indexes. container/heap would box each of them.
type minHeap []int

func (h *minHeap) push(x int) {
	a := append(*h, x)
	i := len(a) - 1
	for i > 0 && a[(i-1)/2] > x {
		a[i] = a[(i-1)/2]
		i = (i - 1) / 2
	}
	a[i] = x
	*h = a
}

func (h *minHeap) pop() int {
	a := *h
	top, x := a[0], a[len(a)-1]
	a = a[:len(a)-1]
	i := 0
	for {
		c := 2*i + 1
		if c >= len(a) {
			break
		}
		if c+1 < len(a) && a[c+1] < a[c] {
			c++
		}
		if a[c] >= x {
			break
		}
		a[i] = a[c]
		i = c
	}
	if len(a) > 0 {
		a[i] = x
	}
	*h = a
	return top
}

// cycles returns one cycle, a shortest through the smallest node, for every
// group of nodes that wait for each other.
func (g *Graph) cycles() []*CycleError {
	groups, err := dag.StronglyConnectedComponents(g.lib)
	if err != nil {
		return nil // only for graphs that are not directed
	}
	var list []*CycleError
	for _, group := range groups {
		if len(group) < 2 {
			continue
		}
		members := shortestCycle(g.store, nodeOf(slices.Min(group)))
		deps := make([]string, len(members))
		for i, producer := range members {
			deps[i] = g.depBetween(producer, members[(i+1)%len(members)])
		}
		list = append(list, newCycle(g.nodes, members, deps))
	}
	return list
}

// shortestCycle returns the nodes of a shortest cycle through start, which
// must be on one.
func shortestCycle(s *store, start int) []int {
	from := map[int]int{}
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		i := queue[0]
		for _, c := range s.out[i] {
			if c == start {
				path := []int{i}
				for i != start {
					i = from[i]
					path = append(path, i)
				}
				slices.Reverse(path)
				return path
			}
			if _, seen := from[c]; !seen {
				from[c] = i
				queue = append(queue, c)
			}
		}
	}
	return []int{start}
}

// depBetween returns the dependency by which reader reads producer.
func (g *Graph) depBetween(producer, reader int) string {
	for _, dep := range g.nodes[reader].Deps {
		for _, o := range g.outs.overlapping(cleanPath(dep), nil) {
			if g.outs.list[o].node == producer {
				return dep
			}
		}
	}
	return ""
}

// cutCycles removes the edges that lead back to a node being visited in a
// depth-first walk by index.
func (g *Graph) cutCycles() {
	const (
		unseen = iota
		open
		done
	)
	type frame struct{ node, next int }
	state := make([]uint8, len(g.nodes))
	var back [][2]int
	for root := range g.nodes {
		if state[root] != unseen {
			continue
		}
		state[root] = open
		for stack := []frame{{node: root}}; len(stack) > 0; {
			f := &stack[len(stack)-1]
			if f.next == len(g.store.out[f.node]) {
				state[f.node] = done
				stack = stack[:len(stack)-1]
				continue
			}
			c := g.store.out[f.node][f.next]
			f.next++
			switch state[c] {
			case open:
				back = append(back, [2]int{f.node, c})
			case unseen:
				state[c] = open
				stack = append(stack, frame{node: c})
			}
		}
	}
	for _, e := range back {
		_ = g.lib.RemoveEdge(keyOf(e[0]), keyOf(e[1])) // it was just seen
	}
}
