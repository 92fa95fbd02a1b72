package yaml12

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The layout of the YAML that DVC writes.
const (
	bestWidth  = 80  // a scalar is folded at a space beyond this column
	indentStep = 2   // of mappings; dashes stand at the parent key's column
	simpleKey  = 128 // keys this long (with their tag) get the "? " form
)

// Emit returns a value as DVC writes it to lock files, byte for byte: block
// style, scalars quoted and folded as ruamel.yaml does. Besides the values of
// this package it takes int, []string and map[string]any (sorted by key).
//
// A *Map or non-empty list that occurs at several places is written once, with
// an anchor, and referred to by aliases, as DVC does with parameters that are
// tracked both by themselves and as part of a larger one.
//
// Where ruamel writes what it reads back as something else, Emit writes what is
// right: text with U+0085 is escaped, keys before a colon are never folded, nor
// is plain text behind two spaces, and a fold behind an escape is marked.
func Emit(v any) []byte { return AppendEmit(nil, v) }

// AppendEmit appends Emit(v) to dst, which must be empty or end a line.
func AppendEmit(dst []byte, v any) []byte {
	anchors := 0
	return AppendEmitAt(dst, v, 0, &anchors)
}

// AppendEmitAt is AppendEmit for a mapping or list that stands indented by so
// many columns; without one, also for a scalar. Anchors are numbered on from *anchors, which
// is brought up to date.
func AppendEmitAt(dst []byte, v any, indent int, anchors *int) []byte {
	e := emitter{buf: dst, whitespace: true, indention: true, indent: -1, named: *anchors}
	e.findShared(v)
	*anchors = e.named
	v = normal(v)
	if isScalar(v) {
		return e.document(v)
	}
	e.base = indent
	e.node(v, atRoot)
	if e.column > 0 {
		e.lineBreak()
	}
	return e.buf
}

// context is where a node stands.
type context uint8

const (
	atRoot context = iota
	inSequence
	asKey
	asValue
)

// emitter is the state of a text being written. Columns count characters.
type emitter struct {
	buf    []byte
	column int
	indent int // of the current collection; -1 outside of all
	base   int // of the outermost one
	// whitespace is set when the last thing written separates tokens,
	// indention when the line so far is only indentation and indicators.
	whitespace, indention bool
	// anchors names the values that occur several times; written holds those
	// that have been written out.
	anchors map[any]string
	written map[any]bool
	named   int
}

func isScalar(v any) bool {
	switch v.(type) {
	case *Map, []any:
		return false
	}
	return true
}

// document writes a single scalar, followed by the mark that ends a document
// when the scalar could otherwise go on.
func (e *emitter) document(v any) []byte {
	text, typed := scalarText(v)
	if v == nil {
		text = "null"
	}
	style := e.style(text, typed, atRoot)
	e.scalar(text, style, atRoot)
	e.lineBreak()
	if style == plainStyle {
		e.buf = append(e.buf, "...\n"...)
	}
	return e.buf
}

func (e *emitter) node(v any, at context) {
	v = normal(v)
	if id := identity(v); id != nil && e.anchors != nil {
		if name, shared := e.anchors[id]; shared {
			if e.written[id] {
				e.indicator("*"+name, true, false)
				return
			}
			e.written[id] = true
			e.indicator("&"+name, true, false)
		}
	}
	switch v := v.(type) {
	case *Map:
		if len(v.Items) == 0 {
			e.indicator("{}", true, false)
			return
		}
		e.mapping(v)
	case []any:
		if len(v) == 0 {
			e.indicator("[]", true, false)
			return
		}
		e.sequence(v, at)
	default:
		text, typed := scalarText(v)
		e.scalar(text, e.style(text, typed, at), at)
	}
}

func (e *emitter) mapping(m *Map) {
	outer := e.indent
	if e.indent = outer + indentStep; outer < 0 {
		e.indent = e.base
	}
	for _, it := range m.Items {
		e.writeIndent()
		text, typed := scalarText(it.Key)
		if it.Key == nil {
			text = "null"
		}
		if simple(text, it.Key) {
			e.scalar(text, e.style(text, typed, asKey), asKey)
			e.indicator(":", false, false)
		} else {
			e.indicator("?", true, true)
			e.scalar(text, e.style(text, typed, asValue), asValue)
			e.writeIndent()
			e.indicator(":", true, true)
		}
		e.node(it.Value, asValue)
	}
	e.indent = outer
}

