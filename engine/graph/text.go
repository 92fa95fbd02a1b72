package graph

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// DOT is the view for Graphviz, followed by an empty line.
func (v *View) DOT() string {
	var b strings.Builder
	quoted := make([]string, len(v.Nodes))
	escape := strings.NewReplacer(`"`, `\"`, "\n", `\n`)
	b.WriteString("strict digraph {\n")
	for i, n := range v.Nodes {
		quoted[i] = `"` + escape.Replace(n) + `"`
		b.WriteString(quoted[i] + ";\n")
	}
	readers := make([][]int, len(v.Nodes))
	for _, e := range v.Edges {
		readers[e[0]] = append(readers[e[0]], e[1])
	}
	for i, list := range readers {
		slices.Sort(list)
		for _, r := range list {
			b.WriteString(quoted[i] + " -> " + quoted[r] + ";\n")
		}
	}
	b.WriteString("}\n\n")
	return b.String()
}

// Mermaid is the view as a Mermaid flow chart: component after component, in
// each the nodes and then the edges by name.
func (v *View) Mermaid() string {
	var b strings.Builder
	escape := strings.NewReplacer(`"`, "#quot;", "\n", " ")
	b.WriteString("flowchart TD\n")
	count := 0
	id := make([]string, len(v.Nodes))
	for _, p := range v.parts() {
		members := slices.Clone(p.members)
		sort.SliceStable(members, func(i, j int) bool { return v.Nodes[members[i]] < v.Nodes[members[j]] })
		for _, m := range members {
			count++
			id[m] = "node" + strconv.Itoa(count)
			b.WriteString("\t" + id[m] + `["` + escape.Replace(v.Nodes[m]) + "\"]\n")
		}
		type link struct{ from, to int }
		links := make([]link, len(p.edges))
		for i, e := range p.edges {
			links[i] = link{p.members[e[0]], p.members[e[1]]}
		}
		slices.SortStableFunc(links, func(x, y link) int {
			if c := strings.Compare(v.Nodes[x.from], v.Nodes[y.from]); c != 0 {
				return c
			}
			return strings.Compare(v.Nodes[x.to], v.Nodes[y.to])
		})
		for _, l := range links {
			b.WriteString("\t" + id[l.from] + "-->" + id[l.to] + "\n")
		}
	}
	return b.String()
}

// Markdown is the Mermaid chart in a code fence.
func (v *View) Markdown() string { return "```mermaid\n" + v.Mermaid() + "```\n" }
