package text

import (
	"fmt"
	"sort"
	"strings"
)

// Options select the cleaning steps. They are stored with a model, so that
// whoever applies the model cleans as it was trained.
type Options struct {
	// Markup replaces tags, from '<' to the next '>', by a space.
	Markup bool `json:"markup" param:"markup"`
	// URLs removes what looks like a URL, up to the next white space.
	URLs bool `json:"urls" param:"urls"`
	// Digits removes all digit characters.
	Digits bool `json:"digits" param:"digits"`
	// Lowercase lowers all letters.
	Lowercase bool `json:"lowercase" param:"lowercase"`
	// Punctuation replaces ASCII punctuation by spaces and removes U+061B.
	Punctuation bool `json:"punctuation" param:"punctuation"`
	// StopWords names the list of words to drop: "nltk", "sklearn", or ""
	// (or "none") for no list.
	StopWords string `json:"stop_words" param:"stop_words"`
	// Keep are words that stay although the stop-word list has them.
	Keep []string `json:"keep,omitempty" param:"keep"`
	// Lemmas replaces each word by its shortest noun lemma.
	Lemmas bool `json:"lemmas" param:"lemmas"`
}

// Default returns the cleaning a sentiment pipeline starts from: all steps
// but Markup, with NLTK's stop words.
func Default() Options {
	return Options{
		URLs: true, Digits: true, Lowercase: true, Punctuation: true,
		StopWords: "nltk", Lemmas: true,
	}
}

// Normalize returns the options in their one canonical form, with Keep sorted
// and "none" written as "". It fails on an unknown stop-word list.
func (o Options) Normalize() (Options, error) {
	switch o.StopWords {
	case "", "nltk", "sklearn":
	case "none":
		o.StopWords = ""
	default:
		return o, fmt.Errorf("stop words %q: unknown list; want nltk, sklearn or none", o.StopWords)
	}
	if o.StopWords == "" {
		o.Keep = nil
	}
	if len(o.Keep) > 0 {
		keep := append([]string(nil), o.Keep...)
		sort.Strings(keep)
		n := 0
		for i, w := range keep {
			if w == "" || strings.ContainsAny(w, " \t\n") {
				return o, fmt.Errorf("kept stop word %q: want a single word", w)
			}
			if i == 0 || w != keep[i-1] {
				keep[n] = w
				n++
			}
		}
		o.Keep = keep[:n]
	}
	return o, nil
}
