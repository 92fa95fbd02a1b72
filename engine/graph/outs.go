package graph

import (
	"slices"
	"sort"
	"strings"
)

// output is one declared output; its number is its place in outIndex.list.
type output struct {
	path string
	node int
}

// outIndex finds the outputs that overlap a path, in time that grows with the
// depth of the path and the number found.
type outIndex struct {
	list   []output         // as declared
	first  map[string]int   // by path, the output declared first
	again  map[string][]int // by path, the further ones; nil in a sane project
	sorted []int            // numbers by path: what lies in a directory is one run
}

func indexOuts(nodes []Node) *outIndex {
	total := 0
	for i := range nodes {
		total += len(nodes[i].Outs)
	}
	x := &outIndex{
		list:   make([]output, 0, total),
		first:  make(map[string]int, total),
		sorted: make([]int, total),
	}
	for i := range nodes {
		for _, p := range nodes[i].Outs {
			o := output{path: cleanPath(p), node: i}
			number := len(x.list)
			x.list = append(x.list, o)
			x.sorted[number] = number
			if _, dup := x.first[o.path]; !dup {
				x.first[o.path] = number
				continue
			}
			if x.again == nil {
				x.again = map[string][]int{}
			}
			x.again[o.path] = append(x.again[o.path], number)
		}
	}
	slices.SortFunc(x.sorted, func(a, b int) int {
		if c := strings.Compare(x.list[a].path, x.list[b].path); c != 0 {
			return c
		}
		return a - b
	})
	return x
}

// overlapping appends to found the numbers of the outputs that are p, hold p
// or lie inside p: p and its holders from the inside out, then the others as declared.
func (x *outIndex) overlapping(p string, found []int) []int {
	for q, ok := p, true; ok; q, ok = parentPath(q) {
		if o, has := x.first[q]; has {
			found = append(found, o)
			found = append(found, x.again[q]...)
		}
	}

	inside := len(found)
	prefix := insidePrefix(p)
	from := sort.Search(len(x.sorted), func(i int) bool { return x.list[x.sorted[i]].path >= prefix })
	for _, o := range x.sorted[from:] {
		q := x.list[o].path
		if !strings.HasPrefix(q, prefix) {
			break
		}
		if below(q, p) {
			found = append(found, o)
		}
	}
	slices.Sort(found[inside:])
	return found
}

// faults returns what is wrong with the outputs themselves.
func (x *outIndex) faults(nodes []Node) []error {
	var list []error
	if len(x.again) > 0 {
		for number, o := range x.list { // declared order, not the map's
			if x.first[o.path] != number || len(x.again[o.path]) == 0 {
				continue
			}
			e := &DuplicateError{Path: o.path, Nodes: []int{o.node}, Places: []Place{placeOf(nodes, o.node)}}
			for _, a := range x.again[o.path] {
				if n := x.list[a].node; !slices.Contains(e.Nodes, n) {
					e.Nodes = append(e.Nodes, n)
					e.Places = append(e.Places, placeOf(nodes, n))
				}
			}
			list = append(list, e)
		}
	}
	for number, o := range x.list {
		if x.first[o.path] != number {
			continue
		}
		if outer, ok := x.holder(o.path); ok {
			list = append(list, &OverlapError{
				Outer: outer.path, Inner: o.path,
				Places: [2]Place{placeOf(nodes, outer.node), placeOf(nodes, o.node)},
			})
		}
	}
	seen := ""
	checked := map[string]bool{}
	for i := range nodes {
		file := nodes[i].File
		if file == "" || file == seen || checked[file] {
			continue
		}
		seen, checked[file] = file, true
		p := cleanPath(file)
		if number, ok := x.first[p]; ok {
			list = append(list, &InsideError{Output: x.list[number].path, Place: placeOf(nodes, i)})
		} else if outer, ok := x.holder(p); ok {
			list = append(list, &InsideError{Output: outer.path, Place: placeOf(nodes, i)})
		}
	}
	return list
}

// holder returns the innermost output that p lies strictly inside of.
func (x *outIndex) holder(p string) (output, bool) {
	for q, ok := parentPath(p); ok; q, ok = parentPath(q) {
		if o, has := x.first[q]; has {
			return x.list[o], true
		}
	}
	return output{}, false
}
