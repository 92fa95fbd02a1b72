package text

import (
	"strings"
	"sync"
)

// nounData are WordNet's nouns and the forms that follow no rule.
type nounData struct {
	nouns wordSet
	// lemma maps an irregular form to the lemma that is chosen for it.
	lemma map[string]string
}

var nounLists = sync.OnceValue(func() *nounData {
	d := &nounData{
		nouns: parseWords(nounText),
		lemma: make(map[string]string, strings.Count(exceptionText, "\n")),
	}
	for text := exceptionText; text != ""; {
		line, rest, _ := strings.Cut(text, "\n")
		form, others, _ := strings.Cut(line, " ")
		d.lemma[form] = d.choose(form, strings.Fields(others))
		text = rest
	}
	return d
})

// choose returns the shortest of form and others that is a noun, the first
// among equals, and form when none is.
func (d *nounData) choose(form string, others []string) string {
	best := ""
	if _, ok := d.nouns[form]; ok {
		best = form
	}
	for _, o := range others {
		if _, ok := d.nouns[o]; ok && (best == "" || len(o) < len(best)) {
			best = o
		}
	}
	if best == "" {
		return form
	}
	return best
}

// Lemma returns the shortest noun lemma of a word in lower case, or the word
// when WordNet knows none. This is the noun rule of NLTK's lemmatizer up to
// 3.8, with its oddities: "was" has the lemma "wa", "less" the lemma "le".
func Lemma(word string) string {
	d := nounLists()
	if irregular, ok := d.lemma[word]; ok {
		return irregular
	}
	return d.regular(word)
}

// lemmatizer remembers the words it has seen. It is not safe for concurrent
// use.
type lemmatizer struct {
	data *nounData
	// seen holds the lemma of words that the rules apply to.
	seen map[string]string
}

// maxSeen bounds the memory of a lemmatizer that lives as long as a server.
const maxSeen = 1 << 17

func newLemmatizer() *lemmatizer {
	return &lemmatizer{data: nounLists(), seen: map[string]string{}}
}

// append appends the lemma of a word to dst. All suffix rules are for words
// that end in s or men; other words are their own lemma unless irregular.
func (l *lemmatizer) append(dst, word []byte) []byte {
	if n := len(word); n == 0 || word[n-1] != 's' && !(n >= 3 && string(word[n-3:]) == "men") {
		if irregular, ok := l.data.lemma[string(word)]; ok {
			return append(dst, irregular...)
		}
		return append(dst, word...)
	}
	if known, ok := l.seen[string(word)]; ok {
		return append(dst, known...)
	}
	form := string(word)
	found, ok := l.data.lemma[form]
	if !ok {
		found = l.data.regular(form)
	}
	if len(l.seen) >= maxSeen {
		clear(l.seen)
	}
	l.seen[form] = found
	return append(dst, found...)
}

// suffixes are WordNet's rules of detachment for nouns, in its order.
var suffixes = [...]struct{ old, new string }{
	{"s", ""}, {"ses", "s"}, {"ves", "f"}, {"xes", "x"}, {"zes", "z"},
	{"ches", "ch"}, {"shes", "sh"}, {"men", "man"}, {"ies", "y"},
}

// regular applies the rules once and chooses among the word and the results;
// only when nothing is a noun does it apply them again.
func (d *nounData) regular(word string) string {
	forms := detach([]string{word})
	best := d.choose(word, forms)
	if _, ok := d.nouns[best]; ok {
		return best
	}
	for len(forms) > 0 {
		forms = detach(forms)
		for _, f := range forms {
			if _, ok := d.nouns[f]; ok {
				return d.choose(f, forms)
			}
		}
	}
	return word
}

func detach(forms []string) []string {
	var out []string
	for _, f := range forms {
		for _, s := range suffixes {
			if strings.HasSuffix(f, s.old) {
				out = append(out, f[:len(f)-len(s.old)]+s.new)
			}
		}
	}
	return out
}
