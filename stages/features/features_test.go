package features

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTokens(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"a bc d efg":                    "bc|efg",
		"it's o'clock":                  "it|clock",
		"snake_case _x __":              "snake_case|_x|__",
		"naïve éé é ½¾ 中文字":             "naïve|éé|½¾|中文字",
		"e\u0301clair \xff\xffab a\xff": "clair|ab",
		"12 3 x4":                       "12|x4",
	} {
		got := words(DefaultPattern, in)
		if strings.Join(got, "|") != want {
			t.Errorf("Tokens(%q) = %q, want %q", in, got, want)
		}
	}
}

// words splits a text by a pattern.
func words(pattern, doc string) []string {
	c := DefaultConfig()
	c.TokenPattern, c.Lowercase = pattern, false
	a, err := newAnalyzer(c)
	if err != nil {
		panic(err)
	}
	var t tokens
	a.split(doc, &t, true)
	var out []string
	for i, start := range t.starts {
		out = append(out, string(t.text[start:t.ends[i]]))
	}
	return out
}

// naive learns a vocabulary the slow and obvious way, and returns the counts of
// some terms too, ascending.
func naive(c Config, docs, of []string) (terms []string, counts []int) {
	tf, df := map[string]int{}, map[string]int{}
	for _, d := range docs {
		words := words(DefaultPattern, d)
		seen := map[string]bool{}
		for n := c.NgramRange[0]; n <= c.NgramRange[1]; n++ {
			for i := 0; i+n <= len(words); i++ {
				g := strings.Join(words[i:i+n], " ")
				tf[g]++
				if !seen[g] {
					seen[g] = true
					df[g]++
				}
			}
		}
	}
	for g, n := range df {
		if float64(n) >= c.MinDF.of(len(docs)) && float64(n) <= c.MaxDF.of(len(docs)) {
			terms = append(terms, g)
		}
	}
	count := tf
	if c.Binary {
		count = df
	}
	sort.Slice(terms, func(i, j int) bool {
		if a, b := count[terms[i]], count[terms[j]]; a != b {
			return a > b
		}
		return terms[i] < terms[j]
	})
	if c.MaxFeatures > 0 && len(terms) > c.MaxFeatures {
		terms = terms[:c.MaxFeatures]
	}
	sort.Strings(terms)
	for _, g := range of {
		counts = append(counts, count[g])
	}
	sort.Ints(counts)
	return terms, counts
}

func TestFitAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"aa", "ab", "ba", "bb", "ca", "zz", "éé", "x"})
		docs := make([]string, rapid.IntRange(1, 30).Draw(t, "docs"))
		for i := range docs {
			docs[i] = strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "words"), " ")
		}
		c := DefaultConfig()
		c.NgramRange[0] = rapid.IntRange(1, 3).Draw(t, "min n")
		c.NgramRange[1] = rapid.IntRange(c.NgramRange[0], 4).Draw(t, "max n")
		c.MinDF = Count(rapid.IntRange(1, 3).Draw(t, "min df"))
		c.MaxDF = Share(rapid.SampledFrom([]float64{1, 0.7, 0.4}).Draw(t, "max df"))
		c.MaxFeatures = rapid.IntRange(0, 12).Draw(t, "max features")
		c.Binary = rapid.Bool().Draw(t, "binary")
		c.Weighting = rapid.SampledFrom([]string{"count", "tfidf"}).Draw(t, "weighting")
		want, _ := naive(c, docs, nil)
		v, m, err := Fit(context.Background(), c, docs, 3, nil)
		if err != nil {
			if len(want) > 0 && c.MaxDF.of(len(docs)) >= c.MinDF.of(len(docs)) {
				t.Fatalf("error %v, want terms %q", err, want)
			}
			return
		}
		got := v.Terms()
		if c.MaxFeatures > 0 && len(got) == len(want) && sort.StringsAreSorted(got) {
			// Which of several equally frequent terms stay is another test's matter.
			_, wantCounts := naive(c, docs, want)
			_, gotCounts := naive(c, docs, got)
			if cmp.Equal(wantCounts, gotCounts) {
				want = got
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("terms (-want +got):\n%s", diff)
		}
		again, err := v.Transform(context.Background(), docs, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("matrix (-fit +transform):\n%s", diff)
		}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRowIsTransform(t *testing.T) {
	docs := []string{"good film good plot", "bad film", "good bad plot"}
	c := DefaultConfig()
	c.Weighting, c.NgramRange = "tfidf", [2]int{1, 2}
	v, m, err := Fit(context.Background(), c, docs, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var r Row
	for i, d := range docs {
		v.Row(d, &r)
		wantCols, wantVals := m.Row(i)
		if diff := cmp.Diff(wantCols, r.Indices) + cmp.Diff(wantVals, r.Data); diff != "" {
			t.Errorf("row %d: %s", i, diff)
		}
	}
	if v.Row("nothing known here", &r); len(r.Indices) != 0 {
		t.Errorf("unknown words give columns %v", r.Indices)
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	docs := make([]string, 3000)
	for i := range docs {
		var b strings.Builder
		for range rng.IntN(20) {
			fmt.Fprintf(&b, "w%d ", rng.IntN(200)*rng.IntN(5))
		}
		docs[i] = b.String()
	}
	c := DefaultConfig()
	c.Weighting, c.NgramRange, c.MinDF = "tfidf", [2]int{1, 2}, Count(2)
	var first []byte
	for _, workers := range []int{1, 2, 7} {
		_, m, err := Fit(context.Background(), c, docs, workers, nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := WriteNPZ(&b, m); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b.Bytes()
		} else if !bytes.Equal(first, b.Bytes()) {
			t.Errorf("%d workers: other bytes", workers)
		}
	}
}

func TestFitFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(c *Config)
		docs   []string
		want   string
	}{
		{"no texts", nil, nil, "no texts"},
		{"no words", nil, []string{"", "a !"}, "no words"},
		{"too rare", func(c *Config) { c.MinDF = Count(3) }, []string{"aa", "bb", "cc"}, "no term is within"},
		{"crossed", func(c *Config) { c.MinDF, c.MaxDF = Count(3), Share(0.5) }, []string{"aa", "bb"}, "is below min_df"},
		{"range", func(c *Config) { c.NgramRange[1] = 99 }, []string{"aa"}, "ngram_range"},
		{"share", func(c *Config) { c.MaxDF = Share(1.5) }, []string{"aa"}, "max_df"},
		{"NaN", func(c *Config) { c.MaxDF = Share(math.NaN()) }, []string{"aa"}, "max_df"},
		{"weighting", func(c *Config) { c.Weighting = "bm25" }, []string{"aa"}, "weighting"},
		{"norm", func(c *Config) { c.Norm = "max" }, []string{"aa"}, "norm"},
	} {
		c := DefaultConfig()
		if tt.change != nil {
			tt.change(&c)
		}
		if _, _, err := Fit(context.Background(), c, tt.docs, 1, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Fit(ctx, DefaultConfig(), []string{"aa"}, 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestNewFaults(t *testing.T) {
	tfidf := DefaultConfig()
	tfidf.Weighting = "tfidf"
	for _, tt := range []struct {
		name  string
		c     Config
		terms []string
		idf   []float64
	}{
		{"empty", DefaultConfig(), nil, nil},
		{"twice", DefaultConfig(), []string{"a", "a"}, nil},
		{"empty term", DefaultConfig(), []string{"", "a"}, nil},
		{"not UTF-8", DefaultConfig(), []string{"\xff"}, nil},
		{"idf missing", tfidf, []string{"a"}, nil},
		{"idf unused", DefaultConfig(), []string{"a"}, []float64{1}},
		{"idf infinite", tfidf, []string{"a"}, []float64{math.Inf(1)}},
	} {
		table, err := NewTable(tt.terms)
		if err == nil {
			_, err = New(tt.c, table, tt.idf)
		}
		if err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

func TestBoundJSON(t *testing.T) {
	for in, want := range map[string]string{"2": "2", "1": "1", "1.0": "1.0", "0.25": "0.25", "1e-1": "0.1"} {
		var b Bound
		if err := b.UnmarshalJSON([]byte(in)); err != nil {
			t.Fatal(err)
		}
		out, err := b.MarshalJSON()
		if err != nil || string(out) != want {
			t.Errorf("%s: %s, error %v; want %s", in, out, err, want)
		}
	}
	for _, in := range []string{"0", "-1", "1.5", `"1"`, "x", "99999999999999999999"} {
		if err := new(Bound).UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
}

func matrix() *CSR {
	return &CSR{Rows: 3, Cols: 4, Indptr: []int64{0, 2, 2, 3}, Indices: []int32{0, 3, 1}, Data: []float64{1, -2.5, 1e-300}}
}

func TestNPZRoundTrip(t *testing.T) {
	for _, m := range []*CSR{matrix(), {Indptr: []int64{0}, Indices: []int32{}, Data: []float64{}}} {
		var b bytes.Buffer
		if err := WriteNPZ(&b, m); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNPZ(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("(-wrote +read):\n%s", diff)
		}
	}
}

func TestLabelsRoundTrip(t *testing.T) {
	for _, want := range [][]int{{}, {1, 0, 1}} {
		var b bytes.Buffer
		if err := WriteLabels(&b, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadLabels(&b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, change := range map[string]func(m *CSR){
		"column out of range": func(m *CSR) { m.Indices[1] = 4 },
		"negative column":     func(m *CSR) { m.Indices[0] = -1 },
		"columns descend":     func(m *CSR) { m.Indices[0] = 3 },
		"offsets descend":     func(m *CSR) { m.Indptr[1], m.Indptr[2] = 3, 1 },
		"offset too large":    func(m *CSR) { m.Indptr[1] = 9 },
		"offsets short":       func(m *CSR) { m.Indptr = m.Indptr[:3] },
		"values short":        func(m *CSR) { m.Data = m.Data[:2] },
	} {
		m := matrix()
		change(m)
		if m.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// entries unpacks an archive.
func entries(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func FuzzReadNPZ(f *testing.F) {
	var b bytes.Buffer
	if err := WriteNPZ(&b, matrix()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ReadNPZ(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteNPZ(&out, m); err != nil {
			t.Fatal(err)
		}
		again, err := ReadNPZ(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzReadLabels(f *testing.F) {
	f.Add(append(npyHeader("<i8", 1), 1, 0, 0, 0, 0, 0, 0, 0))
	f.Add(append(npyHeader("<i4", 2), 1, 0, 0, 0, 0, 0, 0, 0))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		labels, err := ReadLabels(bytes.NewReader(data))
		if err == nil && len(labels) > len(data) {
			t.Fatalf("%d labels from %d bytes", len(labels), len(data))
		}
	})
}
