package graph

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// randomView returns a view of a connected or unconnected acyclic graph.
func randomView(t *testing.T, seed uint64) *View {
	r := rand.New(rand.NewPCG(seed, 3))
	nodes := randomNodes(r, 1+r.IntN(14), 0.6*r.Float64())
	for i := range nodes {
		nodes[i].Name += "_" + strings.Repeat("x", r.IntN(12))
	}
	v := mustNew(t, nodes...).View(ViewOptions{})
	for range v.Nodes {
		v.State = append(v.State, State(r.IntN(5)))
	}
	return v
}

// TestDrawingsAreWhole: all boxes are intact, none hides another, all lines of
// a component have its width.
func TestDrawingsAreWhole(t *testing.T) {
	for seed := range uint64(150) {
		v := randomView(t, seed)
		lines := strings.Split(strings.TrimSuffix(v.ASCII(), "\n"), "\n")
		for _, n := range v.Nodes {
			box := "| " + n + " |"
			border := "+" + strings.Repeat("-", len(box)-2) + "+"
			found := 0
			for y, line := range lines {
				x := strings.Index(line, box)
				if x < 0 {
					continue
				}
				found++
				if y == 0 || y == len(lines)-1 || !strings.HasPrefix(lines[y-1][x:], border) || !strings.HasPrefix(lines[y+1][x:], border) {
					t.Fatalf("seed %d: the box of %s is damaged:\n%s", seed, n, strings.Join(lines, "\n"))
				}
			}
			if found != 1 {
				t.Fatalf("seed %d: %d boxes of %s:\n%s", seed, found, n, strings.Join(lines, "\n"))
			}
		}
		widths := map[int]bool{}
		for _, line := range lines {
			widths[len(line)] = true
		}
		if len(widths) > len(v.parts()) {
			t.Fatalf("seed %d: %d components, lines of widths %v", seed, len(v.parts()), widths)
		}
	}
}

var sgr = regexp.MustCompile("\x1b\\[([0-9]*)m")

// TestANSIIsASCIIInColour: without its colours it is the same drawing, and
// every name has the colour of its state.
func TestANSIIsASCIIInColour(t *testing.T) {
	for seed := range uint64(60) {
		v := randomView(t, seed)
		ansi := v.ANSI()
		if got := sgr.ReplaceAllString(ansi, ""); got != v.ASCII() {
			t.Fatalf("seed %d:\n%s\n%s", seed, got, v.ASCII())
		}
		for i, n := range v.Nodes {
			want := "\x1b[" + map[State]string{Fresh: "32", Stale: "33", Failed: "31", Frozen: "34", Unknown: "90"}[v.State[i]] + "m| " + n + " |\x1b[0m"
			if !strings.Contains(ansi, want) {
				t.Fatalf("seed %d: no %q in %q", seed, want, ansi)
			}
		}
	}
}

// TestArrowsPointDown: dependencies are drawn above their dependents.
func TestArrowsPointDown(t *testing.T) {
	for seed := range uint64(60) {
		v := randomView(t, seed)
		lines := strings.Split(v.ASCII(), "\n")
		row := func(p int) int {
			return slices.IndexFunc(lines, func(s string) bool { return strings.Contains(s, "| "+v.Nodes[p]+" |") })
		}
		for _, e := range v.Edges {
			if row(e[0]) >= row(e[1]) {
				t.Fatalf("seed %d: %s is not above %s:\n%s", seed, v.Nodes[e[0]], v.Nodes[e[1]], v.ASCII())
			}
		}
	}
}

// TestCyclicViews: views made by hand or collapsed may have cycles; drawing
// them ends and shows all nodes.
func TestCyclicViews(t *testing.T) {
	for _, v := range []*View{
		{Nodes: l("aa", "bb"), Edges: [][2]int{{0, 1}, {1, 0}}},
		{Nodes: l("aa", "bb", "cc", "dd"), Edges: [][2]int{{0, 1}, {1, 2}, {2, 0}, {2, 3}, {3, 1}}},
	} {
		for _, text := range []string{v.ASCII(), v.SVG(), v.DOT(), v.Mermaid()} {
			for _, n := range v.Nodes {
				if !strings.Contains(text, n) {
					t.Errorf("no %s in:\n%s", n, text)
				}
			}
		}
		checkSVG(t, v)
	}
}

