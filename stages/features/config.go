package features

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Config says how texts become rows. It is stored with the vocabulary.
type Config struct {
	// Weighting is "count" or "tfidf".
	Weighting string `json:"weighting"`
	// Lowercase lowers the text first, for texts that were not cleaned.
	Lowercase bool `json:"lowercase"`
	// NgramMin and NgramMax bound the number of words in a term.
	NgramMin int `json:"ngram_min"`
	NgramMax int `json:"ngram_max"`
	// MinDF and MaxDF bound the number of texts a term occurs in.
	MinDF Bound `json:"min_df"`
	MaxDF Bound `json:"max_df"`
	// MaxFeatures keeps the most frequent terms; 0 keeps all.
	MaxFeatures int `json:"max_features"`
	// Binary counts a term once a text.
	Binary bool `json:"binary"`
	// UseIDF, SmoothIDF, SublinearTF and Norm ("l2", "l1" or "") shape TF-IDF
	// weights and are unused for counts.
	UseIDF      bool   `json:"use_idf"`
	SmoothIDF   bool   `json:"smooth_idf"`
	SublinearTF bool   `json:"sublinear_tf"`
	Norm        string `json:"norm"`
}

// DefaultConfig counts single words: CountVectorizer's defaults, with those
// of TfidfVectorizer for when Weighting is set to "tfidf".
func DefaultConfig() Config {
	return Config{
		Weighting: "count", Lowercase: true, NgramMin: 1, NgramMax: 1,
		MinDF: Count(1), MaxDF: Share(1),
		UseIDF: true, SmoothIDF: true, Norm: "l2",
	}
}

// maxNgram keeps a typing error from filling the memory.
const maxNgram = 8

// Check reports the first setting that makes no sense.
func (c Config) Check() error {
	switch {
	case c.Weighting != "count" && c.Weighting != "tfidf":
		return fmt.Errorf("weighting %q: want count or tfidf", c.Weighting)
	case c.NgramMin < 1 || c.NgramMax < c.NgramMin || c.NgramMax > maxNgram:
		return fmt.Errorf("n-gram range %d to %d: want 1 <= min <= max <= %d", c.NgramMin, c.NgramMax, maxNgram)
	case c.MaxFeatures < 0 || c.MaxFeatures > math.MaxInt32:
		return fmt.Errorf("max_features %d: want 0 for all or a positive number", c.MaxFeatures)
	case c.Norm != "" && c.Norm != "l1" && c.Norm != "l2":
		return fmt.Errorf("norm %q: want l1, l2 or none", c.Norm)
	}
	if err := c.MinDF.check(); err != nil {
		return fmt.Errorf("min_df: %w", err)
	}
	if err := c.MaxDF.check(); err != nil {
		return fmt.Errorf("max_df: %w", err)
	}
	return nil
}

// Bound is a number of texts, given as a count or as a share of all. The two
// differ: a bound of 1 is one text, a bound of 1.0 is all of them. The JSON
// form keeps the difference by the decimal point.
type Bound struct {
	count   int
	share   float64
	isShare bool
}

// Count returns a bound of n texts.
func Count(n int) Bound { return Bound{count: n} }

// Share returns a bound of a share of all texts, from 0 to 1.
func Share(f float64) Bound { return Bound{share: f, isShare: true} }

// of returns the bound as a number of n texts, not rounded.
func (b Bound) of(n int) float64 {
	if b.isShare {
		return float64(b.share * float64(n))
	}
	return float64(b.count)
}

func (b Bound) check() error {
	if b.isShare {
		if !(b.share >= 0 && b.share <= 1) {
			return fmt.Errorf("%v: want a share between 0.0 and 1.0", b.share)
		}
	} else if b.count < 1 {
		return fmt.Errorf("%d: want at least 1 text", b.count)
	}
	return nil
}

// String returns the bound as it is written in parameters.
func (b Bound) String() string {
	if !b.isShare {
		return strconv.Itoa(b.count)
	}
	s := strconv.FormatFloat(b.share, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// MarshalJSON writes a number.
func (b Bound) MarshalJSON() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// UnmarshalJSON reads a number: a share when it has a point or an exponent.
func (b *Bound) UnmarshalJSON(data []byte) error {
	var n json.Number // which accepts a quoted number too
	if err := json.Unmarshal(data, &n); err != nil || data[0] == '"' {
		return fmt.Errorf("%s: want a number", data)
	}
	if strings.ContainsAny(n.String(), ".eE") {
		f, err := n.Float64()
		if err != nil {
			return err
		}
		*b = Share(f)
	} else {
		i, err := strconv.Atoi(n.String())
		if err != nil {
			return err
		}
		*b = Count(i)
	}
	return b.check()
}
