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
	//go:embed lists/exceptions.txt
	exceptionText string
)

// wordSet is a set of words. Lookups by m[string(bytes)] do not allocate.
type wordSet map[string]struct{}

func (s wordSet) has(word []byte) bool {
	_, ok := s[string(word)]
	return ok
}

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

func stopWords(list string, keep []string) (wordSet, error) {
	var all wordSet
	switch list {
	case "":
		return nil, nil
	case "nltk":
		all = nltkWords()
	case "sklearn":
		all = sklearnWords()
	default:
		return nil, fmt.Errorf("stop words %q: unknown list", list)
	}
	if len(keep) == 0 {
		return all, nil
	}
	set := make(wordSet, len(all))
	for w := range all {
		set[w] = struct{}{}
	}
	for _, w := range keep {
		delete(set, w)
	}
	return set, nil
}

// IsStopWord reports whether the named list ("nltk" or "sklearn") has the
// word, which must be in lower case.
func IsStopWord(list, word string) bool {
	set, err := stopWords(list, nil)
	if err != nil || set == nil {
		return false
	}
	_, ok := set[word]
	return ok
}
