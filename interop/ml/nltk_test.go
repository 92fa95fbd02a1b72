//go:build interop

package ml

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/text"
)

// The reviews cleaned here are byte for byte those that NLTK cleans, by the
// rule of its old and of its new lemmatizer.
func TestCleaningIsNLTKs(t *testing.T) {
	wordnet := os.Getenv("FLOW_TEST_WORDNET")
	if wordnet == "" {
		wordnet = "/usr/share/wordnet"
	}
	if _, err := os.Stat(filepath.Join(wordnet, "index.noun")); err != nil {
		missing(t, "WordNet's files: "+err.Error())
	}
	path := reviews(t)
	rows, _, err := dataset.ReadFile(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"FLOW_TEST_NLTK", "FLOW_TEST_PYTHON"} {
		t.Run(variable, func(t *testing.T) {
			python := peer(t, variable)
			cmd := exec.Command(python, filepath.Join("..", "..", "stages", "text", "testdata", "corpus.py"), wordnet, path)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("corpus.py: %v", err)
			}
			var nltk struct {
				NLTK    string
				Reviews int
				Cases   []struct {
					Name    string
					Options text.Options
					Words   int
					SHA256  string
				}
			}
			if err := json.Unmarshal(out, &nltk); err != nil {
				t.Fatal(err)
			}
			t.Logf("NLTK %s, %d reviews", nltk.NLTK, nltk.Reviews)
			if nltk.Reviews != len(rows) || len(nltk.Cases) < 9 {
				t.Fatalf("%d reviews of %d, %d cases", nltk.Reviews, len(rows), len(nltk.Cases))
			}
			for _, tt := range nltk.Cases {
				c, err := text.New(tt.Options)
				if err != nil {
					t.Fatal(err)
				}
				cleaned, err := c.All(context.Background(), dataset.Reviews(rows), 0, nil)
				if err != nil {
					t.Fatal(err)
				}
				digest, words := sha256.New(), 0
				for _, s := range cleaned {
					words += len(strings.Fields(s))
					_, _ = io.WriteString(digest, s+"\n")
				}
				if got := hex.EncodeToString(digest.Sum(nil)); got != tt.SHA256 {
					t.Errorf("%s: %d words, NLTK %d; sha256 %s, NLTK %s", tt.Name, words, tt.Words, got, tt.SHA256)
				} else {
					t.Logf("%s: %d words, the same bytes", tt.Name, words)
				}
			}
		})
	}
}
