package text

import "strings"

// The rules that find lemmas. NLTK 3.8 and before keep applying the rules of
// detachment until something is in WordNet; later versions apply them once.
const (
	lemmatizer38 = "nltk-3.8"
	lemmatizer39 = "nltk-3.9"
)

// wordClass is what WordNet knows of a part of speech.
type wordClass struct {
	// words have no values, exceptions are forms with their lemmas.
	words, exceptions *lexicon
	// suffixes are WordNet's rules of detachment, in its order.
	suffixes []suffix
}

type suffix struct{ old, new string }

var nouns = wordClass{newLexicon(nounText), newLexicon(nounExceptionText), []suffix{
	{"s", ""}, {"ses", "s"}, {"ves", "f"}, {"xes", "x"}, {"zes", "z"},
	{"ches", "ch"}, {"shes", "sh"}, {"men", "man"}, {"ies", "y"},
}}

// wordClasses are the parts of speech by their WordNet letter. The satellite
// adjectives "s" are adjectives here.
var wordClasses = map[string]*wordClass{
	"n": &nouns,
	"v": {newLexicon(verbText), newLexicon(verbExceptionText), []suffix{
		{"s", ""}, {"ies", "y"}, {"es", "e"}, {"es", ""}, {"ed", "e"}, {"ed", ""}, {"ing", "e"}, {"ing", ""},
	}},
	"a": {newLexicon(adjectiveText), newLexicon(adjectiveExceptionText), []suffix{{"er", ""}, {"est", ""}, {"er", "e"}, {"est", "e"}}},
	"r": {newLexicon(adverbText), newLexicon(adverbExceptionText), nil},
}

// Lemma returns the shortest noun lemma of a word in lower case, or the word
// when WordNet knows none. This is the noun rule of NLTK's lemmatizer up to
// 3.8, with its oddities: "was" has the lemma "wa", "less" the lemma "le".
func Lemma(word string) string { return nouns.lemma(word, true) }

// LemmaOf is like Lemma for the part of speech "n", "v", "a" (or "s") or "r",
// and as the named lemmatizer finds it, "nltk-3.8" or "nltk-3.9". A word of
// another part of speech or by another lemmatizer is its own lemma.
func LemmaOf(word, pos, lemmatizer string) string {
	if pos == "s" {
		pos = "a"
	}
	c := wordClasses[pos]
	if c == nil || lemmatizer != lemmatizer38 && lemmatizer != lemmatizer39 {
		return word
	}
	return c.lemma(word, lemmatizer == lemmatizer38)
}

func (c *wordClass) has(word string) bool {
	_, ok := c.words.find(word)
	return ok
}

// choose returns the shortest of form and others that WordNet has, the first
// among equals, and "" when it has none.
func (c *wordClass) choose(form string, others []string) string {
	best := ""
	if c.has(form) {
		best = form
	}
	for _, o := range others {
		if (best == "" || len(o) < len(best)) && c.has(o) {
			best = o
		}
	}
	return best
}

// maxLemma bounds the words that have lemmas, in bytes. WordNet's longest has
// fewer than a hundred; the bound keeps a hostile text from costing the square
// of its length.
const maxLemma = 1024

// lemma applies the rules of detachment, and if repeat is set and nothing is
// found applies them again to what they made.
func (c *wordClass) lemma(word string, repeat bool) string {
	if len(word) > maxLemma {
		return word
	}
	var found string
	if others, ok := c.exceptions.find(word); ok {
		found = c.choose(word, strings.Fields(others))
	} else {
		forms := c.detach([]string{word})
		found = c.choose(word, forms)
		for repeat && found == "" && len(forms) > 0 {
			forms = c.detach(forms)
			found = c.choose("", forms)
		}
	}
	if found == "" {
		return word
	}
	return found
}

func (c *wordClass) detach(forms []string) []string {
	var out []string
	for _, f := range forms {
		for _, s := range c.suffixes {
			if strings.HasSuffix(f, s.old) {
				out = append(out, f[:len(f)-len(s.old)]+s.new)
			}
		}
	}
	return out
}
