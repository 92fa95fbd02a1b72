// Command predict measures what a user waits for who scores a text with a model
// as large as they come, of words, pairs and triples of IMDB's reviews: the
// whole process of flow beside Python's, which loads the same model by joblib
// into scikit-learn. Then it measures the scoring of a file of reviews.
package main

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flowrepro/flow/bench/measure"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "predict:", err)
		os.Exit(1)
	}
}

const review = "I went in expecting very little and came out delighted. The acting is superb, the script is never dull, and " +
	"even the scenes that should not work do. It is not without faults, the ending above all, but it is one of the best films of the year."

func run(ctx context.Context) error {
	flow, ok := measure.Tool("FLOW_BENCH_FLOW", "flow")
	if !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	data := os.Getenv("FLOW_BENCH_IMDB")
	if data == "" {
		data = filepath.Join("..", "shared", "data", "imdb")
	}
	tmp, err := os.MkdirTemp("", "flow-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	fmt.Printf("%s\n\n", measure.Machine())
	return compare(ctx, flow, data, filepath.Join(tmp, "model"))
}

func compare(ctx context.Context, flow, data, dir string) error {
	m, err := train(ctx, filepath.Join(data, "train.csv.gz"), dir)
	if err != nil {
		return err
	}
	info := m.Info()
	dev := filepath.Join(data, "dev.csv.gz")
	size := fmt.Sprintf("%d terms, %s", info.Columns, measure.Bytes(info.Bytes))
	one := []measure.Case{{Name: "flow", Args: []string{flow, "predict", dir, "--text", review}}}
	many := []measure.Case{{Name: "flow", Args: []string{flow, "predict", dir, dev, "--json"}}}
	if python := os.Getenv("FLOW_BENCH_PYTHON"); python != "" {
		script := filepath.Join(dir, "..", "peer.py")
		if err := os.WriteFile(script, []byte(peer), 0o666); err != nil {
			return err
		}
		env := []string{"PYTHONDONTWRITEBYTECODE=", "PYTHONPATH=" + filepath.Join(dir, "code")}
		dumped := dir + ".joblib"
		prepare := measure.Compare([]measure.Case{{Name: "dump", Args: []string{python, script, "dump", dir, dumped}, Env: env}}, 0, 1)
		if prepare[0].Err != nil {
			return prepare[0].Err
		}
		one = append(one, measure.Case{Name: "Python, joblib and scikit-learn", Args: []string{python, script, "one", dumped, review}, Env: env})
		many = append(many, measure.Case{Name: "Python, joblib and scikit-learn", Args: []string{python, script, "many", dumped, dev}, Env: env})
	}
	measure.Print(os.Stdout, "one review, "+size, measure.Compare(one, 1, 7))
	measure.Print(os.Stdout, "12,500 reviews, "+size, measure.Compare(many, 0, 1))
	return inside(dir, dev)
}

// inside prints what the parts of it take in a process that lives on.
func inside(dir, dev string) error {
	texts, _, err := reviews(dev)
	if err != nil {
		return err
	}
	opening, scoring, explaining := time.Hour, time.Hour, time.Hour
	texts = texts[:2000]
	for range 5 {
		start := time.Now()
		m, err := model.Open(dir)
		if err != nil {
			return err
		}
		opening = min(opening, time.Since(start))
		start = time.Now()
		for _, t := range texts {
			m.Predict(t)
		}
		scoring = min(scoring, time.Since(start)/time.Duration(len(texts)))
		start = time.Now()
		for _, t := range texts {
			m.Explain(t, 10)
		}
		explaining = min(explaining, time.Since(start)/time.Duration(len(texts)))
	}
	bytes := 0
	for _, t := range texts {
		bytes += len(t)
	}
	fmt.Printf("Inside a process, best of 5: open and verify %.1f ms; predict %.0f µs, explain %.0f µs for a review of %d bytes on average, one goroutine.\n\n",
		float64(opening.Microseconds())/1000, float64(scoring.Nanoseconds())/1000, float64(explaining.Nanoseconds())/1000, bytes/len(texts))
	return nil
}

// train makes a model: few iterations do, as weights cost the same whatever
// they are.
func train(ctx context.Context, file, dir string) (*model.Model, error) {
	texts, labels, err := reviews(file)
	if err != nil {
		return nil, err
	}
	cleaning := text.Default()
	cleaning.Markup, cleaning.StopWords = true, ""
	cleaner, err := text.New(cleaning)
	if err != nil {
		return nil, err
	}
	if texts, err = cleaner.All(ctx, texts, 0, nil); err != nil {
		return nil, err
	}
	c := features.DefaultConfig()
	c.Weighting, c.Lowercase, c.NgramRange, c.MinDF, c.SublinearTF = features.TfidfWeighting, false, [2]int{1, 3}, features.Count(2), true
	union, x, err := features.FitUnion(ctx, features.UnionConfig{{Name: "terms", Config: c}}, texts, 0, nil)
	if err != nil {
		return nil, err
	}
	o := linear.DefaultOptions()
	o.C, o.MaxIter = 10, 10
	r, err := linear.Fit(ctx, x, labels, o)
	if err != nil {
		return nil, err
	}
	_, err = model.Write(ctx, dir, model.Parts{
		Features: model.Features{Cleaning: cleaning, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: r.Coef, Intercept: r.Intercept, Example: review,
	})
	if err != nil {
		return nil, err
	}
	return model.Open(dir)
}

// reviews reads a file of reviews with their labels.
func reviews(path string) (texts []string, labels []int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil, err
	}
	records, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	for _, r := range records[1:] {
		label := 0
		if r[1] == "positive" {
			label = 1
		}
		texts, labels = append(texts, r[0]), append(labels, label)
	}
	return texts, labels, nil
}

// peer is scikit-learn's pipeline of the same model, stored as its users do.
const peer = `
import sys
import joblib

if sys.argv[1] == "dump":
    import glob, importlib, os
    module = glob.glob(os.path.join(sys.argv[2], "code", "flow_model_*.py"))[0]
    pipeline = importlib.import_module(os.path.basename(module)[:-3])._pipeline()
    joblib.dump(pipeline, sys.argv[3])
elif sys.argv[1] == "one":
    print(joblib.load(sys.argv[2]).predict_proba([sys.argv[3]]))
else:
    import pandas
    pipeline = joblib.load(sys.argv[2])
    pandas.DataFrame(pipeline.predict_proba(pandas.read_csv(sys.argv[3])["review"].tolist())).to_json(sys.stdout, orient="records", lines=True)
`
