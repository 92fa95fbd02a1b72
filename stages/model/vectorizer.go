package model

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

const (
	vectorizerFormat = "flow.vectorizer"
	formatVersion    = 1
)

// Vectorizer is the way from a text to a row, cleaning, then terms, as one file
// of JSON. A model's directory has the same in a form that is read faster.
type Vectorizer struct {
	Cleaning text.Options
	Terms    *features.Vectorizer
}

type vectorizerFile struct {
	Format   string          `json:"format"`
	Version  int             `json:"version"`
	Cleaning text.Options    `json:"cleaning"`
	Config   features.Config `json:"config"`
	Terms    []string        `json:"terms,omitempty"`
	IDF      floats          `json:"idf,omitempty"`
}

// Write writes the vectorizer.
func (v *Vectorizer) Write(w io.Writer) error {
	cleaning, err := v.Cleaning.Normalize()
	if err != nil {
		return fmt.Errorf("write vectorizer: %w", err)
	}
	err = writeJSON(w, vectorizerFile{
		Format: vectorizerFormat, Version: formatVersion,
		Cleaning: cleaning, Config: v.Terms.Config(), Terms: v.Terms.Terms(), IDF: v.Terms.IDF(),
	})
	if err != nil {
		return fmt.Errorf("write vectorizer: %w", err)
	}
	return nil
}

// ReadVectorizer reads what Write writes.
func ReadVectorizer(r io.Reader) (*Vectorizer, error) {
	v, err := readVectorizer(r)
	if err != nil {
		return nil, fmt.Errorf("read vectorizer: %w", err)
	}
	return v, nil
}

func readVectorizer(r io.Reader) (*Vectorizer, error) {
	var f vectorizerFile
	if err := readJSON(r, &f); err != nil {
		return nil, err
	}
	if err := checkFormat(f.Format, vectorizerFormat, f.Version); err != nil {
		return nil, err
	}
	cleaning, err := f.Cleaning.Normalize()
	if err != nil {
		return nil, err
	}
	var vocabulary features.Vocabulary // none for hashing
	if f.Config.Weighting != features.HashingWeighting || len(f.Terms) > 0 {
		if vocabulary, err = features.NewTable(f.Terms); err != nil {
			return nil, err
		}
	}
	terms, err := features.New(f.Config, vocabulary, f.IDF)
	if err != nil {
		return nil, err
	}
	return &Vectorizer{Cleaning: cleaning, Terms: terms}, nil
}

func checkFormat(have, want string, version int) error {
	switch {
	case have == "":
		return errors.New("no format given")
	case have != want:
		return fmt.Errorf("format %q, want %q", have, want)
	case version != formatVersion:
		return fmt.Errorf("version %d of the format, want %d", version, formatVersion)
	}
	return nil
}

// OpenVectorizer reads a vectorizer from a file.
func OpenVectorizer(path string) (*Vectorizer, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("read vectorizer: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	v, err := readVectorizer(f)
	if err != nil {
		return nil, fmt.Errorf("read vectorizer %s: %w", path, err)
	}
	return v, nil
}
