package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// node is a node named after its first output.
func node(name string, deps, outs []string) Node {
	return Node{Name: name, File: "dvc.yaml", Deps: deps, Outs: outs}
}

func l(paths ...string) []string { return paths }

func TestEdges(t *testing.T) {
	for _, c := range []struct {
		name, dep, out string
		edge           bool
	}{
		{"equal", "a/b", "a/b", true},
		{"inside an output", "a/b/c/d.txt", "a/b", true},
		{"holds an output", "a", "a/b/c", true},
		{"sibling with the same start", "a/bc", "a/b", false},
		{"sibling the other way", "a/b", "a/bc", false},
		{"parent of a sibling", "a/b", "a/b-c/d", false},
		{"dot and slashes are cleaned", "./a//b/", "a/b", true},
		{"up and down again", "a/x/../b", "a/b", true},
		{"the root holds everything", ".", "a/b", true},
		{"the root does not hold what is outside", ".", "/srv/x", false},
		{"the root does not hold drives", ".", "C:/x", false},
		{"all lies inside the root", "a/b", ".", true},
		{"absolute", "/data/x/y", "/data/x", true},
		{"absolute is not relative", "/a", "a", false},
		{"file system root", "/", "/data/x", true},
		{"below the file system root", "/data/x", "/", true},
		{"climbing path", "../x/y", "../x", true},
		{"climbing paths are not in the root", "../x", ".", false},
		{"drive", "C:/data/x", "C:/data", true},
		{"URL", "s3://bucket/a/b", "s3://bucket/a", true},
		{"URLs keep their slashes", "s3://bucket/a", "s3:/bucket/a", false},
		{"URL against the root", "s3://bucket/a", ".", false},
		{"case counts", "A", "a", false},
		{"dots in names", "a..b", "a", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := mustNew(t, Node{Name: "reader", Deps: l(c.dep)}, Node{Name: "writer", Outs: l(c.out)})
			if got := len(g.Parents(0)) > 0; got != c.edge {
				t.Errorf("%q reads %q: edge is %v, want %v", c.dep, c.out, got, c.edge)
			}
			if got := len(g.Producers(c.dep)) > 0; got != c.edge {
				t.Errorf("Producers(%q): %v, want %v", c.dep, got, c.edge)
			}
		})
	}
}

