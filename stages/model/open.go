package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

// Features are the way from a text to a row: cleaning, then terms.
type Features struct {
	Cleaning text.Options
	Union    *features.Union
}

// Open reads a model's directory into memory. Every listed file is verified;
// the directory is not needed afterwards. The model has predicted its example.
func Open(dir string) (*Model, error) { return openModel(dir, false) }

// OpenMapped is like Open but maps the large files into memory where the system
// can, for good, which takes a third of the time less. It is for a process that
// scores a text and ends: a file that is cut while it is mapped kills it.
// Replacing the directory, as Write does, is harmless.
func OpenMapped(dir string) (*Model, error) { return openModel(dir, true) }

func openModel(dir string, mapped bool) (*Model, error) {
	h, files, err := open(dir, mapped)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", dir, err)
	}
	m, err := assemble(h, files)
	if err == nil {
		err = m.checkExample()
	}
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", dir, err)
	}
	return m, nil
}

// OpenFeatures reads what WriteFeatures or Write wrote.
func OpenFeatures(dir string) (Features, error) {
	h, files, err := open(dir, false)
	if err != nil {
		return Features{}, fmt.Errorf("open features %s: %w", dir, err)
	}
	f, err := assembleFeatures(h, files)
	if err != nil {
		return Features{}, fmt.Errorf("open features %s: %w", dir, err)
	}
	return f, nil
}

// open reads and verifies all files of a directory and returns those that
// scoring needs.
func open(dir string, mapped bool) (*header, map[string][]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close() //nolint:errcheck // opened for reading
	h, err := readHeader(root)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &NotModelError{err}
		}
		return nil, nil, err
	}
	keep := map[string]bool{}
	for _, v := range h.Vectorizers {
		keep[v.Terms], keep[v.Index], keep[v.IDF] = true, true, true
	}
	if h.Classifier != nil {
		keep[h.Classifier.Weights] = true
	}
	delete(keep, "")
	files, err := readFiles(root, h.Files, keep, mapped)
	return h, files, err
}

// NotModelError says that a directory has no header.
type NotModelError struct{ err error }

func (e *NotModelError) Error() string { return "not a model: it has no " + HeaderFile }
func (e *NotModelError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *NotModelError) Hint() string {
	return "a model is the directory that training wrote, such as models/sentiment"
}

// assembleFeatures makes the vectorizers of a checked header.
func assembleFeatures(h *header, files map[string][]byte) (Features, error) {
	var parts []features.Part
	for _, v := range h.Vectorizers {
		p, err := v.assemble(files)
		if err != nil {
			return Features{}, fmt.Errorf("vectorizer %q: %w", v.Name, err)
		}
		parts = append(parts, p)
	}
	u, err := features.NewUnion(parts...)
	if err != nil {
		return Features{}, err
	}
	return Features{Cleaning: h.Cleaning, Union: u}, nil
}

func (v headerVectorizer) assemble(files map[string][]byte) (features.Part, error) {
	var vocabulary features.Vocabulary // nil when terms are hashed
	if v.Terms != "" {
		t, err := readTerms(files[v.Terms], files[v.Index])
		if err != nil {
			return features.Part{}, err
		}
		vocabulary = t
	}
	var list []float64
	if v.IDF != "" {
		var err error
		if list, err = readIDF(files[v.IDF]); err != nil {
			return features.Part{}, err
		}
		if len(list) != v.Columns {
			return features.Part{}, fmt.Errorf("%d inverse document frequencies for %d columns", len(list), v.Columns)
		}
	}
	vectorizer, err := features.New(v.Config, vocabulary, list)
	if err != nil {
		return features.Part{}, err
	}
	if have := vectorizer.Cols(); have != v.Columns {
		return features.Part{}, fmt.Errorf("%d columns, want %d", have, v.Columns)
	}
	return features.Part{Name: v.Name, Vectorizer: vectorizer}, nil
}
