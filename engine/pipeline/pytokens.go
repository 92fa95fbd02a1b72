package pipeline

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the kind of a Python token.
type tokenKind uint8

const (
	nameToken tokenKind = iota
	numberToken
	stringToken
	opToken
)

// pyToken is one token with its place in the text.
type pyToken struct {
	kind       tokenKind
	text       string // as written
	start, end int
}

// pyLine is a logical line: tokens up to a line end outside of brackets.
type pyLine struct {
	indent int
	start  int // offset of the first token
	tokens []pyToken
}

// pySyntax is a fault at an offset.
type pySyntax struct {
	at  int
	msg string
}

func (e *pySyntax) Error() string { return e.msg }

// pyScanner splits Python source into logical lines.
type pyScanner struct {
	src   string
	at    int
	depth []byte // open brackets
	lines []pyLine
	line  pyLine
}

// scanPython returns the logical lines of a source text.
func scanPython(src string) ([]pyLine, error) {
	s := pyScanner{src: src}
	s.at = len(src) - len(strings.TrimPrefix(src, "\ufeff"))
	fresh, indent := true, 0
	for s.at < len(src) {
		c := src[s.at]
		switch {
		case fresh && c == ' ':
			indent++
			s.at++
			continue
		case fresh && c == '\t':
			indent += 8 - indent%8
			s.at++
			continue
		case fresh && c == '\f':
			indent = 0
			s.at++
			continue
		case c == '\n' || c == '\r':
			s.at++
			if len(s.depth) == 0 {
				s.endLine()
				fresh, indent = true, 0
			}
			continue
		case c == ' ' || c == '\t' || c == '\f':
			s.at++
			continue
		case c == '#':
			if n := strings.IndexAny(src[s.at:], "\r\n"); n >= 0 {
				s.at += n
			} else {
				s.at = len(src)
			}
			continue
		case c == '\\':
			n := s.newline(s.at + 1)
			if n == 0 {
				return nil, &pySyntax{s.at, "unexpected character after line continuation character"}
			}
			s.at += 1 + n
			continue
		}
		if fresh {
			fresh = false
			if len(s.depth) == 0 {
				s.line.indent, s.line.start = indent, s.at
			}
		}
		if err := s.token(); err != nil {
			return nil, err
		}
	}
	if n := len(s.depth); n > 0 {
		return nil, &pySyntax{len(src), fmt.Sprintf("'%c' was never closed", s.depth[n-1])}
	}
	s.endLine()
	return s.lines, nil
}

func (s *pyScanner) endLine() {
	if len(s.line.tokens) > 0 {
		s.lines = append(s.lines, s.line)
		s.line = pyLine{}
	}
}

// newline returns the length of a line end at an offset, 0 if there is none.
func (s *pyScanner) newline(at int) int {
	switch rest := s.src[min(at, len(s.src)):]; {
	case strings.HasPrefix(rest, "\r\n"):
		return 2
	case strings.HasPrefix(rest, "\n"), strings.HasPrefix(rest, "\r"):
		return 1
	}
	return 0
}

func (s *pyScanner) add(kind tokenKind, end int) {
	s.line.tokens = append(s.line.tokens, pyToken{kind, s.src[s.at:end], s.at, end})
	s.at = end
}

func (s *pyScanner) token() error {
	r, size := utf8.DecodeRuneInString(s.src[s.at:])
	switch {
	case r == utf8.RuneError && size == 1:
		return &pySyntax{s.at, "invalid UTF-8"}
	case r == '"' || r == '\'':
		return s.str(s.at)
	case isNameStart(r):
		end := s.at
		for end < len(s.src) {
			r, size := utf8.DecodeRuneInString(s.src[end:])
			if !isNameStart(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) {
				break
			}
			end += size
		}
		if end < len(s.src) && (s.src[end] == '"' || s.src[end] == '\'') && isPrefix(s.src[s.at:end]) {
			return s.str(end)
		}
		s.add(nameToken, end)
		return nil
	case '0' <= r && r <= '9', r == '.' && s.at+1 < len(s.src) && isDigit(s.src[s.at+1]):
		s.number()
		return nil
	}
	switch r {
	case '(', '[', '{':
		s.depth = append(s.depth, byte(r))
	case ')', ']', '}':
		n := len(s.depth)
		if n == 0 || closing(s.depth[n-1]) != byte(r) {
			return &pySyntax{s.at, fmt.Sprintf("unmatched '%c'", r)}
		}
		s.depth = s.depth[:n-1]
	}
	end := s.at + size
	if two := s.src[s.at:min(s.at+2, len(s.src))]; len(two) == 2 && two[1] == '=' && strings.IndexByte("=!<>+-*/%&|^@:", two[0]) >= 0 {
		end = s.at + 2 // comparisons and augmented assignments are not '='
	} else if three := s.src[s.at:min(s.at+3, len(s.src))]; three == "**=" || three == "//=" || three == ">>=" || three == "<<=" {
		end = s.at + 3
	} else if three == "..." {
		end = s.at + 3
	}
	s.add(opToken, end)
	return nil
}

func closing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}

func isNameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) && r != utf8.RuneError }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isPrefix reports whether a name before a quote belongs to the string.
func isPrefix(s string) bool {
	switch strings.ToLower(s) {
	case "r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt":
		return true
	}
	return false
}

// number takes digits, letters and dots; what it means is decided later.
func (s *pyScanner) number() {
	end := s.at
	hex := strings.HasPrefix(strings.ToLower(s.src[s.at:min(s.at+2, len(s.src))]), "0x")
	for end < len(s.src) {
		c := s.src[end]
		sign := (c == '+' || c == '-') && !hex && end > s.at && (s.src[end-1]|0x20) == 'e'
		if !isDigit(c) && c != '.' && c != '_' && !('a' <= c|0x20 && c|0x20 <= 'z') && !sign {
			break
		}
		end++
	}
	s.add(numberToken, end)
}

// str takes a string literal whose quote is at the offset.
func (s *pyScanner) str(quote int) error {
	q := s.src[quote]
	triple := strings.HasPrefix(s.src[quote:], strings.Repeat(string(q), 3))
	i := quote + 1
	if triple {
		i = quote + 3
	}
	for i < len(s.src) {
		switch c := s.src[i]; {
		case c == '\\':
			i++
			if n := s.newline(i); n > 0 {
				i += n
			} else if i < len(s.src) {
				i++
			}
			continue
		case c == q && !triple:
			s.add(stringToken, i+1)
			return nil
		case c == q && strings.HasPrefix(s.src[i:], strings.Repeat(string(q), 3)):
			s.add(stringToken, i+3)
			return nil
		case (c == '\n' || c == '\r') && !triple:
			return &pySyntax{s.at, "unterminated string literal"}
		}
		i++
	}
	return &pySyntax{s.at, "unterminated string literal"}
}
