package text

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed lists/NOTICE
var noticeText string

// StopWords returns the words of the named list ("nltk" or "sklearn") in their
// order, nil for a list that there is not.
func StopWords(list string) []string {
	set, err := stopWords(list, nil, nil)
	if err != nil {
		return nil
	}
	return set.sorted()
}

func (s wordSet) sorted() []string {
	words := make([]string, 0, len(s))
	for w := range s {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

// WordLists returns the lists that the cleaner uses, by the names of files to
// store them in, for programs that clean in the same way: stopwords.txt has a
// word a line, wordnet.txt WordNet's words of the cleaner's part of speech,
// exceptions.txt a form a line with its lemmas, and NOTICE the licences.
func (c *Cleaner) WordLists() map[string]string {
	lists := map[string]string{}
	if c.options.on(stepStopWords) {
		lists["stopwords.txt"] = strings.Join(c.stop.sorted(), "\n") + "\n"
	}
	if c.options.Lemmas {
		class := &nouns
		if c.options.LemmaPOS != "" {
			class = wordClasses[c.options.LemmaPOS]
		}
		lists["wordnet.txt"], lists["exceptions.txt"] = class.words.lines, class.exceptions.lines
	}
	if len(lists) > 0 {
		lists["NOTICE"] = noticeText
	}
	return lists
}
