package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestViews(t *testing.T) {
	g := mustNew(t,
		node("prep", l("raw"), l("data/a", "data/b")),
		node("train@1", l("data"), l("model/1")),
		node("train@2", l("data/b"), l("model/2")),
		node("eval", l("model/1", "model/2"), l("scores")),
		node("mail@home.dvc", nil, l("mail")),
		node("watch", l("scores"), nil),
	)
	for _, c := range []struct {
		name string
		o    ViewOptions
		want View
	}{
		{"all", ViewOptions{}, View{
			Nodes: l("prep", "train@1", "train@2", "eval", "mail@home.dvc", "watch"),
			Edges: [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 3}, {3, 5}},
			Of:    []int{0, 1, 2, 3, 4, 5},
		}},
		{"some, in any order, with a repetition", ViewOptions{Nodes: []int{3, 0, 2, 3}}, View{
			Nodes: l("prep", "train@2", "eval"),
			Edges: [][2]int{{0, 1}, {1, 2}},
			Of:    []int{0, 2, 3},
		}},
		{"none", ViewOptions{Nodes: []int{}}, View{}},
		{"collapsed", ViewOptions{Collapse: true}, View{
			Nodes: l("prep", "train", "eval", "mail@home.dvc", "watch"),
			Edges: [][2]int{{0, 1}, {1, 2}, {2, 4}},
			Of:    []int{0, 1, 3, 4, 5},
		}},
		{"outputs", ViewOptions{Outs: true}, View{
			Nodes: l("data/a", "data/b", "model/1", "model/2", "scores", "mail"),
			Edges: [][2]int{{0, 2}, {1, 2}, {1, 3}, {2, 4}, {3, 4}},
			Of:    []int{0, 0, 1, 2, 3, 4},
		}},
		{"outputs of some", ViewOptions{Outs: true, Nodes: []int{0, 2}}, View{
			Nodes: l("data/a", "data/b", "model/2"),
			Edges: [][2]int{{1, 2}},
			Of:    []int{0, 0, 2},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := g.View(c.o)
			if len(c.want.Nodes) == 0 {
				c.want.Of = []int{}
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOutputsInTheOrderOfAWalk(t *testing.T) {
	g := mustNew(t, node("A", nil, l("x/1", "y", "x/2/b")), node("B", nil, l("x/2/a", "z", "/abs/o")))
	if diff := cmp.Diff(l("x/1", "x/2/b", "x/2/a", "y", "z", "/abs/o"), g.View(ViewOptions{Outs: true}).Nodes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestQuoting(t *testing.T) {
	v := &View{Nodes: l(`say "hi"`, "a\nb"), Edges: [][2]int{{0, 1}}}
	if got, want := v.DOT(), "strict digraph {\n\"say \\\"hi\\\"\";\n\"a\\nb\";\n\"say \\\"hi\\\"\" -> \"a\\nb\";\n}\n\n"; got != want {
		t.Errorf("DOT %q, want %q", got, want)
	}
	if got, want := v.Mermaid(), "flowchart TD\n\tnode1[\"a b\"]\n\tnode2[\"say #quot;hi#quot;\"]\n\tnode2-->node1\n"; got != want {
		t.Errorf("Mermaid %q, want %q", got, want)
	}
	v = &View{Nodes: l("bell\aescape\x1b[2J", "next\u0085line")}
	if got := v.ASCII(); strings.ContainsAny(got, "\a\x1b\u0085") {
		t.Errorf("control characters reach the terminal: %q", got)
	}
}

// TestEmptyView: what DVC prints for a project without stages.
func TestEmptyView(t *testing.T) {
	v := mustNew(t).View(ViewOptions{})
	for form, c := range map[string][2]string{
		"ASCII":    {v.ASCII(), "\n"},
		"ANSI":     {v.ANSI(), "\n"},
		"DOT":      {v.DOT(), "strict digraph {\n}\n\n"},
		"Mermaid":  {v.Mermaid(), "flowchart TD\n"},
		"Markdown": {v.Markdown(), "```mermaid\nflowchart TD\n```\n"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %q, want %q", form, c[0], c[1])
		}
	}
	checkSVG(t, v)
}

func TestStateNames(t *testing.T) {
	got := ""
	for _, s := range []State{Unknown, Fresh, Stale, Failed, Frozen, 77} {
		got += s.String() + " "
	}
	if want := "unknown fresh stale failed frozen unknown "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
