package track

import (
	"math"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of MLflow's stores, in characters. Servers cut some values
// silently, so that they are checked here.
const (
	MaxKey           = 250
	MaxParam         = 6000
	MaxRunTag        = 5000 // 8000 since 2.17
	MaxRegistryTag   = 5000 // 100,000 since 3.1
	MaxName          = 250
	MaxAlias         = 255
	MaxExperiment    = 250
	MaxDataset       = 500
	MaxDatasetDigest = 36
)

// madeOf reports whether all characters are letters, digits, '_' or one of
// others.
func madeOf(text, others string) bool {
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_' && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return true
}

// looksLikeVersion reports whether an alias would read as a version: v1, latest.
func looksLikeVersion(alias string) bool {
	rest := strings.TrimLeft(strings.ToLower(alias)[min(1, len(alias)):], "0123456789")
	return strings.EqualFold(alias, "latest") || strings.EqualFold(alias[:1], "v") && len(alias) > 1 && rest == ""
}

// CheckKey reports what is wrong with the name of a metric, parameter or tag.
func CheckKey(op, key string) error {
	switch {
	case key == "":
		return Invalid(op, "a name is empty")
	case utf8.RuneCountInString(key) > MaxKey:
		return Invalid(op, "the name '%s…' has more than %d characters", Shorten(key, 40), MaxKey)
	case !madeOf(key, "/.- "):
		return Invalid(op, "the name '%s' has other characters than letters, digits, '_', '-', '.', ' ' and '/'", key)
	case path.Clean(key) != key || strings.HasPrefix(key, "/") || key == "." || key == ".." || strings.HasPrefix(key, "../"):
		return Invalid(op, "the name '%s' is not a plain relative path", key)
	}
	return nil
}

// CheckBatch reports what a store would refuse of a batch, or cut.
func CheckBatch(op string, b Batch) error {
	for _, m := range b.Metrics {
		if err := CheckKey(op, m.Key); err != nil {
			return err
		}
		if m.Time.IsZero() {
			return Invalid(op, "the metric '%s' has no time", m.Key)
		}
	}
	seen := map[string]string{}
	for _, p := range b.Params {
		if err := checkPair(op, p, MaxParam); err != nil {
			return err
		}
		if old, ok := seen[p.Key]; ok && old != p.Value {
			return Invalid(op, "the parameter '%s' has two values", p.Key)
		}
		seen[p.Key] = p.Value
	}
	for _, t := range b.Tags {
		if err := checkPair(op, t, MaxRunTag); err != nil {
			return err
		}
	}
	return nil
}

func checkPair(op string, p Pair, limit int) error {
	if err := CheckKey(op, p.Key); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(p.Value); n > limit {
		return Invalid(op, "the value of '%s' has %d characters, of at most %d", p.Key, n, limit)
	}
	return nil
}

// UniqueTags leaves one tag for each key, the last one, in the place of the
// first: servers answer a key that comes twice with an error of their database.
func UniqueTags(tags []Pair) []Pair {
	at := map[string]int{}
	var out []Pair
	for _, t := range tags {
		if i, ok := at[t.Key]; ok {
			out[i] = t
			continue
		}
		at[t.Key] = len(out)
		out = append(out, t)
	}
	return out
}

// CheckRegistryTag reports what a registry would refuse of a tag.
func CheckRegistryTag(op string, t Pair) error { return checkPair(op, t, MaxRegistryTag) }

// CheckModelName reports what is wrong with the name of a registered model.
func CheckModelName(op, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return Invalid(op, "the model has no name")
	case utf8.RuneCountInString(name) > MaxName:
		return Invalid(op, "the model's name has more than %d characters", MaxName)
	case strings.ContainsAny(name, `/:@%\`) || name == "." || name == "..":
		return Invalid(op, `the model's name '%s' contains one of / : @ %% \`, name)
	}
	return nil
}

// CheckAlias reports what is wrong with an alias.
func CheckAlias(op, alias string) error {
	switch {
	case alias == "" || utf8.RuneCountInString(alias) > MaxAlias || !madeOf(alias, "-"):
		return Invalid(op, "the alias '%s' is not made of letters, digits, '_' and '-'", Shorten(alias, 40))
	case looksLikeVersion(alias):
		return Invalid(op, "the alias '%s' is reserved", alias)
	}
	return nil
}

// CheckDataset reports what a store would refuse of a dataset.
func CheckDataset(op string, d Dataset) error {
	switch {
	case d.Name == "" || utf8.RuneCountInString(d.Name) > MaxDataset:
		return Invalid(op, "the dataset's name '%s' is empty or too long", Shorten(d.Name, 40))
	case d.Digest == "" || len(d.Digest) > MaxDatasetDigest:
		return Invalid(op, "the digest of dataset '%s' is empty or has more than %d characters", d.Name, MaxDatasetDigest)
	}
	return nil
}

// CleanArtifactPath returns the path in its plain form. It refuses paths that
// would leave the root, and names that some system cannot hold: MLflow's server
// decodes a % twice.
func CleanArtifactPath(op, name string) (string, error) {
	clean := path.Clean(name)
	switch {
	case name == "" || name == ".":
		return "", nil
	case strings.HasPrefix(name, "/"), clean == "..", strings.HasPrefix(clean, "../"),
		strings.ContainsAny(name, "\\\x00:*?\"<>|%"), strings.Contains("/"+name+"/", "/../"):
		return "", Invalid(op, "the path '%s' is not a plain relative path", Shorten(name, 80))
	}
	return clean, nil
}

// Shorten cuts a text to n characters.
func Shorten(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n])
}

// ClampInfinity returns the value as SQL stores keep it.
func ClampInfinity(v float64) float64 {
	switch {
	case math.IsInf(v, 1):
		return math.MaxFloat64
	case math.IsInf(v, -1):
		return -math.MaxFloat64
	}
	return v
}
