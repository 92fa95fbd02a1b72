package graph

import "slices"

// Ancestors returns the nodes that the given ones need, directly or not, in
// topological order. A given node is among them only when another needs it.
func (g *Graph) Ancestors(nodes ...int) []int { return g.reach(g.store.in, nodes, false) }

// Descendants returns the nodes that need one of the given ones, directly or
// not, in topological order. A given node is among them only when it needs
// another.
func (g *Graph) Descendants(nodes ...int) []int { return g.reach(g.store.out, nodes, false) }

// Upstream returns the given nodes and all their ancestors in topological
// order.
func (g *Graph) Upstream(nodes ...int) []int { return g.reach(g.store.in, nodes, true) }

// Downstream returns the given nodes and all their descendants in topological
// order.
func (g *Graph) Downstream(nodes ...int) []int { return g.reach(g.store.out, nodes, true) }

func (g *Graph) reach(next [][]int, start []int, inclusive bool) []int {
	reached := make([]bool, len(g.nodes))
	followed := make([]bool, len(g.nodes))
	stack := slices.Clone(start)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if followed[i] {
			continue
		}
		followed[i] = true
		for _, n := range next[i] {
			reached[n] = true
			if !followed[n] {
				stack = append(stack, n)
			}
		}
	}
	if inclusive {
		reached = followed
	}
	var list []int
	for _, i := range g.order {
		if reached[i] {
			list = append(list, i)
		}
	}
	return list
}

// Components returns the sets of nodes connected by edges of any direction,
// each ascending, by their first node.
func (g *Graph) Components() [][]int { return components(len(g.nodes), g.store.insertion) }

// Component returns the given nodes with everything connected to them,
// ascending.
func (g *Graph) Component(nodes ...int) []int {
	wanted := make(map[int]bool, len(nodes))
	for _, n := range nodes {
		wanted[n] = true
	}
	var list []int
	for _, c := range g.Components() {
		if slices.ContainsFunc(c, func(i int) bool { return wanted[i] }) {
			list = append(list, c...)
		}
	}
	slices.Sort(list)
	return list
}

// components groups the numbers below n by the edges between them.
func components(n int, edges [][2]int) [][]int {
	group := make(disjoint, n)
	for i := range group {
		group[i] = i
	}
	for _, e := range edges {
		group.join(e[0], e[1])
	}
	var list [][]int
	place := make([]int, n) // of a root: 1 + its place in list
	for i := range n {
		r := group.find(i)
		if place[r] == 0 {
			list = append(list, nil)
			place[r] = len(list)
		}
		list[place[r]-1] = append(list[place[r]-1], i)
	}
	return list
}

// disjoint is a union-find forest: each number holds its parent.
type disjoint []int

func (d disjoint) find(i int) int {
	for d[i] != i {
		d[i] = d[d[i]]
		i = d[i]
	}
	return i
}

// join merges two sets under the smaller of their roots.
func (d disjoint) join(a, b int) {
	a, b = d.find(a), d.find(b)
	if a > b {
		a, b = b, a
	}
	d[b] = a
}
