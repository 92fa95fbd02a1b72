package pipeline

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/internal/yaml12"
)

// definition loads one entry of stages: a stage, or a group of generated ones.
func (p *parser) definition(name string, key, n *node) {
	switch {
	case n.get("foreach") != nil:
		p.foreach(name, key, n)
	case n.get("matrix") != nil:
		p.matrix(name, key, n)
	default:
		p.stage(name, key, n, p.scope)
	}
}

// foreach expands a foreach stage.
func (p *parser) foreach(name string, key, n *node) {
	where := "stages." + name + ".foreach"
	trail := []string{"stages", name, "foreach"}
	src := n.get("foreach")
	failed := len(p.errs)
	data := p.resolver(p.scope, "", where, trail).node(src)
	if len(p.errs) > failed {
		return
	}
	if data.kind == scalarNode {
		hint := ""
		if s, ok := data.text(); ok && src == data && s != "" && !strings.Contains(s, "${") {
			hint = "write foreach: ${" + s + "} to use a parameter"
		}
		p.template(src, 0, fmt.Sprintf("failed to resolve '%s' in '%s': expected list/dictionary, got %s",
			where, p.f.Path, data.typeName()), hint, trail)
		return
	}
	isMap := data.kind == mapNode
	p.warnHidden(name, isMap, false)
	composite := slices.ContainsFunc(data.vals, func(v *node) bool { return v.kind != scalarNode })
	var keys []string
	items := map[string]*node{}
	for i, v := range data.vals {
		var k string
		switch {
		case isMap:
			k = scalarText(data.keys[i].value)
		case composite:
			k = strconv.Itoa(i)
		default:
			k = scalarText(v.value)
		}
		if _, dup := items[k]; !dup {
			keys = append(keys, k)
		}
		items[k] = v
	}
	do := n.get("do")
	if m := do.key("matrix"); m != nil {
		p.set.Warnings = append(p.set.Warnings, fmt.Sprintf(
			"%s:%d: matrix inside do of stage '%s' has no effect", p.f.Path, m.line, name))
	}
	p.expand(name, key, keys, func(k string) *scope {
		var keyValue *value
		if isMap {
			keyValue = wrap(k, "")
		}
		return p.scope.with(wrap(items[k].plain(), ""), keyValue)
	}, do)
}

// maxGenerated bounds how many stages one matrix makes.
const maxGenerated = 1 << 17

// axis is one name of a matrix with its values.
type axis struct {
	name   string
	values []*node
}

// matrix expands a matrix stage.
func (p *parser) matrix(name string, key, n *node) {
	where := "stages." + name + ".matrix"
	trail := []string{"stages", name, "matrix"}
	src := n.get("matrix")
	failed := len(p.errs)
	data := p.resolver(p.scope, "", where, trail).node(src)
	if len(p.errs) > failed {
		return
	}
	p.warnHidden(name, true, true)
	var axes []axis
	total := 1
	for i, k := range data.keys {
		a := axis{name: scalarText(k.value)}
		switch v := data.vals[i]; v.kind {
		case listNode:
			a.values = v.vals
		case mapNode: // DVC takes the keys
			a.values = v.keys
		default:
			p.template(v, 0, fmt.Sprintf("failed to resolve '%s.%s' in '%s': expected list, got %s",
				where, a.name, p.f.Path, v.typeName()), "a matrix value is a list or a ${...} that is one", append(trail, a.name))
			return
		}
		axes = append(axes, a)
		if total *= len(a.values); total > maxGenerated {
			p.fault(yaml12.Template, src.line, src.col, trail,
				fmt.Sprintf("failed to resolve '%s' in '%s': more than %d combinations", where, p.f.Path, maxGenerated), "")
			return
		}
	}
	if len(axes) == 0 {
		p.fault(yaml12.Template, src.line, src.col, trail,
			fmt.Sprintf("failed to resolve '%s' in '%s': the matrix is empty", where, p.f.Path), "name at least one list of values")
		return
	}
	template := &node{kind: mapNode, line: n.line, col: n.col, templated: n.templated}
	for i, k := range n.keys {
		if k.value != "matrix" {
			template.put(k, n.vals[i], false)
		}
	}
	var keys []string
	items := map[string]*value{}
	pick := make([]int, len(axes))
	for i := 0; i < total; i++ {
		fragments := make([]string, len(axes))
		d := &dict{m: map[string]*value{}}
		for j, a := range axes {
			v := a.values[pick[j]]
			d.add(a.name, wrap(v.plain(), ""))
			if v.kind == scalarNode {
				fragments[j] = scalarText(v.value)
			} else {
				fragments[j] = a.name + strconv.Itoa(pick[j])
			}
		}
		k := strings.Join(fragments, "-")
		if _, dup := items[k]; !dup {
			keys = append(keys, k)
		}
		items[k] = &value{dict: d}
		for j := len(axes) - 1; j >= 0; j-- {
			if pick[j]++; pick[j] < len(axes[j].values) {
				break
			}
			pick[j] = 0
		}
	}
	p.expand(name, key, keys, func(k string) *scope {
		return p.scope.with(items[k], wrap(k, ""))
	}, template)
}

