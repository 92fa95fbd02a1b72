package text

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Cleaner applies one set of options. It is immutable and safe for concurrent
// use.
type Cleaner struct {
	options Options
	stop    wordSet
	// class says what happens to an ASCII byte, lower what it becomes.
	class [utf8.RuneSelf]class
	lower [utf8.RuneSelf]byte
	// scratch holds *scratch.
	scratch sync.Pool
}

type class uint8

const (
	keep  class = iota
	drop        // the byte disappears and joins its neighbours
	split       // the byte ends a word
	url         // a URL may start here
	tag         // a tag may start here
)

// scratch is what one call of Clean works in.
type scratch struct {
	out, word []byte
	lemmas    *lemmatizer
}

// New returns a cleaner.
func New(o Options) (*Cleaner, error) {
	o, err := o.Normalize()
	if err != nil {
		return nil, err
	}
	c := &Cleaner{options: o}
	if c.stop, err = stopWords(o.StopWords, o.Keep); err != nil {
		return nil, err
	}
	for b := range c.class {
		r := rune(b)
		c.lower[b] = byte(b)
		if o.Lowercase {
			c.lower[b] = byte(unicode.ToLower(r))
		}
		switch {
		case isSpace(r):
			c.class[b] = split
		case o.Digits && r >= '0' && r <= '9':
			c.class[b] = drop
		case o.Markup && r == '<':
			c.class[b] = tag
		case o.Punctuation && isPunctuation(r):
			c.class[b] = split
		case o.URLs && (r == 'h' || r == 'w'):
			c.class[b] = url
		}
	}
	c.scratch.New = func() any { return new(scratch) }
	return c, nil
}

// Options returns the cleaner's options in canonical form.
func (c *Cleaner) Options() Options { return c.options }

// Clean returns the cleaned text: words separated by single spaces, or "".
// Bytes that are not UTF-8 count as U+FFFD.
func (c *Cleaner) Clean(s string) string {
	if c.options.Lowercase && strings.ContainsRune(s, sigma) {
		return c.cleanGreek(s)
	}
	sc := c.scratch.Get().(*scratch)
	defer c.scratch.Put(sc)
	if c.options.Lemmas && sc.lemmas == nil {
		sc.lemmas = newLemmatizer()
	}
	sc.out, sc.word = sc.out[:0], sc.word[:0]
	c.scan(sc, s)
	return string(sc.out)
}

// scan walks the text once, building words and finishing each at a separator.
func (c *Cleaner) scan(sc *scratch, s string) {
	word := sc.word
	tags := c.options.Markup
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			switch c.class[b] {
			case keep:
				word = append(word, c.lower[b])
			case drop:
			case split:
				word = c.finish(sc, word)
			case url:
				if n := urlLen(s[i:], &tags); n > 0 {
					i += n
					continue
				}
				word = append(word, c.lower[b])
			case tag:
				if end := tagEnd(s[i:], &tags); end > 0 {
					word = c.finish(sc, word)
					i += end
					continue
				}
				if c.options.Punctuation {
					word = c.finish(sc, word)
				} else {
					word = append(word, b)
				}
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case isSpace(r):
			word = c.finish(sc, word)
		case c.options.Digits && isDigit(r):
		case c.options.Punctuation && r == arabicSemicolon:
		case c.options.Lowercase:
			word = appendLower(word, r)
		default:
			word = utf8.AppendRune(word, r)
		}
	}
	sc.word = c.finish(sc, word)
}

// finish ends a word: it is dropped as a stop word or appended to the output.
// It returns the buffer for the next word.
func (c *Cleaner) finish(sc *scratch, word []byte) []byte {
	if len(word) == 0 || c.stop != nil && c.stop.has(word) {
		return word[:0]
	}
	if len(sc.out) > 0 {
		sc.out = append(sc.out, ' ')
	}
	if c.options.Lemmas {
		sc.out = sc.lemmas.append(sc.out, word)
	} else {
		sc.out = append(sc.out, word...)
	}
	return word[:0]
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
