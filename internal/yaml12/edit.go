package yaml12

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// errEdit is an edit that would not have had the effect asked for.
var errEdit = errors.New("can't be edited in place")

// Set returns data with the value at path replaced or, if there is none,
// inserted behind its siblings; missing parents are made. Steps are string for
// keys and int for list items, of which the one behind the last can be made.
// Every byte that does not belong to the old value stays. The result is parsed
// and compared; an edit that would do more than was asked (through an anchor,
// or in a layout that isn't understood) is an error.
func Set(data []byte, path []any, value any) ([]byte, error) {
	value = normalDeep(value)
	return edit(data, path, func(e *editor) error { return e.set(path, value) },
		func(root any) (any, error) { return setIn(root, path, value) })
}

// Delete returns data without the entry at path and without the comment lines
// that stand directly above it at the same indentation. Every other byte
// stays. A collection that becomes empty is written as {} or []. An entry that
// does not exist is an error.
func Delete(data []byte, path []any) ([]byte, error) {
	if len(path) == 0 {
		return nil, errors.New("delete: no path")
	}
	return edit(data, path, func(e *editor) error { return e.delete(path) },
		func(root any) (any, error) { return deleteIn(root, path) })
}

var bom = []byte("\ufeff")

// edit runs an edit on the text and the same on the value, and compares.
func edit(data []byte, path []any, do func(*editor) error, expect func(any) (any, error)) ([]byte, error) {
	rest, hasBOM := bytes.CutPrefix(data, bom)
	doc, err := Parse("", rest)
	if err != nil {
		return nil, err
	}
	before, err := doc.Value(doc.Root)
	if err != nil {
		return nil, err
	}
	want, err := expect(before)
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", pathText(path), err)
	}
	e := &editor{text: newText(rest), doc: doc, newline: "\n"}
	if i := bytes.IndexByte(rest, '\n'); i > 0 && rest[i-1] == '\r' {
		e.newline = "\r\n"
	}
	if err := do(e); err != nil {
		return nil, fmt.Errorf("edit %s: %w", pathText(path), err)
	}
	got, err := Decode("", e.out)
	if err != nil || !Identical(got, want) {
		return nil, fmt.Errorf("edit %s: %w", pathText(path), errEdit)
	}
	if hasBOM {
		return append(bytes.Clone(bom), e.out...), nil
	}
	return e.out, nil
}

func pathText(path []any) string {
	steps := make([]string, len(path))
	for i, s := range path {
		steps[i] = fmt.Sprint(s)
	}
	return strings.Join(steps, ".")
}

// editor makes one change to a text.
type editor struct {
	*text
	doc     *Document
	newline string
	out     []byte
}

// splice replaces data[from:to].
func (e *editor) splice(from, to int, s string) {
	if e.newline != "\n" {
		s = strings.ReplaceAll(s, "\n", e.newline)
	}
	e.out = make([]byte, 0, len(e.data)+len(s))
	e.out = append(e.out, e.data[:from]...)
	e.out = append(e.out, s...)
	e.out = append(e.out, e.data[to:]...)
}

// place is a node with what holds it.
type place struct {
	node   *yaml.Node
	key    *yaml.Node // of an entry of a mapping
	parent *yaml.Node
	index  int // of the key or item in parent.Content
	flow   bool
}

// step goes from a collection to one of its members.
func (p place) step(step any) (place, bool, error) {
	n := p.node
	flow := p.flow || n.Style&yaml.FlowStyle != 0
	switch s := step.(type) {
	case string:
		switch {
		case n.Kind == yaml.MappingNode:
		case isNull(n):
			return place{}, false, nil
		case n.Kind == yaml.AliasNode:
			return place{}, false, fmt.Errorf("*%s stands for a value written elsewhere", n.Value)
		default:
			return place{}, false, fmt.Errorf("no map at line %d", n.Line)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if scalarValue(n.Content[i]) == s && !isMerge(n.Content[i]) {
				return place{n.Content[i+1], n.Content[i], n, i, flow}, true, nil
			}
		}
		return place{}, false, nil
	case int:
		switch {
		case n.Kind == yaml.SequenceNode:
		case isNull(n):
			return place{}, false, nil
		case n.Kind == yaml.AliasNode:
			return place{}, false, fmt.Errorf("*%s stands for a value written elsewhere", n.Value)
		default:
			return place{}, false, fmt.Errorf("no list at line %d", n.Line)
		}
		if s >= 0 && s < len(n.Content) {
			return place{n.Content[s], nil, n, s, flow}, true, nil
		}
		return place{}, false, nil
	}
	return place{}, false, fmt.Errorf("step %v is neither key nor index", step)
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && scalarValue(n) == nil
}

