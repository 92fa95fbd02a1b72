package text

import "github.com/kljensen/snowball/english"

// stem returns the Snowball English stem of a word, the word itself where
// nothing would be left of it.
func stem(word string) string {
	if s := english.Stem(word, true); s != "" {
		return s
	}
	return word
}
