package project

import (
	"strings"
	"unicode/utf8"
)

// posixClasses are the names that may stand in [[:name:]]; like Git's they
// know ASCII only.
func posixClass(name string) func(rune) bool {
	lower := func(r rune) bool { return r >= 'a' && r <= 'z' }
	upper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	alpha := func(r rune) bool { return lower(r) || upper(r) }
	graph := func(r rune) bool { return r > ' ' && r < 0x7f }
	switch name {
	case "alnum":
		return func(r rune) bool { return alpha(r) || digit(r) }
	case "alpha":
		return alpha
	case "blank":
		return func(r rune) bool { return r == ' ' || r == '\t' }
	case "cntrl":
		return func(r rune) bool { return r < ' ' || r == 0x7f }
	case "digit":
		return digit
	case "graph":
		return graph
	case "lower":
		return lower
	case "print":
		return func(r rune) bool { return graph(r) || r == ' ' }
	case "punct":
		return func(r rune) bool { return graph(r) && !alpha(r) && !digit(r) }
	case "space":
		return func(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }
	case "upper":
		return upper
	case "xdigit":
		return func(r rune) bool { return digit(r) || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' }
	}
	return nil
}

// gitClass reads a bracket expression as Git's wildmatch does: byte by byte,
// with escapes, ranges and named classes; "]" right after the opening is a
// member. One that does not end matches nothing.
func gitClass(pattern string) (*class, int, error) {
	c := &class{}
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		c.negated = true
		i++
	}
	var prev rune // the character a range would begin with; 0 for none
	for first := true; ; first = false {
		if i >= len(pattern) {
			return nil, 0, errPattern
		}
		ch := pattern[i]
		switch {
		case ch == ']' && !first:
			return c, i + 1, nil
		case ch == '\\':
			if i++; i >= len(pattern) {
				return nil, 0, errPattern
			}
			prev = rune(pattern[i])
			c.items = append(c.items, classItem{low: prev, high: prev})
		case ch == '-' && prev != 0 && i+1 < len(pattern) && pattern[i+1] != ']':
			i++
			if pattern[i] == '\\' {
				if i++; i >= len(pattern) {
					return nil, 0, errPattern
				}
			}
			c.items = append(c.items, classItem{low: prev, high: rune(pattern[i])})
			prev = 0
		case ch == '[' && i+1 < len(pattern) && pattern[i+1] == ':':
			end := strings.IndexByte(pattern[i+2:], ']')
			if end < 0 {
				return nil, 0, errPattern
			}
			if end == 0 || pattern[i+2+end-1] != ':' {
				// Not ":]" after all: an ordinary "[".
				prev = '['
				c.items = append(c.items, classItem{low: prev, high: prev})
				break
			}
			named := posixClass(pattern[i+2 : i+2+end-1])
			if named == nil {
				return nil, 0, errPattern
			}
			c.items = append(c.items, classItem{named: named})
			i += 2 + end
			prev = 0
		default:
			prev = rune(ch)
			c.items = append(c.items, classItem{low: prev, high: prev})
		}
		i++
	}
}

// dvcClass reads a bracket expression as DVC does, which hands it to a
// regular expression: it ends at the first "]" that is not its first member,
// a backslash is an ordinary member, there are no named classes, and "/" may
// match. One that does not end matches nothing.
func dvcClass(pattern string) (*class, int, error) {
	c := &class{slash: true}
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		c.negated = true
		i++
	}
	start := i
	if i < len(pattern) && pattern[i] == ']' {
		i++
	}
	n := strings.IndexByte(pattern[i:], ']')
	if n < 0 {
		return nil, 0, errPattern
	}
	members := []rune(pattern[start : i+n])
	if !utf8.ValidString(pattern[start : i+n]) {
		return nil, 0, errPattern
	}
	for k := 0; k < len(members); k++ {
		low, high := members[k], members[k]
		if k+2 < len(members) && members[k+1] == '-' {
			if high = members[k+2]; high < low {
				return nil, 0, errPattern // a bad range: DVC stops with an error
			}
			k += 2
		}
		c.items = append(c.items, classItem{low: low, high: high})
	}
	return c, i + n + 1, nil
}
