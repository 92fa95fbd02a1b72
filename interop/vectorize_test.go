//go:build interop

package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
)

// vectorizeCases are vectorizers by scikit-learn's parameters.
var vectorizeCases = map[string]string{
	"words":      `{"weighting":"count"}`,
	"pairs":      `{"weighting":"count","ngram_range":[1,2]}`,
	"top":        `{"weighting":"count","ngram_range":[1,2],"max_features":20000}`,
	"binary":     `{"weighting":"count","ngram_range":[2,3],"min_df":3,"max_df":0.05,"binary":true,"stop_words":"english"}`,
	"tfidf":      `{"weighting":"tfidf"}`,
	"triples":    `{"weighting":"tfidf","ngram_range":[1,3],"min_df":2,"sublinear_tf":true}`,
	"marks":      `{"weighting":"tfidf","token_pattern":"\\w+|[^\\w\\s]","smooth_idf":false,"norm":"l1","max_features":50000}`,
	"characters": `{"weighting":"tfidf","analyzer":"char_wb","ngram_range":[2,4],"min_df":5,"sublinear_tf":true}`,
	"hashing":    `{"weighting":"hashing","ngram_range":[1,2]}`,
	"collisions": `{"weighting":"hashing","n_features":4096,"norm":"l1"}`,
}

// TestVectorizersAreSklearns compares the vocabularies and the matrices of all
// reviews. Counts are equal. TF-IDF weights differ in the last places: by the
// logarithms of two libraries, and, when scikit-learn fits, by the order in
// which it adds up the squares of a row.
func TestVectorizersAreSklearns(t *testing.T) {
	python := os.Getenv("FLOW_TEST_PYTHON")
	if python == "" {
		lacking(t, "FLOW_TEST_PYTHON does not name a Python with scikit-learn")
	}
	var files [2]string
	var docs [2][]string
	for i, name := range []string{"train.csv.gz", "dev.csv.gz"} {
		files[i] = filepath.Join("..", "..", "shared", "data", "imdb", name)
		if _, err := os.Stat(files[i]); err != nil {
			lacking(t, err.Error())
		}
		rows, _, err := dataset.ReadFile(context.Background(), files[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		docs[i] = dataset.Reviews(rows)
	}
	for name, config := range vectorizeCases {
		t.Run(name, func(t *testing.T) {
			c, err := features.ReadUnionConfig([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			v, train, err := features.Fit(context.Background(), c[0].Config, docs[0], 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			dev, err := v.Transform(context.Background(), docs[1], 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			save(t, filepath.Join(dir, "train.npz"), func(w io.Writer) error { return features.WriteNPZ(w, train) })
			save(t, filepath.Join(dir, "dev.npz"), func(w io.Writer) error { return features.WriteNPZ(w, dev) })
			save(t, filepath.Join(dir, "terms"), func(w io.Writer) error {
				for _, term := range v.Terms() {
					if _, err := io.WriteString(w, term+"\n"); err != nil {
						return err
					}
				}
				return nil
			})
			cmd := exec.Command(python, filepath.Join("testdata", "vectorize.py"), dir, config, files[0], files[1])
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("vectorize.py: %v", err)
			}
			type comparison struct {
				Places, Equal bool
				Relative      float64
			}
			var r struct {
				Terms           bool
				Columns, Values int
				Fit, Transform  comparison
			}
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d columns, %d values, largest relative difference %.2g when fitting, %.2g later",
				r.Columns, r.Values, r.Fit.Relative, r.Transform.Relative)
			if r.Columns != v.Cols() || !r.Terms || !r.Fit.Places || !r.Transform.Places {
				t.Errorf("same terms %v, same places %v when fitting, %v later", r.Terms, r.Fit.Places, r.Transform.Places)
			}
			if c[0].Weighting == features.CountWeighting && (!r.Fit.Equal || !r.Transform.Equal) {
				t.Error("the counts are not equal")
			}
			if r.Fit.Relative > 1e-14 || r.Transform.Relative > 1e-15 {
				t.Error("the values differ too much")
			}
		})
	}
}

// lacking skips a test, or fails it where nothing may be skipped.
func lacking(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func save(t *testing.T, path string, fill func(w io.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	if err := fill(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
