package pipeline

import (
	"fmt"
	"path"

	"github.com/flowrepro/flow/internal/yaml12"
)

// defaultParams is the parameter file used when none is named.
const defaultParams = "params.yaml"

// builder fills one stage from its resolved fields.
type builder struct {
	*parser
	s     *Stage
	place place
	trail func(field string) []string
}

func (b *builder) build(n *node) {
	for i, k := range n.keys {
		v := n.vals[i]
		switch k.value {
		case "cmd":
			b.cmd(v)
		case "deps":
			b.deps(v)
		case "params":
			b.params(v)
		case "frozen":
			b.s.Frozen = v.bool(false)
		case "always_changed":
			b.s.AlwaysChanged = v.bool(false)
		case "desc":
			b.s.Desc = scalarText(v.value)
		case "meta":
			b.s.Meta = v.plain()
		}
	}
	// The order of the file does not count: outs, then metrics, then plots.
	for _, f := range []struct {
		name string
		kind OutputKind
	}{{"outs", PlainOutput}, {"metrics", MetricOutput}, {"plots", PlotOutput}} {
		if v := n.get(f.name); v != nil {
			b.outs(v, f.name, f.kind)
		}
	}
}

func (b *builder) fault(n *node, field, msg, hint string) {
	b.parser.fault(yaml12.Graph, n.line, n.col, b.trail(field), msg, hint)
}

// wrong reports a template whose value cannot be used here.
func (b *builder) wrong(n *node, field, want string) {
	b.parser.fault(yaml12.Template, n.line, n.col, b.trail(field),
		fmt.Sprintf("failed to parse 'stages.%s.%s' in '%s': expected %s, got %s",
			b.s.Name, field, b.f.Path, want, n.typeName()), "")
}

// word returns the text of a scalar; numbers and booleans that a template gave
// are written out.
func (b *builder) word(n *node, field string) (string, bool) {
	if n.kind != scalarNode || n.value == nil {
		b.wrong(n, field, "str")
		return "", false
	}
	return scalarText(n.value), true
}

func (b *builder) cmd(n *node) {
	if n.kind != listNode {
		if n.kind == scalarNode && n.value == nil {
			b.wrong(n, "cmd", "str")
			return
		}
		b.s.Cmd = Command{Lines: []string{scalarText(n.value)}}
		return
	}
	b.s.Cmd = Command{IsList: true, Lines: make([]string, 0, len(n.vals))}
	for _, v := range n.vals {
		if w, ok := b.word(v, "cmd"); ok {
			b.s.Cmd.Lines = append(b.s.Cmd.Lines, w)
		}
	}
}

func (b *builder) pos(n *node) Position { return Position{b.f.Path, n.line, n.col} }

// path resolves a declared path and refuses what cannot be one.
func (b *builder) path(n *node, field, role string) (def, where string, url, ok bool) {
	text, ok := b.word(n, field)
	if !ok {
		return "", "", false, false
	}
	if text == "" {
		b.fault(n, field, "the path is empty", "")
		return "", "", false, false
	}
	def, where, url = b.place.at(text)
	if !url && isPipelineFile(text) {
		b.fault(n, field, fmt.Sprintf("DVC file '%s' cannot be %s.", text, role), "")
		return "", "", false, false
	}
	return def, where, url, true
}

func (b *builder) deps(n *node) {
	b.s.Deps = make([]Dependency, 0, len(n.vals))
	for _, v := range n.vals {
		if def, where, url, ok := b.path(v, "deps", "a dependency"); ok {
			b.s.Deps = append(b.s.Deps, Dependency{Def: def, Path: where, URL: url, Pos: b.pos(v)})
		}
	}
}

// params merges the entries of one file; one that tracks the whole file makes
// its single keys redundant.
func (b *builder) params(n *node) {
	whole := map[string]bool{}
	for _, e := range n.vals {
		for i, k := range e.keys {
			if !e.vals[i].truthy() {
				whole[scalarText(k.value)] = true
			}
		}
	}
	index := map[string]int{}
	add := func(at *node, file string, keys ...string) {
		i, ok := index[file]
		if !ok {
			i = len(b.s.Params)
			index[file] = i
			_, where, _ := b.place.at(file)
			b.s.Params = append(b.s.Params, ParamFile{Def: file, Path: where, Pos: b.pos(at)})
		}
		b.s.Params[i].Keys = append(b.s.Params[i].Keys, keys...)
	}
	for _, e := range n.vals {
		if e.kind != mapNode {
			if key, ok := b.word(e, "params"); ok && !whole[defaultParams] {
				add(e, defaultParams, key)
			}
			continue
		}
		for i, k := range e.keys {
			file, ok := b.word(k, "params")
			if !ok {
				continue
			}
			if whole[file] {
				add(k, file)
				continue
			}
			v := e.vals[i]
			if v.kind != listNode {
				b.wrong(v, "params", "list")
				continue
			}
			for _, item := range v.vals {
				if key, ok := b.word(item, "params"); ok {
					add(k, file, key)
				}
			}
		}
	}
}

// outs adds one list of outputs; flags of a path given twice are united.
func (b *builder) outs(n *node, field string, kind OutputKind) {
	var names []string
	at := map[string]*node{}
	flags := map[string]*node{}
	for _, e := range n.vals {
		if e.kind != mapNode {
			if name, ok := b.word(e, field); ok && at[name] == nil {
				names = append(names, name)
				at[name] = e
			}
			continue
		}
		for i, k := range e.keys {
			name, ok := b.word(k, field)
			if !ok {
				continue
			}
			if at[name] == nil {
				names = append(names, name)
				at[name] = k
			}
			if old := flags[name]; old != nil {
				both := &node{kind: mapNode, line: old.line, col: old.col}
				both.keys = append(both.keys, old.keys...)
				both.vals = append(both.vals, old.vals...)
				for j, key := range e.vals[i].keys {
					both.put(key, e.vals[i].vals[j], true)
				}
				flags[name] = both
				continue
			}
			flags[name] = e.vals[i]
		}
	}
	for _, name := range names {
		b.out(at[name], flags[name], field, kind)
	}
}

func (b *builder) out(n, flags *node, field string, kind OutputKind) {
	def, where, url, ok := b.path(n, field, "an output")
	if !ok {
		return
	}
	o := Output{
		Def: def, Path: where, URL: url, Kind: kind, Pos: b.pos(n),
		Cache: flags.get("cache").bool(true), Persist: flags.get("persist").bool(false),
		Push: flags.get("push").bool(true),
	}
	if r := flags.get("remote"); r != nil {
		o.Remote = scalarText(r.value)
	}
	if kind == PlotOutput && flags != nil {
		for i, k := range flags.keys {
			switch k.value {
			case "template", "x", "y", "x_label", "y_label", "title", "header":
				if o.Plot == nil {
					o.Plot = map[string]any{}
				}
				o.Plot[k.value.(string)] = flags.vals[i].plain()
			}
		}
	}
	if b.o.Ignored != nil && !url && !isAbs(where) && where != "." && b.o.Ignored(where, false) {
		b.fault(n, field, fmt.Sprintf("Path '%s' is ignored by .dvcignore", b.abs(where)),
			"change the patterns of .dvcignore or the path")
		return
	}
	b.s.Outs = append(b.s.Outs, o)
}

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

// inProject returns a directory relative to the root where possible: "sub",
// ".", "../up", or an absolute path that leads elsewhere.
func (p place) inProject(dir string) string {
	if !isAbs(dir) {
		return path.Clean(dir)
	}
	return p.clean(dir)
}
