package yaml12

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// style is how a scalar is written.
type style uint8

const (
	plainStyle style = iota
	singleStyle
	doubleStyle
)

// analysis says which styles a text allows.
type analysis struct {
	multiline                bool
	plain, singleQuotes, nel bool
}

func isBreak(r rune) bool {
	return r == '\n' || r == '\x85' || r == '\u2028' || r == '\u2029'
}

func isBlank(r rune) bool {
	return r == 0 || r == ' ' || r == '\t' || r == '\r' || isBreak(r)
}

// printable reports whether ruamel writes a character beyond ASCII as it is.
func printable(r rune) bool {
	return r == '\x85' || r >= '\xa0' && r <= '\ud7ff' || r >= '\ue000' && r <= '\ufffd' && r != '\ufeff' ||
		r >= 0x10000 && r <= 0x10ffff
}

// analyze looks for everything that keeps a text from being written plainly.
func analyze(s string) analysis {
	if s == "" {
		return analysis{plain: true, singleQuotes: true}
	}
	a := analysis{plain: true, singleQuotes: true}
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		a.plain = false
	}
	prev := rune(0)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			a.plain, a.singleQuotes = false, false
		}
		blankNext := i+n >= len(s)
		if !blankNext {
			next, _ := utf8.DecodeRuneInString(s[i+n:])
			blankNext = isBlank(next)
		}
		switch {
		case i == 0 && strings.ContainsRune("#,[]{}&*!|>'\"%@`", r),
			i == 0 && (r == '?' || r == '-') && blankNext,
			r == ':' && blankNext,
			i > 0 && r == '#' && isBlank(prev):
			a.plain = false
		}
		switch {
		case isBreak(r):
			a.multiline = true
			a.nel = a.nel || r == '\x85'
			a.plain = false
			if prev == ' ' && i > 0 {
				a.singleQuotes = false
			}
		case r == ' ':
			if i == 0 || i+n == len(s) {
				a.plain = false
			}
			if i > 0 && isBreak(prev) {
				a.plain, a.singleQuotes = false, false
			}
		case r < ' ' || r == 0x7f || r >= 0x80 && !printable(r):
			a.plain, a.singleQuotes = false, false
		}
		prev = r
		i += n
	}
	return a
}

// harmless reports whether s consists only of characters that never need
// quotes, whatever stands around them.
func harmless(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '/', c == '=', c == '+':
		case c == '.' || c == '-':
			if i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return s != ""
}

// style chooses how to write a text. Typed text is that of a number or the
// like, which is always plain.
func (e *emitter) style(s string, typed bool, at context) style {
	if typed {
		return plainStyle
	}
	if s == "" {
		return singleStyle
	}
	typed = looksTyped(s)
	if !typed && harmless(s) {
		return plainStyle
	}
	a := analyze(s)
	switch {
	case a.plain && !typed && !(at == asKey && a.multiline):
		return plainStyle
	case a.nel || strings.ContainsAny(s, "'\n"):
		return doubleStyle
	case a.singleQuotes && !(at == asKey && a.multiline):
		return singleStyle
	}
	return doubleStyle
}

func (e *emitter) scalar(s string, st style, at context) {
	outer := e.indent
	if e.indent >= 0 {
		e.indent += indentStep
	}
	if at == inSequence {
		e.writeIndent()
	}
	split := at != asKey
	switch st {
	case plainStyle:
		e.plain(s, split)
	case singleStyle:
		e.single(s, split)
	case doubleStyle:
		e.double(s, split)
	}
	e.indent = outer
}

// plain writes s without quotes. It is folded in place of a single space at or
// beyond the last column, and before a word that would cross it.
func (e *emitter) plain(s string, split bool) {
	if s == "" {
		return
	}
	if !e.whitespace {
		e.buf = append(e.buf, ' ')
		e.column++
	}
	e.whitespace, e.indention = false, false
	if !split || e.column+len(s) <= bestWidth && !strings.Contains(s, "\u0085") || isLongDigest(s) {
		e.write(s)
		return
	}
	foldable := true // a line break here reads as the one space before it
	for i := 0; i < len(s); {
		if s[i] == ' ' {
			n := spaces(s[i:])
			foldable = n == 1
			if n == 1 && e.column >= bestWidth {
				e.writeIndent()
				e.whitespace, e.indention = false, false
			} else {
				e.write(s[i : i+n])
			}
			i += n
			continue
		}
		n := strings.IndexByte(s[i:], ' ')
		if n < 0 {
			n = len(s) - i
		}
		word := s[i : i+n]
		if foldable && e.indent >= 0 && e.column > e.indent && e.column+utf8.RuneCountInString(word) > bestWidth {
			e.writeIndent()
		}
		e.write(word)
		i += n
	}
	e.whitespace, e.indention = false, false
}

