package pipeline

import (
	"fmt"
	"strings"
)

// match is one ${...} of a string.
type match struct {
	start, end int    // of the whole, in bytes
	inner      string // between the braces
}

// matches finds the templates of s: "${" that no backslash precedes up to the
// first "}" on the same line. They do not nest.
func matches(s string) []match {
	var list []match
	for i := 0; ; {
		j := strings.Index(s[i:], "${")
		if j < 0 {
			return list
		}
		start := i + j
		i = start + 2
		if start > 0 && s[start-1] == '\\' {
			continue
		}
		n := strings.IndexAny(s[i:], "}\n")
		if n < 0 || s[i+n] == '\n' {
			continue
		}
		list = append(list, match{start, i + n + 1, s[i : i+n]})
		i += n + 1
	}
}

// parseExpr reads an expression: a word, then any number of .word or [word].
// It returns the words joined by dots. A word is anything without dots and
// brackets; the spaces around it do not count when it is looked up.
func parseExpr(s string) (string, error) {
	word := func(i int) int {
		n := strings.IndexAny(s[i:], ".[]")
		if n < 0 {
			return len(s)
		}
		return i + n
	}
	if s == "" {
		return "", fmt.Errorf("an expression is missing in '${}'")
	}
	end := word(0)
	if end == 0 {
		return "", fmt.Errorf("expected a name, found '%c' in '${%s}'", s[0], s)
	}
	joined := s[:end]
	for i := end; i < len(s); {
		switch c := s[i]; c {
		case ' ', '\t':
			i++
			continue
		case '.', '[':
			end := word(i + 1)
			if end == i+1 {
				return "", fmt.Errorf("expected a name after '%c' in '${%s}'", c, s)
			}
			joined += "." + s[i+1:end]
			i = end
			if c == '[' {
				if end == len(s) || s[end] != ']' {
					return "", fmt.Errorf("expected ']' after '%s' in '${%s}'", s[:end], s)
				}
				i++
			}
		default:
			return "", fmt.Errorf("unexpected '%s' after '%s' in '${%s}'", s[i:], s[:i], s)
		}
	}
	return joined, nil
}

// components splits an expression for looking up.
func components(expr string) []string {
	if strings.ContainsAny(expr, "[]") {
		expr = strings.ReplaceAll(strings.ReplaceAll(expr, "[", "."), "]", "")
	}
	list := strings.Split(expr, ".")
	for i, c := range list {
		list[i] = strings.TrimSpace(c)
	}
	return list
}
