package yaml12

import (
	"bytes"
	"errors"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The parser's own line numbers are often wrong (it says 1 for a fault at line
// 4) or missing. The place of a fault is found by parsing prefixes of the
// text instead: a fault at line n makes every prefix that includes line n fail
// with the message of the whole text, and the same for the characters of the
// line.

// linear is up to how many prefixes are tried one by one; above, the place is
// found by bisection, which can be fooled by constructs open at a prefix's end.
const linear = 400

// locate returns err, which the parser gave for data, with its place.
func locate(file string, data []byte, err error) *Error {
	e := &Error{File: file, Msg: cleanMessage(err)}
	if errors.Is(err, errSeveral) {
		e.Line = secondDocument(data)
		e.Column = min(e.Line, 1)
		return e
	}
	if line := conflictLine(data); line > 0 {
		e.Line, e.Column = line, 1
		e.Hint_ = "the file has unresolved Git merge conflicts"
		return e
	}
	// An open bracket is the place to point at, and what is said of it depends
	// on what follows.
	anyway := open(e.Msg)
	fails := func(prefix []byte) bool {
		_, err := parseNode(prefix)
		return err != nil && (anyway || cleanMessage(err) == e.Msg)
	}
	ends := lineEnds(data)
	failing := func(i int) bool { return fails(data[:ends[i]]) }
	line := -1
	if len(ends) > linear {
		line = near(parserLine(err)-1, len(ends), failing)
	}
	if line < 0 {
		line = firstFailing(len(ends), failing)
	}
	if line >= len(ends) {
		return e
	}
	start := 0
	if line > 0 {
		start = ends[line-1]
	}
	text := data[start:ends[line]]
	chars := charEnds(text)
	column := firstFailing(len(chars), func(i int) bool { return fails(data[:start+chars[i]]) })
	e.Line, e.Column = line+1, column+1
	describe(e, data, start, string(bytes.TrimRight(text, "\r\n")))
	return e
}

// open reports whether a message is that of a bracket left open.
func open(msg string) bool { return strings.HasPrefix(msg, "did not find expected ',' or") }

// lineEnds returns the offsets behind each line's end.
func lineEnds(data []byte) []int {
	var ends []int
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		ends = append(ends, len(data))
	}
	return ends
}

// charEnds returns the offsets behind each character.
func charEnds(text []byte) []int {
	var ends []int
	for i := 0; i < len(text); {
		_, n := utf8.DecodeRune(text[i:])
		i += n
		ends = append(ends, i)
	}
	return ends
}

// firstFailing returns the first of n prefixes from which on all fail, n when
// the last one does not.
func firstFailing(n int, fails func(int) bool) int {
	if n > linear {
		return sort.Search(n, fails)
	}
	first := n
	for first > 0 && fails(first-1) {
		first--
	}
	return first
}

// near returns the first failing prefix when it is within two of the given one,
// else -1. It spares large texts, which take long to parse, the bisection.
func near(guess, n int, fails func(int) bool) int {
	for i := max(guess-2, 1); i <= guess+2 && i < n; i++ {
		if fails(i) {
			if i > max(guess-2, 1) || !fails(i-1) {
				return i
			}
			break
		}
	}
	return -1
}

// parserLine returns the line that the parser named, 0 if it named none.
func parserLine(err error) int {
	rest, _ := strings.CutPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "line ")
	number, _, _ := strings.Cut(rest, ": ")
	line, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return line
}

// conflictLine returns the line of Git's first conflict mark, 0 if there is
// none.
func conflictLine(data []byte) int {
	mark := []byte("<<<<<<< ")
	if bytes.HasPrefix(data, mark) {
		return 1
	}
	if i := bytes.Index(data, append([]byte{'\n'}, mark...)); i >= 0 {
		line, _ := position(data, i+1)
		return line
	}
	return 0
}

// cleanMessage returns the parser's message without its idea of the place.
func cleanMessage(err error) string {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if number, rest, ok := strings.Cut(rest, ": "); ok {
			if _, err := strconv.Atoi(number); err == nil {
				msg = rest
			}
		}
	}
	return msg
}

// secondDocument returns the line of the mark that begins the second document.
func secondDocument(data []byte) int {
	content := false
	for i, text := range bytes.Split(data, []byte{'\n'}) {
		switch {
		case bytes.HasPrefix(text, []byte("---")) || bytes.HasPrefix(text, []byte("...")):
			if content {
				return i + 1
			}
			content = true
		case len(bytes.TrimSpace(text)) > 0 && text[0] != '#' && text[0] != '%':
			content = true
		}
	}
	return 0
}

// describe words the parser's message for people and corrects the column where
// the fault lies before the character that revealed it.
func describe(e *Error, data []byte, start int, line string) {
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	switch {
	case strings.Contains(line[:indent], "\t") && !open(e.Msg):
		e.Column = strings.IndexByte(line, '\t') + 1
		e.Msg = "found a tab where only spaces may indent"
		e.Hint_ = "replace the tab by spaces"
	case strings.HasPrefix(e.Msg, "unknown anchor"):
		name := strings.TrimSuffix(strings.TrimPrefix(e.Msg, "unknown anchor '"), "' referenced")
		if at := strings.LastIndex(line[:min(len(line), e.Column+len(name))], "*"+name); at >= 0 {
			e.Column = utf8.RuneCountInString(line[:at]) + 1
		}
		e.Msg = "found undefined alias " + strconv.Quote(name)
	case strings.Contains(e.Msg, "did not find expected key"), strings.Contains(e.Msg, "expected '-' indicator"):
		e.Column = indent + 1
		e.Hint_ = "check the indentation of this line"
	case strings.Contains(e.Msg, "mapping values are not allowed"):
		e.Hint_ = "check the indentation; quote a value that contains ': '"
		above := bytes.TrimRight(data[:start], "\r\n")
		above = above[bytes.LastIndexByte(above, '\n')+1:]
		if word := strings.TrimSpace(string(above)); word != "" && !strings.ContainsAny(word, ":#") {
			e.Hint_ = "is a ':' missing at the end of the line above?"
		}
	case strings.Contains(e.Msg, "could not find expected ':'"):
		e.Column = indent + 1
		e.Hint_ = "a ':' is missing after the key"
	case open(e.Msg):
		e.Hint_ = "a bracket is not closed, or a comma is missing"
	case strings.Contains(e.Msg, "found unexpected end of stream"):
		e.Hint_ = "a quote is not closed"
	}
}
