package model

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flowrepro/flow/stages/text"
)

// place is a piece of a raw text; it is empty when not known.
type place struct{ start, end int }

// piece is a word that a piece of the raw text gave when it was cleaned alone.
type piece struct {
	place
	word string
}

// locate returns the places in a raw text of the words that cleaning it gave.
// The text is cleaned again in pieces, and the two lists of words are laid side
// by side.
func locate(c *text.Cleaner, raw string, words []string) []place {
	if c.Options().Markup {
		raw = blankTags(raw)
	}
	places, _ := align(cleanPieces(c.Clean, raw), words)
	return places
}

// place cleans a text and finds the places of its words, as locate does, but
// where pieces can be cleaned one by one only those that are not plain are
// cleaned a second time.
func (s *explaining) place(c *text.Cleaner, raw string) {
	o := c.Options()
	blank := raw
	if o.Markup {
		blank = blankTags(raw)
	}
	var ok bool
	if s.buffer, s.pieces, ok = c.AppendPieces(s.buffer[:0], blank, s.pieces[:0]); !ok {
		s.cleaned = c.Clean(raw)
		s.words = strings.Fields(s.cleaned)
		s.places = locate(c, raw, s.words)
		return
	}
	s.cleaned, s.words, s.places = string(s.buffer), s.words[:0], s.places[:0]
	for rest, more := s.cleaned, s.cleaned != ""; more; {
		var w string
		w, rest, more = strings.Cut(rest, " ")
		s.words = append(s.words, w)
	}
	var parts []piece
	for _, p := range s.pieces {
		chunk, words := place{p.Start, p.End}, s.words[len(s.places):][:p.Words]
		if part, ok := onlyPart(blank, chunk, o.Punctuation); ok {
			for range words {
				s.places = append(s.places, part)
			}
			continue
		}
		parts = cleanParts(c.Clean, blank, chunk, parts[:0])
		s.places = append(s.places, alignParts(parts, words, chunk)...)
	}
}

// The kinds of ASCII's characters: parts of words, and punctuation that
// separates them.
const (
	wordKind = 1 + iota
	markKind
)

var kinds = func() (k [256]uint8) {
	for b := range rune(utf8.RuneSelf) {
		switch {
		case !separates(b):
			k[b] = wordKind
		case b > ' ' && b < 0x7f:
			k[b] = markKind
		}
	}
	return k
}()

// onlyPart returns the part of a chunk that has all its words, if that can be
// told without cleaning it: ASCII with no separator inside and only punctuation
// around it, which ends words where cleaning takes it off.
func onlyPart(s string, chunk place, punctuation bool) (part place, ok bool) {
	p := chunk
	for p.start < p.end && kinds[s[p.start]] == markKind {
		p.start++
	}
	for p.start < p.end && kinds[s[p.end-1]] == markKind {
		p.end--
	}
	for i := p.start; i < p.end; i++ {
		if kinds[s[i]] != wordKind {
			return p, false
		}
	}
	if p.end < chunk.end && beginsURL(s[p.start:p.end]) {
		return p, false
	}
	p = trimQuotes(s, p)
	return p, p.start < p.end && (punctuation || p == chunk)
}

// beginsURL reports whether a word and what follows it may be a URL.
func beginsURL(word string) bool {
	for _, u := range []string{"www", "http", "https"} {
		if n := len(word) - len(u); n >= 0 && strings.EqualFold(word[n:], u) {
			return true
		}
	}
	return false
}

// blankTags writes spaces over tags, which may have spaces inside.
func blankTags(raw string) string {
	if strings.IndexByte(raw, '<') < 0 {
		return raw
	}
	var out strings.Builder
	out.Grow(len(raw))
	for {
		start := strings.IndexByte(raw, '<')
		end := -1
		if start >= 0 {
			end = strings.IndexByte(raw[start:], '>')
		}
		if end < 0 {
			out.WriteString(raw)
			return out.String()
		}
		out.WriteString(raw[:start])
		for range end + 1 {
			out.WriteByte(' ')
		}
		raw = raw[start+end+1:]
	}
}

// align returns the places of words by the pieces they are equal to, in their
// order, and how many have one.
func align(pieces []piece, words []string) (places []place, found int) {
	places = make([]place, len(words))
	for i, j := 0, 0; i < len(pieces) && j < len(words); {
		if same(pieces[i].word, words[j]) {
			places[j] = pieces[i].place
			found++
			i++
			j++
			continue
		}
		di, dj := resume(pieces[i:], words[j:])
		i += di
		j += dj
	}
	return places, found
}

// same reports whether a word is one that was cleaned alone. What was negated
// by a word before it has a mark at its end.
func same(piece, word string) bool {
	return piece == word || strings.TrimSuffix(word, "_NEG") == piece
}

// ahead is how far from a difference the lists are compared: more than the
// words in a long tag.
const ahead = 64

// resume returns how many pieces and words to leave out so that the lists agree
// again, for two words unless one ends. The fewest are left out.
func resume(pieces []piece, words []string) (int, int) {
	for sum := 1; sum <= min(ahead, len(pieces)+len(words)-2); sum++ {
		for i := max(0, sum-len(words)+1); i <= min(sum, len(pieces)-1); i++ {
			j := sum - i
			if !same(pieces[i].word, words[j]) {
				continue
			}
			if i+1 == len(pieces) || j+1 == len(words) || same(pieces[i+1].word, words[j+1]) {
				return i, j
			}
		}
	}
	return 1, 1
}

// cleanPieces cleans what is between white space, and looks for the places of
// its words between other separators, so that they have no punctuation around
// them.
func cleanPieces(clean func(string) string, raw string) []piece {
	var out, parts []piece
	each(raw, 0, unicode.IsSpace, func(chunk place) {
		words := strings.Fields(clean(raw[chunk.start:chunk.end]))
		if len(words) == 0 {
			return
		}
		parts = cleanParts(clean, raw, chunk, parts[:0])
		for i, p := range alignParts(parts, words, chunk) {
			out = append(out, piece{p, words[i]})
		}
	})
	return out
}

// cleanParts appends the words of the parts of a chunk.
func cleanParts(clean func(string) string, raw string, chunk place, parts []piece) []piece {
	each(raw[chunk.start:chunk.end], chunk.start, separates, func(p place) {
		p = trimQuotes(raw, p)
		for _, w := range strings.Fields(clean(raw[p.start:p.end])) {
			parts = append(parts, piece{p, w})
		}
	})
	return parts
}

// trimQuotes takes off the apostrophes around a part that has more.
func trimQuotes(raw string, p place) place {
	for p.end-p.start > 2 && raw[p.start] == '\'' {
		p.start++
	}
	for p.end-p.start > 2 && raw[p.end-1] == '\'' {
		p.end--
	}
	return p
}

// alignParts returns the places of a chunk's words: parts of it, or all of it
// if no part has any of them.
func alignParts(parts []piece, words []string, chunk place) []place {
	places, found := align(parts, words)
	if found == 0 {
		for i := range places {
			places[i] = chunk
		}
	}
	return places
}

// each calls yield for the parts of a text between separators. Offsets begin at
// base.
func each(s string, base int, separator func(rune) bool, yield func(place)) {
	start := -1
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case separator(r) && start >= 0:
			yield(place{base + start, base + i})
			start = -1
		case !separator(r) && start < 0:
			start = i
		}
		i += n
	}
	if start >= 0 {
		yield(place{base + start, base + len(s)})
	}
}

// separates reports whether a character is no part of a word. An apostrophe may
// be.
func separates(r rune) bool {
	return r != '\'' && r != '_' && r != '’' && !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
}
