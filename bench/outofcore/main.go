// Command outofcore trains on more reviews than one would keep in memory: it
// makes reviews by recombining the sentences of the IMDB training reviews,
// hashes them into blocks on disk as they come, trains by passes over the
// blocks, and scores the reviews of the development split. With several sizes it
// shows that time grows linearly with the number of reviews and memory does not
// grow with them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/bench/measure"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/score"
)

const config = `{"weighting":"hashing","n_features":1048576,"alternate_sign":false,"binary":true}`

type options struct {
	data, dev, dir string
	reviews        int
	rows           int
	passes         int
	seed           uint64
}

func main() {
	o := options{}
	flag.StringVar(&o.data, "data", "../shared/data/imdb/train.csv.gz", "reviews whose sentences are recombined")
	flag.StringVar(&o.dev, "dev", "../shared/data/imdb/dev.csv.gz", "reviews to score")
	flag.StringVar(&o.dir, "dir", "", "directory for the blocks (default: a temporary one)")
	flag.IntVar(&o.rows, "rows", 10000, "reviews in a block")
	flag.IntVar(&o.passes, "passes", 10, "passes over the blocks at most")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the recombination")
	sizes := flag.String("reviews", "1000000", "numbers of reviews, with commas")
	one := flag.Int("one", 0, "train on this number of reviews and print the result as JSON")
	flag.Parse()
	err := func() error {
		if *one > 0 {
			o.reviews = *one
			return train(o)
		}
		return compare(strings.Split(*sizes, ","))
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "outofcore:", err)
		os.Exit(1)
	}
}

// figures are what one size took.
type figures struct {
	Reviews     int     `json:"reviews"`
	TextBytes   int64   `json:"text_bytes"`
	BlockBytes  int64   `json:"block_bytes"`
	Hashing     float64 `json:"hashing"` // seconds, wall and CPU
	HashingCPU  float64 `json:"hashing_cpu"`
	Training    float64 `json:"training"`
	TrainingCPU float64 `json:"training_cpu"`
	Passes      int     `json:"passes"`
	Converged   bool    `json:"converged"`
	Peak        int64   `json:"peak"`
	Accuracy    float64 `json:"accuracy"`
	AUC         float64 `json:"auc"`
}

// compare runs each size in a process of its own.
func compare(sizes []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("%s\n\n", measure.Machine())
	fmt.Println("| reviews | text, MiB | blocks, MiB | hashing, s | CPU, s | training, s | CPU, s | passes | peak memory, MiB | accuracy | AUC |")
	fmt.Println("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, size := range sizes {
		args := []string{"-one", size}
		flag.Visit(func(f *flag.Flag) {
			if f.Name != "reviews" {
				args = append(args, "-"+f.Name, f.Value.String())
			}
		})
		cmd := exec.Command(self, args...) //nolint:gosec // this program
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s reviews: %w", size, err)
		}
		var f figures
		if err := json.Unmarshal(out, &f); err != nil {
			return err
		}
		fmt.Printf("| %d | %d | %d | %.1f | %.1f | %.1f | %.1f | %d | %d | %.4f | %.4f |\n", f.Reviews, f.TextBytes>>20, f.BlockBytes>>20,
			f.Hashing, f.HashingCPU, f.Training, f.TrainingCPU, f.Passes, f.Peak>>20, f.Accuracy, f.AUC)
	}
	fmt.Println()
	return nil
}

// train is one size.
func train(o options) error {
	ctx := context.Background()
	dir := o.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "flow-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	rows, _, err := dataset.ReadFile(ctx, o.data, nil)
	if err != nil {
		return err
	}
	c, err := features.ReadUnionConfig([]byte(config))
	if err != nil {
		return err
	}
	v, err := features.New(c[0].Config, nil, nil)
	if err != nil {
		return err
	}
	u, err := features.NewUnion(features.Part{Name: c[0].Name, Vectorizer: v})
	if err != nil {
		return err
	}
	f := figures{Reviews: o.reviews}
	phase := func() func() (wall, cpu float64) {
		start, used := time.Now(), measure.CPU()
		return func() (float64, float64) { return time.Since(start).Seconds(), (measure.CPU() - used).Seconds() }
	}
	done := phase()
	texts := recombine(rows, o.reviews, o.seed)
	counted := func(yield func(features.Labelled, error) bool) {
		for t, err := range texts {
			f.TextBytes += int64(len(t.Text))
			if !yield(t, err) {
				return
			}
		}
	}
	blocks, err := features.WriteBlocks(ctx, filepath.Join(dir, "blocks-"+strconv.Itoa(o.reviews)), u, counted, o.rows, 0, nil)
	if err != nil {
		return err
	}
	f.Hashing, f.HashingCPU = done()
	f.BlockBytes = 8 * int64(blocks.NNZ())
	done = phase()
	options := linear.DefaultOptions()
	options.Solver, options.MaxIter, options.Tol = linear.Liblinear, o.passes, 0.1
	r, err := linear.FitBlocks(ctx, blocks, options)
	if err != nil {
		return err
	}
	f.Training, f.TrainingCPU = done()
	f.Passes, f.Converged = r.Iterations, r.Converged
	dev, _, err := dataset.ReadFile(ctx, o.dev, nil)
	if err != nil {
		return err
	}
	x, err := u.Transform(ctx, dataset.Reviews(dev), 0, nil)
	if err != nil {
		return err
	}
	decisions, err := linear.Decision(ctx, x, r.Coef, r.Intercept, 0)
	if err != nil {
		return err
	}
	m, err := score.Measure(score.FromDecisions(dataset.Labels(dev), decisions), 0.5)
	if err != nil {
		return err
	}
	f.Accuracy, f.AUC, f.Peak = m.Accuracy, m.AUC, measure.Peak()
	return json.NewEncoder(os.Stdout).Encode(f)
}

// recombine makes n reviews: each has the length of a real one, in sentences,
// and its sentences are drawn from the reviews of the same label. The first are
// the same whatever n is.
func recombine(rows []dataset.Row, n int, seed uint64) iter.Seq2[features.Labelled, error] {
	var sentences [2][]string
	lengths := make([]int, 0, len(rows))
	for _, r := range rows {
		parts := strings.SplitAfter(r.Review, ". ")
		lengths = append(lengths, len(parts))
		sentences[r.Label] = append(sentences[r.Label], parts...)
	}
	return func(yield func(features.Labelled, error) bool) {
		if len(sentences[0]) == 0 || len(sentences[1]) == 0 {
			yield(features.Labelled{}, errors.New("recombine: a class has no reviews"))
			return
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var b strings.Builder
		for i := range n {
			label := i % 2
			b.Reset()
			for range lengths[rng.IntN(len(lengths))] {
				b.WriteString(sentences[label][rng.IntN(len(sentences[label]))])
			}
			if !yield(features.Labelled{Text: b.String(), Label: label}, nil) {
				return
			}
		}
	}
}
