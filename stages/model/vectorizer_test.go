package model

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

func vectorizer(t testing.TB) *Vectorizer {
	t.Helper()
	c := features.DefaultConfig()
	c.Lowercase, c.Weighting, c.NgramRange = false, "tfidf", [2]int{1, 2}
	table, err := features.NewTable([]string{"bad", "bad film", "film", "good"})
	if err != nil {
		t.Fatal(err)
	}
	terms, err := features.New(c, table, []float64{1.5, 2, 1, 1.0 / 3})
	if err != nil {
		t.Fatal(err)
	}
	return &Vectorizer{Cleaning: text.Default(), Terms: terms}
}

func encoded(t testing.TB, v *Vectorizer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := v.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestVectorizerRoundTrip(t *testing.T) {
	hashed := vectorizer(t)
	c := features.DefaultConfig()
	c.Weighting, c.NFeatures = features.HashingWeighting, 64
	var err error
	if hashed.Terms, err = features.New(c, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*Vectorizer{vectorizer(t), hashed} {
		data := encoded(t, v)
		again, err := ReadVectorizer(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := encoded(t, again); !bytes.Equal(got, data) {
			t.Errorf("other bytes after a round trip:\n%s%s", data, got)
		}
		if diff := cmp.Diff(v.Cleaning, again.Cleaning); diff != "" {
			t.Error(diff)
		}
		if v.Terms.Cols() != again.Terms.Cols() {
			t.Errorf("%d columns became %d", v.Terms.Cols(), again.Terms.Cols())
		}
	}
}

// The format is read by other programs too: its bytes are pinned.
func TestVectorizerFormat(t *testing.T) {
	const want = `{"format":"flow.vectorizer","version":1,` +
		`"cleaning":{"markup":false,"urls":true,"digits":true,"lowercase":true,"punctuation":true,"stop_words":"nltk","lemmas":true},` +
		`"config":{"weighting":"tfidf","analyzer":"word","token_pattern":"(?u)\\b\\w\\w+\\b","lowercase":false,"strip_accents":"","stop_words":null,"ngram_range":[1,2],` +
		`"min_df":1,"max_df":1.0,"max_features":0,"binary":false,"use_idf":true,"smooth_idf":true,"sublinear_tf":false,"norm":"l2","n_features":1048576,"alternate_sign":true},` +
		`"terms":["bad","bad film","film","good"],"idf":[1.5,2,1,0.3333333333333333]}` + "\n"
	if diff := cmp.Diff(want, string(encoded(t, vectorizer(t)))); diff != "" {
		t.Error(diff)
	}
}

func TestVectorizerFaults(t *testing.T) {
	data := string(encoded(t, vectorizer(t)))
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", `"format"`, `"extra":1,"format"`, "unknown field"},
		{"wrong format", `flow.`, `flaw.`, "format"},
		{"no format", `"format":"flow.vectorizer",`, ``, "no format"},
		{"version", `"version":1`, `"version":2`, "version 2"},
		{"more", "}\n", "}{}", "after the end"},
		{"twice", `"bad","bad film"`, `"bad","bad"`, "twice"},
		{"idf", `[1.5,2,1,`, `[1.5,2,`, "inverse document"},
		{"stop words", `"nltk"`, `"latin"`, "stop words"},
		{"huge number", `"idf":[1.5`, `"idf":[-2e999`, "number"},
		{"no terms", `["bad","bad film","film","good"]`, `[]`, "empty"},
		{"terms of hashing", `"weighting":"tfidf"`, `"weighting":"hashing"`, "hashing has none"},
		{"cut", `]}`, ``, "unexpected"},
	} {
		bad := strings.Replace(data, tt.old, tt.new, 1)
		if bad == data {
			t.Errorf("%s: nothing replaced", tt.name)
		}
		if _, err := ReadVectorizer(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What was read is written and read again as the same.
func FuzzVectorizer(f *testing.F) {
	f.Add(encoded(f, vectorizer(f)))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ReadVectorizer(bytes.NewReader(data))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := v.Write(&first); err != nil {
			t.Fatal(err)
		}
		again, err := ReadVectorizer(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Write(&second); err != nil || second.String() != first.String() {
			t.Fatalf("%v\n%s\nbecame\n%s", err, first.Bytes(), second.Bytes())
		}
	})
}
