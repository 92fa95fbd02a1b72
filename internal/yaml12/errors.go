package yaml12

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind tells what sort of fault an Error is.
type Kind int

// The kinds of errors.
const (
	Syntax     Kind = iota // not YAML, or YAML that DVC can't read
	Validation             // YAML of the wrong shape
	Template               // a ${...} that can't be resolved
	Graph                  // stages that don't fit together
)

// Error is one fault at one place of a file. Lines and columns count from 1,
// columns in characters; 0 means unknown.
type Error struct {
	Kind         Kind
	File         string
	Line, Column int
	Msg          string
	// Hint_ says what to do about it; see Hint.
	Hint_ string
	// Path leads to the faulty value: stages, train, cmd.
	Path []string
}

// Error returns "file:line:column: message" without the parts not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		if b.Len() == 0 {
			b.WriteString("line ")
		} else {
			b.WriteByte(':')
		}
		b.WriteString(strconv.Itoa(e.Line))
		if e.Column > 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(e.Column))
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Hint returns advice for the user, "" if there is none.
func (e *Error) Hint() string { return e.Hint_ }

// Errors is one or more faults, sorted by Sort.
type Errors []*Error

// Error returns one line for each fault.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As and errors.Is the faults.
func (es Errors) Unwrap() []error {
	list := make([]error, len(es))
	for i, e := range es {
		list[i] = e
	}
	return list
}

// Hint returns the first advice among the faults.
func (es Errors) Hint() string {
	for _, e := range es {
		if e.Hint_ != "" {
			return e.Hint_
		}
	}
	return ""
}

// Sort orders the faults by file, line and column.
func (es Errors) Sort() {
	sort.SliceStable(es, func(i, j int) bool {
		a, b := es[i], es[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// Err returns es sorted, or nil when it is empty.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	es.Sort()
	return es
}

// excerptWidth is how many characters of a long line an excerpt shows.
const excerptWidth = 100

// Excerpt returns the line before the given one and the line itself, both with
// their numbers, and below them a caret under the column. It returns "" when
// data has no such line. The caret is left out when column is 0.
func Excerpt(data []byte, line, column int) string {
	lines := strings.SplitAfter(string(data), "\n")
	if line < 1 || line > len(lines) || line == len(lines) && lines[line-1] == "" && line > 1 && column > 1 {
		return ""
	}
	width := len(strconv.Itoa(line))
	var b strings.Builder
	write := func(number, text string) {
		b.WriteString(strings.Repeat(" ", 1+width-len(number)))
		b.WriteString(number)
		b.WriteString(" | ")
		b.WriteString(text)
		b.WriteByte('\n')
	}
	from := 0 // characters cut off at the left, so that the caret stays in view
	if column > excerptWidth-10 {
		from = column - excerptWidth/2
	}
	if line > 1 && strings.TrimSpace(lines[line-2]) != "" {
		write(strconv.Itoa(line-1), window(lines[line-2], from))
	}
	text := window(lines[line-1], from)
	write(strconv.Itoa(line), text)
	if column > 0 {
		pad := make([]rune, 0, column)
		for _, r := range text {
			if len(pad) == column-1-from {
				break
			}
			if r != '\t' {
				r = ' '
			}
			pad = append(pad, r)
		}
		write("", string(pad)+"^")
	}
	return b.String()
}

// window returns excerptWidth characters of a line from the given one on, with
// control characters made harmless for a terminal.
func window(line string, from int) string {
	line = strings.TrimRight(line, "\r\n")
	rs := make([]rune, 0, min(len(line), excerptWidth))
	for _, r := range line {
		if from > 0 {
			from--
			continue
		}
		if len(rs) == excerptWidth {
			break
		}
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			r = utf8.RuneError
		}
		rs = append(rs, r)
	}
	return string(rs)
}
