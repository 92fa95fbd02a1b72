package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaults(t *testing.T) {
	at := func(n Node, file string, line int) Node {
		n.File, n.Line, n.Column = file, line, 3
		return n
	}
	for _, c := range []struct {
		name  string
		nodes []Node
		want  []string // texts of the faults
		hint  string   // part of the first one's hint
		where []string // of the first one
	}{
		{
			name: "output of two stages",
			nodes: []Node{
				at(node("A", nil, l("a")), "dvc.yaml", 2),
				at(node("sub/dvc.yaml:B", nil, l("a")), "sub/dvc.yaml", 7),
			},
			want:  []string{"output 'a' is specified in:\n\t- A\n\t- sub/dvc.yaml:B"},
			hint:  "flow remove",
			where: []string{"dvc.yaml:2:3", "sub/dvc.yaml:7:3"},
		},
		{
			name:  "output of three stages, differently written",
			nodes: []Node{node("A", nil, l("a")), node("B", nil, l("./a")), node("C", nil, l("a/"))},
			want:  []string{"output 'a' is specified in:\n\t- A\n\t- B\n\t- C"},
			hint:  "flow remove", where: []string{"dvc.yaml", "dvc.yaml", "dvc.yaml"},
		},
		{
			name:  "output twice in one stage",
			nodes: []Node{node("X", nil, l("a", "a"))},
			want:  []string{"output 'a' is already specified in stage: 'X'."},
			hint:  "once", where: []string{"dvc.yaml"},
		},
		{
			name:  "output inside an output",
			nodes: []Node{node("B", nil, l("d/f")), node("A", nil, l("d"))},
			want:  []string{"The output paths:\n'd'('A')\n'd/f'('B')\noverlap and are thus in the same tracked directory."},
			hint:  "directory of its own", where: []string{"dvc.yaml", "dvc.yaml"},
		},
		{
			name:  "deep inside, in one stage",
			nodes: []Node{node("A", nil, l("d/e/f/g", "d"))},
			want:  []string{"The output paths:\n'd'('A')\n'd/e/f/g'('A')\noverlap and are thus in the same tracked directory."},
			hint:  "directory of its own", where: []string{"dvc.yaml", "dvc.yaml"},
		},
		{
			name: "pipeline file inside an output",
			nodes: []Node{
				node("A", nil, l("d")),
				at(node("d/sub/dvc.yaml:B", nil, nil), "d/sub/dvc.yaml", 1),
				at(node("d/sub/dvc.yaml:C", nil, nil), "d/sub/dvc.yaml", 4),
			},
			want: []string{"stage: 'd/sub/dvc.yaml:B' is within an output 'd' of another stage"},
			hint: "'d/sub/dvc.yaml' out of 'd'", where: []string{"d/sub/dvc.yaml:1:3"},
		},
		{
			name:  "pipeline file as an output",
			nodes: []Node{node("A", nil, l("dvc.yaml"))},
			want:  []string{"stage: 'A' is within an output 'dvc.yaml' of another stage"},
			hint:  "out of", where: []string{"dvc.yaml"},
		},
		{
			name:  "stage reads what it writes",
			nodes: []Node{node("A", l("d/x"), l("d"))},
			want: []string{"Same item(s) are defined as both a dependency and an output in stage: A.\n" +
				"cycle: A -> A"},
			hint: "'A' reads 'd/x', which it writes itself", where: []string{"dvc.yaml"},
		},
		{
			name: "cycle of three, written in another order, with others around",
			nodes: []Node{
				node("before", nil, l("in")),
				node("C", l("b"), l("c")),
				node("A", l("c", "in"), l("a")),
				node("B", l("a"), l("b")),
				node("after", l("c"), l("end")),
			},
			want: []string{"Same item(s) are defined as both a dependency and an output in stages: C, A, B.\n" +
				"cycle: C -> A -> B -> C"},
			hint:  "'A' reads 'c' of 'C', 'B' reads 'a' of 'A', 'C' reads 'b' of 'B'",
			where: []string{"dvc.yaml", "dvc.yaml", "dvc.yaml"},
		},
		{
			name: "two cycles and a self-read",
			nodes: []Node{
				node("A", l("b"), l("a")), node("B", l("a"), l("b")),
				node("S", l("s"), l("s")),
				node("C", l("d"), l("c")), node("D", l("c"), l("d")),
			},
			want: []string{
				"Same item(s) are defined as both a dependency and an output in stages: A, B.\ncycle: A -> B -> A",
				"Same item(s) are defined as both a dependency and an output in stage: S.\ncycle: S -> S",
				"Same item(s) are defined as both a dependency and an output in stages: C, D.\ncycle: C -> D -> C",
			},
			hint: "'B' reads 'a' of 'A'", where: []string{"dvc.yaml", "dvc.yaml"},
		},
		{
			name: "everything at once",
			nodes: []Node{
				node("A", l("b"), l("x", "a")), node("B", l("a"), l("x", "b")), node("C", nil, l("x/y")),
			},
			want: []string{
				"output 'x' is specified in:\n\t- A\n\t- B",
				"The output paths:\n'x'('A')\n'x/y'('C')\noverlap and are thus in the same tracked directory.",
				"Same item(s) are defined as both a dependency and an output in stages: A, B.\ncycle: A -> B -> A",
			},
			hint: "flow remove", where: []string{"dvc.yaml", "dvc.yaml"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, faults := Build(c.nodes)
			var texts []string
			for _, f := range faults {
				texts = append(texts, f.Error())
			}
			if diff := cmp.Diff(c.want, texts); diff != "" {
				t.Fatalf("faults (-want +got):\n%s", diff)
			}
			var fault interface {
				Hint() string
				Where() []Place
			}
			if !errors.As(faults[0], &fault) {
				t.Fatalf("%T has no hint or places", faults[0])
			}
			if !strings.Contains(fault.Hint(), c.hint) {
				t.Errorf("hint %q, want %q in it", fault.Hint(), c.hint)
			}
			var where []string
			for _, p := range fault.Where() {
				where = append(where, p.String())
			}
			if diff := cmp.Diff(c.where, where); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
			if len(g.Order()) != len(c.nodes) {
				t.Errorf("order of the usable part: %v", g.Order())
			}

			none, err := New(c.nodes)
			if none != nil || err == nil || err.Error() != strings.Join(c.want, "\n") {
				t.Errorf("New: graph %v, error %v", none, err)
			}
		})
	}
}

