package graph

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dvcProgram, when given, is a DVC 3 program; the goldens are written anew by it.
var dvcProgram = flag.String("dvc", "", "rewrite testdata/dag with this dvc program")

// forms are the drawings compared with DVC's, byte for byte, by the flags that
// make DVC print them.
var forms = []struct {
	name  string
	flags []string
	draw  func(g *Graph) string
}{
	{"ascii", nil, func(g *Graph) string { return g.View(ViewOptions{}).ASCII() }},
	{"dot", []string{"--dot"}, func(g *Graph) string { return g.View(ViewOptions{}).DOT() }},
	{"mermaid", []string{"--mermaid"}, func(g *Graph) string { return g.View(ViewOptions{}).Mermaid() }},
	{"md", []string{"--md"}, func(g *Graph) string { return g.View(ViewOptions{}).Markdown() }},
	{"outs", []string{"--outs"}, func(g *Graph) string { return g.View(ViewOptions{Outs: true}).ASCII() }},
	{"outs dot", []string{"--outs", "--dot"}, func(g *Graph) string { return g.View(ViewOptions{Outs: true}).DOT() }},
	{"outs mermaid", []string{"--outs", "--mermaid"}, func(g *Graph) string { return g.View(ViewOptions{Outs: true}).Mermaid() }},
}

// undetermined are the drawings for which DVC prints now this, now that. It
// shows the components that are less than half of the project, and the bends
// of edges that pass the same layer, in an order that changes from run to run;
// the golden file then has several variants, and ours has to be one of them.
var undetermined = map[string]bool{"sentiment outs": true}

// TestDrawingsAreDVCs compares every form of every shape in testdata/dag with
// what DVC prints for a project of that shape.
func TestDrawingsAreDVCs(t *testing.T) {
	files, err := filepath.Glob("testdata/dag/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d shapes, error %v", len(files), err)
	}
	for _, file := range files {
		shape := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(shape, func(t *testing.T) {
			a, err := readArchive(file)
			if err != nil {
				t.Fatal(err)
			}
			nodes := readNodes(t, a.sections("nodes")[0])
			if *dvcProgram != "" {
				rewrite(t, file, a, nodes)
			}
			g := mustNew(t, nodes...)
			for _, f := range forms {
				variants := a.sections(f.name)
				if len(variants) == 0 {
					t.Errorf("no section %q", f.name)
					continue
				}
				if open := undetermined[shape+" "+f.name]; open != (len(variants) > 1) {
					t.Errorf("%s: %d variants, but undetermined is %v", f.name, len(variants), open)
				}
				if got := f.draw(g); !slices.Contains(variants, got) {
					t.Errorf("%s (-dvc +flow):\n%s", f.name, cmp.Diff(strings.Split(variants[0], "\n"), strings.Split(got, "\n")))
				}
			}
		})
	}
}

// archive is a file of named sections, in the layout of txtar.
type archive struct{ files []section }

type section struct{ name, text string }

// readArchive reads an archive. A drawing may end in empty lines, so the line
// "EOF" ends a section where it is there.
func readArchive(file string) (*archive, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	a := &archive{}
	for line := range strings.Lines(string(data)) {
		name, ok := strings.CutPrefix(line, "-- ")
		if name, end := strings.CutSuffix(name, " --\n"); ok && end {
			a.files = append(a.files, section{name: name})
			continue
		}
		if len(a.files) == 0 {
			return nil, fmt.Errorf("%s: text before the first section", file)
		}
		a.files[len(a.files)-1].text += line
	}
	for i := range a.files {
		a.files[i].text = strings.TrimSuffix(a.files[i].text, "EOF\n")
	}
	return a, nil
}

func (a *archive) format() []byte {
	var b strings.Builder
	for _, f := range a.files {
		b.WriteString("-- " + f.name + " --\n" + f.text)
		if f.name != "nodes" {
			b.WriteString("EOF\n")
		}
	}
	return []byte(b.String())
}

// sections returns the texts of all sections of a name; further variants have
// a number behind it.
func (a *archive) sections(name string) []string {
	var list []string
	for _, f := range a.files {
		if base, _, _ := strings.Cut(f.name, " #"); base == name {
			list = append(list, f.text)
		}
	}
	return list
}

// readNodes reads lines "name dep… -> out…".
func readNodes(t *testing.T, text string) []Node {
	t.Helper()
	var nodes []Node
	for line := range strings.Lines(text) {
		left, right, _ := strings.Cut(line, "->")
		words := strings.Fields(left)
		n := Node{Name: words[0], File: "dvc.yaml", Deps: words[1:], Outs: strings.Fields(right)}
		if strings.HasSuffix(n.Name, ".dvc") {
			n.File = n.Name
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func mustNew(t *testing.T, nodes ...Node) *Graph {
	t.Helper()
	g, err := New(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// rewrite makes a project of the nodes, asks DVC for all drawings, several
// times with different seeds of Python's hashes, and writes the golden file.
func rewrite(t *testing.T, file string, a *archive, nodes []Node) {
	t.Helper()
	dir := t.TempDir()
	run := func(seed int, args ...string) string {
		c := exec.Command(*dvcProgram, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), fmt.Sprintf("PYTHONHASHSEED=%d", seed), "DVC_NO_ANALYTICS=1")
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("dvc %v: %v\n%s", args, err, &stderr)
		}
		return string(out)
	}
	run(1, "init", "--no-scm", "--quiet")
	var b strings.Builder
	groups := map[string]bool{}
	for _, n := range nodes {
		list := func(indent, key string, paths []string) (s string) {
			if len(paths) > 0 {
				s = indent + key + ":\n"
			}
			for _, p := range paths {
				s += indent + "- " + p + "\n"
			}
			return s
		}
		if n.File != "dvc.yaml" {
			data := fmt.Sprintf("outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  hash: md5\n  path: %s\n", filepath.Base(n.Outs[0]))
			path := filepath.Join(dir, n.File)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		name, key, generated := strings.Cut(n.Name, "@")
		if !generated {
			b.WriteString("  " + name + ":\n    cmd: x\n" + list("    ", "deps", n.Deps) + list("    ", "outs", n.Outs))
			continue
		}
		if groups[name] {
			continue // its keys are read off the other nodes below
		}
		groups[name] = true
		b.WriteString("  " + name + ":\n    foreach:\n")
		for _, m := range nodes {
			if group, k, ok := strings.Cut(m.Name, "@"); ok && group == name {
				b.WriteString("    - " + k + "\n")
			}
		}
		with := strings.NewReplacer(key, "${item}")
		b.WriteString("    do:\n      cmd: x\n" + with.Replace(list("      ", "deps", n.Deps)+list("      ", "outs", n.Outs)))
	}
	if err := os.WriteFile(filepath.Join(dir, "dvc.yaml"), []byte("stages:\n"+b.String()), 0o644); err != nil {
		t.Fatal(err)
	}

	a.files = slices.DeleteFunc(a.files, func(f section) bool { return f.name != "nodes" })
	for _, f := range forms {
		var variants []string
		runs := 2
		if f.name == "ascii" || f.name == "outs" {
			runs = 6
		}
		for seed := range runs {
			out := run(seed, append([]string{"dag"}, f.flags...)...)
			if !slices.Contains(variants, out) {
				variants = append(variants, out)
			}
		}
		slices.Sort(variants)
		for i, v := range variants {
			name := f.name
			if len(variants) > 1 {
				name += fmt.Sprintf(" #%d", i+1)
			}
			a.files = append(a.files, section{name, v})
		}
	}
	if err := os.WriteFile(file, a.format(), 0o644); err != nil {
		t.Fatal(err)
	}
}