// isLongDigest recognises the digest of a directory in flow's own format, the
// one text that is kept on its key's line where ruamel would break it: DVC's
// digests are shorter, and lines that end in a blank are a nuisance in diffs.
func isLongDigest(s string) bool {
	digits, ok := strings.CutSuffix(s, ".dir")
	return ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == ""
}

// spaces counts the leading spaces of s.
func spaces(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// single writes s in single quotes, folded in place of a single space beyond
// the last column.
func (e *emitter) single(s string, split bool) {
	e.indicator("'", true, false)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == ' ':
			n = spaces(s[i:])
			if n == 1 && e.column > bestWidth && split && i != 0 && i+n != len(s) {
				e.writeIndent()
			} else {
				e.write(s[i : i+n])
			}
		case isBreak(r):
			end := i
			for end < len(s) {
				r, n := utf8.DecodeRuneInString(s[end:])
				if !isBreak(r) {
					break
				}
				e.buf = append(e.buf, s[end:end+n]...)
				end += n
			}
			e.column = 0
			e.whitespace, e.indention = true, true
			e.writeIndent()
			n = end - i
		case r == '\'':
			e.write("''")
		default:
			n = strings.IndexFunc(s[i:], func(r rune) bool { return r == ' ' || r == '\'' || isBreak(r) })
			if n < 0 {
				n = len(s) - i
			}
			e.write(s[i : i+n])
		}
		i += n
	}
	e.indicator("'", false, false)
}

// escape returns the escape of a character in double quotes.
func escape(r rune) string {
	switch r {
	case 0:
		return `\0`
	case 7:
		return `\a`
	case '\b':
		return `\b`
	case '\t':
		return `\t`
	case '\n':
		return `\n`
	case '\v':
		return `\v`
	case '\f':
		return `\f`
	case '\r':
		return `\r`
	case 0x1b:
		return `\e`
	case '"':
		return `\"`
	case '\\':
		return `\\`
	case 0x85:
		return `\N`
	case 0xa0:
		return `\_`
	case 0x2028:
		return `\L`
	case 0x2029:
		return `\P`
	}
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}

// escaped reports whether a character is written as an escape in double quotes.
func escaped(r rune) bool {
	switch {
	case r == '"' || r == '\\' || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
		return true
	case r < 0x80:
		return r < ' ' || r > '~'
	}
	return !printable(r)
}

// double writes s in double quotes. Beyond the last column it is folded at a
// space, or behind an escape with a backslash before the line's end. When the
// backslash can be left out follows ruamel, which looks at the text up to the
// next space but one.
func (e *emitter) double(s string, split bool) {
	e.indicator(`"`, true, false)
	text := []rune(s)
	size := len(text)
	start := 0 // of what is pending
	for end := 0; end <= size; end++ {
		var r rune = -1
		if end < size {
			r = text[end]
		}
		if end == size || escaped(r) {
			if start < end {
				e.write(string(text[start:end]))
				start = end
			}
			if end < size {
				e.write(escape(r))
				start = end + 1
			}
		}
		if !split || end == 0 || end >= size-1 || r != ' ' && start < end || e.column+(end-start) <= bestWidth {
			continue
		}
		bare := start != end && text[max(start, end)] == ' ' && e.foldsBare(text, end)
		if start < end {
			e.write(string(text[start:end]))
			start = end
		}
		if !bare {
			e.write(`\`)
		}
		e.writeIndent()
		e.whitespace, e.indention = false, false
		if text[start] == ' ' {
			if bare {
				start++ // the line break reads as this space
			} else {
				e.write(`\`)
			}
		}
	}
	e.indicator(`"`, false, false)
}

// foldsBare reports whether the text can be folded at end, a space, without a
// backslash before the line's end.
func (e *emitter) foldsBare(text []rune, end int) bool {
	space := -1
	for i := end; i < len(text); i++ {
		if text[i] == ' ' {
			space = i
			break
		}
	}
	if space < 0 {
		return false
	}
	for i := end; i < space; i++ {
		if text[i] == '\n' {
			space = i
			break
		}
	}
	if space+1 >= len(text) {
		return false
	}
	next := text[space+1]
	if text[space] == '\n' && next != ' ' {
		return false
	}
	for _, r := range text[end:space] {
		if r == '"' || r == '\'' {
			return false
		}
	}
	return next != ' ' && next != '\n' && (text[end-1] != ' ' || text[end] != ' ')
}