func TestSaneProjectsHaveNoFaults(t *testing.T) {
	for name, nodes := range map[string][]Node{
		"siblings with a common start": {node("A", nil, l("d", "d-1", "d.txt", "d1/x"))},
		"directory beside the file":    {node("sub/dvc.yaml:A", nil, l("sub/out"))},
		"dependency twice":             {node("A", nil, l("a")), node("B", l("a", "a"), nil)},
		"nested dependencies":          {node("A", nil, l("a")), node("B", l("a", "a/b", "a/b/c"), nil)},
		"no file known":                {{Name: "A", Outs: l(".x")}},
	} {
		if _, err := New(nodes); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBuildKeepsAllOwners: readers of a path with two owners wait for both.
func TestBuildKeepsAllOwners(t *testing.T) {
	g, faults := Build([]Node{node("R", l("x"), nil), node("A", nil, l("x")), node("B", nil, l("x"))})
	if len(faults) != 1 || !slices.Equal(g.Parents(0), []int{1, 2}) {
		t.Errorf("faults %v, parents %v", faults, g.Parents(0))
	}
	if p, ok := g.Producer("x/y"); !ok || p != 1 {
		t.Errorf("Producer = %d, %v", p, ok)
	}
}

// TestBuildCutsLittle: only the edge that closes the cycle goes.
func TestBuildCutsLittle(t *testing.T) {
	g, _ := Build([]Node{node("A", l("c"), l("a")), node("B", l("a"), l("b")), node("C", l("b"), l("c")), node("D", l("c"), nil)})
	if g.Edges() != 3 || !slices.Equal(g.Order(), []int{0, 1, 2, 3}) {
		t.Errorf("%d edges, order %v", g.Edges(), g.Order())
	}
}

// TestLongCycle: depth is bounded by memory, not by a stack.
func TestLongCycle(t *testing.T) {
	const n = 5000
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = node(fmt.Sprint(i), l(fmt.Sprintf("o%d", (i+n-1)%n)), l(fmt.Sprintf("o%d", i)))
	}
	g, faults := Build(nodes)
	var cycle *CycleError
	if len(faults) != 1 || !errors.As(faults[0], &cycle) || len(cycle.Nodes) != n || len(g.Order()) != n {
		t.Fatalf("%d faults, order of %d", len(faults), len(g.Order()))
	}
}