// find follows path as far as it exists and returns the rest of it.
func (e *editor) find(path []any) (place, []any, error) {
	p := place{node: e.doc.Root}
	for i, step := range path {
		next, ok, err := p.step(step)
		if err != nil {
			return p, nil, err
		}
		if !ok {
			return p, path[i:], nil
		}
		p = next
	}
	return p, nil, nil
}

// wrap makes a value out of the missing rest of a path.
func wrap(rest []any, value any) any {
	for i := len(rest) - 1; i >= 0; i-- {
		if key, ok := rest[i].(string); ok {
			value = &Map{Items: []Item{{key, value}}}
		} else {
			value = []any{value}
		}
	}
	return value
}

func (e *editor) set(path []any, value any) error {
	if e.doc.Root == nil {
		head := string(e.data)
		if head != "" && !strings.HasSuffix(head, "\n") {
			head += "\n"
		}
		e.out = AppendEmit([]byte(head), wrap(path, value))
		return nil
	}
	p, rest, err := e.find(path)
	if err != nil {
		return err
	}
	switch {
	case len(rest) == 0:
		return e.replace(p, value)
	case isNull(p.node) || len(p.node.Content) == 0 && !p.flow:
		return e.replace(p, wrap(rest, value))
	}
	return e.insert(p, rest[0], wrap(rest[1:], value))
}

// replace puts a value in the place of another one.
func (e *editor) replace(p place, value any) error {
	from, err := e.content(p.node)
	if err != nil {
		return err
	}
	to, err := e.end(p.node)
	if err != nil {
		return err
	}
	wasFlow := p.node.Style&yaml.FlowStyle != 0 && len(p.node.Content) > 0
	wasBlock := !isScalarNode(p.node) && p.node.Style&yaml.FlowStyle == 0
	if p.parent == nil {
		if isScalar(value) {
			e.splice(from, to, inline(value, false))
			return nil
		}
		block := strings.TrimSuffix(string(Emit(value)), "\n")
		start := e.lineStart(from)
		if strings.TrimSpace(string(e.data[start:from])) != "" {
			start, block = from, "\n"+block // behind what opens the document
		}
		e.splice(start, to, block)
		return nil
	}
	if p.flow || wasFlow || isScalar(value) || emptyCollection(value) {
		s := inline(value, p.flow)
		if !wasBlock && !(isNull(p.node) && from == to) {
			e.splice(from, to, s)
			return nil
		}
		if from, err = e.introducer(p); err != nil {
			return err
		}
		if wasBlock {
			e.splice(from, to, " "+s)
		} else {
			e.splice(from, from, " "+s)
		}
		return nil
	}
	return e.replaceByBlock(p, value, from, to, wasBlock)
}

// replaceByBlock writes a collection in block style.
func (e *editor) replaceByBlock(p place, value any, from, to int, wasBlock bool) error {
	after, err := e.introducer(p)
	if err != nil {
		return err
	}
	if p.key == nil {
		// An item of a list: behind the dash, on its line.
		column := e.column(after)
		block := e.block(value, column+1)
		e.splice(after, max(to, after), " "+strings.TrimPrefix(block, strings.Repeat(" ", column+1)))
		return nil
	}
	indent := p.key.Column - 1
	_, isList := value.([]any)
	switch {
	case wasBlock && isList == (p.node.Kind == yaml.SequenceNode):
		indent = p.node.Column - 1
	case isList:
		indent += e.listIndent()
	default:
		indent += e.mapIndent()
	}
	block := "\n" + e.block(value, indent)
	// A comment on the key's line stays there when the value began below.
	if wasBlock && e.lineStart(from) > after {
		e.splice(e.lineStart(from), to, block[1:])
		return nil
	}
	if isNull(p.node) && from >= to {
		end := e.trimmedEnd(after, e.lineEnd(after))
		e.splice(end, end, block)
		return nil
	}
	e.splice(after, to, block)
	return nil
}

// introducer returns the offset behind the colon or dash that leads a value.
func (e *editor) introducer(p place) (int, error) {
	if p.key != nil {
		at, err := e.end(p.key)
		if err != nil {
			return 0, err
		}
		for at < len(e.data) && (e.data[at] == ' ' || e.data[at] == '\t') {
			at++
		}
		if at < len(e.data) && e.data[at] == ':' {
			return at + 1, nil
		}
		return 0, errEdit
	}
	at, err := e.offset(p.node)
	if err != nil {
		return 0, err
	}
	for at > 0 && blank(e.data[at-1]) {
		at--
	}
	if at > 0 && e.data[at-1] == '-' {
		return at, nil
	}
	return 0, errEdit
}

