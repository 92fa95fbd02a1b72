package project

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// iniFile is a configuration file in ConfigObj's dialect, with the place of
// everything in it, so that it can be edited without touching the rest.
type iniFile struct {
	data []byte
	// root holds the entries before the first section; its children are the
	// sections in file order.
	root *iniSection
}

// iniSection is one section. Offsets are in bytes; lines count from 1.
type iniSection struct {
	name   string
	line   int
	depth  int
	parent *iniSection
	// start is the offset of the header line, body that of the line after it
	// and end that of the line after the last entry.
	start, body, end int
	entries          []*iniEntry
	sections         []*iniSection
}

// iniEntry is one "key = value".
type iniEntry struct {
	key  string
	line int
	// value is a string, or []string for a list.
	value any
	// start and end bound the entry's lines, end being after the newline.
	start, end int
	// valueStart and valueEnd bound the value with its quotes.
	valueStart, valueEnd int
	indent               string
}

func (s *iniSection) entry(key string) *iniEntry {
	for _, e := range s.entries {
		if e.key == key {
			return e
		}
	}
	return nil
}

func (s *iniSection) section(name string) *iniSection {
	for _, c := range s.sections {
		if c.name == name {
			return c
		}
	}
	return nil
}

// iniError is a syntax error at a line.
type iniError struct {
	line int
	msg  string
}

func (e *iniError) Error() string { return fmt.Sprintf("%s at line %d.", e.msg, e.line) }

// iniSyntax holds the expressions of the dialect, compiled on first use: many
// runs read no configuration that needs them.
type iniSyntax struct {
	section, value, item, reference *regexp.Regexp
}

var iniRules = sync.OnceValue(func() *iniSyntax {
	return &iniSyntax{
		section: regexp.MustCompile(`^\s*((?:\[\s*)+)((?:"\s*\S.*?\s*")|(?:'\s*\S.*?\s*')|(?:[^'"\s].*?))((?:\s*\])+)\s*(?:#.*)?$`),
		value: regexp.MustCompile(`^(?:(?:((?:(?:".*?"|'.*?'|[^'",#][^,#]*?)\s*,\s*)*)` +
			`(".*?"|'.*?'|[^'",#\s][^,]*?|)?)|(,))(\s*(?:#.*)?)$`),
		item:      regexp.MustCompile(`(".*?"|'.*?'|[^'",#]?.*?)\s*,\s*`),
		reference: regexp.MustCompile(`%\(([^)]*)\)s`),
	}
})

// parseINI reads a file. Several errors give one that names the first.
func parseINI(data []byte) (*iniFile, error) {
	f := &iniFile{data: data, root: &iniSection{}}
	f.root.parent = f.root
	p := iniParser{file: f, current: f.root}
	p.parse()
	switch len(p.errs) {
	case 0:
		return f, nil
	case 1:
		return nil, p.errs[0]
	}
	first := p.errs[0]
	return nil, &iniError{line: first.line, msg: fmt.Sprintf("Parsing failed with %d errors, the first: %s", len(p.errs), first.msg)}
}

// iniLine is a line without its newline.
type iniLine struct {
	text       string
	start, end int // end is after the newline
}

type iniParser struct {
	file    *iniFile
	lines   []iniLine
	current *iniSection
	errs    []*iniError
}

func (p *iniParser) fail(line int, format string, args ...any) {
	p.errs = append(p.errs, &iniError{line: line, msg: fmt.Sprintf(format, args...)})
}

const byteOrderMark = "\ufeff"

// splitLines cuts data at LF, CRLF and CR.
func splitLines(data []byte) []iniLine {
	var lines []iniLine
	start := 0
	if strings.HasPrefix(string(data[:min(len(data), 3)]), byteOrderMark) {
		start = len(byteOrderMark)
	}
	for i := start; i < len(data); i++ {
		if data[i] != '\n' && data[i] != '\r' {
			continue
		}
		end := i + 1
		if data[i] == '\r' && end < len(data) && data[end] == '\n' {
			end++
		}
		lines = append(lines, iniLine{string(data[start:i]), start, end})
		start, i = end, end-1
	}
	if start < len(data) {
		lines = append(lines, iniLine{string(data[start:]), start, len(data)})
	}
	return lines
}

