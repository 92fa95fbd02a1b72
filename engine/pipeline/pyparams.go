package pipeline

import (
	"errors"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Parameters in Python files are read without running anything: assignments of
// literals at the top level, in class bodies, and to self in __init__. All
// else is skipped, also what a full parser would refuse.

// decodePython reads the parameters of a Python file.
func decodePython(name string, data []byte) (any, error) {
	m, err := parsePython(string(data), nil)
	if err != nil {
		var e *pySyntax
		at := 0
		if errors.As(err, &e) {
			at = e.at
		}
		line, col := position(data, at)
		return nil, yaml12.Errors{{Kind: yaml12.Syntax, File: name, Line: line, Column: col, Msg: "not Python: " + err.Error()}}
	}
	return m, nil
}

// pySite is where the value of a parameter stands, for changing it.
type pySite struct{ start, end int }

// pyParser walks logical lines. sites, when not nil, collects where the values
// are, by dotted key.
type pyParser struct {
	lines []pyLine
	at    int
	sites map[string]pySite
}

func parsePython(src string, sites map[string]pySite) (*yaml12.Map, error) {
	lines, err := scanPython(src)
	if err != nil {
		return nil, err
	}
	p := pyParser{lines: lines, sites: sites}
	if len(lines) > 0 && lines[0].indent > 0 {
		return nil, &pySyntax{lines[0].start, "unexpected indent"}
	}
	m := &yaml12.Map{}
	err = p.body(m, 0, false, "", 0)
	return m, err
}

// body reads the statements of one block. onlySelf is set in __init__, where
// only assignments to self count.
func (p *pyParser) body(m *yaml12.Map, indent int, onlySelf bool, prefix string, depth int) error {
	for p.at < len(p.lines) {
		line := p.lines[p.at]
		switch {
		case line.indent < indent:
			return nil
		case line.indent > indent:
			return &pySyntax{line.start, "unexpected indent"}
		}
		p.at++
		if err := p.statement(line, m, onlySelf, prefix, depth); err != nil {
			return err
		}
	}
	return nil
}

func (p *pyParser) statement(line pyLine, m *yaml12.Map, onlySelf bool, prefix string, depth int) error {
	t := line.tokens
	name, isClass := blockName(t)
	colon := blockColon(t)
	if name == "" || colon < 0 || depth > maxNesting {
		p.simple(t, m, onlySelf, prefix)
		return p.skip(line)
	}
	into, self := m, true
	below := prefix
	if isClass {
		into, self = &yaml12.Map{}, false
		below = prefix + name + "."
	}
	if rest := t[colon+1:]; len(rest) > 0 {
		p.simple(rest, into, self, below)
		if err := p.skip(line); err != nil {
			return err
		}
	} else if p.at < len(p.lines) && p.lines[p.at].indent > line.indent {
		if err := p.body(into, p.lines[p.at].indent, self, below, depth+1); err != nil {
			return err
		}
		if err := p.dedent(line); err != nil {
			return err
		}
	} else {
		return &pySyntax{line.start, "expected an indented block"}
	}
	if isClass {
		m.Set(name, into)
	}
	return nil
}

// blockName returns the name of a class, or __init__ of a function of that
// name, "" for any other line.
func blockName(t []pyToken) (name string, isClass bool) {
	if len(t) < 3 || t[0].kind != nameToken || t[1].kind != nameToken {
		return "", false
	}
	switch {
	case t[0].text == "class":
		return t[1].text, true
	case t[0].text == "def" && t[1].text == "__init__":
		return t[1].text, false
	}
	return "", false
}

// blockColon returns the index of the colon that opens a block.
func blockColon(t []pyToken) int {
	depth := 0
	for i, tok := range t {
		if tok.kind != opToken {
			continue
		}
		switch tok.text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case ":":
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// skip passes over the block below a line that does not interest.
func (p *pyParser) skip(line pyLine) error {
	if p.at >= len(p.lines) || p.lines[p.at].indent <= line.indent {
		return nil
	}
	if last := line.tokens[len(line.tokens)-1]; last.text != ":" {
		return &pySyntax{p.lines[p.at].start, "unexpected indent"}
	}
	for p.at < len(p.lines) && p.lines[p.at].indent > line.indent {
		p.at++
	}
	return nil
}

// dedent checks that the line after a block belongs to a block around it.
func (p *pyParser) dedent(line pyLine) error {
	if p.at < len(p.lines) && p.lines[p.at].indent > line.indent {
		return &pySyntax{p.lines[p.at].start, "unindent does not match any outer indentation level"}
	}
	return nil
}

// simple reads the simple statements of one line.
func (p *pyParser) simple(t []pyToken, m *yaml12.Map, onlySelf bool, prefix string) {
	depth, start := 0, 0
	for i := 0; i <= len(t); i++ {
		if i < len(t) {
			if t[i].kind != opToken {
				continue
			}
			switch t[i].text {
			case "(", "[", "{":
				depth++
				continue
			case ")", "]", "}":
				depth--
				continue
			case ";":
				if depth > 0 {
					continue
				}
			default:
				continue
			}
		}
		p.assignment(t[start:i], m, onlySelf, prefix)
		start = i + 1
	}
}

// assignment records "name = literal", "name: type = literal" and the same for
// self.name.
func (p *pyParser) assignment(t []pyToken, m *yaml12.Map, onlySelf bool, prefix string) {
	equal, depth := -1, 0
	colon := -1
	for i, tok := range t {
		if tok.kind != opToken {
			continue
		}
		switch tok.text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case ":":
			if depth == 0 && colon < 0 && equal < 0 {
				colon = i
			}
		case "=":
			if depth > 0 {
				continue
			}
			if equal >= 0 {
				return // a = b = 1
			}
			equal = i
		}
	}
	if equal < 1 || equal+1 >= len(t) {
		return
	}
	target := t[:equal]
	if colon >= 0 {
		target = t[:colon]
	}
	name, ok := assigned(target, onlySelf)
	if !ok {
		return
	}
	value := t[equal+1:]
	lit := literal{t: value}
	v, ok := lit.tuple()
	if !ok || lit.at != len(value) {
		return
	}
	m.Set(name, v)
	if p.sites != nil {
		p.sites[prefix+name] = pySite{value[0].start, value[len(value)-1].end}
	}
}

// assigned returns the parameter that a target names.
func assigned(t []pyToken, onlySelf bool) (string, bool) {
	for len(t) > 2 && t[0].text == "(" && t[len(t)-1].text == ")" {
		t = t[1 : len(t)-1]
	}
	switch {
	case len(t) == 1 && t[0].kind == nameToken && !onlySelf:
		return t[0].text, true
	case len(t) == 3 && t[0].text == "self" && t[1].text == "." && t[2].kind == nameToken:
		return t[2].text, true
	}
	return "", false
}
