package text

import (
	"bytes"
	"html"
	"unicode/utf8"
)

// The scope of a negation is carried from the step that finds it to the end
// by two bytes that no UTF-8 text has, each as a word of its own. So later
// steps see the words as they are.
const (
	scopeBegins = 0xfe
	scopeEnds   = 0xff
)

// stepwise applies the steps one after the other, each to the whole text. It
// is the definition that scan is tested against.
func (c *Cleaner) stepwise(sc *scratch, dst []byte, s string) []byte {
	sc.from = appendValid(sc.from[:0], s)
	negation := false
	for i, p := range c.phases {
		sc.to = sc.to[:0]
		switch p.step {
		case stepMarkup:
			sc.to = appendWithoutTags(sc.to, sc.from)
		case stepEntities:
			sc.to = append(sc.to, html.UnescapeString(string(sc.from))...)
		case stepURLs:
			sc.to = appendWithoutURLs(sc.to, sc.from)
		case stepDigits:
			sc.to = appendRunes(sc.to, sc.from, func(dst []byte, r rune) []byte {
				if isDigit(r) {
					return dst
				}
				return utf8.AppendRune(dst, r)
			})
		case stepLowercase:
			sc.to = appendLowered(sc.to, sc.from)
		case stepNegation:
			sc.to = appendNegated(sc.to, sc.from)
			negation = true
		case stepPunctuation:
			sc.to = appendRunes(sc.to, sc.from, func(dst []byte, r rune) []byte {
				switch {
				case isPunctuation(r):
					return append(dst, ' ')
				case r == arabicSemicolon:
					return dst
				}
				return utf8.AppendRune(dst, r)
			})
		default:
			for word := range wordsOf(sc.from) {
				if !isMark(word) {
					word = c.reform(sc, i, word)
				}
				sc.to = appendWord(sc.to, 0, word)
			}
		}
		sc.from, sc.to = sc.to, sc.from
	}
	start, scope := len(dst), false
	for word := range wordsOf(sc.from) {
		switch {
		case isMark(word):
			scope = word[0] == scopeBegins
		default:
			dst = appendWord(dst, start, word)
			if negation && scope {
				dst = append(dst, negationMark...)
			}
		}
	}
	return dst
}

func isMark(word []byte) bool { return len(word) == 1 && word[0] >= scopeBegins }

// appendWord appends a word, with a space before it unless it is the first
// since start. An empty word is none.
func appendWord(dst []byte, start int, word []byte) []byte {
	if len(word) == 0 {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	return append(dst, word...)
}

// wordsOf yields what white space separates.
func wordsOf(s []byte) func(yield func(word []byte) bool) {
	return func(yield func(word []byte) bool) {
		begin := 0
		for i := 0; i < len(s); {
			r, n := rune(s[i]), 1
			if r >= utf8.RuneSelf {
				r, n = utf8.DecodeRune(s[i:])
			}
			if isSpace(r) {
				if i > begin && !yield(s[begin:i:i]) {
					return
				}
				begin = i + n
			}
			i += n
		}
		if len(s) > begin {
			yield(s[begin:])
		}
	}
}

// appendValid appends a text with U+FFFD for every byte that is not UTF-8.
func appendValid(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return append(dst, s...)
	}
	for _, r := range s {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// appendRunes appends what each makes of the characters, and marks as they are.
func appendRunes(dst, s []byte, each func(dst []byte, r rune) []byte) []byte {
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			if r, n = utf8.DecodeRune(s[i:]); r == utf8.RuneError && n == 1 {
				dst = append(dst, s[i])
				i++
				continue
			}
		}
		dst = each(dst, r)
		i += n
	}
	return dst
}

func appendWithoutTags(dst, s []byte) []byte {
	for {
		begin := bytes.IndexByte(s, '<')
		if begin < 0 {
			return append(dst, s...)
		}
		end := bytes.IndexByte(s[begin:], '>')
		if end < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:begin]...), ' ')
		s = s[begin+end+1:]
	}
}

func appendWithoutURLs(dst, s []byte) []byte {
	none := false
	for {
		i := bytes.IndexAny(s, "hw")
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		s = s[i:]
		n := 0
		if bytes.HasPrefix(s, []byte("http://")) || bytes.HasPrefix(s, []byte("https://")) || bytes.HasPrefix(s, []byte("www.")) {
			// As far as the white space that ends every URL.
			end := bytes.IndexFunc(s, isSpace)
			if end < 0 {
				end = len(s)
			}
			n = urlLen(string(s[:end]), &none)
		}
		if n == 0 {
			dst = append(dst, s[0])
			n = 1
		}
		s = s[n:]
	}
}

func appendLowered(dst, s []byte) []byte {
	if bytes.ContainsRune(s, sigma) {
		return appendLowerGreek(dst, s)
	}
	return appendRunes(dst, s, appendLower)
}
