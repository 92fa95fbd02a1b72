//go:build interop

package interop

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

// modelCase is a way to make a model that Python must read alike.
type modelCase struct {
	name        string
	cleaning    func(o *text.Options)
	vectorizers func() features.UnionConfig
	calibration model.Calibration
	threshold   float64
}

func wordTerms(weighting string, last int) features.NamedConfig {
	c := features.DefaultConfig()
	c.Weighting, c.NgramRange, c.MinDF = weighting, [2]int{1, last}, features.Count(2)
	return features.NamedConfig{Name: "words", Config: c}
}

var modelCases = []modelCase{
	{
		name:     "words",
		cleaning: func(o *text.Options) { o.Markup, o.StopWords = true, "" },
		vectorizers: func() features.UnionConfig {
			c := wordTerms(features.TfidfWeighting, 3)
			c.SublinearTF, c.Lowercase = true, false
			return features.UnionConfig{c}
		},
		calibration: model.Calibration{Slope: 0.9, Offset: 0.05},
	},
	{
		name: "union",
		cleaning: func(o *text.Options) {
			o.Entities, o.Negation, o.Stem, o.Lemmas = true, true, true, false
			o.Keep, o.Drop = []string{"not", "no"}, []string{"film", "movie"}
		},
		vectorizers: func() features.UnionConfig {
			counts, chars := wordTerms(features.CountWeighting, 1), wordTerms(features.TfidfWeighting, 1)
			counts.Binary, counts.StopWords.List = true, "english"
			chars.Name, chars.Analyzer, chars.NgramRange, chars.Norm = "chars", features.CharWBAnalyzer, [2]int{2, 4}, "l1"
			return features.UnionConfig{counts, chars}
		},
		threshold: 0.6,
	},
	{
		name: "hashed",
		cleaning: func(o *text.Options) {
			o.LemmaPOS, o.Lemmatizer, o.Digits = "v", "nltk-3.9", false
			o.Order = []string{"stop_words", "urls", "lowercase", "lemmas", "punctuation"}
		},
		vectorizers: func() features.UnionConfig {
			hashed, chars := wordTerms(features.HashingWeighting, 2), wordTerms(features.CountWeighting, 1)
			hashed.NFeatures = 1 << 14
			chars.Name, chars.Analyzer, chars.NgramRange, chars.StripAccents = "chars", features.CharAnalyzer, [2]int{3, 3}, "unicode"
			return features.UnionConfig{hashed, chars}
		},
		calibration: model.Calibration{Slope: 0.01, Offset: 0.5},
	},
}

// TestModel holds MLflow's python_function and sklearn flavors of models that
// flow wrote to flow's own predictions.
func TestModel(t *testing.T) {
	python := os.Getenv("FLOW_TEST_PYTHON")
	if python == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("FLOW_TEST_PYTHON does not name the Python that has MLflow and scikit-learn")
		}
		t.Skip("FLOW_TEST_PYTHON does not name the Python that has MLflow and scikit-learn")
	}
	train, labels := imdbReviews(t, "train.csv.gz", 2000)
	dev, _ := imdbReviews(t, "dev.csv.gz", 1000)
	dev = append(dev, "", " ", "naïve CAFÉ déjà-vu ΟΔΟΣ ΌΣΟΣ", "not good at all; never! 12½ ²³ x²", "&lt;b&gt; &amp;c &eacute;", "<br /><br/>a<b", "http://x.y/z?w=<br />www.a b")
	args := []string{filepath.Join("testdata", "model.py")}
	for _, c := range modelCases {
		dir := filepath.Join(t.TempDir(), c.name)
		c.write(t, dir, train, labels, dev)
		args = append(args, dir)
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore", "MLFLOW_TRACKING_URI=sqlite:///"+filepath.Join(t.TempDir(), "mlflow.db"))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatal(err)
	}
}

// write makes the model and what it says of the texts.
func (c modelCase) write(t *testing.T, dir string, train []string, labels []int, texts []string) {
	ctx := context.Background()
	o := text.Default()
	c.cleaning(&o)
	cleaner, err := text.New(o)
	if err != nil {
		t.Fatal(err)
	}
	cleaned, err := cleaner.All(ctx, train, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	union, x, err := features.FitUnion(ctx, c.vectorizers(), cleaned, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	lo := linear.DefaultOptions()
	lo.MaxIter = 30
	r, err := linear.Fit(ctx, x, labels, lo)
	if err != nil {
		t.Fatal(err)
	}
	p := model.Parts{
		Features: model.Features{Cleaning: o, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: r.Coef, Intercept: r.Intercept,
		Calibration: c.calibration, Threshold: c.threshold, Example: texts[0],
	}
	if _, err := model.Write(ctx, filepath.Join(dir, "model"), p); err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(filepath.Join(dir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Texts         []string  `json:"texts"`
		Cleaned       []string  `json:"cleaned"`
		Labels        []string  `json:"labels"`
		Probabilities []float64 `json:"probabilities"`
		Classes       [2]string `json:"classes"`
	}
	expected.Texts, expected.Classes = texts, m.Classes()
	for _, text := range texts {
		q := m.Predict(text)
		expected.Cleaned = append(expected.Cleaned, cleaner.Clean(text))
		expected.Labels = append(expected.Labels, q.Class)
		expected.Probabilities = append(expected.Probabilities, q.Probabilities[1])
	}
	data, err := json.Marshal(expected)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "expected.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// imdbReviews reads some of the real reviews, which are not part of the repository.
func imdbReviews(t *testing.T, name string, rows int) (texts []string, labels []int) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "shared", "data", "imdb", name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("IMDB reviews are missing: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	for len(texts) < rows {
		record, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		label := 0
		if record[1] == "positive" {
			label = 1
		}
		texts, labels = append(texts, record[0]), append(labels, label)
	}
	return texts, labels
}
