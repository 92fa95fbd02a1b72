// Command pipeline times the whole sentiment pipeline with the settings of the
// Python project that flow succeeds — a bag of 50 words and an L1 penalty — on
// 50,000 reviews, CSV in and metrics out, beside that project's five Python
// processes. `flow repro` does all of its work besides: keys, cache, lock,
// report, figures and registration.
//
// The 37,500 reviews at hand are repeated from their beginning up to the number
// asked for. The Python with pandas, scikit-learn and NLTK is
// FLOW_BENCH_PYTHON or python3; WordNet's files are in -wordnet.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/flowrepro/flow/bench/measure"
	"github.com/flowrepro/flow/stages/dataset"
)

func main() {
	data := flag.String("data", "../shared/data/imdb", "the directory of train.csv.gz and dev.csv.gz")
	wordnet := flag.String("wordnet", "/usr/share/wordnet", "the directory of WordNet 3.0's files")
	reviews := flag.Int("reviews", 50000, "how many reviews")
	runs := flag.Int("runs", 3, "timed runs of each case")
	flag.Parse()
	if err := compare(*data, *wordnet, *reviews, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func compare(data, wordnet string, reviews, runs int) error {
	flow, ok := measure.Tool("FLOW_BENCH_FLOW", "flow")
	if !ok {
		return fmt.Errorf("FLOW_BENCH_FLOW does not name flow; bench/run builds it")
	}
	dir, err := os.MkdirTemp("", "flow-bench-pipeline-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	if err := writeReviews(filepath.Join(dir, "reviews.csv"), data, reviews); err != nil {
		return err
	}
	project, err := newProject(flow, dir)
	if err != nil {
		return err
	}
	cases := []measure.Case{{Name: "flow repro", Args: []string{flow, "repro", "-q", "-f"}, Dir: project}}
	python, ok := measure.Tool("FLOW_BENCH_PYTHON", "python3")
	if ok && exec.Command(python, "-c", "import nltk, pandas, sklearn").Run() == nil { //nolint:gosec // the Python that was named
		script, stop := filepath.Join("bench", "pipeline", "stages.py"), filepath.Join("stages", "text", "lists", "nltk.txt")
		run := fmt.Sprintf("set -e; p='%s'; s='%s'; d='%s'; $p $s ingest $d; $p $s preprocess $d '%s' '%s'; $p $s features $d; $p $s train $d; $p $s evaluate $d",
			python, script, dir, wordnet, stop)
		cases = append(cases, measure.Case{Name: "five Python processes", Args: []string{"sh", "-c", run}})
	} else {
		fmt.Fprintln(os.Stderr, "no Python with NLTK, pandas and scikit-learn: set FLOW_BENCH_PYTHON")
	}
	fmt.Printf("%s\n\n", measure.Machine())
	measure.Print(os.Stdout, fmt.Sprintf("%d reviews, 50 words, L1: CSV to metrics", reviews), measure.Compare(cases, 0, runs))
	return results(filepath.Join(project, "reports", "metrics.json"), filepath.Join(dir, "metrics.json"))
}

// newProject makes a project of the shipped pipeline with the first settings.
func newProject(flow, dir string) (string, error) {
	project := filepath.Join(dir, "project")
	for _, name := range []string{"dvc.yaml", "params.yaml", "configurations/bag_of_words.yaml"} {
		content, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			return "", err
		}
		to := filepath.Join(project, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, content, 0o666); err != nil {
			return "", err
		}
	}
	if err := os.Link(filepath.Join(dir, "reviews.csv"), filepath.Join(project, "reviews.csv")); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"init", "-q", "--no-scm"},
		{"repro", "-q", "-S", "data_ingestion.source=reviews.csv", "-S", "data_ingestion.test_source=reviews.csv", "-S", "configuration=configurations/bag_of_words.yaml"},
	} {
		cmd := exec.Command(flow, args...) //nolint:gosec // the program that is timed
		cmd.Dir = project
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s", args, err, out)
		}
	}
	return project, nil
}

func writeReviews(to, data string, n int) error {
	var all []dataset.Row
	for _, name := range []string{"train.csv.gz", "dev.csv.gz"} {
		rows, _, err := dataset.ReadFile(context.Background(), filepath.Join(data, name), nil)
		if err != nil {
			return err
		}
		all = append(all, rows...)
	}
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.Write([]string{"review", "sentiment"}) // Flush reports what fails
	for i := range n {
		r := all[i%len(all)]
		_ = w.Write([]string{r.Review, [2]string{"negative", "positive"}[r.Label]})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return os.WriteFile(to, buf.Bytes(), 0o666)
}

// results shows that both did the same work.
func results(files ...string) error {
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // that case did not run
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		var line []any
		for _, key := range slices.Sorted(slices.Values([]string{"accuracy", "precision", "recall", "auc"})) {
			line = append(line, key, m[key])
		}
		fmt.Println(line...)
	}
	return nil
}
