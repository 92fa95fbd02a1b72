package pipeline

import (
	"errors"
	"math/big"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flowrepro/flow/internal/yaml12"
)

// kind is the shape of a node.
type kind uint8

const (
	scalarNode kind = iota
	listNode
	mapNode
)

// node is a value of a pipeline file that knows its place. Nodes are shared
// and never changed after they are built: replacing templates makes new ones.
type node struct {
	kind kind
	// templated is set when a string in or below the node holds "${".
	templated bool
	// line and col are where the value begins, from 1.
	line, col int
	// value is that of a scalar.
	value any
	// keys and vals are the entries of a map; vals alone those of a list.
	keys, vals []*node
}

// get returns the value of a string key, nil when there is none.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i, k := range n.keys {
		if k.value == key {
			return n.vals[i]
		}
	}
	return nil
}

// key returns the key's own node, nil when there is none.
func (n *node) key(key string) *node {
	for _, k := range n.keys {
		if k.value == key {
			return k
		}
	}
	return nil
}

// text returns a string scalar.
func (n *node) text() (string, bool) {
	if n == nil || n.kind != scalarNode {
		return "", false
	}
	s, ok := n.value.(string)
	return s, ok
}

// bool returns a boolean scalar, def when n is nil.
func (n *node) bool(def bool) bool {
	if n == nil {
		return def
	}
	b, ok := n.value.(bool)
	return ok && b
}

// plain returns the node's value without positions.
func (n *node) plain() any {
	switch n.kind {
	case listNode:
		list := make([]any, len(n.vals))
		for i, v := range n.vals {
			list[i] = v.plain()
		}
		return list
	case mapNode:
		m := &yaml12.Map{Items: make([]yaml12.Item, len(n.vals))}
		for i, v := range n.vals {
			m.Items[i] = yaml12.Item{Key: n.keys[i].value, Value: v.plain()}
		}
		return m
	}
	return n.value
}

// fromValue wraps a plain value; all nodes get the place of at.
func fromValue(v any, at *node) *node {
	n := &node{line: at.line, col: at.col}
	switch v := v.(type) {
	case []any:
		n.kind = listNode
		n.vals = make([]*node, len(v))
		for i, e := range v {
			n.vals[i] = fromValue(e, at)
		}
	case *yaml12.Map:
		n.kind = mapNode
		n.keys = make([]*node, len(v.Items))
		n.vals = make([]*node, len(v.Items))
		for i, it := range v.Items {
			n.keys[i] = fromValue(it.Key, at)
			n.vals[i] = fromValue(it.Value, at)
		}
	default:
		n.value = v
	}
	return n
}

// truthy is Python's idea of truth.
func (n *node) truthy() bool {
	if n.kind != scalarNode {
		return len(n.vals) > 0
	}
	switch v := n.value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *big.Int:
		return v.Sign() != 0
	}
	return true
}

// typeName is Python's name of the node's type, which messages use.
func (n *node) typeName() string {
	switch n.kind {
	case listNode:
		return "list"
	case mapNode:
		return "dict"
	}
	return typeName(n.value)
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case yaml12.Timestamp:
		return "date"
	case []any:
		return "list"
	}
	return "dict"
}

// convert turns a document into nodes, aliases and << resolved.
func convert(doc *yaml12.Document) (*node, error) {
	if doc.Root == nil {
		return nil, nil
	}
	if aliased(doc.Root) {
		// Value bounds what aliases expand to and refuses recursion.
		if _, err := doc.Value(doc.Root); err != nil {
			return nil, err
		}
	}
	c := converter{doc: doc}
	n := c.node(doc.Root)
	return n, c.errs.Err()
}

// aliased reports whether any node refers to another one.
func aliased(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, c := range n.Content {
		if aliased(c) {
			return true
		}
	}
	return false
}

type converter struct {
	doc  *yaml12.Document
	errs yaml12.Errors
}

func (c *converter) node(y *yaml.Node) *node {
	if y.Kind == yaml.AliasNode {
		return c.node(y.Alias)
	}
	n := &node{line: y.Line, col: y.Column}
	switch y.Kind {
	case yaml.SequenceNode:
		n.kind = listNode
		n.vals = make([]*node, len(y.Content))
		for i, e := range y.Content {
			n.vals[i] = c.node(e)
			n.templated = n.templated || n.vals[i].templated
		}
	case yaml.MappingNode:
		n.kind = mapNode
		c.entries(n, y)
	default:
		v, err := c.doc.Value(y)
		if err != nil {
			c.fail(err)
		}
		n.value = v
		if s, ok := v.(string); ok {
			n.templated = strings.Contains(s, "${")
		}
	}
	return n
}

func (c *converter) fail(err error) {
	var list yaml12.Errors
	if errors.As(err, &list) {
		c.errs = append(c.errs, list...)
		return
	}
	c.errs = append(c.errs, &yaml12.Error{File: c.doc.File, Msg: err.Error()})
}

// entries adds the entries of a mapping: those merged by << come first and
// give way to the mapping's own.
func (c *converter) entries(n *node, y *yaml.Node) {
	merges := false
	n.keys = make([]*node, 0, len(y.Content)/2)
	n.vals = make([]*node, 0, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		if isMerge(y.Content[i]) {
			merges = true
			c.merge(n, y.Content[i+1])
		}
	}
	for i := 0; i+1 < len(y.Content); i += 2 {
		if isMerge(y.Content[i]) {
			continue
		}
		key, val := c.node(y.Content[i]), c.node(y.Content[i+1])
		n.put(key, val, merges)
	}
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Tag == "!!merge"
}

// merge adds the entries of the value of <<. Of a list of maps the first one
// that has a key gives its value.
func (c *converter) merge(n *node, y *yaml.Node) {
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	switch y.Kind {
	case yaml.MappingNode:
		sub := c.node(y)
		for i := range sub.keys {
			n.put(sub.keys[i], sub.vals[i], true)
		}
	case yaml.SequenceNode:
		for i := len(y.Content) - 1; i >= 0; i-- {
			c.merge(n, y.Content[i])
		}
	default:
		c.errs = append(c.errs, &yaml12.Error{File: c.doc.File, Line: y.Line, Column: y.Column,
			Msg: "expected a map or a list of maps to merge"})
	}
}

// put appends an entry or, when replace is set and the key is there, puts the
// value in its place.
func (n *node) put(key, val *node, replace bool) {
	n.templated = n.templated || key.templated || val.templated
	if replace {
		for i, k := range n.keys {
			if yaml12.Identical(k.value, key.value) {
				n.keys[i], n.vals[i] = key, val
				return
			}
		}
	}
	n.keys = append(n.keys, key)
	n.vals = append(n.vals, val)
}
