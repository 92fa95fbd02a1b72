// Command clean times the cleaning of the 25,000 IMDB training reviews beside
// the loop over NLTK that it stands in for: URLs, digits, lower case,
// punctuation, stop words, noun lemmas. The first table has whole processes
// that read the same file and count the words that are left, the second what
// each says that the cleaning alone took.
//
// The Python with NLTK is FLOW_BENCH_NLTK or python3; WordNet's files are in
// -wordnet. Without NLTK only flow is timed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/flowrepro/flow/bench/measure"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/text"
)

func main() {
	reviews := flag.String("reviews", "../shared/data/imdb/train.csv.gz", "the reviews")
	wordnet := flag.String("wordnet", "/usr/share/wordnet", "the directory of WordNet 3.0's files")
	runs := flag.Int("runs", 5, "timed runs of each case")
	work := flag.Bool("work", false, "be the process that is timed")
	order := flag.String("order", "", "with -work, the order of the steps")
	flag.Parse()
	var err error
	if *work {
		err = clean(*reviews, *order)
	} else {
		err = compare(*reviews, *wordnet, *runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "clean:", err)
		os.Exit(1)
	}
}

// clean is the work of flow's processes. It prints the number of words and the
// seconds of wall and CPU time.
func clean(reviews, order string) error {
	rows, _, err := dataset.ReadFile(context.Background(), reviews, nil)
	if err != nil {
		return err
	}
	o := text.Default()
	if order != "" {
		o.Order = strings.Split(order, ",")
	}
	c, err := text.New(o)
	if err != nil {
		return err
	}
	runtime.GC() // what reading left is not cleaning's to collect
	wall, cpu := time.Now(), processTime()
	cleaned, err := c.All(context.Background(), dataset.Reviews(rows), 0, nil)
	if err != nil {
		return err
	}
	took, used := time.Since(wall), processTime()-cpu
	words := 0
	for _, s := range cleaned {
		if s != "" {
			words += 1 + strings.Count(s, " ")
		}
	}
	fmt.Println(words, took.Seconds(), used.Seconds())
	return nil
}

const serving = "lowercase,stop_words,digits,punctuation,urls,lemmas"

func compare(reviews, wordnet string, runs int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	own := []string{self, "-reviews", reviews, "-work"}
	one := []string{"GOMAXPROCS=1"}
	cases := []measure.Case{
		{Name: fmt.Sprintf("flow, %d cores", runtime.NumCPU()), Args: own},
		{Name: "flow, 1 core", Args: own, Env: one},
	}
	same := 2 // cases that leave the same words
	if python, ok := measure.Tool("FLOW_BENCH_NLTK", "python3"); ok && exec.Command(python, "-c", "import nltk").Run() == nil {
		cases = append(cases, measure.Case{Name: "NLTK", Args: []string{
			python, filepath.Join("bench", "clean", "loop.py"), wordnet, reviews, filepath.Join("stages", "text", "lists", "nltk.txt"),
		}})
		same = 3
	} else {
		fmt.Fprintln(os.Stderr, "no NLTK: set FLOW_BENCH_NLTK to a Python that has it")
	}
	cases = append(cases, measure.Case{Name: "flow, 1 core, serving's order", Args: append(slices.Clone(own), "-order", serving), Env: one})
	fmt.Printf("%s\n\n", measure.Machine())
	measure.Print(os.Stdout, "25,000 reviews, whole process", measure.Compare(cases, 1, runs))
	rows, err := loops(cases, same, runs)
	if err != nil {
		return err
	}
	measure.Print(os.Stdout, "25,000 reviews, cleaning alone", rows)
	return nil
}

// loops runs the cases in turn and takes the times that they print. The first
// so many must leave the same number of words: no table compares different
// work.
func loops(cases []measure.Case, same, runs int) ([]measure.Row, error) {
	walls, cpus := make([][]float64, len(cases)), make([][]float64, len(cases))
	words := make([]int, len(cases))
	for range runs {
		for i, c := range cases {
			cmd := exec.Command(c.Args[0], c.Args[1:]...) //nolint:gosec // this benchmark's own cases
			cmd.Env = append(os.Environ(), c.Env...)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
			var wall, cpu float64
			if _, err := fmt.Sscan(string(out), &words[i], &wall, &cpu); err != nil {
				return nil, fmt.Errorf("%s printed %q: %w", c.Name, out, err)
			}
			walls[i], cpus[i] = append(walls[i], wall), append(cpus[i], cpu)
		}
	}
	rows := make([]measure.Row, len(cases))
	for i, c := range cases {
		if i < same && words[i] != words[0] {
			return nil, fmt.Errorf("%s leaves %d words, %s %d", cases[0].Name, words[0], c.Name, words[i])
		}
		rows[i] = measure.Row{Name: c.Name, Runs: runs, Sample: measure.Sample{Wall: median(walls[i]), CPU: median(cpus[i])}}
	}
	return rows, nil
}

func median(seconds []float64) time.Duration {
	slices.Sort(seconds)
	return time.Duration(seconds[len(seconds)/2] * float64(time.Second))
}
