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

// find looks a word up in lines that are sorted by it, each the word alone or
// followed by a space and a value. Bisection on the embedded text costs about
// as much as a few map look-ups, and nothing at all before the first.
func find(lines, word string) (value string, ok bool) {
	if word == "" {
		return "", false
	}
	lo, hi := 0, len(lines)
	for lo < hi {
		// The line around the middle; lo and hi are beginnings of lines.
		start := lo + (hi-lo)/2
		if i := strings.LastIndexByte(lines[lo:start], '\n'); i >= 0 {
			start = lo + i + 1
		} else {
			start = lo
		}
		line, _, _ := strings.Cut(lines[start:hi], "\n")
		key, value, _ := strings.Cut(line, " ")
		switch strings.Compare(word, key) {
		case 0:
			return value, true
		case -1:
			hi = start
		default:
			lo = start + len(line) + 1
		}
	}
	return "", false
}

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
