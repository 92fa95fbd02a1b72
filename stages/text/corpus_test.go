package text

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// trainingReviews returns the 25,000 training reviews. They are not part of
// the repository; where they must be present, their absence is a failure.
func trainingReviews(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "imdb", "train.csv.gz"))
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skipf("IMDB reviews are missing: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	if header, err := r.Read(); err != nil || header[0] != "review" {
		t.Fatalf("header %q, %v", header, err)
	}
	var reviews []string
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return reviews
		}
		if err != nil {
			t.Fatal(err)
		}
		reviews = append(reviews, strings.Clone(record[0]))
	}
}

// The reviews cleaned here are byte for byte what Python and NLTK make of
// them: testdata/corpus.py says how the digests came about.
func TestCorpusIsNLTKs(t *testing.T) {
	if testing.Short() {
		t.Skip("all of the reviews, many times")
	}
	data, err := os.ReadFile(filepath.Join("testdata", "corpus.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Reviews int
		Cases   []struct {
			Name    string
			Options Options
			Words   int
			SHA256  string
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Cases) < 15 {
		t.Fatalf("%d cases: fixture cut short", len(want.Cases))
	}
	reviews := trainingReviews(t)
	if len(reviews) != want.Reviews {
		t.Fatalf("%d reviews, want %d", len(reviews), want.Reviews)
	}
	quick := []string{"training order", "serving order", "training order, later rule", "negation"}
	for _, tt := range want.Cases {
		if os.Getenv("CI") != "true" && os.Getenv("FLOW_FULL") != "1" && !slices.Contains(quick, tt.Name) {
			continue
		}
		t.Run(tt.Name, func(t *testing.T) {
			c, err := New(tt.Options)
			if err != nil {
				t.Fatal(err)
			}
			cleaned, err := c.All(context.Background(), reviews, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			digest, words := sha256.New(), 0
			for _, s := range cleaned {
				if s != "" {
					words += 1 + strings.Count(s, " ")
				}
				io.WriteString(digest, s+"\n")
			}
			if got := hex.EncodeToString(digest.Sum(nil)); got != tt.SHA256 || words != tt.Words {
				t.Errorf("%d words, sha256 %s\nwant %d words, sha256 %s", words, got, tt.Words, tt.SHA256)
			}
		})
	}
}
