package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
)

// stem returns a word with each run of letters, digits and underscores in it
// replaced by its Snowball English stem. Where punctuation was not removed the
// word "films." has one such run, and "well-made" has two.
func stem(word string) string {
	if runEnd(word) == len(word) {
		return stemRun(word)
	}
	var b strings.Builder
	for word != "" {
		n := runEnd(word)
		if n > 0 {
			b.WriteString(stemRun(word[:n]))
		} else {
			_, n = utf8.DecodeRuneInString(word)
			b.WriteString(word[:n])
		}
		word = word[n:]
	}
	return b.String()
}

// stemRun returns the stem of a run, the run itself where nothing would be left
// of it.
func stemRun(run string) string {
	if s := english.Stem(run, true); s != "" {
		return s
	}
	return run
}

// runEnd returns where the run that s begins with ends: 0 if there is none.
func runEnd(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return i
		}
	}
	return len(s)
}
