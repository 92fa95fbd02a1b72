package text

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// oracle is what Python, NLTK and WordNet make of some texts: see
// ../testdata/fixtures.py.
type oracle struct {
	Cases []struct {
		Text, NLTK, Sklearn, Plain string
	}
	Lemmas map[string]string
	Same   []string
}

func readOracle(t *testing.T) *oracle {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "nltk.json"))
	if err != nil {
		t.Fatal(err)
	}
	o := new(oracle)
	if err := json.Unmarshal(data, o); err != nil {
		t.Fatal(err)
	}
	if len(o.Cases) < 50 || len(o.Lemmas) < 50 {
		t.Fatalf("%d cases, %d lemmas: fixture cut short", len(o.Cases), len(o.Lemmas))
	}
	return o
}

func cleaner(t testing.TB, change func(o *Options)) *Cleaner {
	t.Helper()
	o := Default()
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCleanIsNLTKs(t *testing.T) {
	nltk := cleaner(t, nil)
	sklearn := cleaner(t, func(o *Options) { o.StopWords = "sklearn" })
	plain := cleaner(t, func(o *Options) { o.StopWords, o.Lemmas = "none", false })
	for _, c := range readOracle(t).Cases {
		for _, run := range []struct {
			name string
			c    *Cleaner
			want string
		}{{"nltk", nltk, c.NLTK}, {"sklearn", sklearn, c.Sklearn}, {"plain", plain, c.Plain}} {
			if got := run.c.Clean(c.Text); got != run.want {
				t.Errorf("%s: Clean(%q)\n got %q\nwant %q", run.name, c.Text, got, run.want)
			}
		}
	}
}

func TestLemmasAreNLTKs(t *testing.T) {
	o := readOracle(t)
	for word, want := range o.Lemmas {
		if got := Lemma(word); got != want {
			t.Errorf("Lemma(%q) = %q, want %q", word, got, want)
		}
	}
	for _, word := range o.Same {
		if got := Lemma(word); got != word {
			t.Errorf("Lemma(%q) = %q, want it unchanged", word, got)
		}
	}
}