func (p *iniParser) parse() {
	p.lines = splitLines(p.file.data)
	if len(p.lines) > 0 {
		p.file.root.body = p.lines[0].start
	}
	p.file.root.end = p.file.root.body
	for i := 0; i < len(p.lines); i++ {
		text := strings.TrimSpace(p.lines[i].text)
		if text == "" || text[0] == '#' {
			continue
		}
		if text[0] == '[' && p.header(i) {
			continue
		}
		i = p.keyword(i)
	}
}

// header reads line i as a section marker and reports whether it is one.
func (p *iniParser) header(i int) bool {
	line := p.lines[i]
	m := iniRules().section.FindStringSubmatch(line.text)
	if m == nil {
		return false
	}
	depth := strings.Count(m[1], "[")
	if depth != strings.Count(m[3], "]") {
		p.fail(i+1, "Cannot compute the section depth")
		return true
	}
	if depth > p.current.depth+1 {
		p.fail(i+1, "Section too nested")
		return true
	}
	parent := p.current
	for parent.depth >= depth {
		parent = parent.parent
	}
	name := unquoteINI(m[2])
	if parent.section(name) != nil || parent.entry(name) != nil {
		p.fail(i+1, "Duplicate section name")
		return true
	}
	s := &iniSection{name: name, line: i + 1, depth: depth, parent: parent, start: line.start, body: line.end, end: line.end}
	parent.sections = append(parent.sections, s)
	p.current = s
	return true
}

// splitKeyword cuts "key = value" and returns the offset of the value.
func splitKeyword(text string) (indent, key string, value int, ok bool) {
	rest := strings.TrimLeft(text, " \t\f\v")
	indent = text[:len(text)-len(rest)]
	if rest == "" || rest[0] == '=' {
		return "", "", 0, false
	}
	from := 1
	if q := rest[0]; q == '"' || q == '\'' {
		// The quote that ends the key is the first one followed by "=".
		for {
			n := strings.IndexByte(rest[from:], q)
			if n < 0 {
				return "", "", 0, false
			}
			from += n + 1
			if strings.HasPrefix(strings.TrimLeft(rest[from:], " \t"), "=") {
				break
			}
		}
	}
	n := strings.IndexByte(rest[from:], '=')
	if n < 0 {
		return "", "", 0, false
	}
	key = strings.TrimRight(rest[:from+n], " \t\f\v")
	after := rest[from+n+1:]
	value = len(text) - len(strings.TrimLeft(after, " \t\f\v"))
	return indent, key, value, true
}

// keyword reads line i, and those after it that a triple-quoted value spans,
// and returns the last line it used.
func (p *iniParser) keyword(i int) int {
	line := p.lines[i]
	indent, key, at, ok := splitKeyword(line.text)
	if !ok {
		p.fail(i+1, "Invalid line ('%s') (matched as neither section nor keyword)", line.text)
		return i
	}
	e := &iniEntry{
		key: unquoteINI(key), line: i + 1, indent: indent,
		start: line.start, end: line.end, valueStart: line.start + at,
	}
	raw := line.text[at:]
	if strings.HasPrefix(raw, `"""`) || strings.HasPrefix(raw, "'''") {
		last, value, end, ok := p.multiline(i, raw)
		if !ok {
			p.fail(i+1, "Parse error in multiline value")
			return last
		}
		e.value, e.valueEnd, e.end = value, end, p.lines[last].end
		i = last
	} else {
		value, length, ok := parseINIValue(raw)
		if !ok {
			p.fail(i+1, "Parse error in value")
			return i
		}
		e.value, e.valueEnd = value, e.valueStart+length
	}
	if p.current.entry(e.key) != nil || p.current.section(e.key) != nil {
		p.fail(e.line, "Duplicate keyword name")
		return i
	}
	p.current.entries = append(p.current.entries, e)
	p.current.end = e.end
	return i
}