func (e *emitter) sequence(list []any, at context) {
	outer := e.indent
	switch {
	case outer < 0:
		e.indent = e.base
	case at != asValue || e.indention:
		e.indent += indentStep
	}
	if at == inSequence {
		e.indention = true
	}
	for _, v := range list {
		e.writeIndent()
		e.indicator("-", true, true)
		e.node(v, inSequence)
	}
	e.indent = outer
}

// simple reports whether a key can stand before its colon on one line.
func simple(text string, key any) bool {
	tag := len("!!str")
	switch key.(type) {
	case nil, bool:
		tag = len("!!null")
	case float64:
		tag = len("!!float")
	}
	if len(text)+tag >= simpleKey && utf8.RuneCountInString(text)+tag >= simpleKey {
		return false
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == '\n' || c >= 0x80 {
			return !analyze(text).multiline
		}
	}
	return true
}

// scalarText returns the text of a scalar and whether it is of a type other
// than string, so that it stands plain.
func scalarText(v any) (text string, typed bool) {
	switch v := v.(type) {
	case string:
		return v, false
	case nil:
		return "", true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return FormatFloat(v), true
	case *big.Int:
		return v.String(), true
	case Timestamp:
		return string(v), true
	}
	return fmt.Sprint(v), false
}

// Writing.

func (e *emitter) indicator(text string, needSpace, indention bool) {
	if needSpace && !e.whitespace {
		e.buf = append(e.buf, ' ')
		e.column++
	}
	e.whitespace = false
	e.indention = e.indention && indention
	e.buf = append(e.buf, text...)
	e.column += len(text)
}

func (e *emitter) lineBreak() {
	e.buf = append(e.buf, '\n')
	e.column = 0
	e.whitespace, e.indention = true, true
}

// writeIndent starts a new line, unless only indentation precedes, and moves
// to the current indentation.
func (e *emitter) writeIndent() { e.writeIndentTo(max(e.indent, 0)) }

func (e *emitter) writeIndentTo(indent int) {
	if !e.indention || e.column > indent || e.column == indent && !e.whitespace {
		e.lineBreak()
	}
	if e.column < indent {
		e.whitespace = true
		for ; e.column < indent; e.column++ {
			e.buf = append(e.buf, ' ')
		}
	}
}

// write writes text that holds no line break.
func (e *emitter) write(text string) {
	e.buf = append(e.buf, text...)
	e.column += utf8.RuneCountInString(text)
}

// Values that occur several times.

// identity returns what tells one collection from another, nil for scalars and
// for empty lists, which have none.
func identity(v any) any {
	switch v := v.(type) {
	case *Map:
		return v
	case []any:
		if len(v) > 0 {
			return listID{&v[0], len(v)}
		}
	}
	return nil
}

type listID struct {
	first *any
	n     int
}

// findShared names the collections that occur several times below v, in the
// order in which they are met the second time.
func (e *emitter) findShared(v any) {
	if collections(v) < 2 {
		return
	}
	seen := make(map[any]bool)
	var walk func(v any)
	walk = func(v any) {
		if id := identity(v); id != nil {
			if seen[id] {
				if e.anchors == nil {
					e.anchors, e.written = map[any]string{}, map[any]bool{}
				}
				if _, named := e.anchors[id]; !named {
					e.named++
					e.anchors[id] = fmt.Sprintf("id%03d", e.named)
				}
				return
			}
			seen[id] = true
		}
		switch v := v.(type) {
		case *Map:
			if v != nil {
				for _, it := range v.Items {
					walk(it.Value)
				}
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(v)
}

// collections counts up to a few what could occur twice below v.
func collections(v any) int {
	n := 0
	switch v := v.(type) {
	case *Map:
		if v == nil {
			return 0
		}
		n = 1
		for _, it := range v.Items {
			if n > 1 {
				break
			}
			n += collections(it.Value)
		}
	case []any:
		n = 1
		for _, item := range v {
			if n > 1 {
				break
			}
			n += collections(item)
		}
	}
	return n
}

// sortedMap returns a Go map's items in the order of their keys.
func sortedMap(v map[string]any) *Map {
	m := &Map{Items: make([]Item, 0, len(v))}
	for k, e := range v {
		m.Items = append(m.Items, Item{k, e})
	}
	slices.SortFunc(m.Items, func(a, b Item) int {
		if a.Key.(string) < b.Key.(string) {
			return -1
		}
		return 1
	})
	return m
}
