package pipeline

import "unicode/utf8"

// fnmatch matches shell patterns as Python's fnmatchcase does: '*' matches any
// text, slashes included, '?' one character, '[a-z]' and '[!a-z]' one of a set.
// A '[' without a ']' is itself.
func fnmatch(pattern, s string) bool {
	// star and back are where to go on when a guess for '*' proves wrong.
	star, back := -1, 0
	p, i := 0, 0
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, back = p, i
				p++
				continue
			}
			if n, ok := matchOne(pattern[p:], r); ok {
				p += n
				i += size
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, size = utf8.DecodeRuneInString(s[back:])
		back += size
		p, i = star+1, back
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one character against the start of a pattern and returns
// how much of the pattern that took.
func matchOne(pattern string, r rune) (int, bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if n, ok, valid := matchSet(pattern, r); valid {
			return n, ok
		}
	}
	q, size := utf8.DecodeRuneInString(pattern)
	return size, q == r
}

// matchSet matches a [set]; valid is false when it is not closed.
func matchSet(pattern string, r rune) (n int, ok, valid bool) {
	i := 1
	negate := i < len(pattern) && pattern[i] == '!'
	if negate {
		i++
	}
	found := false
	for first := true; ; first = false {
		if i >= len(pattern) {
			return 0, false, false
		}
		if pattern[i] == ']' && !first {
			return i + 1, found != negate, true
		}
		lo, size := utf8.DecodeRuneInString(pattern[i:])
		i += size
		hi := lo
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			hi, size = utf8.DecodeRuneInString(pattern[i+1:])
			i += 1 + size
		}
		found = found || lo <= r && r <= hi
	}
}