// TestNamesAreMeasuredInCharacters, not bytes.
func TestNamesAreMeasuredInCharacters(t *testing.T) {
	v := &View{Nodes: l("préparer", "x"), Edges: [][2]int{{0, 1}}}
	for line := range strings.Lines(v.ASCII()) {
		if n := utf8.RuneCountInString(line); n != 14 {
			t.Errorf("%d characters: %q", n, line)
		}
	}
}

func TestLargeGraphs(t *testing.T) {
	wide := func(n int) []Node {
		nodes := []Node{node("source", nil, l("s"))}
		join := node("join", nil, nil)
		for i := range n {
			nodes = append(nodes, node(fmt.Sprintf("train@%d", i), l("s"), l(fmt.Sprintf("m/%d", i))))
			join.Deps = append(join.Deps, fmt.Sprintf("m/%d", i))
		}
		return append(nodes, join)
	}
	// A chain whose last stage reads all others: as many bends as there are pairs.
	chain := func(n int) []Node {
		nodes := []Node{node("s0", nil, l("o0"))}
		last := node("last", l("o0"), nil)
		for i := 1; i < n; i++ {
			nodes = append(nodes, node(fmt.Sprintf("s%d", i), l(fmt.Sprintf("o%d", i-1)), l(fmt.Sprintf("o%d", i))))
			last.Deps = append(last.Deps, fmt.Sprintf("o%d", i))
		}
		return append(nodes, last)
	}
	alone := func(n int) []Node {
		nodes := make([]Node, n)
		for i := range nodes {
			nodes[i].Name = fmt.Sprintf("s%d", i)
		}
		return nodes
	}
	for _, c := range []struct {
		name  string
		nodes []Node
	}{
		{"1,000 in a row", wide(1000 / slowdown)},
		{"grid of 1,000", pipeline(1000 / slowdown)},
		{"chain of 1,000", chain(1000 / slowdown)[:1000/slowdown]},
		{"chain of 250 with all skips", chain(250 / slowdown)},
		{"chain of 1,000 with all skips", chain(1000 / slowdown)},
		{"8,000 without edges", alone(8000 / slowdown)},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := mustNew(t, c.nodes...).View(ViewOptions{})
			start := time.Now()
			text := v.ASCII()
			svg := v.SVG()
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("drawing took %v", took)
			} else {
				t.Logf("%v, %d and %d bytes", took, len(text), len(svg))
			}
			for _, n := range []int{0, len(v.Nodes) / 2, len(v.Nodes) - 1} {
				if !strings.Contains(text, "| "+v.Nodes[n]+" |") || !strings.Contains(svg, v.Nodes[n]) {
					t.Errorf("%s is missing", v.Nodes[n])
				}
			}
		})
	}
}

// TestTooLargeIsListed: what would fill the screen a thousand times over is
// listed with its dependencies.
func TestTooLargeIsListed(t *testing.T) {
	v := &View{State: []State{Fresh}}
	for i := range 3000 {
		v.Nodes = append(v.Nodes, fmt.Sprintf("n%d", i)+strings.Repeat("-long", 1000))
		if i > 0 {
			v.Edges = append(v.Edges, [2]int{i - 1, i})
		}
	}
	first, second, _ := strings.Cut(v.ANSI(), "\n")
	if want := "\x1b[32m" + v.Nodes[0] + "\x1b[0m"; first != want {
		t.Errorf("first line %.60q…", first)
	}
	if line, _, _ := strings.Cut(second, "\n"); line != "\x1b[90m"+v.Nodes[1]+"\x1b[0m <- "+v.Nodes[0] {
		t.Errorf("second line %.60q…", line)
	}
}

