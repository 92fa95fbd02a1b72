package cmd

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a table of text with a line of headings.
type table struct {
	head []string
	rows [][]string
}

// write prints columns that are two blanks apart, or, with md, a table in
// GitHub's Markdown followed by an empty line. A column is at least two wider
// than its heading, as in DVC's tables.
func (t table) write(w io.Writer, md bool) {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = utf8.RuneCountInString(h) + 2
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(t.text(r[i], md)))
		}
	}
	line := func(cells []string) {
		var b strings.Builder
		for i, c := range cells {
			c = t.text(c, md)
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			switch {
			case md:
				b.WriteString("| " + c + pad + " ")
			case i+1 == len(cells):
				b.WriteString(c)
			default:
				b.WriteString(c + pad + "  ")
			}
		}
		if md {
			b.WriteByte('|')
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(t.head)
	if md {
		for _, n := range widths {
			fmt.Fprint(w, "|"+strings.Repeat("-", n+2))
		}
		fmt.Fprintln(w, "|")
	}
	for _, r := range t.rows {
		line(r)
	}
	if md {
		fmt.Fprintln(w)
	}
}

// text keeps a cell from ending its column.
func (table) text(c string, md bool) string {
	if md {
		return strings.ReplaceAll(c, "|", `\|`)
	}
	return c
}
