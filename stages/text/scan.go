package text

import (
	"strings"
	"unicode/utf8"
)

// class says what the scan does with a byte.
type class uint8

const (
	keep  class = iota
	drop        // the byte disappears and joins its neighbours
	split       // the byte ends a word
	url         // a URL may start here
	tag         // a tag may start here
)

// scan does all steps in one walk through the text, for steps in the default
// order. It builds words and finishes each at a separator.
func (c *Cleaner) scan(sc *scratch, dst []byte, s string) []byte {
	start := len(dst)
	word := sc.word[:0]
	tags := c.options.Markup
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			switch c.class[b] {
			case keep:
				word = append(word, c.lower[b])
				for i++; i < len(s) && s[i] < utf8.RuneSelf && c.class[s[i]] == keep; i++ {
					word = append(word, c.lower[s[i]])
				}
				continue
			case drop:
			case split:
				if len(word) > 0 {
					dst = c.finish(sc, dst, start, word)
					word = word[:0]
				}
			case url:
				if n := urlLen(s[i:], &tags); n > 0 {
					i += n
					continue
				}
				word = append(word, c.lower[b])
			case tag:
				end := tagEnd(s[i:], &tags)
				if end == 0 && !c.options.Punctuation {
					word = append(word, b)
					break
				}
				if len(word) > 0 {
					dst = c.finish(sc, dst, start, word)
					word = word[:0]
				}
				i += max(end, 1)
				continue
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case isSpace(r):
			if len(word) > 0 {
				dst = c.finish(sc, dst, start, word)
				word = word[:0]
			}
		case c.options.Digits && isDigit(r):
		case c.options.Punctuation && r == arabicSemicolon:
		case c.options.Lowercase:
			word = appendLower(word, r)
		default:
			word = utf8.AppendRune(word, r)
		}
	}
	if len(word) > 0 {
		dst = c.finish(sc, dst, start, word)
	}
	sc.word = word
	return dst
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
