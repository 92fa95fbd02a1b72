package model

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

func union(t testing.TB, parts ...features.Part) *features.Union {
	t.Helper()
	u, err := features.NewUnion(parts...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// parts are those of a small model: words and pairs of them with TF-IDF, and
// counted characters of words.
func parts(t testing.TB) Parts {
	t.Helper()
	c := features.DefaultConfig()
	c.Lowercase, c.Analyzer, c.NgramRange = false, features.CharWBAnalyzer, [2]int{3, 3}
	table, err := features.NewTable([]string{" ba", "ad ", "lm ", "oo¨"})
	if err != nil {
		t.Fatal(err)
	}
	chars, err := features.New(c, table, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Parts{
		Features: Features{
			Cleaning: text.Default(),
			Union:    union(t, features.Part{Name: "words", Vectorizer: vectorizer(t).Terms}, features.Part{Name: "chars", Vectorizer: chars}),
		},
		Classes: [2]string{"negative", "positive"},
		Coef:    []float64{-2, -1e-17, 0, 3, -0.25, -0.125, 0.5, 1}, Intercept: 0.1,
		Example:  "A good film, not a bad film.",
		Metadata: map[string]any{"metrics": map[string]float64{"accuracy": 0.75}, "author": "<nobody>"},
	}
}

func made(t testing.TB, p Parts) *Model {
	t.Helper()
	m, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// written is the directory of a model.
func written(t testing.TB, p Parts) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "models", "small")
	if _, err := Write(context.Background(), dir, p); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPredict(t *testing.T) {
	p := parts(t)
	m := made(t, p)
	// Cleaning is the model's: capitals, stop words and plurals go.
	got := m.Predict("The GOOD films!!")
	norm := math.Hypot(1.0/3, 1)
	z := 0.1 + 3*(1.0/3)/norm + 0.5 // and the end of "film "
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	if got.Label != 1 || got.Class != "positive" || math.Abs(got.LogOdds-z) > 1e-14 || math.Abs(got.Probabilities[1]-sigmoid(z)) > 1e-14 ||
		math.Abs(got.Probabilities[0]+got.Probabilities[1]-1) > 1e-15 {
		t.Errorf("%+v, want the log-odds %v", got, z)
	}
	// Terms: good, good film, film; " go", "goo", "ood", "od ", " fi", "fil", "ilm", "lm ".
	if got.Tokens != 11 || got.Unknown != 8 || got.UnknownShare() != 8.0/11 {
		t.Errorf("%d of %d terms are unknown", got.Unknown, got.Tokens)
	}
	if got := m.Predict("bad, bad film"); got.Label != 0 || got.Class != "negative" || got.Probabilities[0] <= 0.5 {
		t.Errorf("%+v", got)
	}
	if got := m.Predict(""); got.LogOdds != 0.1 || got.Tokens != 0 || got.UnknownShare() != 0 {
		t.Errorf("empty text: %+v", got)
	}
	p.Calibration, p.Threshold = Calibration{0.5, -1}, 0.45
	calibrated := made(t, p).Predict("The GOOD films!!")
	if want := 0.5*z - 1; math.Abs(calibrated.LogOdds-want) > 1e-14 || calibrated.Label != 0 {
		t.Errorf("%+v, want the log-odds %v", calibrated, want)
	}
	p.Threshold = 0.44
	if got := made(t, p).Predict("The GOOD films!!"); got.Label != 1 {
		t.Errorf("above the threshold: %+v", got)
	}
}

// A model predicts what rows of a matrix are scored with.
func TestPredictAsMatrix(t *testing.T) {
	p := parts(t)
	m := made(t, p)
	cleaner, err := text.New(p.Cleaning)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"Good film!", "a bad, bad film", "", "film films filming 12", strings.Repeat("good bad film ", 99)}
	clean, err := cleaner.All(context.Background(), texts, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := p.Union.Transform(context.Background(), clean, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := m.PredictRows(context.Background(), x, 1)
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.PredictAll(context.Background(), texts, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		got := m.Predict(text)
		if got.LogOdds != rows[i].LogOdds || got.Label != rows[i].Label || got != all[i] {
			t.Errorf("%.20q: %v by text, %v by row, %v of many", text, got.LogOdds, rows[i].LogOdds, all[i].LogOdds)
		}
	}
}

func TestConcurrentPredict(t *testing.T) {
	m := made(t, parts(t))
	want := m.Predict("good film, bad film")
	explained := m.Explain("good film, bad film", 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got := m.Predict("good film, bad film"); got != want {
					t.Errorf("%+v, want %+v", got, want)
					return
				}
				if diff := cmp.Diff(explained, m.Explain("good film, bad film", 0)); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPredictStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := made(t, parts(t)).PredictAll(ctx, make([]string, 1000), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after cancellation", err)
	}
}

func TestCollect(t *testing.T) {
	p := parts(t)
	m := made(t, p)
	texts := []string{"good", "good film", "bad", "bad bad film", "unheard of", "", "good", "good", "good", "bad"}
	s, err := m.Collect(context.Background(), texts, 2)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 10 || s.PositiveShare != 0.7 || len(s.ScoreDeciles) != 9 || s.check() != nil {
		t.Errorf("%+v", s)
	}
	var rows int64
	for _, c := range s.UnknownShare.Counts {
		rows += c
	}
	if rows != 10 || s.Length.Counts[s.Length.Bin(3)] != 6 || s.Length.Bin(0) != 0 || s.Length.Bin(1e9) != len(s.Length.Counts)-1 {
		t.Errorf("%+v", s)
	}
	p.Statistics = s
	dir := written(t, p)
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, again.Statistics()); diff != "" {
		t.Error(diff)
	}
	if _, err := m.Collect(context.Background(), nil, 0); err == nil {
		t.Error("statistics of nothing")
	}
}

func TestExplain(t *testing.T) {
	p := parts(t)
	p.Calibration = Calibration{2, 0.25}
	m := made(t, p)
	raw := "Good? No -- BAD films!<br />Good <b>good</b>http://x.y/good"
	e := m.Explain(raw, 0)
	if e.Prediction != m.Predict(raw) {
		t.Errorf("%+v, predicted %+v", e.Prediction, m.Predict(raw))
	}
	sum, spans := e.Intercept, e.Intercept
	for i, x := range e.Terms {
		sum += x.Weight
		if i > 0 && math.Abs(x.Weight) > math.Abs(e.Terms[i-1].Weight) {
			t.Errorf("%v is out of order", x)
		}
	}
	end := 0
	var marked []string
	for _, s := range e.Spans {
		spans += s.Weight
		if s.Start < end || s.End <= s.Start || s.End > len(raw) {
			t.Fatalf("span %+v after %d", s, end)
		}
		end = s.End
		marked = append(marked, raw[s.Start:s.End])
	}
	if math.Abs(sum-e.LogOdds) > 1e-12 || math.Abs(spans-e.LogOdds) > 1e-12 {
		t.Errorf("log-odds %v; terms add up to %v, spans to %v", e.LogOdds, sum, spans)
	}
	if diff := cmp.Diff([]string{"Good", "BAD", "films", "Good", "good"}, marked); diff != "" {
		t.Error(diff)
	}
	if x := e.Terms[0]; x.Text != "good" || x.Count != 3 || x.Vectorizer != "words" || x.Weight <= 0 {
		t.Errorf("%+v", x)
	}
	few := m.Explain(raw, 2)
	if sum := few.Intercept + few.Terms[0].Weight + few.Terms[1].Weight + few.Rest; len(few.Terms) != 2 || math.Abs(sum-e.LogOdds) > 1e-12 {
		t.Errorf("%+v", few)
	}
	none := m.Explain(raw, -1)
	if none.Terms != nil || none.Rest != 0 {
		t.Errorf("no terms wanted: %v, rest %v", none.Terms, none.Rest)
	}
	if diff := cmp.Diff(e.Spans, none.Spans); diff != "" {
		t.Errorf("spans without terms: %s", diff)
	}
	if e := m.Explain("", 0); len(e.Terms) != 0 || len(e.Spans) != 0 || e.Intercept != e.LogOdds {
		t.Errorf("empty text: %+v", e)
	}
}

func TestExplainHashed(t *testing.T) {
	p := parts(t)
	c := features.DefaultConfig()
	c.Weighting, c.NFeatures = features.HashingWeighting, 2
	v, err := features.New(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Union, p.Coef = union(t, features.Part{Name: "hashed", Vectorizer: v}), []float64{1, -1}
	e := made(t, p).Explain("good bad ugly film", 0)
	sum := e.Intercept
	var words int
	for _, x := range e.Terms {
		sum += x.Weight
		words += x.Count
		if x.Text == "" {
			t.Errorf("%+v has no name", x)
		}
	}
	if math.Abs(sum-e.LogOdds) > 1e-12 || words != 4 {
		t.Errorf("%+v", e)
	}
	dir := written(t, p)
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Predict("good bad ugly film"); got.LogOdds != e.LogOdds {
		t.Errorf("%v after reading, %v before", got.LogOdds, e.LogOdds)
	}
}

func TestLocate(t *testing.T) {
	cleaning := text.Default()
	cleaning.Markup, cleaning.Negation = true, true
	cleaning.StopWords, cleaning.Entities = "", true
	c, err := text.New(cleaning)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		"one two":                     "one/two",
		"a<br />b <i class=\"x y\">c": "a/b/c",
		"It's not good, it's bad.":    "It's/It's/not/good/it's/it's/bad",
		"12 films, 3 a.m. http://x y": "films/a/m/y",
		"":                            "",
		"<5 6>":                       "",
		"ΟΔΟΣ ΟΔΟΣ":                   "ΟΔΟΣ/ΟΔΟΣ",
		"\xff\xfe ok":                 "\xff\xfe/ok",
		"“quoted” word—dash":          "“quoted”/word—dash",
		"&quot;'great'&quot;":         "great",
		strings.Repeat("<p>a ", 3000): strings.Repeat("a/", 2999) + "a",
	} {
		var got []string
		for _, p := range locate(c, raw, strings.Fields(c.Clean(raw))) {
			if p.start < p.end {
				got = append(got, raw[p.start:p.end])
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, "/")); diff != "" {
			t.Errorf("%.40q: %s", raw, diff)
		}
	}
}

func TestInfo(t *testing.T) {
	p := parts(t)
	m, err := Open(written(t, p))
	if err != nil {
		t.Fatal(err)
	}
	i := m.Info()
	if i.Columns != 8 || len(i.Vectorizers) != 2 || i.Vectorizers[1].Name != "chars" || i.Threshold != 0.5 || i.Calibration != (Calibration{1, 0}) ||
		!strings.Contains(string(i.Metadata), `"<nobody>"`) || i.Bytes == 0 || i.Digest != m.Digest() {
		t.Errorf("%+v", i)
	}
	if text, x := m.Example(); text != p.Example || x != m.Predict(p.Example) {
		t.Errorf("%q, %+v", text, x)
	}
	if m.Coefficient(3) != 3 || m.Classes() != p.Classes || m.Features().Union.Cols() != 8 {
		t.Error("parts are not as given")
	}
}

func TestFeatures(t *testing.T) {
	p := parts(t)
	dir := filepath.Join(t.TempDir(), "features")
	if err := WriteFeatures(context.Background(), dir, p.Features); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFeatures(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "no classifier") {
		t.Errorf("features opened as a model: %v", err)
	}
	// A model of features that were read is the same as of those that were made.
	a := written(t, p)
	p.Features = f
	if b := written(t, p); read(t, a, HeaderFile) != read(t, b, HeaderFile) {
		t.Error("the vocabulary changed on its way through a file")
	}
	if _, err := OpenFeatures(a); err != nil {
		t.Error(err)
	}
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tree is the content of all files of a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path] = read(t, dir, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
