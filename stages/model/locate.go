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

// blankTags writes spaces over tags, which may have spaces inside.
func blankTags(raw string) string {
	out := []byte(raw)
	for at := 0; ; {
		start := strings.IndexByte(raw[at:], '<')
		if start < 0 {
			return string(out)
		}
		end := strings.IndexByte(raw[at+start:], '>')
		if end < 0 {
			return string(out)
		}
		for i := range end + 1 {
			out[at+start+i] = ' '
		}
		at += start + end + 1
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
	for sum := 1; sum <= ahead; sum++ {
		for i := range sum + 1 {
			j := sum - i
			if i >= len(pieces) || j >= len(words) || !same(pieces[i].word, words[j]) {
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
		parts = parts[:0]
		each(raw[chunk.start:chunk.end], chunk.start, separates, func(p place) {
			for p.end-p.start > 2 && raw[p.start] == '\'' {
				p.start++
			}
			for p.end-p.start > 2 && raw[p.end-1] == '\'' {
				p.end--
			}
			for _, w := range strings.Fields(clean(raw[p.start:p.end])) {
				parts = append(parts, piece{p, w})
			}
		})
		places, found := align(parts, words)
		for i, w := range words {
			if found == 0 {
				places[i] = chunk
			}
			out = append(out, piece{places[i], w})
		}
	})
	return out
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
