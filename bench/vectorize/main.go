// Command vectorize measures how long learning a vocabulary and making the
// matrix of the IMDB training reviews takes, beside scikit-learn in the same
// run. The time is that of fit_transform alone; the peak memory is that of the
// whole process, reading included. Each pair must agree on the vocabulary and
// on where the matrix has its values.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowrepro/flow/bench/measure"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
)

//go:embed vectorize.py
var script string

// cases are what is measured, as parameters of scikit-learn.
var cases = []struct{ name, config string }{
	{"counts, words", `{"weighting":"count"}`},
	{"counts, words and pairs", `{"weighting":"count","ngram_range":[1,2]}`},
	{"TF-IDF, words", `{"weighting":"tfidf"}`},
	{"TF-IDF, words and pairs, min_df 2", `{"weighting":"tfidf","ngram_range":[1,2],"min_df":2,"sublinear_tf":true}`},
	{"TF-IDF, up to three words, min_df 2", `{"weighting":"tfidf","ngram_range":[1,3],"min_df":2,"sublinear_tf":true}`},
	{"TF-IDF, 2 to 4 characters of words, min_df 5", `{"weighting":"tfidf","analyzer":"char_wb","ngram_range":[2,4],"min_df":5,"sublinear_tf":true}`},
	{"hashing, words and pairs", `{"weighting":"hashing","ngram_range":[1,2]}`},
}

// result is what a process measured of itself.
type result struct {
	Wall   float64 `json:"wall"` // seconds
	CPU    float64 `json:"cpu"`
	RSS    int64   `json:"rss"` // bytes
	Cols   int     `json:"cols"`
	NNZ    int     `json:"nnz"`
	Sum    float64 `json:"sum"`
	Digest string  `json:"digest"`
}

func main() {
	data := flag.String("data", "../shared/data/imdb/train.csv.gz", "reviews to vectorize")
	runs := flag.Int("runs", 3, "runs of each")
	only := flag.String("only", "", "measure the cases with this in their name")
	one := flag.String("one", "", "vectorize with this configuration and print the result as JSON")
	flag.Parse()
	err := func() error {
		if *one != "" {
			return vectorize(*data, *one)
		}
		return compare(*data, *runs, *only)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vectorize:", err)
		os.Exit(1)
	}
}

// vectorize is one run of flow's side.
func vectorize(data, config string) error {
	c, err := features.ReadUnionConfig([]byte(config))
	if err != nil {
		return err
	}
	ctx := context.Background()
	rows, _, err := dataset.ReadFile(ctx, data, nil)
	if err != nil {
		return err
	}
	docs := dataset.Reviews(rows)
	start, used := time.Now(), measure.CPU()
	v, m, err := features.Fit(ctx, c[0].Config, docs, 0, nil)
	if err != nil {
		return err
	}
	r := result{Wall: time.Since(start).Seconds(), CPU: (measure.CPU() - used).Seconds(), RSS: measure.Peak()}
	h := sha256.New()
	if v.Vocabulary() != nil {
		for i := range v.Cols() {
			fmt.Fprintf(h, "%s\n", v.Vocabulary().Term(int32(i)))
		}
	}
	if err := errors.Join(binary.Write(h, binary.LittleEndian, m.Indptr), binary.Write(h, binary.LittleEndian, m.Indices)); err != nil {
		return err
	}
	for _, x := range m.Data {
		r.Sum += x
	}
	r.Cols, r.NNZ, r.Digest = m.Cols, m.NNZ(), hex.EncodeToString(h.Sum(nil))
	return json.NewEncoder(os.Stdout).Encode(r)
}

// compare runs both in turn.
func compare(data string, runs int, only string) error {
	python, ok := measure.Tool("FLOW_BENCH_PYTHON", "python3")
	if !ok {
		return errors.New("no Python; FLOW_BENCH_PYTHON names one that has scikit-learn")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "flow-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "vectorize.py")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return err
	}
	fmt.Printf("%s\n\n", measure.Machine())
	fmt.Println("| vectorizer | columns | values | flow, s | CPU, s | MiB | scikit-learn, s | CPU, s | MiB | wall, times | CPU, times | memory, share |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, c := range cases {
		if !strings.Contains(c.name, only) {
			continue
		}
		var ours, theirs []result
		for range runs {
			a, err := run(self, "-data", data, "-one", c.config)
			if err != nil {
				return err
			}
			b, err := run(python, file, data, c.config)
			if err != nil {
				return err
			}
			if a.Digest != b.Digest || math.Abs(a.Sum-b.Sum) > 1e-9*math.Abs(b.Sum) {
				return fmt.Errorf("%s: the matrices differ: flow %+v, scikit-learn %+v", c.name, a, b)
			}
			ours, theirs = append(ours, a), append(theirs, b)
		}
		a, b := median(ours), median(theirs)
		fmt.Printf("| %s | %d | %d | %.2f | %.2f | %d | %.2f | %.2f | %d | %.1f | %.1f | %.2f |\n",
			c.name, a.Cols, a.NNZ, a.Wall, a.CPU, a.RSS>>20, b.Wall, b.CPU, b.RSS>>20,
			b.Wall/a.Wall, b.CPU/a.CPU, float64(a.RSS)/float64(b.RSS))
	}
	fmt.Println()
	return nil
}

func run(name string, args ...string) (result, error) {
	cmd := exec.Command(name, args...) //nolint:gosec // this program, or the Python that the user named
	var fault bytes.Buffer
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("%s: %w: %s", name, err, fault.String())
	}
	var r result
	return r, json.Unmarshal(out, &r)
}

// median takes each figure's median by itself.
func median(all []result) result {
	r := all[0]
	mid := func(of func(result) float64) float64 {
		values := make([]float64, len(all))
		for i, x := range all {
			values[i] = of(x)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	r.Wall = mid(func(x result) float64 { return x.Wall })
	r.CPU = mid(func(x result) float64 { return x.CPU })
	r.RSS = int64(mid(func(x result) float64 { return float64(x.RSS) }))
	return r
}
