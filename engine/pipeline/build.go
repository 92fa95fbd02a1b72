package pipeline

import (
	"fmt"
	"os"

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
			if v.value != nil {
				b.s.Desc = scalarText(v.value)
			}
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
	if !url && b.ignoredOutput(where) {
		b.fault(n, field, fmt.Sprintf("Path '%s' is ignored by .dvcignore", b.abs(where)),
			"change the patterns of .dvcignore or the path")
		return
	}
	b.s.Outs = append(b.s.Outs, o)
}

// ignoredOutput reports whether .dvcignore hides an output. Patterns for
// directories count once the output is one.
func (b *builder) ignoredOutput(where string) bool {
	if b.o.Ignored == nil || isAbs(where) || where == "." {
		return false
	}
	if b.o.Ignored(where, false) {
		return true
	}
	if !b.o.Ignored(where, true) {
		return false
	}
	fi, err := os.Stat(b.abs(where))
	return err == nil && fi.IsDir()
}
