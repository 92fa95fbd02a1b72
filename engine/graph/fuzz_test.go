package graph

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzBuild builds a graph from lines "name dep… -> out…" and checks what
// holds for every graph, broken projects included.
func FuzzBuild(f *testing.F) {
	f.Add("a -> x\nb x -> y\nc y/z x ->")
	f.Add("a b -> a\nb a -> b\nc c -> c")
	f.Add("a -> d d/e ../f /g s3://h\nb . / .. -> ./d//")
	f.Fuzz(func(t *testing.T, text string) {
		var nodes []Node
		for line := range strings.Lines(text) {
			left, right, _ := strings.Cut(line, "->")
			words := strings.Fields(left)
			if len(words) == 0 || len(nodes) == 40 {
				continue
			}
			nodes = append(nodes, Node{Name: words[0], File: words[0], Deps: words[1:], Outs: strings.Fields(right)})
		}
		g, faults := Build(nodes)

		place := make([]int, len(nodes))
		for p, i := range g.Order() {
			place[i] = p
		}
		sorted := slices.Sorted(slices.Values(g.Order()))
		for i, n := range sorted {
			if i != n {
				t.Fatalf("order %v", g.Order())
			}
		}
		edges := 0
		for i := range nodes {
			for _, p := range g.Parents(i) {
				edges++
				if place[p] >= place[i] {
					t.Fatalf("%d comes before its producer %d", i, p)
				}
				if !slices.Contains(g.Children(p), i) {
					t.Fatalf("%d is no child of %d", i, p)
				}
			}
			for _, o := range nodes[i].Outs {
				if _, ok := g.Producer(o); !ok {
					t.Fatalf("nobody produces %q", o)
				}
				if !slices.Contains(g.Producers(o), i) {
					t.Fatalf("%d does not produce %q", i, o)
				}
			}
		}
		if edges != g.Edges() {
			t.Fatalf("%d edges, not %d", edges, g.Edges())
		}

		cyclic := false
		for _, fault := range faults {
			var c *CycleError
			cyclic = cyclic || errors.As(fault, &c)
			if fault.Error() == "" || fault.(interface{ Hint() string }).Hint() == "" {
				t.Fatalf("%T says nothing", fault)
			}
			if len(fault.(interface{ Where() []Place }).Where()) == 0 {
				t.Fatalf("%T is nowhere", fault)
			}
		}
		// Every edge is there unless a cycle is reported.
		if !cyclic {
			for i := range nodes {
				for _, d := range nodes[i].Deps {
					for _, p := range g.Producers(d) {
						if p != i && !slices.Contains(g.Parents(i), p) {
							t.Fatalf("%d reads %q of %d without an edge", i, d, p)
						}
					}
				}
			}
		}
		for _, v := range []*View{g.View(ViewOptions{}), g.View(ViewOptions{Outs: true}), g.View(ViewOptions{Collapse: true})} {
			if v.ASCII() == "" || v.ANSI() == "" || v.DOT() == "" || v.Markdown() == "" {
				t.Fatal("empty drawing")
			}
			checkSVG(t, v)
		}
	})
}
