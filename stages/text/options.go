package text

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Options select the cleaning steps and their order. They are stored with a
// model, so that whoever applies the model cleans as it was trained.
type Options struct {
	// Markup replaces tags, from '<' to the next '>', by a space.
	Markup bool `json:"markup" param:"markup"`
	// Entities replaces HTML's character references by their characters:
	// "&amp;" by "&".
	Entities bool `json:"entities,omitempty" param:"entities"`
	// URLs removes what looks like a URL, up to the next white space.
	URLs bool `json:"urls" param:"urls"`
	// Digits removes all digit characters.
	Digits bool `json:"digits" param:"digits"`
	// Lowercase lowers all letters.
	Lowercase bool `json:"lowercase" param:"lowercase"`
	// Negation marks the words after a negation, up to the end of the clause,
	// by an appended _NEG, as NLTK's mark_negation does.
	Negation bool `json:"negation,omitempty" param:"negation"`
	// Punctuation replaces ASCII punctuation by spaces and removes U+061B.
	Punctuation bool `json:"punctuation" param:"punctuation"`
	// StopWords names the list of words to drop: "nltk", "sklearn", or ""
	// (or "none") for no list.
	StopWords string `json:"stop_words" param:"stop_words"`
	// Keep are words that stay although the stop-word list has them.
	Keep []string `json:"keep,omitempty" param:"keep"`
	// Drop are words to drop besides those of the list, or instead of one.
	Drop []string `json:"drop,omitempty" param:"drop"`
	// Lemmas replaces each word by its shortest lemma.
	Lemmas bool `json:"lemmas" param:"lemmas"`
	// LemmaPOS is the part of speech that words are taken for: "n" noun, "v"
	// verb, "a" or "s" adjective, "r" adverb. "" is "n".
	LemmaPOS string `json:"lemma_pos,omitempty" param:"lemma_pos"`
	// Lemmatizer says whose rule finds lemmas: "nltk-3.8", the rule of NLTK up
	// to 3.8, or "nltk-3.9", that of the versions since. "" is "nltk-3.8".
	Lemmatizer string `json:"lemmatizer,omitempty" param:"lemmatizer"`
	// Stem replaces each word by its stem as Snowball's English stemmer finds
	// it.
	Stem bool `json:"stem,omitempty" param:"stem"`
	// Order names the steps in the order in which they are applied. It must
	// name each step that is on and may name others. Empty means the order in
	// which a sentiment pipeline trains, which is that of [Steps].
	Order []string `json:"order,omitempty" param:"order"`
}

// Steps returns the names of all steps in their default order.
func Steps() []string { return slices.Clone(steps) }

const (
	stepMarkup      = "markup"
	stepEntities    = "entities"
	stepURLs        = "urls"
	stepDigits      = "digits"
	stepLowercase   = "lowercase"
	stepNegation    = "negation"
	stepPunctuation = "punctuation"
	stepStopWords   = "stop_words"
	stepLemmas      = "lemmas"
	stepStem        = "stem"
)

var steps = []string{
	stepMarkup, stepEntities, stepURLs, stepDigits, stepLowercase, stepNegation,
	stepPunctuation, stepStopWords, stepLemmas, stepStem,
}

// Default returns the cleaning a sentiment pipeline starts from: URLs, digits,
// lower case, punctuation, NLTK's stop words, noun lemmas.
func Default() Options {
	return Options{
		URLs: true, Digits: true, Lowercase: true, Punctuation: true,
		StopWords: "nltk", Lemmas: true,
	}
}

// OptionError reports a value that cleaning does not know.
type OptionError struct {
	// Option is the parameter's name, Value what it holds.
	Option, Value string
	// Want says what it may hold.
	Want string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s %q: want %s", strings.ReplaceAll(e.Option, "_", " "), e.Value, e.Want)
}

// on reports whether a step is applied.
func (o *Options) on(step string) bool {
	switch step {
	case stepMarkup:
		return o.Markup
	case stepEntities:
		return o.Entities
	case stepURLs:
		return o.URLs
	case stepDigits:
		return o.Digits
	case stepLowercase:
		return o.Lowercase
	case stepNegation:
		return o.Negation
	case stepPunctuation:
		return o.Punctuation
	case stepStopWords:
		return o.StopWords != "" || len(o.Drop) > 0
	case stepLemmas:
		return o.Lemmas
	case stepStem:
		return o.Stem
	}
	return false
}

// Normalize returns the options in their one canonical form: word lists
// sorted, names that mean the default written as "", Order only where it
// differs from the default and without steps that are off. It fails on values
// that it does not know with an [*OptionError].
func (o Options) Normalize() (Options, error) {
	switch o.StopWords {
	case "", "nltk", "sklearn":
	case "none":
		o.StopWords = ""
	default:
		return o, &OptionError{"stop_words", o.StopWords, "nltk, sklearn or none"}
	}
	if o.StopWords == "" {
		o.Keep = nil
	}
	var err error
	if o.Keep, err = wordList("keep", o.Keep); err != nil {
		return o, err
	}
	if o.Drop, err = wordList("drop", o.Drop); err != nil {
		return o, err
	}
	switch o.LemmaPOS {
	case "", "v", "a", "r":
	case "n":
		o.LemmaPOS = ""
	case "s":
		o.LemmaPOS = "a"
	default:
		return o, &OptionError{"lemma_pos", o.LemmaPOS, "n, v, a, r or s"}
	}
	switch o.Lemmatizer {
	case "", lemmatizer39:
	case lemmatizer38:
		o.Lemmatizer = ""
	default:
		return o, &OptionError{"lemmatizer", o.Lemmatizer, lemmatizer38 + " or " + lemmatizer39}
	}
	if !o.Lemmas {
		o.LemmaPOS, o.Lemmatizer = "", ""
	}
	o.Order, err = o.order()
	return o, err
}

// order checks Order and returns the steps that are on, nil when they are in
// the default order.
func (o *Options) order() ([]string, error) {
	if len(o.Order) == 0 {
		return nil, nil
	}
	var order []string
	for i, s := range o.Order {
		if !slices.Contains(steps, s) {
			return nil, &OptionError{"order", s, "names of " + strings.Join(steps, ", ")}
		}
		if slices.Contains(o.Order[:i], s) {
			return nil, &OptionError{"order", s, "each step once"}
		}
		if o.on(s) {
			order = append(order, s)
		}
	}
	for _, s := range steps {
		if o.on(s) && !slices.Contains(order, s) {
			return nil, &OptionError{"order", strings.Join(o.Order, " "), "all steps that are on; " + s + " is missing: add it or switch it off"}
		}
	}
	if slices.Equal(order, o.defaultOrder()) {
		return nil, nil
	}
	return order, nil
}

func (o *Options) defaultOrder() []string {
	var list []string
	for _, s := range steps {
		if o.on(s) {
			list = append(list, s)
		}
	}
	return list
}

func wordList(name string, words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	list := slices.Clone(words)
	sort.Strings(list)
	for _, w := range list {
		if w == "" || strings.ContainsFunc(w, isSpace) {
			return nil, &OptionError{name, w, "single words"}
		}
	}
	return slices.Compact(list), nil
}
