package yaml12

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// maxAliased bounds how many nodes aliases may add to a document when they are
// replaced by what they stand for.
const maxAliased = 1 << 17

// Value returns the value of a node of the document: mappings as *Map with <<
// merged in as ruamel does (merged keys first, the mapping's own values win),
// sequences as []any, scalars typed by Scalar or their tag. A nil node is nil.
// The error is Errors of kind Syntax.
func (d *Document) Value(n *yaml.Node) (any, error) {
	if n == nil {
		return nil, nil
	}
	// Scalars are most of what is asked for.
	if n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle == 0 {
		return taggedValue(n)
	}
	r := reader{file: d.File}
	v, err := r.value(n, 0)
	if err != nil {
		return nil, Errors{err}
	}
	return v, nil
}

// reader turns nodes into values.
type reader struct {
	file string
	// active holds the anchored nodes being read, to refuse recursion.
	active map[*yaml.Node]bool
	// inAlias counts the aliases around the current node, aliased the nodes
	// read below aliases so far.
	inAlias, aliased int
}

func (r *reader) errorf(n *yaml.Node, format string, args ...any) *Error {
	return &Error{File: r.file, Line: n.Line, Column: n.Column, Msg: fmt.Sprintf(format, args...)}
}

// target follows an alias and accounts for it. The caller calls done after
// reading the target.
func (r *reader) target(n *yaml.Node) (*yaml.Node, func(), *Error) {
	if n.Kind != yaml.AliasNode {
		return n, func() {}, nil
	}
	t := n.Alias
	if t == nil {
		return nil, nil, r.errorf(n, "found undefined alias %q", n.Value)
	}
	if r.active[t] {
		return nil, nil, r.errorf(n, "alias *%s refers to a value that contains it", n.Value)
	}
	if r.active == nil {
		r.active = map[*yaml.Node]bool{}
	}
	r.active[t] = true
	r.inAlias++
	return t, func() {
		delete(r.active, t)
		r.inAlias--
	}, nil
}

// enter accounts for one node.
func (r *reader) enter(n *yaml.Node, depth int) *Error {
	if depth > maxDepth {
		return r.errorf(n, "nested more than %d levels deep", maxDepth)
	}
	if r.inAlias > 0 {
		if r.aliased++; r.aliased > maxAliased {
			return r.errorf(n, "aliases expand to more than %d values", maxAliased)
		}
	}
	return nil
}

func (r *reader) value(n *yaml.Node, depth int) (any, *Error) {
	if err := r.enter(n, depth); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		t, done, err := r.target(n)
		if err != nil {
			return nil, err
		}
		defer done()
		return r.value(t, depth+1)
	case yaml.ScalarNode:
		v, err := taggedValue(n)
		if err != nil {
			return nil, r.errorf(n, "%v", err)
		}
		return v, nil
	case yaml.SequenceNode:
		if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!seq" {
			return nil, r.errorf(n, "unknown tag %s", n.Tag)
		}
		if n.Anchor != "" {
			defer r.anchored(n)()
		}
		list := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := r.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return r.mapping(n, depth)
	}
	return nil, r.errorf(n, "unexpected kind of node")
}

// anchored marks a node that aliases can refer to as being read.
func (r *reader) anchored(n *yaml.Node) func() {
	if r.active[n] { // reached through an alias, which undoes the mark itself
		return func() {}
	}
	if r.active == nil {
		r.active = map[*yaml.Node]bool{}
	}
	r.active[n] = true
	return func() { delete(r.active, n) }
}

// field is a key and its value still to be read.
type field struct {
	key   any
	value *yaml.Node
}

func (r *reader) mapping(n *yaml.Node, depth int) (any, *Error) {
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!map" {
		return nil, r.errorf(n, "unknown tag %s", n.Tag)
	}
	if n.Anchor != "" {
		defer r.anchored(n)()
	}
	merges := false
	for i := 0; i < len(n.Content); i += 2 {
		merges = merges || isMerge(n.Content[i])
	}
	m := &Map{Items: make([]Item, 0, len(n.Content)/2)}
	if !merges {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, err := r.key(n.Content[i])
			if err != nil {
				return nil, err
			}
			v, err := r.value(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			m.Items = append(m.Items, Item{Key: key, Value: v})
		}
		return m, nil
	}
	fields, err := r.flatten(n, depth)
	if err != nil {
		return nil, err
	}
	at := make(map[any]int, len(fields))
	for _, f := range fields {
		v, err := r.value(f.value, depth+1)
		if err != nil {
			return nil, err
		}
		id := valueID(f.key)
		if i, dup := at[id]; dup {
			m.Items[i].Value = v
			continue
		}
		at[id] = len(m.Items)
		m.Items = append(m.Items, Item{Key: f.key, Value: v})
	}
	return m, nil
}

func (r *reader) key(n *yaml.Node) (any, *Error) {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return nil, r.errorf(n, "a key must be a single value, not a list or a map")
	}
	v, err := taggedValue(n)
	if err != nil {
		return nil, r.errorf(n, "%v", err)
	}
	return v, nil
}

// flatten returns the fields of a mapping with those of its << first; of
// fields with equal keys the last one counts, the first one gives the place.
func (r *reader) flatten(n *yaml.Node, depth int) ([]field, *Error) {
	if err := r.enter(n, depth); err != nil {
		return nil, err
	}
	var merged, own []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !isMerge(k) {
			key, err := r.key(k)
			if err != nil {
				return nil, err
			}
			if r.inAlias > 0 {
				if err := r.enter(k, depth); err != nil {
					return nil, err
				}
			}
			own = append(own, field{key, v})
			continue
		}
		var err *Error
		if merged, err = r.merge(v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(merged, own...), nil
}

// merge returns the fields that the value of << brings in. Of a list, the
// first mapping wins.
func (r *reader) merge(n *yaml.Node, depth int) ([]field, *Error) {
	t, done, err := r.target(n)
	if err != nil {
		return nil, err
	}
	defer done()
	switch t.Kind {
	case yaml.MappingNode:
		return r.flatten(t, depth)
	case yaml.SequenceNode:
		var fields []field
		for i := len(t.Content) - 1; i >= 0; i-- {
			item, done, err := r.target(t.Content[i])
			if err != nil {
				return nil, err
			}
			if item.Kind != yaml.MappingNode {
				done()
				return nil, r.errorf(t.Content[i], "expected a map to merge")
			}
			more, err := r.flatten(item, depth+1)
			done()
			if err != nil {
				return nil, err
			}
			fields = append(fields, more...)
		}
		return fields, nil
	}
	return nil, r.errorf(n, "expected a map or a list of maps to merge")
}
