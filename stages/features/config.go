package features

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// The vectorizers, as values of Config.Weighting.
const (
	CountWeighting   = "count"   // CountVectorizer
	TfidfWeighting   = "tfidf"   // TfidfVectorizer
	HashingWeighting = "hashing" // HashingVectorizer
)

// The analyzers, as values of Config.Analyzer.
const (
	WordAnalyzer   = "word"
	CharAnalyzer   = "char"
	CharWBAnalyzer = "char_wb"
)

// Config says how texts become rows, with scikit-learn's parameters by
// scikit-learn's names. It is stored with the vocabulary.
type Config struct {
	// Weighting is "count", "tfidf" or "hashing".
	Weighting string `json:"weighting"`
	// Analyzer is "word", or "char" or "char_wb" for terms of characters, in
	// the second case inside of words that are padded with a space.
	Analyzer string `json:"analyzer"`
	// TokenPattern is a regular expression of Python's re for the words.
	// See [CheckPattern].
	TokenPattern string `json:"token_pattern"`
	// Lowercase lowers the text first, for texts that were not cleaned.
	Lowercase bool `json:"lowercase"`
	// StripAccents is "", "ascii" or "unicode".
	StripAccents string `json:"strip_accents"`
	// StopWords are left out before words are joined to terms.
	StopWords StopWords `json:"stop_words"`
	// NgramRange is the least and the greatest number of words or characters
	// in a term.
	NgramRange [2]int `json:"ngram_range"`
	// MinDF and MaxDF bound the number of texts a term occurs in.
	MinDF Bound `json:"min_df"`
	MaxDF Bound `json:"max_df"`
	// MaxFeatures keeps the most frequent terms; 0 keeps all.
	MaxFeatures int `json:"max_features"`
	// Vocabulary, when not empty, is used as it is, in its order; MinDF, MaxDF
	// and MaxFeatures are then ignored. A fitted vectorizer keeps its terms
	// elsewhere and has none here.
	Vocabulary []string `json:"vocabulary,omitempty"`
	// Binary counts a term once a text.
	Binary bool `json:"binary"`
	// UseIDF, SmoothIDF and SublinearTF shape TF-IDF weights. Norm ("l2", "l1"
	// or "") scales the rows. Counts use none of the four, hashing the norm.
	UseIDF      bool   `json:"use_idf"`
	SmoothIDF   bool   `json:"smooth_idf"`
	SublinearTF bool   `json:"sublinear_tf"`
	Norm        string `json:"norm"`
	// NFeatures is the number of columns that terms are hashed to, and
	// AlternateSign gives half of the terms the value -1. For hashing only.
	NFeatures     int  `json:"n_features"`
	AlternateSign bool `json:"alternate_sign"`
}

// DefaultConfig counts single words: CountVectorizer's defaults, with those
// of TfidfVectorizer and HashingVectorizer for when Weighting names them.
func DefaultConfig() Config {
	return Config{
		Weighting: CountWeighting, Analyzer: WordAnalyzer, TokenPattern: DefaultPattern,
		Lowercase: true, NgramRange: [2]int{1, 1},
		MinDF: Count(1), MaxDF: Share(1),
		UseIDF: true, SmoothIDF: true, Norm: "l2",
		NFeatures: 1 << 20, AlternateSign: true,
	}
}

// maxHashed leaves a binary digit of an int32 for the sign.
const maxHashed = 1 << 30

// maxNgram keeps a typing error from filling the memory.
const maxNgram = 16

// Check reports the first setting that makes no sense.
func (c Config) Check() error {
	switch {
	case c.Weighting != CountWeighting && c.Weighting != TfidfWeighting && c.Weighting != HashingWeighting:
		return fmt.Errorf("weighting %q: want count, tfidf or hashing", c.Weighting)
	case c.Analyzer != WordAnalyzer && c.Analyzer != CharAnalyzer && c.Analyzer != CharWBAnalyzer:
		return fmt.Errorf("analyzer %q: want word, char or char_wb", c.Analyzer)
	case c.StripAccents != "" && c.StripAccents != "ascii" && c.StripAccents != "unicode":
		return fmt.Errorf("strip_accents %q: want ascii, unicode or none", c.StripAccents)
	case c.NgramRange[0] < 1 || c.NgramRange[1] < c.NgramRange[0] || c.NgramRange[1] > maxNgram:
		return fmt.Errorf("ngram_range [%d, %d]: want 1 <= least <= greatest <= %d", c.NgramRange[0], c.NgramRange[1], maxNgram)
	case c.MaxFeatures < 0 || c.MaxFeatures > math.MaxInt32:
		return fmt.Errorf("max_features %d: want 0 for all or a positive number", c.MaxFeatures)
	case c.Norm != "" && c.Norm != "l1" && c.Norm != "l2":
		return fmt.Errorf("norm %q: want l1, l2 or none", c.Norm)
	case c.Weighting == HashingWeighting && (c.NFeatures < 1 || c.NFeatures > maxHashed):
		return fmt.Errorf("n_features %d: want 1 to %d", c.NFeatures, maxHashed)
	case c.Weighting == HashingWeighting && len(c.Vocabulary) > 0:
		return errors.New("vocabulary: hashing has none")
	}
	if c.Analyzer == WordAnalyzer {
		if err := CheckPattern(c.TokenPattern); err != nil {
			return err
		}
	}
	if err := c.StopWords.check(); err != nil {
		return err
	}
	for i, t := range c.Vocabulary {
		if t == "" || !utf8.ValidString(t) {
			return fmt.Errorf("vocabulary: term %d: empty or not UTF-8", i)
		}
	}
	if err := c.MinDF.check(); err != nil {
		return fmt.Errorf("min_df: %w", err)
	}
	if err := c.MaxDF.check(); err != nil {
		return fmt.Errorf("max_df: %w", err)
	}
	return nil
}

// needsIDF reports whether the weights use document frequencies.
func (c Config) needsIDF() bool { return c.Weighting == TfidfWeighting && c.UseIDF }
