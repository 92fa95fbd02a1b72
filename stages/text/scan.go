package text

import (
	"strings"
	"unicode/utf8"
)

// class says what the scan does with a byte.
type class uint8

const (
	keep   class = iota
	drop         // the byte disappears and joins its neighbours
	split        // the byte ends a word
	url          // a URL may start here
	tag          // a tag may start here
	beyond       // the byte is part of a longer character
)

// scan does all steps in one walk through the text, for steps in the default
// order. It builds words and finishes each at a separator.
func (c *Cleaner) scan(sc *scratch, dst []byte, s string) []byte {
	start := len(dst)
	// No word is longer than this: a byte that is not UTF-8 becomes the three
	// of U+FFFD, and lowering makes a character at most half as long again.
	if cap(sc.word) < utf8.UTFMax*len(s) {
		sc.word = make([]byte, utf8.UTFMax*len(s))
	}
	word := sc.word[:cap(sc.word)]
	n := 0 // the word so far is word[:n]
	tags := c.options.Markup
	for i := 0; i < len(s); {
		b := s[i]
		a := c.ascii[b]
		for a < 1<<8 || a>>8 == uint16(url) && !mayBeURL(s[i:]) {
			word[n] = byte(a)
			n++
			i++
			if i == len(s) {
				return c.flush(sc, dst, start, word[:n])
			}
			b = s[i]
			a = c.ascii[b]
		}
		switch class(a >> 8) {
		case drop:
			i++
		case split:
			dst = c.flush(sc, dst, start, word[:n])
			n = 0
			i++
		case url:
			if size := urlLen(s[i:], &tags); size > 0 {
				i += size
				continue
			}
			word[n] = byte(a)
			n++
			i++
		case tag:
			end := tagEnd(s[i:], &tags)
			if end == 0 && !c.options.Punctuation {
				word[n] = b
				n++
				i++
				continue
			}
			dst = c.flush(sc, dst, start, word[:n])
			n = 0
			i += max(end, 1)
		default: // beyond ASCII
			r, size := utf8.DecodeRuneInString(s[i:])
			i += size
			switch {
			case isSpace(r):
				dst = c.flush(sc, dst, start, word[:n])
				n = 0
			case c.options.Digits && isDigit(r):
			case c.options.Punctuation && r == arabicSemicolon:
			case c.options.Lowercase:
				n = len(appendLower(word[:n], r))
			default:
				n = len(utf8.AppendRune(word[:n], r))
			}
		}
	}
	return c.flush(sc, dst, start, word[:n])
}

// flush finishes a word if there is one.
func (c *Cleaner) flush(sc *scratch, dst []byte, start int, word []byte) []byte {
	if len(word) == 0 {
		return dst
	}
	return c.finish(sc, dst, start, word)
}

// mayBeURL tells apart most of the words that begin like one.
func mayBeURL(s string) bool {
	return len(s) > 2 && s[1] == s[2] && (s[1] == 't' || s[1] == 'w')
}

// tagEnd returns the length of the tag at the start of s, 0 when there is no
// '>'. Then no later '<' has one either, which more remembers.
func tagEnd(s string, more *bool) int {
	if !*more {
		return 0
	}
	end := strings.IndexByte(s, '>')
	if end < 0 {
		*more = false
		return 0
	}
	return end + 1
}

// urlLen returns the length of the match of https?://\S+|www\.\S+ at the start
// of s, 0 for none. While tags is true, a tag counts as the white space it
// becomes.
func urlLen(s string, tags *bool) int {
	var n int
	switch {
	case strings.HasPrefix(s, "http://"):
		n = len("http://")
	case strings.HasPrefix(s, "https://"):
		n = len("https://")
	case strings.HasPrefix(s, "www."):
		n = len("www.")
	default:
		return 0
	}
	start := n
	for n < len(s) {
		r, size := rune(s[n]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[n:])
		}
		if isSpace(r) || r == '<' && tagEnd(s[n:], tags) > 0 {
			break
		}
		n += size
	}
	if n == start {
		return 0
	}
	return n
}