// multiline reads a triple-quoted value that begins in raw on line i.
func (p *iniParser) multiline(i int, raw string) (last int, value string, end int, ok bool) {
	quote, rest := raw[:3], raw[3:]
	if n := strings.Index(rest, quote); n >= 0 {
		end, ok := p.closing(i, rest, n)
		return i, rest[:n], end, ok
	}
	var b strings.Builder
	b.WriteString(rest)
	for j := i + 1; j < len(p.lines); j++ {
		b.WriteByte('\n')
		text := p.lines[j].text
		n := strings.Index(text, quote)
		if n < 0 {
			b.WriteString(text)
			continue
		}
		b.WriteString(text[:n])
		end, ok := p.closing(j, text, n)
		return j, b.String(), end, ok
	}
	return len(p.lines) - 1, "", 0, false
}

// closing returns the offset after the triple quote at text[at:], where text
// is the tail of a line, and whether only a comment follows it.
func (p *iniParser) closing(line int, text string, at int) (end int, ok bool) {
	tail := strings.TrimSpace(text[at+3:])
	end = p.lines[line].start + len(p.lines[line].text) - len(text) + at + 3
	return end, tail == "" || tail[0] == '#'
}

// parseINIValue reads a value and an inline comment, and returns the length
// of the value without that comment.
func parseINIValue(raw string) (value any, length int, ok bool) {
	if !strings.ContainsAny(raw, `'",#`) {
		text := strings.TrimRight(raw, " \t\f\v")
		return text, len(text), true
	}
	m := iniRules().value.FindStringSubmatchIndex(raw)
	if m == nil {
		return nil, 0, false
	}
	group := func(n int) (string, bool) {
		if m[2*n] < 0 {
			return "", false
		}
		return raw[m[2*n]:m[2*n+1]], true
	}
	length = m[8]
	if _, empty := group(3); empty {
		return []string{}, length, true
	}
	items, _ := group(1)
	single, _ := group(2)
	if items == "" {
		return unquoteINI(single), length, true
	}
	var list []string
	for _, m := range iniRules().item.FindAllStringSubmatch(items, -1) {
		if m[1] == "" {
			return nil, 0, false
		}
		list = append(list, unquoteINI(m[1]))
	}
	if single != "" {
		list = append(list, unquoteINI(single))
	}
	return list, length, true
}

// unquoteINI removes one pair of equal quotes.
func unquoteINI(s string) string {
	if len(s) >= 2 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'') {
		return s[1 : len(s)-1]
	}
	return s
}

// quoteINI writes a value so that parseINIValue reads it back as one string.
func quoteINI(s string) (string, error) {
	single, double := strings.Contains(s, "'"), strings.Contains(s, `"`)
	if strings.Contains(s, "\r") {
		return "", fmt.Errorf("value %q cannot be quoted: it has a carriage return", s)
	}
	if strings.Contains(s, "\n") || (single && double) {
		switch {
		case !strings.Contains(s, `"""`) && !strings.HasSuffix(s, `"`):
			return `"""` + s + `"""`, nil
		case !strings.Contains(s, "'''") && !strings.HasSuffix(s, "'"):
			return "'''" + s + "'''", nil
		}
		return "", fmt.Errorf("value %q cannot be quoted", s)
	}
	const edge = " \r\n\v\t'\""
	plain := s != "" && !strings.ContainsAny(s, ",#") &&
		!strings.ContainsRune(edge, rune(s[0])) && !strings.ContainsRune(edge, rune(s[len(s)-1])) &&
		strings.TrimSpace(s) == s
	switch {
	case plain:
		return s, nil
	case double:
		return "'" + s + "'", nil
	}
	return `"` + s + `"`, nil
}
