package project

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// edit is a replacement of data[start:end].
type edit struct {
	start, end int
	text       string
}

func (e edit) apply(data []byte) []byte {
	return slices.Concat(data[:e.start], []byte(e.text), data[e.end:])
}

// newline returns the line ending the file uses.
func (f *iniFile) newline() string {
	if i := bytes.IndexByte(f.data, '\n'); i > 0 && f.data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// find returns the section that, lower-cased and with its quotes normalised,
// is called name and subname.
func (f *iniFile) find(name sectionName) *iniSection {
	for _, s := range f.root.sections {
		if parseSectionName(s.name) == name {
			return s
		}
	}
	return nil
}

func (s *iniSection) find(key string) *iniEntry {
	for _, e := range s.entries {
		if strings.ToLower(e.key) == key {
			return e
		}
	}
	return nil
}

// set gives data with the key of the section set to value. A new key goes
// after the last one of its section; a new section goes before the first
// named one when it is plain, as DVC orders them, else at the end.
func (f *iniFile) set(name sectionName, key, value string) ([]byte, error) {
	quoted, err := quoteINI(value)
	if err != nil {
		return nil, err
	}
	nl := f.newline()
	quoted = strings.ReplaceAll(quoted, "\n", nl)
	s := f.find(name)
	if s == nil {
		text := name.header() + nl + "    " + key + " = " + quoted + nl
		return f.insertSection(name, text), nil
	}
	if e := s.find(key); e != nil {
		return edit{e.valueStart, e.valueEnd, quoted}.apply(f.data), nil
	}
	indent := "    "
	if n := len(s.entries); n > 0 {
		indent = s.entries[n-1].indent
	}
	at := s.end
	return f.insertAt(at, indent+key+" = "+quoted+nl), nil
}

// insertAt inserts whole lines at a line start, ending the line before first.
func (f *iniFile) insertAt(at int, text string) []byte {
	if at > 0 && f.data[at-1] != '\n' && f.data[at-1] != '\r' && string(f.data[:at]) != byteOrderMark {
		text = f.newline() + text
	}
	return edit{at, at, text}.apply(f.data)
}

func (f *iniFile) insertSection(name sectionName, text string) []byte {
	at := len(f.data)
	if !name.named {
		for _, s := range f.root.sections {
			if parseSectionName(s.name).named {
				at = f.aboveComments(s.start)
				break
			}
		}
	}
	return f.insertAt(at, text)
}

// aboveComments returns the start of the comment lines that touch the line
// that starts at the given offset from above.
func (f *iniFile) aboveComments(at int) int {
	for at > 0 {
		prev := bytes.LastIndexByte(f.data[:at-1], '\n') + 1
		line := strings.TrimSpace(string(f.data[prev:at]))
		if line == "" || line[0] != '#' {
			break
		}
		at = prev
	}
	return at
}

// unset gives data without the key. A section left without entries and
// comments goes too.
func (f *iniFile) unset(name sectionName, key string) ([]byte, error) {
	s := f.find(name)
	if s == nil {
		return nil, &ConfigError{Msg: fmt.Sprintf("%s '%s' doesn't exist", name.kind(), name.short())}
	}
	e := s.find(key)
	if e == nil {
		return nil, &ConfigError{Msg: fmt.Sprintf("option '%s' doesn't exist in %s '%s'", key, name.kind(), name.short())}
	}
	rest := string(f.data[s.body:e.start]) + string(f.data[e.end:s.end])
	if len(s.entries) == 1 && len(s.sections) == 0 && strings.TrimSpace(rest) == "" {
		return edit{s.start, e.end, ""}.apply(f.data), nil
	}
	return edit{e.start, e.end, ""}.apply(f.data), nil
}

// removeSection gives data without the section and the comment lines
// directly above it.
func (f *iniFile) removeSection(name sectionName) ([]byte, bool) {
	s := f.find(name)
	if s == nil {
		return nil, false
	}
	end := s.end
	for _, c := range s.sections {
		end = max(end, c.end)
	}
	return edit{f.aboveComments(s.start), end, ""}.apply(f.data), true
}

// renameSection gives data with the header of a section replaced.
func (f *iniFile) renameSection(from, to sectionName) ([]byte, bool) {
	s := f.find(from)
	if s == nil {
		return nil, false
	}
	line := string(f.data[s.start:s.body])
	open := strings.IndexByte(line, '[')
	n := strings.Index(line[open:], s.name)
	if n < 0 {
		return nil, false
	}
	shut := strings.IndexByte(line[open+n+len(s.name):], ']')
	if shut < 0 {
		return nil, false
	}
	end := s.start + open + n + len(s.name) + shut + 1
	return edit{s.start + open, end, to.header()}.apply(f.data), true
}
