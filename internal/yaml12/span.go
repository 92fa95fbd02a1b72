package yaml12

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// text gives the byte extents of nodes, of which the parser tells only where
// they begin. All offsets are checked in the end by parsing what an edit made.
type text struct {
	data  []byte
	lines []int // offsets of the lines' first bytes
}

func newText(data []byte) *text {
	t := &text{data: data, lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// offset returns where a node begins, its anchor and tag included.
func (t *text) offset(n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(t.lines) {
		return 0, fmt.Errorf("no line %d", n.Line)
	}
	at := t.lines[n.Line-1]
	for range n.Column - 1 {
		if at >= len(t.data) {
			break
		}
		_, size := utf8.DecodeRune(t.data[at:])
		at += size
	}
	return at, nil
}

// lineStart returns the offset of the first byte of the line of an offset.
func (t *text) lineStart(at int) int {
	return bytes.LastIndexByte(t.data[:at], '\n') + 1
}

// lineEnd returns the offset behind the line, its newline included.
func (t *text) lineEnd(at int) int {
	if i := bytes.IndexByte(t.data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(t.data)
}

// content returns where a node begins behind its anchor and tag.
func (t *text) content(n *yaml.Node) (int, error) {
	at, err := t.offset(n)
	if err != nil || n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at, err
	}
	for at < len(t.data) && (t.data[at] == '&' || t.data[at] == '!') {
		for at < len(t.data) && !blank(t.data[at]) {
			at++
		}
		for at < len(t.data) && blank(t.data[at]) {
			at++
		}
	}
	return at, nil
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// end returns the offset behind the last byte of a node.
func (t *text) end(n *yaml.Node) (int, error) {
	at, err := t.content(n)
	if err != nil {
		return 0, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return at + 1 + len(n.Value), nil
	case yaml.ScalarNode:
		return t.scalarEnd(n, at)
	}
	if n.Style&yaml.FlowStyle != 0 {
		return t.flowEnd(n)
	}
	if len(n.Content) == 0 {
		return at, nil
	}
	return t.end(n.Content[len(n.Content)-1])
}

func (t *text) scalarEnd(n *yaml.Node, at int) (int, error) {
	data := t.data
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := at + 1; i < len(data); i++ {
			if data[i] != '\'' {
				continue
			}
			if i+1 < len(data) && data[i+1] == '\'' {
				i++
				continue
			}
			return i + 1, nil
		}
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := at + 1; i < len(data); i++ {
			switch data[i] {
			case '\\':
				i++
			case '"':
				return i + 1, nil
			}
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return t.blockTextEnd(at), nil
	default:
		return plainEnd(data, at, n.Value)
	}
	return 0, fmt.Errorf("line %d: no end of the quotes", n.Line)
}

// plainEnd follows a plain scalar, whose line breaks its value has as spaces
// or fewer breaks.
func plainEnd(data []byte, at int, value string) (int, error) {
	for i := 0; i < len(value); {
		if at >= len(data) {
			return 0, fmt.Errorf("text does not match %.20q", value)
		}
		if value[i] == data[at] && value[i] != '\n' && value[i] != ' ' {
			i, at = i+1, at+1
			continue
		}
		from, vfrom := at, i
		for at < len(data) && blank(data[at]) {
			at++
		}
		for i < len(value) && (value[i] == ' ' || value[i] == '\n' || value[i] == '\t') {
			i++
		}
		if at == from || i == vfrom {
			return 0, fmt.Errorf("text does not match %.20q", value)
		}
	}
	return at, nil
}

// blockTextEnd returns the end of the last line of a | or > scalar that isn't
// blank, without its newline.
func (t *text) blockTextEnd(at int) int {
	parent := t.leadIndent(at)
	end := t.trimmedEnd(at, t.lineEnd(at))
	for next := t.lineEnd(at); next < len(t.data); next = t.lineEnd(next) {
		line := t.data[next:t.lineEnd(next)]
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if t.indentation(next) <= parent {
			break
		}
		end = t.trimmedEnd(next, t.lineEnd(next))
	}
	return end
}

// indentation counts the spaces that a line begins with.
func (t *text) indentation(start int) int {
	n := 0
	for start+n < len(t.data) && t.data[start+n] == ' ' {
		n++
	}
	return n
}

// leadIndent returns the indentation of the key or dash that leads the value
// at the given offset, which may stand behind dashes of outer lists.
func (t *text) leadIndent(at int) int {
	start := t.lineStart(at)
	i := start + t.indentation(start)
	for i+1 < at && t.data[i] == '-' && t.data[i+1] == ' ' {
		next := i + 1
		for next < at && t.data[next] == ' ' {
			next++
		}
		if next >= at {
			break
		}
		i = next
	}
	return i - start
}

func (t *text) trimmedEnd(from, to int) int {
	return from + len(bytes.TrimRight(t.data[from:to], "\r\n"))
}

// flowEnd returns the end of a [...] or {...}: the bracket behind its last
// item.
func (t *text) flowEnd(n *yaml.Node) (int, error) {
	at, err := t.content(n)
	if err != nil {
		return 0, err
	}
	at++
	if len(n.Content) > 0 {
		if at, err = t.end(n.Content[len(n.Content)-1]); err != nil {
			return 0, err
		}
	}
	for at < len(t.data) {
		switch c := t.data[at]; {
		case c == ']' || c == '}':
			return at + 1, nil
		case c == '#':
			at = t.lineEnd(at)
		case blank(c) || c == ',' || c == ':':
			at++
		default:
			return 0, fmt.Errorf("line %d: no end of the brackets", n.Line)
		}
	}
	return 0, fmt.Errorf("line %d: no end of the brackets", n.Line)
}
