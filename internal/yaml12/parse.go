package yaml12

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxDepth bounds how deeply collections nest.
const maxDepth = 500

// Document is a parsed text. It is read-only and safe for concurrent use.
type Document struct {
	// File is the name that errors carry.
	File string
	// Data is the text as given.
	Data []byte
	// Root is the top node, nil when the text holds none. Lines and columns
	// of nodes count from 1, columns in characters. Tags of plain scalars are
	// those of another YAML; use Value.
	Root *yaml.Node
}

// Parse reads one document. The error is Errors of kind Syntax, with all
// duplicate keys at once. Positions are those of the fault, not of the place
// where the parser gave up.
func Parse(file string, data []byte) (*Document, error) {
	if at := invalidUTF8(data); at >= 0 {
		line, column := position(data, at)
		return nil, Errors{{File: file, Line: line, Column: column,
			Msg: fmt.Sprintf("invalid UTF-8: byte 0x%02x", data[at])}}
	}
	node, err := parseNode(data)
	if err != nil {
		return nil, Errors{locate(file, data, err)}
	}
	d := &Document{File: file, Data: data}
	if node == nil || len(node.Content) == 0 {
		return d, nil
	}
	d.Root = node.Content[0]
	check := keyCheck{file: file}
	check.walk(d.Root, 0)
	if err := check.errs.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

// Decode is Parse and Value of the root; nil for an empty text.
func Decode(file string, data []byte) (any, error) {
	d, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	return d.Value(d.Root)
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// position returns the line and column, from 1, of a byte offset.
func position(data []byte, at int) (line, column int) {
	before := data[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// errSeveral is a second document in a text.
var errSeveral = errors.New("expected a single document, found another one")

// parseNode returns the document node, nil for an empty text.
func parseNode(data []byte) (node *yaml.Node, err error) {
	// The tokenizer is a port of C code full of index arithmetic: a fault in
	// it must not take the process down.
	defer func() {
		if r := recover(); r != nil {
			node, err = nil, fmt.Errorf("parser failed: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc := new(yaml.Node)
	switch err := dec.Decode(doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := dec.Decode(new(yaml.Node)); {
	case errors.Is(err, io.EOF):
		return doc, nil
	case err != nil:
		return nil, err
	}
	return nil, errSeveral
}

// keyCheck finds duplicate and unusable keys.
type keyCheck struct {
	file string
	errs Errors
	path []string
}

func (c *keyCheck) fail(n *yaml.Node, format string, args ...any) {
	c.errs = append(c.errs, &Error{
		File: c.file, Line: n.Line, Column: n.Column,
		Msg: fmt.Sprintf(format, args...), Path: append([]string(nil), c.path...),
	})
}

func (c *keyCheck) walk(n *yaml.Node, depth int) {
	if depth > maxDepth {
		c.fail(n, "nested more than %d levels deep", maxDepth)
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if item.Kind == yaml.ScalarNode {
				continue
			}
			c.path = append(c.path, fmt.Sprint(i))
			c.walk(item, depth+1)
			c.path = c.path[:len(c.path)-1]
		}
	case yaml.MappingNode:
		c.keys(n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i+1].Kind == yaml.ScalarNode {
				continue
			}
			c.path = append(c.path, n.Content[i].Value)
			c.walk(n.Content[i+1], depth+1)
			c.path = c.path[:len(c.path)-1]
		}
	}
}

// keys checks the keys of one mapping.
func (c *keyCheck) keys(n *yaml.Node) {
	seen := make(map[any]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode && k.Alias != nil {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			c.fail(n.Content[i], "a key must be a single value, not a list or a map")
			continue
		}
		id := keyID(k)
		if first, dup := seen[id]; dup {
			c.fail(n.Content[i], "found duplicate key %q, first used at line %d", k.Value, first.Line)
			continue
		}
		seen[id] = n.Content[i]
	}
}

// keyID returns a comparable value that is equal for keys which are equal in
// Python: 1, 1.0 and true are one key, 1 and "1" are two.
func keyID(n *yaml.Node) any {
	if isMerge(n) {
		return [2]string{"<<"}
	}
	return valueID(scalarValue(n))
}

// plain reports whether a scalar is neither quoted nor a block scalar.
func plain(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// isMerge reports whether a key node is <<.
func isMerge(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "<<" && plain(n) && n.Style&yaml.TaggedStyle == 0 ||
		n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!merge"
}

// scalarValue is the value of a scalar node whose tag, if any, is a known one.
// Of a text that doesn't fit its tag it returns the text.
func scalarValue(n *yaml.Node) any {
	v, err := taggedValue(n)
	if err != nil {
		return n.Value
	}
	return v
}

func taggedValue(n *yaml.Node) (any, error) {
	if n.Style&yaml.TaggedStyle == 0 {
		if !plain(n) {
			return n.Value, nil
		}
		return Scalar(n.Value), nil
	}
	switch n.Tag {
	case "!!str":
		return n.Value, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		switch strings.ToLower(n.Value) {
		case "true", "yes", "y", "on":
			return true, nil
		case "false", "no", "n", "off":
			return false, nil
		}
	case "!!int":
		switch v := Scalar(n.Value).(type) {
		case int64, *big.Int:
			return v, nil
		}
	case "!!float":
		switch v := Scalar(n.Value).(type) {
		case float64:
			return v, nil
		case int64:
			return float64(v), nil
		case *big.Int:
			f, _ := new(big.Float).SetInt(v).Float64()
			return f, nil
		}
	case "!!timestamp":
		if isTimestamp(n.Value) {
			return Timestamp(n.Value), nil
		}
	case "!!merge":
		return "<<", nil
	default:
		return nil, fmt.Errorf("unknown tag %s", n.Tag)
	}
	return nil, fmt.Errorf("%q is not of the type %s", n.Value, n.Tag)
}
