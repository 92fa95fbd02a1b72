// Command train measures logistic regression on matrices of film reviews, in
// one run and on the same files: flow, scikit-learn and liblinear's own
// program. What is timed is the fit, without reading the matrix; liblinear's
// program cannot tell, so the time that it takes with a tolerance that is
// reached at once is subtracted.
//
// The objective tells who stopped how early; accuracy is on reviews that
// nobody was trained on.
//
//	train [-data DIR] [-dir DIR] [-runs N] [-only NAMES] [-linear]
//
// FLOW_BENCH_PYTHON names a Python with scikit-learn, FLOW_BENCH_LIBLINEAR
// liblinear's train; peers that are absent are left out.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/flowrepro/flow/bench/measure"
)

//go:embed fit.py
var script string

func main() {
	var err error
	if len(os.Args) > 3 && os.Args[1] == "fit" {
		err = fit(context.Background(), os.Args[2], os.Args[3], os.Args[4:])
	} else {
		err = run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// row is a line of the tables: a matrix and a classifier.
type row struct {
	name string
	setting
	// lbfgs, if set, is the tolerance of scikit-learn's lbfgs, which solves the
	// same problem: the largest power of ten at which it comes as near to the
	// minimum. Its default is far from it.
	lbfgs float64
	// own, if set, is the tolerance of flow that is enough for liblinear's
	// objective, where the default goes further.
	own float64
}

// rows are the comparisons.
var rows = []row{
	{name: "count-20000", setting: setting{penalty: "l1", solver: "liblinear", c: 1}, own: 1.2e-4},
	{name: "count-20000", setting: setting{penalty: "l2", solver: "liblinear", c: 1}},
	{name: "count-20000", setting: setting{penalty: "l2", solver: "lbfgs", c: 1}, lbfgs: 1e-5},
	{name: "count-20000", setting: setting{penalty: "l2", solver: "newton-cg", c: 1}, lbfgs: 1e-5},
	{name: "tfidf-bigrams", setting: setting{penalty: "l1", solver: "liblinear", c: 1}},
	{name: "tfidf-bigrams", setting: setting{penalty: "l2", solver: "liblinear", c: 10}},
	{name: "tfidf-bigrams", setting: setting{penalty: "l2", solver: "liblinear", dual: true, c: 10}},
	{name: "tfidf-bigrams", setting: setting{penalty: "l2", solver: "lbfgs", c: 10}, lbfgs: 1e-7},
	{name: "tfidf-bigrams", setting: setting{penalty: "l2", solver: "newton-cg", c: 10}, lbfgs: 1e-7},
	{name: "count-bigrams", setting: setting{penalty: "l1", solver: "liblinear", c: 1}},
	{name: "count-bigrams", setting: setting{penalty: "l2", solver: "liblinear", c: 1}},
	{name: "count-bigrams", setting: setting{penalty: "l2", solver: "lbfgs", c: 1}, lbfgs: 1e-5},
	{name: "count-bigrams", setting: setting{penalty: "l2", solver: "newton-cg", c: 1}, lbfgs: 1e-5},
}

// String names the classifier.
func (s setting) String() string {
	name := fmt.Sprintf("%s %s, C %g", s.penalty, s.solver, s.c)
	if s.dual {
		name += ", dual"
	}
	return name
}

func (s setting) args(dash string) []string {
	a := []string{dash + "penalty", s.penalty, dash + "solver", s.solver, dash + "C", number(s.c), dash + "tol", number(s.tol), dash + "repeat", strconv.Itoa(max(1, s.repeat))}
	if s.dual {
		a = append(a, dash+"dual")
	}
	return a
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

func run(ctx context.Context) error {
	data := flag.String("data", "../shared/data/imdb", "directory with train.csv.gz and dev.csv.gz")
	dir := flag.String("dir", "", "directory for the matrices, kept; default: a temporary one")
	runs := flag.Int("runs", 3, "runs of each fit")
	only := flag.String("only", "", "matrices to use, with commas between them")
	scaling := flag.Bool("linear", false, "show the cost at 1, 2, 4 and 8 times the rows instead, at the same C and at C divided by as much")
	accuracy := flag.Bool("accuracy", false, "compare accuracies at the default settings instead")
	flag.Parse()
	work := *dir
	if work == "" {
		tmp, err := os.MkdirTemp("", "flow-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(tmp) }()
		work = tmp
	}
	b := &bench{dir: work, runs: *runs}
	list := rows
	switch {
	case *scaling:
		list = nil
		for _, r := range []row{rows[0], rows[1], rows[6]} {
			for _, n := range []int{1, 2, 4, 8} {
				r.repeat = n
				list = append(list, r)
			}
			// With C divided by as much, repeated rows are the same problem,
			// so that rows alone can cost more.
			c := r.c
			for _, n := range []int{2, 4, 8} {
				r.repeat, r.c = n, c/float64(n)
				list = append(list, r)
			}
		}
	case *accuracy:
		list = accuracies()
	}
	if *only != "" {
		names := strings.Split(*only, ",")
		list = slices.DeleteFunc(slices.Clone(list), func(r row) bool { return !slices.Contains(names, r.name) })
	}
	missing := map[string]bool{}
	for _, r := range list {
		if _, err := os.Stat(filepath.Join(work, r.name+"-dev.npz")); err != nil {
			missing[r.name] = true
		}
	}
	if len(missing) > 0 {
		if err := prepare(ctx, *data, work, missing); err != nil {
			return err
		}
	}
	b.flow, _ = os.Executable()
	if py, ok := measure.Tool("FLOW_BENCH_PYTHON", "python3"); ok && !*scaling {
		if err := exec.CommandContext(ctx, py, "-c", "import sklearn").Run(); err == nil { //nolint:gosec // the peer under test
			b.python = py
		}
	}
	if !*scaling && !*accuracy {
		b.liblinear, _ = measure.Tool("FLOW_BENCH_LIBLINEAR", "liblinear-train")
	}
	fmt.Printf("%s\n\n", measure.Machine())
	t := table.NewWriter()
	t.AppendHeader(table.Row{"matrix", "classifier", "tool", "wall", "CPU", "peak memory", "wall, times flow", "objective", "iterations", "accuracy"})
	for _, r := range list {
		if err := b.compare(ctx, t, r); err != nil {
			return fmt.Errorf("%s %s: %w", r.name, r.setting, err)
		}
		fmt.Fprintf(os.Stderr, "%s %s done\n", r.name, r.setting)
	}
	fmt.Printf("%s\n", t.RenderMarkdown())
	return nil
}

// bench is where the fits run and by which programs.
type bench struct {
	dir                     string
	runs                    int
	flow, python, liblinear string
	// written is the classifier whose model liblinear wrote last.
	written string
}

// compare adds the lines of one comparison: the tools take turns.
func (b *bench) compare(ctx context.Context, t table.Writer, r row) error {
	r.tol = 1e-4
	type tool struct {
		name string
		run  func() (outcome, error)
	}
	own, name := r.setting, "flow"
	if r.own > 0 && r.repeat == 0 {
		own.tol = r.own
		name = "flow, tol " + number(own.tol)
	}
	tools := []tool{{name, func() (outcome, error) {
		return b.once(ctx, b.flow, append([]string{"fit", b.dir, r.name}, own.args("-")...)...)
	}}}
	if b.python != "" {
		s, name := r.setting, "scikit-learn"
		if r.lbfgs > 0 {
			s.solver, s.tol = "lbfgs", r.lbfgs
			name = "scikit-learn's lbfgs, tol " + number(s.tol)
		}
		tools = append(tools, tool{name, func() (outcome, error) {
			return b.once(ctx, b.python, append([]string{"-c", script, b.dir, r.name}, s.args("--")...)...)
		}})
	}
	if b.liblinear != "" && r.solver == "liblinear" {
		tools = append(tools, tool{"liblinear", func() (outcome, error) { return b.native(ctx, r) }})
	}
	found := make([][]outcome, len(tools))
	for range b.runs {
		for i, tool := range tools {
			o, err := tool.run()
			if err != nil {
				return fmt.Errorf("%s: %w", tool.name, err)
			}
			found[i] = append(found[i], o)
		}
	}
	var first float64
	for i, tool := range tools {
		o := middle(found[i])
		if i == 0 {
			first = o.Wall
		}
		name := r.name
		if r.repeat > 1 {
			name += fmt.Sprintf(", %d times the rows", r.repeat)
		}
		objective, iterations := "", ""
		if o.Objective != 0 {
			objective, iterations = fmt.Sprintf("%.4f", o.Objective), strconv.Itoa(o.Iterations)
		}
		t.AppendRow(table.Row{name, r.setting.String(), tool.name, seconds(o.Wall), seconds(o.CPU), measure.Bytes(o.Memory),
			fmt.Sprintf("%.2f", o.Wall/first), objective, iterations, fmt.Sprintf("%.5f", o.Accuracy)})
	}
	return nil
}

func seconds(s float64) string { return measure.Duration(time.Duration(s * float64(time.Second))) }

// middle takes the medians of the times; the rest is the same in every run.
func middle(list []outcome) outcome {
	o := list[0]
	pick := func(of func(outcome) float64) float64 {
		values := make([]float64, len(list))
		for i, x := range list {
			values[i] = of(x)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	o.Wall = pick(func(o outcome) float64 { return o.Wall })
	o.CPU = pick(func(o outcome) float64 { return o.CPU })
	o.Memory = int64(pick(func(o outcome) float64 { return float64(o.Memory) }))
	return o
}

// once runs a program that prints an outcome.
func (b *bench) once(ctx context.Context, program string, args ...string) (outcome, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the programs under test
	// Threads of the peers' linear algebra libraries cost more than they bring.
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return outcome{}, err
	}
	var o outcome
	return o, json.NewDecoder(bytes.NewReader(out)).Decode(&o)
}
