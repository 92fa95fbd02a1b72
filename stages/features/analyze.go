package features

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/flowrepro/flow/stages/text"
)

// analyzer splits texts as a configuration says. It is immutable and safe for
// concurrent use.
type analyzer struct {
	kind     string
	pattern  *pattern
	lower    bool
	accents  string
	least    int // characters or words in a term
	greatest int
	stop     func(word []byte) bool
	class    *[256]byte
}

// tokens are the parts of a text that terms are made of, in a form in which
// every term is a part of text: words with one space between them, all
// characters, or the characters of words that have a space on both sides.
// Token i is text[starts[i]:ends[i]].
type tokens struct {
	text         []byte
	starts, ends []uint32
	// bounds are the ends of words in terms of tokens, for char_wb.
	bounds []uint32
	// from and to are where terms start and end in text: scratch of terms.
	from, to []uint32
}

func newAnalyzer(c Config) (*analyzer, error) {
	a := &analyzer{
		kind: c.Analyzer, lower: c.Lowercase, accents: c.StripAccents,
		least: c.NgramRange[0], greatest: c.NgramRange[1], class: &sameCase,
	}
	if c.Lowercase {
		a.class = &lowerCase
	}
	if c.Analyzer == WordAnalyzer {
		var err error
		if a.pattern, err = parsePattern(c.TokenPattern); err != nil {
			return nil, err
		}
		a.stop = c.StopWords.matcher()
	}
	return a, nil
}

// The classes of bytes: 0 for what is no word character, beyond for the bytes
// of longer characters, and otherwise what is written for the byte.
const beyond = 0xff

var sameCase, lowerCase = func() (same, lower [256]byte) {
	for b := range 256 {
		switch {
		case b >= utf8.RuneSelf:
			same[b], lower[b] = beyond, beyond
		case isWord(rune(b)):
			same[b], lower[b] = byte(b), byte(unicode.ToLower(rune(b)))
		}
	}
	return same, lower
}()

// split fills t with the tokens of a text, stop words excepted when they are
// to be left out here.
func (a *analyzer) split(doc string, t *tokens, stop bool) {
	t.starts, t.ends, t.bounds = t.starts[:0], t.ends[:0], t.bounds[:0]
	lowered := !a.lower
	if a.lower && a.accents != "" {
		doc, lowered = text.Lower(doc), true // accents are taken off after it
	}
	if a.accents != "" {
		doc = stripAccents(doc, a.accents == "ascii")
	}
	if !a.find(doc, t, !lowered) {
		t.starts, t.ends, t.bounds = t.starts[:0], t.ends[:0], t.bounds[:0]
		a.find(text.Lower(doc), t, false)
	}
	if stop && a.stop != nil {
		t.drop(a.stop)
	}
}

// find fills t. It fails when lowering a character depends on those around it.
func (a *analyzer) find(doc string, t *tokens, lower bool) bool {
	switch {
	case a.kind == CharAnalyzer:
		return t.chars(doc, lower)
	case a.kind == CharWBAnalyzer:
		return t.paddedWords(doc, lower)
	case a.pattern.any == nil:
		return t.words(doc, a, lower)
	case lower:
		return false
	}
	t.matches(doc, a.pattern)
	return true
}

// special reports whether lowering a character is more than replacing it by
// another: text.Lower does it then.
func special(r rune) bool { return r == 'Σ' || r == 'İ' }

// drop leaves out stop words.
func (t *tokens) drop(stop func([]byte) bool) {
	kept := 0
	for i := range t.starts {
		if !stop(t.text[t.starts[i]:t.ends[i]]) {
			t.move(kept, i)
			kept++
		}
	}
	t.starts, t.ends = t.starts[:kept], t.ends[:kept]
}

// move moves token i to the place of a token before it, so that tokens stay
// one space apart.
func (t *tokens) move(to, i int) {
	at := uint32(0)
	if to > 0 {
		at = t.ends[to-1] + 1
	}
	n := copy(t.text[at:], t.text[t.starts[i]:t.ends[i]])
	t.starts[to], t.ends[to] = at, at+uint32(n)
	if int(t.ends[to]) < len(t.text) {
		t.text[t.ends[to]] = ' '
	}
}

// room makes text n bytes long.
func (t *tokens) room(n int) []byte {
	if cap(t.text) < n {
		t.text = make([]byte, n+n/4)
	}
	t.text = t.text[:n]
	return t.text
}

