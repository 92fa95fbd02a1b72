package graph

import (
	"slices"
	"strings"
)

// State is what is known of a node when a graph is drawn.
type State uint8

// The states. Unknown is for nodes whose state was not asked for or depends on
// something that has not run yet.
const (
	Unknown State = iota
	Fresh
	Stale
	Failed
	Frozen
)

var stateNames = [...]string{"unknown", "fresh", "stale", "failed", "frozen"}

// String is the state's name in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return stateNames[Unknown]
}

// ViewOptions select what a view shows. The zero value shows all stages.
type ViewOptions struct {
	// Nodes are the nodes to show, in any order; nil means all.
	Nodes []int
	// Outs shows outputs instead of stages: an edge runs from an output to
	// every output of the stages that read it.
	Outs bool
	// Collapse shows the stages of a foreach or matrix group as one.
	Collapse bool
}

// View is the content of a drawing. Its fields may be changed before drawing,
// for instance to show names relative to another directory.
type View struct {
	// Nodes are the names in the boxes.
	Nodes []string
	// Edges lead from dependency to dependent, as places in Nodes.
	Edges [][2]int
	// State colours the nodes; nil, or as long as Nodes.
	State []State
	// Of tells for each of Nodes the graph's node: the stage, the stage of
	// the output, or the first stage of the collapsed group.
	Of []int
}

// View returns what to draw. Nodes are in the order of the graph (outputs in
// the order of a walk over their directories), edges in that of their
// dependents.
func (g *Graph) View(o ViewOptions) *View {
	chosen := slices.Clone(o.Nodes)
	if o.Nodes == nil {
		chosen = make([]int, len(g.nodes))
		for i := range chosen {
			chosen[i] = i
		}
	}
	slices.Sort(chosen)
	chosen = slices.Compact(chosen)
	switch {
	case o.Outs:
		return g.outView(chosen)
	case o.Collapse:
		return g.collapsedView(chosen)
	}
	v := &View{Of: chosen}
	place := make([]int, len(g.nodes)) // 1 + place in the view
	for p, i := range chosen {
		place[i] = p + 1
		v.Nodes = append(v.Nodes, g.nodes[i].Name)
	}
	for p, i := range chosen {
		for _, parent := range g.store.in[i] {
			if place[parent] > 0 {
				v.Edges = append(v.Edges, [2]int{place[parent] - 1, p})
			}
		}
	}
	return v
}

// collapsedView merges the stages whose names agree up to an "@".
func (g *Graph) collapsedView(chosen []int) *View {
	v := &View{}
	byName := map[string]int{}
	place := make([]int, len(g.nodes)) // 1 + place in the view
	for _, i := range chosen {
		name := g.nodes[i].Name
		if group, _, ok := strings.Cut(name, "@"); ok && !strings.HasSuffix(name, ".dvc") {
			name = group
		}
		p, ok := byName[name]
		if !ok {
			p = len(v.Nodes)
			byName[name] = p
			v.Nodes = append(v.Nodes, name)
			v.Of = append(v.Of, i)
		}
		place[i] = p + 1
	}
	seen := map[[2]int]bool{}
	for _, i := range chosen {
		for _, parent := range g.store.in[i] {
			e := [2]int{place[parent] - 1, place[i] - 1}
			if e[0] < 0 || e[0] == e[1] || seen[e] {
				continue
			}
			seen[e] = true
			v.Edges = append(v.Edges, e)
		}
	}
	return v
}

// outView shows the outputs of the chosen nodes.
func (g *Graph) outView(chosen []int) *View {
	v := &View{}
	wanted := make([]bool, len(g.nodes))
	for _, i := range chosen {
		wanted[i] = true
	}
	ofNode := make([][]int, len(g.nodes)) // the places of a node's outputs
	place := make([]int, len(g.outs.list))
	for _, o := range g.outs.walk() {
		out := g.outs.list[o]
		if !wanted[out.node] {
			continue
		}
		ofNode[out.node] = append(ofNode[out.node], len(v.Nodes))
		v.Nodes = append(v.Nodes, out.path)
		v.Of = append(v.Of, out.node)
		place[o] = len(v.Nodes)
	}
	seen := map[[2]int]bool{}
	var found []int
	for _, i := range chosen {
		for _, dep := range g.nodes[i].Deps {
			found = g.outs.overlapping(cleanPath(dep), found[:0])
			for _, to := range ofNode[i] {
				for _, o := range found {
					e := [2]int{place[o] - 1, to}
					if e[0] < 0 || e[0] == e[1] || seen[e] {
						continue
					}
					seen[e] = true
					v.Edges = append(v.Edges, e)
				}
			}
		}
	}
	// As everywhere, edges come in the order of their dependents.
	slices.SortStableFunc(v.Edges, func(a, b [2]int) int { return a[1] - b[1] })
	return v
}

// walk returns the numbers of all outputs in the order of a walk over their
// directories, where names come in the order of their first appearance.
func (x *outIndex) walk() []int {
	type directory struct {
		names   []*directory
		byName  map[string]*directory
		outputs []int
	}
	root := &directory{}
	for o, out := range x.list {
		d := root
		for _, name := range strings.Split(out.path, "/") {
			next, ok := d.byName[name]
			if !ok {
				if d.byName == nil {
					d.byName = map[string]*directory{}
				}
				next = &directory{}
				d.byName[name] = next
				d.names = append(d.names, next)
			}
			d = next
		}
		d.outputs = append(d.outputs, o)
	}
	list := make([]int, 0, len(x.list))
	var visit func(d *directory)
	visit = func(d *directory) {
		list = append(list, d.outputs...)
		for _, n := range d.names {
			visit(n)
		}
	}
	visit(root)
	return list
}

// state is the state of the node at a place.
func (v *View) state(p int) State {
	if p < len(v.State) {
		return v.State[p]
	}
	return Unknown
}

// part is one connected component of a view: its members as places in the
// view, and its edges as places in members.
type part struct {
	members []int
	edges   [][2]int
}

// parts splits the view into its components, by their first node.
func (v *View) parts() []part {
	groups := components(len(v.Nodes), v.Edges)
	list := make([]part, len(groups))
	group := make([]int, len(v.Nodes))
	place := make([]int, len(v.Nodes))
	for k, members := range groups {
		list[k].members = members
		for p, i := range members {
			group[i], place[i] = k, p
		}
	}
	for _, e := range v.Edges {
		k := group[e[0]]
		list[k].edges = append(list[k].edges, [2]int{place[e[0]], place[e[1]]})
	}
	return list
}