func TestAdjacency(t *testing.T) {
	g := mustNew(t,
		node("all", l("z", "d", "z/again", "none"), nil),
		node("two", l("y"), l("d/2")),
		node("one", l("y"), l("d/1", "d/11")),
		node("z", nil, l("z")),
		node("y", nil, l("y")),
	)
	for _, c := range []struct {
		name      string
		got, want []int
	}{
		{"parents in order of dependencies, each once", g.Parents(0), []int{3, 1, 2}},
		{"no parents", g.Parents(4), nil},
		{"children ascending", g.Children(4), []int{1, 2}},
		{"order", g.Order(), []int{3, 4, 1, 2, 0}},
		{"ancestors", g.Ancestors(0), []int{3, 4, 1, 2}},
		{"ancestors of two, one above the other", g.Ancestors(1, 0), []int{3, 4, 1, 2}},
		{"upstream", g.Upstream(1), []int{4, 1}},
		{"upstream of nothing", g.Upstream(), nil},
		{"descendants", g.Descendants(4), []int{1, 2, 0}},
		{"downstream", g.Downstream(2), []int{2, 0}},
		{"component", g.Component(3), []int{0, 1, 2, 3, 4}},
		{"producers of a directory", g.Producers("d"), []int{1, 2}},
		{"producers of nothing", g.Producers("x"), nil},
	} {
		if diff := cmp.Diff(c.want, c.got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if g.Len() != 5 || g.Edges() != 5 || g.Node(3).Name != "z" {
		t.Errorf("Len %d, Edges %d, Node(3) %q", g.Len(), g.Edges(), g.Node(3).Name)
	}
	for path, want := range map[string]int{"d/1": 2, "d/1/x": 2, "d/11": 2, "./y": 4, "d": -1, "d/12": -1} {
		got, ok := g.Producer(path)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("Producer(%q) = %d, want %d", path, got, want)
		}
	}
	if n, _ := g.Library().Order(); n != 5 {
		t.Errorf("the library graph has %d vertices", n)
	}
}

func TestComponents(t *testing.T) {
	g := mustNew(t,
		node("b2", l("b"), nil), node("a", nil, l("a")), node("b", nil, l("b")),
		node("lone", nil, nil), node("a2", l("a"), nil),
	)
	if diff := cmp.Diff([][]int{{0, 2}, {1, 4}, {3}}, g.Components()); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	empty := mustNew(t)
	if empty.Len() != 0 || len(empty.Components()) != 0 || len(empty.Order()) != 0 {
		t.Error("the empty graph is not empty")
	}
}

func TestActive(t *testing.T) {
	frozen := node("train", l("data"), l("model"))
	frozen.Frozen = true
	g := mustNew(t, node("eval", l("model"), nil), frozen, node("prep", nil, l("data")))
	a := g.Active()
	if diff := cmp.Diff([]int{1, 0}, a.Upstream(0)); diff != "" {
		t.Errorf("upstream of the reader of a frozen node (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{1, 0, 2}, a.Order()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if len(g.Upstream(0)) != 3 {
		t.Error("the graph itself lost an edge")
	}
	if len(a.Components()) != 2 || a.Active() == nil {
		t.Error("the frozen node is still connected with its producer")
	}
	thawed := mustNew(t, node("a", nil, nil))
	if thawed.Active() != thawed {
		t.Error("a graph without frozen nodes is its own active graph")
	}
}

// randomNodes returns nodes whose dependencies are outputs of earlier ones in
// a random permutation, so that there is no cycle.
func randomNodes(r *rand.Rand, n int, density float64) []Node {
	nodes := make([]Node, n)
	rank := r.Perm(n)
	for i := range nodes {
		nodes[i] = node(fmt.Sprintf("s%d", i), nil, l(fmt.Sprintf("o%d", i)))
		for j := range nodes {
			if rank[j] < rank[i] && r.Float64() < density {
				nodes[i].Deps = append(nodes[i].Deps, fmt.Sprintf("o%d", j))
			}
		}
	}
	return nodes
}

func TestOrderIsTopologicalAndSmallestFirst(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := mustNew(t, randomNodes(r, 1+r.IntN(12), r.Float64())...)
		done := make([]bool, g.Len())
		for _, got := range g.Order() {
			want := slices.IndexFunc(done, func(bool) bool { return false })
			for i := range done {
				if !done[i] && !slices.ContainsFunc(g.Parents(i), func(p int) bool { return !done[p] }) {
					want = i
					break
				}
			}
			if got != want {
				t.Fatalf("seed %d: order %v, but %d could come before %d", seed, g.Order(), want, got)
			}
			done[got] = true
		}
		if slices.Contains(done, false) {
			t.Fatalf("seed %d: order %v misses a node", seed, g.Order())
		}
	}
}

// TestEdgesAgainstDefinition compares the index with the definition, tried on
// all pairs.
func TestEdgesAgainstDefinition(t *testing.T) {
	path := func(r *rand.Rand) string {
		p := []string{"a", "ab", "b", "a-b"}[r.IntN(4)]
		for range r.IntN(3) {
			p += "/" + []string{"a", "ab", "b", "a.b"}[r.IntN(4)]
		}
		return p
	}
	edges := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var nodes []Node
		for i := range 8 {
			n := Node{Name: fmt.Sprint(i)}
			if i < 5 {
				n.Outs = l(path(r), path(r))
			} else {
				n.Deps = l(path(r), path(r))
			}
			nodes = append(nodes, n)
		}
		g, _ := Build(nodes)
		for reader := 5; reader < 8; reader++ {
			for writer := range 5 {
				want := false
				for _, d := range nodes[reader].Deps {
					for _, o := range nodes[writer].Outs {
						want = want || d == o || below(d, o) || below(o, d)
					}
				}
				if got := slices.Contains(g.Parents(reader), writer); got != want {
					t.Fatalf("seed %d: %v reads %v: %v, want %v", seed, nodes[reader].Deps, nodes[writer].Outs, got, want)
				}
				if want {
					edges++
				}
			}
		}
	}
	if edges < 500 {
		t.Errorf("only %d edges: the trial says little", edges)
	}
}

// pipeline returns n nodes in layers of ten, each reading two of the layer
// above, one by a file inside the output.
func pipeline(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = node(fmt.Sprintf("stage-%d", i), nil, l(fmt.Sprintf("out/%d/data", i)))
		if i >= 10 {
			up := i - 10
			nodes[i].Deps = l(fmt.Sprintf("out/%d/data/part", up), fmt.Sprintf("out/%d", up-up%10+(up+3)%10))
		}
	}
	return nodes
}

func TestTenThousandNodesAreQuick(t *testing.T) {
	nodes := pipeline(10_000)
	best := time.Hour
	for range 5 { // other processes may be in the way once
		start := time.Now()
		g := mustNew(t, nodes...)
		if len(g.Order()) != len(nodes) || g.Edges() != 19_980 {
			t.Fatalf("%d ordered, %d edges", len(g.Order()), g.Edges())
		}
		best = min(best, time.Since(start))
	}
	t.Logf("10,000 nodes: %v", best)
	if best > slowdown*300*time.Millisecond { // five times the budget, for slow machines
		t.Errorf("building took %v", best)
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{6, 100, 10_000} {
		nodes := pipeline(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if g, err := New(nodes); err != nil || len(g.Order()) != n {
					b.Fatal(err)
				}
			}
		})
	}
}