// words finds runs of word characters.
func (t *tokens) words(doc string, a *analyzer, lower bool) bool {
	// Lowering and a space make a character twice as long at most.
	out := t.room(2*len(doc) + 2*utf8.UTFMax)
	class := a.class
	if !lower {
		class = &sameCase
	}
	least, marks, run := a.pattern.least, a.pattern.marks, a.pattern.run
	w := 0
	for i := 0; i < len(doc); {
		// A run of word characters, which may be empty.
		start, count := w, 0
		for i < len(doc) {
			// Most are ASCII, and there is room for all.
			rest, into := doc[i:], out[w:]
			into = into[:len(rest)]
			k := 0
			c := class[rest[0]]
			for c-1 < beyond-1 {
				into[k] = c
				k++
				if k == len(rest) {
					break
				}
				c = class[rest[k]]
			}
			i, w, count = i+k, w+k, count+k
			if k == len(rest) || c == 0 {
				break
			}
			r, n := utf8.DecodeRuneInString(doc[i:])
			if lower {
				if special(r) {
					return false
				}
				r = unicode.ToLower(r)
			}
			if !isWord(r) {
				break
			}
			w += utf8.EncodeRune(out[w:], r)
			i += n
			count++
		}
		if count > 0 {
			if run == nil && count >= least || run != nil && run.Match(out[start:w]) {
				t.starts, t.ends = append(t.starts, uint32(start)), append(t.ends, uint32(w))
				out[w] = ' '
				w++
			} else {
				w = start
			}
			continue
		}
		// A character that belongs to no word.
		if !marks && doc[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(doc[i:])
		i += n
		if marks && !isSpace(r) {
			if lower {
				r = unicode.ToLower(r)
			}
			n = utf8.EncodeRune(out[w:], r)
			t.starts, t.ends = append(t.starts, uint32(w)), append(t.ends, uint32(w+n))
			out[w+n] = ' '
			w += n + 1
		}
	}
	t.text = out[:w]
	return true
}

// matches finds what a regular expression does.
func (t *tokens) matches(doc string, p *pattern) {
	t.text = t.text[:0]
	for _, m := range p.any.FindAllStringSubmatchIndex(doc, -1) {
		from, to := m[2*p.group], m[2*p.group+1]
		if from < 0 || from == to {
			// Python gives an empty token here, which is no term.
			continue
		}
		t.starts = append(t.starts, uint32(len(t.text)))
		t.text = append(t.text, doc[from:to]...)
		t.ends = append(t.ends, uint32(len(t.text)))
		t.text = append(t.text, ' ')
	}
}

// put appends a character as a token.
func (t *tokens) put(r rune) {
	t.starts = append(t.starts, uint32(len(t.text)))
	t.text = utf8.AppendRune(t.text, r)
	t.ends = append(t.ends, uint32(len(t.text)))
}

// chars takes each character as a token, and two or more of white space as one
// space.
func (t *tokens) chars(doc string, lower bool) bool {
	t.text = t.text[:0]
	var space rune // that was read and may be the first of several
	spaces := 0
	flush := func() {
		if spaces > 1 {
			space = ' '
		}
		if spaces > 0 {
			t.put(space)
		}
		spaces = 0
	}
	for _, r := range doc {
		if isSpace(r) {
			space = r
			spaces++
			continue
		}
		flush()
		if lower {
			if special(r) {
				return false
			}
			r = unicode.ToLower(r)
		}
		t.put(r)
	}
	flush()
	return true
}

// paddedWords takes each character of what is between white space as a token,
// and a space before and after.
func (t *tokens) paddedWords(doc string, lower bool) bool {
	t.text = t.text[:0]
	inside := false
	end := func() {
		if inside {
			t.put(' ')
			t.bounds = append(t.bounds, uint32(len(t.starts)))
		}
		inside = false
	}
	for _, r := range doc {
		if isSpace(r) {
			end()
			continue
		}
		if !inside {
			inside = true
			t.put(' ')
		}
		if lower {
			if special(r) {
				return false
			}
			r = unicode.ToLower(r)
		}
		t.put(r)
	}
	end()
	return true
}

// wholeWords returns the words of char_wb with the spaces around them.
func (t *tokens) wholeWords() (starts, ends []uint32) {
	t.from, t.to = t.from[:0], t.to[:0]
	first := uint32(0)
	for _, next := range t.bounds {
		t.from, t.to = append(t.from, t.starts[first]), append(t.to, t.ends[next-1])
		first = next
	}
	return t.from, t.to
}

// terms returns where each occurrence of a term starts and ends in t.text.
func (a *analyzer) terms(t *tokens) (starts, ends []uint32) {
	if a.kind != CharWBAnalyzer && a.greatest == 1 {
		return t.starts, t.ends
	}
	t.from, t.to = t.from[:0], t.to[:0]
	if a.kind == CharWBAnalyzer {
		first := 0
		for _, next := range t.bounds {
			a.wordTerms(t, first, int(next))
			first = int(next)
		}
		return t.from, t.to
	}
	for i, start := range t.starts {
		last := min(i+a.greatest, len(t.ends))
		for k := i + a.least; k <= last; k++ {
			t.from, t.to = append(t.from, start), append(t.to, t.ends[k-1])
		}
	}
	return t.from, t.to
}

// wordTerms appends the terms of one padded word. A word that is shorter than a
// term is a term, once.
func (a *analyzer) wordTerms(t *tokens, first, next int) {
	for n := a.least; n <= a.greatest; n++ {
		if next-first <= n {
			t.from, t.to = append(t.from, t.starts[first]), append(t.to, t.ends[next-1])
			return
		}
		for i := first; i+n <= next; i++ {
			t.from, t.to = append(t.from, t.starts[i]), append(t.to, t.ends[i+n-1])
		}
	}
}

// stripAccents decomposes characters and leaves out accents, or all that is not
// ASCII.
func stripAccents(s string, ascii bool) string {
	plain := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	s = norm.NFKD.String(s)
	var b strings.Builder
	for i := 0; i < len(s); {
		_, n := utf8.DecodeRuneInString(s[i:])
		if ascii && n == 1 && s[i] < utf8.RuneSelf || !ascii && norm.NFKD.PropertiesString(s[i:]).CCC() == 0 {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}
