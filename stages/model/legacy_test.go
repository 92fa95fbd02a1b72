package model

import (
	"bytes"
	"math"
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

func classifier() *Classifier {
	return &Classifier{
		Classes: [2]string{"negative", "positive"}, Coef: []float64{-2, -1e-17, 0, 3}, Intercept: 0.1,
		Fit: Fit{Penalty: "l2", C: 10, Rows: 4, Iterations: 3, Converged: true, Objective: 1.25},
	}
}

func write(t testing.TB, v *Vectorizer, c *Classifier) (vec, cls []byte) {
	t.Helper()
	var a, b bytes.Buffer
	if err := v.Write(&a); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	v, c := vectorizer(t), classifier()
	vec, cls := write(t, v, c)
	v2, err := ReadVectorizer(bytes.NewReader(vec))
	if err != nil {
		t.Fatal(err)
	}
	c2, err := ReadClassifier(bytes.NewReader(cls))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, c2); diff != "" {
		t.Error(diff)
	}
	vec2, cls2 := write(t, v2, c2)
	if !bytes.Equal(vec, vec2) || !bytes.Equal(cls, cls2) {
		t.Errorf("other bytes after a round trip:\n%s%s%s%s", vec, vec2, cls, cls2)
	}
	if diff := cmp.Diff(v.Cleaning, v2.Cleaning); diff != "" {
		t.Error(diff)
	}
}

// The formats are read by other programs too: their bytes are pinned.
func TestFormat(t *testing.T) {
	vec, cls := write(t, vectorizer(t), classifier())
	const wantVec = `{"format":"flow.vectorizer","version":1,` +
		`"cleaning":{"markup":false,"urls":true,"digits":true,"lowercase":true,"punctuation":true,"stop_words":"nltk","lemmas":true},` +
		`"config":{"weighting":"tfidf","analyzer":"word","token_pattern":"(?u)\\b\\w\\w+\\b","lowercase":false,"strip_accents":"","stop_words":null,"ngram_range":[1,2],` +
		`"min_df":1,"max_df":1.0,"max_features":0,"binary":false,"use_idf":true,"smooth_idf":true,"sublinear_tf":false,"norm":"l2","n_features":1048576,"alternate_sign":true},` +
		`"terms":["bad","bad film","film","good"],"idf":[1.5,2,1,0.3333333333333333]}` + "\n"
	const wantCls = `{"format":"flow.logistic","version":1,"classes":["negative","positive"],` +
		`"fit":{"penalty":"l2","c":10,"rows":4,"iterations":3,"converged":true,"objective":1.25},` +
		`"intercept":0.1,"coef":[-2,-1e-17,0,3]}` + "\n"
	if diff := cmp.Diff(wantVec, string(vec)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantCls, string(cls)); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	vec, cls := write(t, vectorizer(t), classifier())
	for _, tt := range []struct {
		name, old, new string
		want           string
	}{
		{"unknown key", `"format"`, `"extra":1,"format"`, "unknown field"},
		{"wrong format", `flow.`, `flaw.`, "format"},
		{"no format", `"format":"flow.vectorizer",`, ``, "no format"},
		{"no format", `"format":"flow.logistic",`, ``, "no format"},
		{"version", `"version":1`, `"version":2`, "version 2"},
		{"more", "}\n", "}{}", "after the end"},
		{"twice", `"bad","bad film"`, `"bad","bad"`, "twice"},
		{"idf", `[1.5,2,1,`, `[1.5,2,`, "inverse document"},
		{"stop words", `"nltk"`, `"latin"`, "stop words"},
		{"huge number", `"coef":[-2`, `"coef":[-2e999`, "number"},
		{"no coefficients", `[-2,-1e-17,0,3]`, `[]`, "no coefficients"},
		{"classes", `["negative","positive"]`, `["positive","positive"]`, "classes"},
		{"cut", `]}`, ``, "unexpected"},
	} {
		tried := 0
		for _, file := range []struct {
			data []byte
			read func(data []byte) error
		}{
			{vec, func(d []byte) error { _, err := ReadVectorizer(bytes.NewReader(d)); return err }},
			{cls, func(d []byte) error { _, err := ReadClassifier(bytes.NewReader(d)); return err }},
		} {
			bad := strings.Replace(string(file.data), tt.old, tt.new, 1)
			if bad == string(file.data) {
				continue
			}
			tried++
			if err := file.read([]byte(bad)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
			}
		}
		if tried == 0 {
			t.Errorf("%s: applies to no file", tt.name)
		}
	}
	c := classifier()
	c.Coef[1] = math.NaN()
	if err := c.Write(new(bytes.Buffer)); err == nil {
		t.Error("NaN was written")
	}
}

// What was read is written and read again as the same.
func FuzzVectorizer(f *testing.F) {
	vec, _ := write(f, vectorizer(f), classifier())
	f.Add(vec)
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

func FuzzClassifier(f *testing.F) {
	_, cls := write(f, vectorizer(f), classifier())
	f.Add(cls)
	f.Add([]byte(`{"format":"flow.logistic","version":1,"classes":["a","b"],"fit":{},"intercept":0,"coef":[1]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadClassifier(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ReadClassifier(&b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