// svgShape is what the tests read of a drawing.
type svgShape struct {
	Width  float64 `xml:"width,attr"`
	Height float64 `xml:"height,attr"`
	Style  string  `xml:"style"`
	Paths  []struct {
		Class string `xml:"class,attr"`
		D     string `xml:"d,attr"`
	} `xml:"path"`
	Groups []struct {
		Class string `xml:"class,attr"`
		Title string `xml:"title"`
		Rect  []struct {
			Class string  `xml:"class,attr"`
			X     float64 `xml:"x,attr"`
			Y     float64 `xml:"y,attr"`
			W     float64 `xml:"width,attr"`
			H     float64 `xml:"height,attr"`
		} `xml:"rect"`
		Text []string `xml:"text"`
	} `xml:"g"`
}

// checkSVG checks that the drawing is well-formed, complete, inside its frame,
// and that no box covers another.
func checkSVG(t *testing.T, v *View) svgShape {
	t.Helper()
	text := v.SVG()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, text)
		}
	}
	var s svgShape
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Paths) != len(v.Edges) {
		t.Errorf("%d edges, want %d", len(s.Paths), len(v.Edges))
	}
	inside := func(x, y float64) {
		if x < 0 || y < 0 || x > s.Width || y > s.Height {
			t.Errorf("(%v, %v) is outside of %v × %v", x, y, s.Width, s.Height)
		}
	}
	number := regexp.MustCompile(`-?[0-9.]+`)
	for _, p := range s.Paths {
		if strings.ContainsAny(p.D, "Nn") { // NaN, Inf
			t.Errorf("path %q", p.D)
		}
		for _, n := range number.FindAllString(p.D, -1) {
			if f, err := strconv.ParseFloat(n, 64); err != nil || f < 0 {
				t.Errorf("path %q", p.D)
			}
		}
	}
	boxes := 0
	for i, g := range s.Groups {
		for _, r := range g.Rect {
			inside(r.X, r.Y)
			inside(r.X+r.W, r.Y+r.H)
		}
		if g.Class != "node" {
			continue
		}
		boxes++
		for _, other := range s.Groups[:i] {
			a, b := g.Rect[0], other.Rect[0]
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s covers %s", g.Title, other.Title)
			}
		}
	}
	if boxes != len(v.Nodes) {
		t.Errorf("%d boxes, want %d", boxes, len(v.Nodes))
	}
	return s
}

func TestSVG(t *testing.T) {
	for seed := range uint64(60) {
		checkSVG(t, randomView(t, seed))
	}
	v := &View{
		Nodes: l("<raw> & \"more\"", "train", "eval", "\x01\xff"),
		Edges: [][2]int{{0, 1}, {1, 2}, {0, 2}},
		State: []State{Frozen, Stale, 99, Failed},
	}
	s := checkSVG(t, v)
	var titles []string
	for _, g := range s.Groups {
		if g.Class == "node" {
			titles = append(titles, g.Title+"|"+g.Text[0]+"|"+g.Rect[0].Class)
			continue
		}
		if got := strings.Join(g.Text, " "); g.Class != "legend" || got != "stale failed frozen unknown" {
			t.Errorf("%s %q", g.Class, got)
		}
	}
	want := l("<raw> & \"more\" (frozen)|<raw> & \"more\"|frozen", "train (stale)|train|stale", "eval (unknown)|eval|unknown", "\ufffd\ufffd (failed)|\ufffd\ufffd|failed")
	if !slices.Equal(titles, want) {
		t.Errorf("nodes %q, want %q", titles, want)
	}
	if !strings.Contains(s.Style, "prefers-color-scheme:dark") {
		t.Error("no dark colours")
	}
	if out := v.SVG(); strings.Count(out, "http") != 1 || strings.Contains(out, "<script") {
		t.Error("the drawing is not self-contained")
	}
	if (&View{Nodes: l("a")}).SVG() == (&View{Nodes: l("a"), State: []State{Fresh}}).SVG() {
		t.Error("states are not shown")
	}
}

func BenchmarkASCII(b *testing.B) {
	for _, n := range []int{6, 100, 1000} {
		g, err := New(pipeline(n))
		if err != nil {
			b.Fatal(err)
		}
		v := g.View(ViewOptions{})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				v.ASCII()
			}
		})
	}
}