// expand loads the stages of a group.
func (p *parser) expand(name string, key *node, keys []string, scopeOf func(string) *scope, template *node) {
	if p.f.Groups == nil {
		p.f.Groups = map[string][]string{}
	}
	p.group = name
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		full := name + "@" + k
		names = append(names, full)
		p.stage(full, key, template, scopeOf(k))
	}
	p.group = ""
	clear(p.seen)
	p.f.Groups[name] = names
	p.f.GroupNames = append(p.f.GroupNames, name)
}

// warnHidden warns when item or key hide values of the file.
func (p *parser) warnHidden(name string, hasKey, keyFirst bool) {
	words := []string{"item"}
	if hasKey {
		words = []string{"item", "key"}
	}
	if keyFirst {
		slices.Reverse(words)
	}
	words = slices.DeleteFunc(words, func(w string) bool { return p.scope.top(w) == nil })
	if len(words) == 0 {
		return
	}
	verb := "is"
	if len(words) > 1 {
		verb = "are"
	}
	p.set.Warnings = append(p.set.Warnings, fmt.Sprintf(
		"%s %s already specified, will be overwritten for stages generated from '%s'",
		strings.Join(words, " and "), verb, name))
}

// stage loads one stage; key is where it is declared.
func (p *parser) stage(name string, key, n *node, sc *scope) {
	if old, dup := p.f.byName[name]; dup {
		p.fault(yaml12.Graph, key.line, key.col, []string{"stages", name},
			fmt.Sprintf("stage '%s' is defined twice, first at line %d", name, old.Pos.Line), "rename one of them")
		return
	}
	trail := func(field string) []string {
		top := name
		if p.group != "" {
			top = p.group
		}
		return []string{"stages", top, field}
	}
	failed := len(p.errs)
	wdir, wdirDef := p.dir, ""
	if w := n.get("wdir"); w != nil {
		r := p.resolver(sc, "wdir", "stages."+name+".wdir", trail("wdir")).node(w)
		if len(p.errs) > failed {
			return
		}
		if r.value == nil {
			p.fault(yaml12.Template, w.line, w.col, trail("wdir"),
				fmt.Sprintf("failed to parse 'stages.%s.wdir' in '%s': expected str, got NoneType", name, p.f.Path), "")
			return
		}
		wdirDef = scalarText(r.value)
		wdir = join(p.dir, filepath.ToSlash(wdirDef))
	}
	if vars := n.get("vars"); vars != nil {
		own := *sc
		sc = &own
		if !p.loadVars(sc, vars, wdir, name) {
			return
		}
	}
	resolved := n
	if n.templated {
		resolved = &node{kind: mapNode, line: n.line, col: n.col}
		for i, k := range n.keys {
			field, _ := k.text()
			v := n.vals[i]
			if field != "vars" && v.templated {
				v = p.resolver(sc, field, "stages."+name+"."+field, trail(field)).node(v)
			}
			resolved.keys = append(resolved.keys, k)
			resolved.vals = append(resolved.vals, v)
		}
	}
	if len(p.errs) > failed {
		return
	}
	s := &Stage{
		Name: name, Group: p.group, File: p.f.Path,
		Wdir: newPlace(p.o.Root, ".").inProject(wdir), WdirDef: wdirDef,
		Templated: n.templated || p.group != "",
		Pos:       Position{p.f.Path, key.line, key.col},
	}
	b := builder{parser: p, s: s, place: newPlace(p.o.Root, wdir), trail: trail}
	b.build(resolved)
	if len(p.errs) > failed {
		return
	}
	p.f.byName[name] = s
	p.f.Stages = append(p.f.Stages, s)
}
