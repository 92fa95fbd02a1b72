package pipeline

import (
	"fmt"
	"strings"
)

// problem is what is wrong with the nth "${" of a string.
type problem struct {
	nth       int
	msg, hint string
	// block puts the message on a line of its own, as DVC does for faults of
	// the expression itself.
	block bool
}

// resolver replaces templates in one part of a file.
type resolver struct {
	scope *scope
	// field is the stage's key; "" outside of stages and for foreach and
	// matrix data, where a template may stand for a list or a map.
	field string
	// generated is set for stages of foreach and matrix, where DVC reports
	// expressions as written.
	generated bool
	unpack    *unpacker
	fail      func(n *node, p problem)
}

// node returns n with its templates replaced: n itself if it has none. What
// cannot be replaced is reported and left as it is.
func (r *resolver) node(n *node) *node {
	if !n.templated {
		return n
	}
	switch n.kind {
	case listNode:
		out := &node{kind: listNode, line: n.line, col: n.col, vals: make([]*node, len(n.vals))}
		for i, v := range n.vals {
			out.vals[i] = r.node(v)
		}
		return out
	case mapNode:
		out := &node{kind: mapNode, line: n.line, col: n.col}
		for i, k := range n.keys {
			key := r.node(k)
			if key.kind != scalarNode {
				r.fail(k, problem{msg: fmt.Sprintf("Cannot interpolate data of type '%s'", key.typeName()), block: true})
				key = k
			}
			out.put(key, r.node(n.vals[i]), k.templated)
		}
		out.templated = false
		return out
	}
	v, ok := r.text(n)
	if !ok {
		return n
	}
	return fromValue(v, n)
}

// text replaces the templates of one string. A string that is one template
// keeps the value's type.
func (r *resolver) text(n *node) (any, bool) {
	src := n.value.(string)
	list := matches(src)
	if len(list) == 1 && list[0].start == 0 && list[0].end == len(src) {
		v, p := r.value(list[0].inner)
		if p == nil && !v.isScalar() && r.field != "" {
			p = &problem{msg: fmt.Sprintf("Cannot interpolate data of type '%s'", v.typeName()), block: true}
			if r.field == "cmd" && v.dict != nil {
				p.hint = "a map becomes arguments only after a program: \"cmd: program ${" + list[0].inner + "}\""
			}
		}
		if p != nil {
			r.fail(n, *p)
			return nil, false
		}
		return v.plain(), true
	}
	var b strings.Builder
	at, ok := 0, true
	for _, m := range list {
		b.WriteString(src[at:m.start])
		at = m.end
		text, p := r.inline(m.inner)
		if p != nil {
			p.nth = strings.Count(src[:m.start], "${")
			r.fail(n, *p)
			ok = false
			continue
		}
		b.WriteString(text)
	}
	b.WriteString(src[at:])
	return strings.ReplaceAll(b.String(), `\${`, "${"), ok
}

// inline is the text of an expression inside other text.
func (r *resolver) inline(inner string) (string, *problem) {
	v, p := r.value(inner)
	switch {
	case p != nil:
		return "", p
	case v.isScalar():
		return scalarText(v.scalar), nil
	case v.dict != nil && (r.field == "cmd" || r.field == ""):
		text, err := r.unpack.arguments(v.dict)
		if err != nil {
			return "", &problem{msg: err.Error(), block: true}
		}
		return text, nil
	case r.field == "":
		return scalarText(v.plain()), nil
	}
	return "", &problem{msg: fmt.Sprintf("Cannot interpolate data of type '%s'", v.typeName()), block: true,
		hint: "use an element of it, as in ${" + strings.TrimSpace(inner) + "[0]}"}
}

// value is the value of an expression.
func (r *resolver) value(inner string) (*value, *problem) {
	expr, err := parseExpr(inner)
	if err != nil {
		return nil, &problem{msg: err.Error(), block: true,
			hint: "an expression is a name followed by .name or [index]; \\${ stands for ${ itself"}
	}
	v, hint := r.scope.lookup(expr)
	if v == nil {
		if r.generated {
			expr = inner
		}
		return nil, &problem{msg: "Could not find '" + expr + "'", hint: hint}
	}
	if v.date {
		return nil, &problem{msg: fmt.Sprintf("value of '%s' is or holds a date, which templates cannot use", expr),
			hint: "quote the date in '" + v.source + "' to make it text"}
	}
	return v, nil
}
