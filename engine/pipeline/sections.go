package pipeline

import (
	"fmt"

	"github.com/flowrepro/flow/internal/yaml12"
)

// sections loads the top-level lists; skip tells those of a wrong shape.
func (p *parser) sections(root *node, skip func(string) bool) {
	pl := newPlace(p.o.Root, p.dir)
	for i, k := range root.keys {
		section, _ := k.text()
		v := root.vals[i]
		if skip(section) {
			continue
		}
		switch section {
		case "metrics", "params":
			paths := make([]string, 0, len(v.vals))
			for j, e := range v.vals {
				r := p.entry(section, fmt.Sprint(j), e)
				if r == nil {
					continue
				}
				for _, name := range p.names(section, r) {
					_, where, _ := pl.at(name)
					paths = append(paths, where)
				}
			}
			if section == "metrics" {
				p.f.Metrics = paths
			} else {
				p.f.Params = paths
			}
		case "plots":
			for j, e := range v.vals {
				if r := p.entry(section, fmt.Sprint(j), e); r != nil {
					p.plots(r, pl)
				}
			}
		case "artifacts":
			for j, name := range v.keys {
				p.artifact(name, v.vals[j], pl)
			}
		case "datasets":
			if r := p.entry(section, "0", v); r != nil {
				p.f.Datasets = r.plain()
			}
		}
	}
}

// entry replaces the templates of one top-level entry; nil if that failed.
func (p *parser) entry(section, name string, n *node) *node {
	failed := len(p.errs)
	r := p.resolver(p.scope, "", section+"."+name, []string{section, name}).node(n)
	if len(p.errs) > failed {
		return nil
	}
	return r
}

// names are the strings of an entry, which a template may have made a list.
func (p *parser) names(section string, n *node) []string {
	list := []*node{n}
	if n.kind == listNode {
		list = n.vals
	}
	var names []string
	for _, e := range list {
		if e.kind != scalarNode || e.value == nil {
			p.wrongEntry(section, e)
			return nil
		}
		names = append(names, scalarText(e.value))
	}
	return names
}

func (p *parser) wrongEntry(section string, n *node) {
	p.fault(yaml12.Template, n.line, n.col, []string{section},
		fmt.Sprintf("failed to parse '%s' in '%s': expected str, got %s", section, p.f.Path, n.typeName()), "")
}

func (p *parser) plots(n *node, pl place) {
	add := func(at *node, id string, props *yaml12.Map) {
		_, where, _ := pl.at(id)
		p.f.Plots = append(p.f.Plots, Plot{ID: id, Path: where, Props: props, Pos: Position{p.f.Path, at.line, at.col}})
	}
	switch n.kind {
	case mapNode:
		for i, k := range n.keys {
			props, _ := n.vals[i].plain().(*yaml12.Map)
			add(k, scalarText(k.value), props)
		}
	case listNode:
		for _, e := range n.vals {
			p.plots(e, pl)
		}
	default:
		for _, name := range p.names("plots", n) {
			add(n, name, nil)
		}
	}
}

func (p *parser) artifact(name, n *node, pl place) {
	label := scalarText(name.value)
	key := p.entry("artifacts", label, name)
	r := p.entry("artifacts", label, n)
	if key == nil || r == nil {
		return
	}
	if _, ok := key.text(); !ok {
		p.fault(yaml12.Template, name.line, name.col, []string{"artifacts", label},
			fmt.Sprintf("failed to resolve 'artifacts.%s' in '%s': expected str, got %s", label, p.f.Path, key.typeName()), "")
		return
	}
	a := Artifact{Name: key.value.(string), Pos: Position{p.f.Path, name.line, name.col}}
	for i, k := range r.keys {
		v := r.vals[i]
		switch k.value {
		case "path":
			if v.kind != scalarNode || v.value == nil {
				p.wrongEntry("artifacts", v)
				return
			}
			a.Def = scalarText(v.value)
			_, a.Path, _ = pl.at(a.Def)
		case "desc":
			a.Desc = scalarText(v.value)
		case "type":
			a.Type = scalarText(v.value)
		case "labels":
			for _, l := range v.vals {
				a.Labels = append(a.Labels, scalarText(l.value))
			}
		case "meta":
			a.Meta = v.plain()
		}
	}
	p.f.Artifacts = append(p.f.Artifacts, a)
}