func (e *editor) column(at int) int { return at - e.lineStart(at) }

// block returns a collection in block style without its last newline.
func (e *editor) block(v any, indent int) string {
	anchors := 0
	return strings.TrimSuffix(string(AppendEmitAt(nil, v, indent, &anchors)), "\n")
}

// listIndent returns how much deeper than its key the text writes a list.
func (e *editor) listIndent() int {
	if n := e.indentOf(e.doc.Root, yaml.SequenceNode); n >= 0 {
		return n
	}
	return 0
}

// mapIndent returns how much deeper than its key the text writes a map.
func (e *editor) mapIndent() int {
	if n := e.indentOf(e.doc.Root, yaml.MappingNode); n > 0 {
		return n
	}
	return indentStep
}

func (e *editor) indentOf(n *yaml.Node, kind yaml.Kind) int {
	if n.Style&yaml.FlowStyle != 0 {
		return -1
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if v.Kind == kind && v.Style&yaml.FlowStyle == 0 && v.Line > k.Line && v.Column >= k.Column {
				return v.Column - k.Column
			}
		}
	}
	for _, c := range n.Content {
		if r := e.indentOf(c, kind); r >= 0 {
			return r
		}
	}
	return -1
}

// insert adds an entry behind those of a collection that has some.
func (e *editor) insert(p place, step, value any) error {
	n := p.node
	key, isKey := step.(string)
	if isKey != (n.Kind == yaml.MappingNode) {
		return fmt.Errorf("no place for %v at line %d", step, n.Line)
	}
	if i, ok := step.(int); ok && i != len(n.Content) {
		return fmt.Errorf("list at line %d has %d items", n.Line, len(n.Content))
	}
	if p.flow || n.Style&yaml.FlowStyle != 0 {
		return e.insertFlow(n, key, isKey, value)
	}
	end, err := e.end(n)
	if err != nil {
		return err
	}
	column, err := e.blockColumn(n)
	if err != nil {
		return err
	}
	item := any([]any{value})
	if isKey {
		item = &Map{Items: []Item{{key, value}}}
	}
	text := e.block(item, column)
	if list, ok := value.([]any); ok && isKey && len(list) > 0 && e.listIndent() > 0 {
		text = e.block(&Map{Items: []Item{{key, nil}}}, column) + "\n" + e.block(value, column+e.listIndent())
	}
	line := e.lineEnd(max(end-1, 0))
	if line > 0 && e.data[line-1] != '\n' {
		e.splice(line, line, "\n"+text)
		return nil
	}
	e.splice(line, line, text+"\n")
	return nil
}

// blockColumn returns the indentation of a block collection's entries: that of
// keys or of dashes.
func (e *editor) blockColumn(n *yaml.Node) (int, error) {
	at, err := e.offset(n.Content[0])
	if err != nil {
		return 0, err
	}
	if n.Kind == yaml.SequenceNode {
		for at > 0 && e.data[at-1] != '-' {
			at--
		}
		at--
	}
	if at < 0 {
		return 0, errEdit
	}
	return e.column(at), nil
}

func (e *editor) insertFlow(n *yaml.Node, key string, isKey bool, value any) error {
	end, err := e.end(n)
	if err != nil {
		return err
	}
	s := inline(value, true)
	if isKey {
		s = inline(key, true) + ": " + s
	}
	at := end - 1
	if len(n.Content) > 0 {
		if at, err = e.end(n.Content[len(n.Content)-1]); err != nil {
			return err
		}
		s = ", " + s
	}
	e.splice(at, at, s)
	return nil
}

func isScalarNode(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode }

func emptyCollection(v any) bool {
	switch v := v.(type) {
	case *Map:
		return v.Len() == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// inline returns a value on one line, collections in flow style.
func inline(v any, flow bool) string {
	switch v := normal(v).(type) {
	case *Map:
		items := make([]string, len(v.Items))
		for i, it := range v.Items {
			items[i] = inline(it.Key, true) + ": " + inline(it.Value, true)
		}
		return "{" + strings.Join(items, ", ") + "}"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = inline(item, true)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case nil:
		return "null"
	case string:
		e := emitter{whitespace: true, indent: -1}
		st := e.style(v, false, asKey)
		if flow && st == plainStyle && strings.ContainsAny(v, ",[]{}:?") {
			st = singleStyle
		}
		e.scalar(v, st, asKey)
		return string(e.buf)
	default:
		s, _ := scalarText(v)
		return s
	}
}
