package text

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

var (
	//go:embed lists/nltk.txt
	nltkText string
	//go:embed lists/sklearn.txt
	sklearnText string
	//go:embed lists/nouns.txt
	nounText string
	//go:embed lists/noun_exceptions.txt
	nounExceptionText string
	//go:embed lists/verbs.txt
	verbText string
	//go:embed lists/verb_exceptions.txt
	verbExceptionText string
	//go:embed lists/adjectives.txt
	adjectiveText string
	//go:embed lists/adjective_exceptions.txt
	adjectiveExceptionText string
	//go:embed lists/adverbs.txt
	adverbText string
	//go:embed lists/adverb_exceptions.txt
	adverbExceptionText string
)

// wordSet is a set of words. Lookups by m[string(bytes)] do not allocate.
type wordSet map[string]struct{}

func parseWords(text string) wordSet {
	set := make(wordSet, strings.Count(text, "\n"))
	for text != "" {
		word, rest, _ := strings.Cut(text, "\n")
		set[word] = struct{}{}
		text = rest
	}
	return set
}

var (
	nltkWords    = sync.OnceValue(func() wordSet { return parseWords(nltkText) })
	sklearnWords = sync.OnceValue(func() wordSet { return parseWords(sklearnText) })
)

// stopWords returns a list less the words to keep and with those to drop.
func stopWords(list string, keep, drop []string) (wordSet, error) {
	var all wordSet
	switch list {
	case "":
	case "nltk":
		all = nltkWords()
	case "sklearn":
		all = sklearnWords()
	default:
		return nil, fmt.Errorf("stop words %q: unknown list", list)
	}
	if len(keep) == 0 && len(drop) == 0 {
		return all, nil
	}
	set := make(wordSet, len(all))
	for w := range all {
		set[w] = struct{}{}
	}
	for _, w := range keep {
		delete(set, w)
	}
	for _, w := range drop {
		set[w] = struct{}{}
	}
	return set, nil
}

// IsStopWord reports whether the named list ("nltk" or "sklearn") has the
// word, which must be in lower case.
func IsStopWord(list, word string) bool {
	set, err := stopWords(list, nil, nil)
	if err != nil {
		return false
	}
	_, ok := set[word]
	return ok
}
