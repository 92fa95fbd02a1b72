package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

// corpus is a matrix of the reviews, by the names of scikit-learn's settings.
type corpus struct {
	name    string
	cleaned bool
	config  func(c *features.Config)
}

// corpora are the matrices that the classifiers are trained on.
var corpora = []corpus{
	{"count-50", true, func(c *features.Config) { c.MaxFeatures = 50 }},
	{"count-5000", true, func(c *features.Config) { c.MaxFeatures = 5000 }},
	{"count-20000", true, func(c *features.Config) { c.MaxFeatures = 20000 }},
	{"count-all", true, func(*features.Config) {}},
	{"count-bigrams-50", true, func(c *features.Config) { c.NgramRange[1], c.MaxFeatures = 2, 50 }},
	{"count-bigrams-5000", true, func(c *features.Config) { c.NgramRange[1], c.MaxFeatures = 2, 5000 }},
	{"count-bigrams-20000", true, func(c *features.Config) { c.NgramRange[1], c.MaxFeatures = 2, 20000 }},
	{"count-bigrams", true, func(c *features.Config) { c.NgramRange[1] = 2 }},
	{"tfidf-bigrams-cleaned", true, tfidf},
	{"tfidf-bigrams", false, tfidf},
	{"count-raw-20000", false, func(c *features.Config) { c.MaxFeatures = 20000 }},
	{"count-raw-bigrams-20000", false, func(c *features.Config) { c.NgramRange[1], c.MaxFeatures = 2, 20000 }},
	{"count-raw-bigrams", false, func(c *features.Config) { c.NgramRange[1] = 2 }},
	{"binary-raw-trigrams", false, func(c *features.Config) { c.NgramRange[1], c.MinDF, c.Binary = 3, features.Count(2), true }},
}

func tfidf(c *features.Config) {
	c.Weighting, c.NgramRange[1], c.MinDF, c.SublinearTF = "tfidf", 2, features.Count(2), true
}

// prepare writes the matrices and labels of the reviews in data to dir: of
// the training reviews and, for accuracy, of the others.
func prepare(ctx context.Context, data, dir string, names map[string]bool) error {
	var parts [2][]dataset.Row
	for i, f := range []string{"train.csv.gz", "dev.csv.gz"} {
		rows, _, err := dataset.ReadFile(ctx, filepath.Join(data, f), nil)
		if err != nil {
			return err
		}
		parts[i] = rows
	}
	cleaner, err := text.New(text.Default())
	if err != nil {
		return err
	}
	var raw, cleaned [2][]string
	for i, rows := range parts {
		raw[i] = dataset.Reviews(rows)
		if cleaned[i], err = cleaner.All(ctx, raw[i], 0, nil); err != nil {
			return err
		}
		file := filepath.Join(dir, []string{"train", "dev"}[i]+"_labels.npy")
		if err := write(file, func(w io.Writer) error { return features.WriteLabels(w, dataset.Labels(rows)) }); err != nil {
			return err
		}
	}
	for _, m := range corpora {
		if len(names) > 0 && !names[m.name] {
			continue
		}
		docs := raw
		if m.cleaned {
			docs = cleaned
		}
		c := features.DefaultConfig()
		m.config(&c)
		v, x, err := features.Fit(ctx, c, docs[0], 0, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		other, err := v.Transform(ctx, docs[1], 0, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for i, x := range []*features.CSR{x, other} {
			file := filepath.Join(dir, m.name+[]string{"-train.npz", "-dev.npz"}[i])
			if err := write(file, func(w io.Writer) error { return features.WriteNPZ(w, x) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// write fills a file.
func write(path string, fill func(w io.Writer) error) error {
	f, err := os.Create(path) //nolint:gosec // a scratch file of the benchmark
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}
