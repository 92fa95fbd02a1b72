package text

import "bytes"

// negationMark is what a word in the scope of a negation ends in.
const negationMark = "_NEG"

// negations are the words that open a scope, besides all that contain "n't".
var negations = parseWords(`never
no
nothing
nowhere
noone
none
not
havent
hasnt
hadnt
cant
couldnt
shouldnt
wont
wouldnt
dont
doesnt
didnt
isnt
arent
aint`)

// appendNegated finds the scopes of negations as NLTK's mark_negation does with
// its default arguments: a scope begins after a negation and ends before the
// next token . : ; ! or ?. NLTK leaves the tokens to its caller; here they are
// what white space separates, and each character of ASCII punctuation at the
// beginning or end of such a word is a token of its own.
func appendNegated(dst, s []byte) []byte {
	scope, start := false, len(dst)
	token := func(word []byte) {
		if scope && len(word) == 1 && isClauseMark(word[0]) {
			dst = appendWord(dst, start, []byte{scopeEnds})
			scope = false
		}
		dst = appendWord(dst, start, word)
		if !scope && isNegation(word) {
			dst = appendWord(dst, start, []byte{scopeBegins})
			scope = true
		}
	}
	for word := range wordsOf(s) {
		for len(word) > 0 && isPunctuation(rune(word[0])) {
			token(word[:1])
			word = word[1:]
		}
		end := len(word)
		for end > 0 && isPunctuation(rune(word[end-1])) {
			end--
		}
		if end > 0 {
			token(word[:end])
		}
		for ; end < len(word); end++ {
			token(word[end : end+1])
		}
	}
	return dst
}

func isClauseMark(b byte) bool {
	return b == '.' || b == ':' || b == ';' || b == '!' || b == '?'
}

func isNegation(word []byte) bool {
	_, ok := negations[string(word)]
	return ok || bytes.Contains(word, []byte("n't"))
}
