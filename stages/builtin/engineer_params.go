package builtin

import (
	"fmt"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/features"
)

// engineerParams are features.Config by scikit-learn's names.
type engineerParams struct {
	Weighting    string `param:"weighting"`
	Analyzer     string `param:"analyzer"`
	TokenPattern string `param:"token_pattern"`
	Lowercase    bool   `param:"lowercase"`
	StripAccents string `param:"strip_accents"`
	// StopWords is nothing, the name of a list or a list of words.
	StopWords   any      `param:"stop_words"`
	NgramRange  []int    `param:"ngram_range"`
	MaxFeatures int      `param:"max_features"`
	Vocabulary  []string `param:"vocabulary"`
	// An integer is a number of reviews, a float a share of them.
	MinDF         any    `param:"min_df"`
	MaxDF         any    `param:"max_df"`
	Binary        bool   `param:"binary"`
	UseIDF        bool   `param:"use_idf"`
	SmoothIDF     bool   `param:"smooth_idf"`
	SublinearTF   bool   `param:"sublinear_tf"`
	Norm          string `param:"norm"`
	NFeatures     int    `param:"n_features"`
	AlternateSign bool   `param:"alternate_sign"`
}

// defaultEngineerParams count single words. Cleaning lowers the text, or was
// told not to.
func defaultEngineerParams() engineerParams {
	c := features.DefaultConfig()
	return engineerParams{
		Weighting: c.Weighting, Analyzer: c.Analyzer, TokenPattern: c.TokenPattern,
		NgramRange: c.NgramRange[:], MinDF: int64(1), MaxDF: 1.0,
		UseIDF: c.UseIDF, SmoothIDF: c.SmoothIDF, Norm: c.Norm,
		NFeatures: c.NFeatures, AlternateSign: c.AlternateSign,
	}
}

func (p engineerParams) config() (features.Config, error) {
	c := features.Config{
		Weighting: p.Weighting, Analyzer: p.Analyzer, TokenPattern: p.TokenPattern,
		Lowercase: p.Lowercase, StripAccents: none(p.StripAccents),
		MaxFeatures: p.MaxFeatures, Vocabulary: p.Vocabulary, Binary: p.Binary,
		UseIDF: p.UseIDF, SmoothIDF: p.SmoothIDF, SublinearTF: p.SublinearTF, Norm: none(p.Norm),
		NFeatures: p.NFeatures, AlternateSign: p.AlternateSign,
	}
	if len(p.NgramRange) != 2 {
		return c, &stages.ParamError{Key: "feature_engineering.ngram_range", Msg: "want a list of two integers"}
	}
	c.NgramRange = [2]int(p.NgramRange)
	var err error
	if c.StopWords, err = stopWords("feature_engineering.stop_words", p.StopWords); err != nil {
		return c, err
	}
	if c.MinDF, err = bound("feature_engineering.min_df", p.MinDF); err != nil {
		return c, err
	}
	if c.MaxDF, err = bound("feature_engineering.max_df", p.MaxDF); err != nil {
		return c, err
	}
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("feature_engineering: %w", err)
	}
	return c, nil
}

// none reads the word that parameters have for nothing.
func none(s string) string {
	if s == "none" {
		return ""
	}
	return s
}

func stopWords(key string, v any) (features.StopWords, error) {
	switch v := v.(type) {
	case nil:
		return features.StopWords{}, nil
	case string:
		return features.StopWords{List: none(v)}, nil
	case []any:
		var s features.StopWords
		for _, w := range v {
			word, ok := w.(string)
			if !ok {
				return s, &stages.ParamError{Key: key, Msg: fmt.Sprintf("word %v: want a string; quote it", python.Str(w))}
			}
			s.Words = append(s.Words, word)
		}
		return s, nil
	}
	return features.StopWords{}, &stages.ParamError{Key: key, Msg: "want english, nltk, none or a list of words"}
}

func bound(key string, v any) (features.Bound, error) {
	switch v := v.(type) {
	case int64:
		return features.Count(int(v)), nil
	case float64:
		return features.Share(v), nil
	}
	return features.Bound{}, &stages.ParamError{Key: key, Msg: "want a number: an integer for reviews, a float for a share of them"}
}
