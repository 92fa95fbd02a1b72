package features

import (
	"unicode"
	"unicode/utf8"
)

// Tokens calls yield with the words of a text: runs of two or more word
// characters, which is what the pattern \b\w\w+\b of Python's re finds. The
// strings share the text's memory.
func Tokens(text string, yield func(token string)) {
	for i := 0; i < len(text); {
		// Skip to the start of a run.
		b := text[i]
		if b < utf8.RuneSelf {
			if !asciiWord(b) {
				i++
				continue
			}
		} else if r, n := utf8.DecodeRuneInString(text[i:]); !wordRune(r) {
			i += n
			continue
		}
		start, count := i, 0
		for i < len(text) {
			if b := text[i]; b < utf8.RuneSelf {
				if !asciiWord(b) {
					break
				}
				i++
			} else {
				r, n := utf8.DecodeRuneInString(text[i:])
				if !wordRune(r) {
					break
				}
				i += n
			}
			count++
		}
		if count >= 2 {
			yield(text[start:i])
		}
	}
}

func asciiWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}

// wordRune is \w beyond ASCII: what Python's str.isalnum accepts.
func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}
