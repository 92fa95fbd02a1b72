package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/stages/features"
)

// native trains with liblinear's own program. Its time is that of the process
// less that of one whose tolerance is reached at once, which reads the same
// file; neither writes a model. Its objective and accuracy are computed from the model that it writes.
func (b *bench) native(ctx context.Context, r row) (outcome, error) {
	x, y, err := load(b.dir, r.name, "train")
	if err != nil {
		return outcome{}, err
	}
	file := filepath.Join(b.dir, r.name+".txt")
	if _, err := os.Stat(file); err != nil {
		if err := write(file, func(w io.Writer) error { return writeText(w, x, y) }); err != nil {
			return outcome{}, err
		}
	}
	kind := "0"
	switch {
	case r.penalty == "l1":
		kind = "6"
	case r.dual:
		kind = "7"
	}
	model := filepath.Join(b.dir, "liblinear.model")
	args := func(kind, eps, model string) []string {
		return []string{"-s", kind, "-c", number(r.c), "-B", "1", "-e", eps, "-q", file, model}
	}
	// What is timed writes no model: there is no such directory.
	nowhere := filepath.Join(b.dir, "none", "model")
	idle, err := b.timed(ctx, args("0", "1e10", nowhere))
	if err != nil {
		return outcome{}, err
	}
	o, err := b.timed(ctx, args(kind, number(r.tol), nowhere))
	if err != nil {
		return outcome{}, err
	}
	o.Wall, o.CPU = o.Wall-idle.Wall, o.CPU-idle.CPU
	if b.written != r.String()+r.name { // the same in every run
		if out, err := exec.CommandContext(ctx, b.liblinear, args(kind, number(r.tol), model)...).CombinedOutput(); err != nil { //nolint:gosec // the program under test
			return outcome{}, fmt.Errorf("%w: %s", err, out)
		}
		b.written = r.String() + r.name
	}
	coef, intercept, err := readModel(model, x.Cols)
	if err != nil {
		return outcome{}, err
	}
	z := decide(x, coef, intercept)
	for i, v := range z {
		if y[i] == 1 {
			v = -v
		}
		o.Objective += r.c * (max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))))
	}
	for _, w := range append(coef[:len(coef):len(coef)], intercept) {
		if r.penalty == "l1" {
			o.Objective += math.Abs(w)
		} else {
			o.Objective += w * w / 2
		}
	}
	other, labels, err := load(b.dir, r.name, "dev")
	if err != nil {
		return outcome{}, err
	}
	for i, v := range decide(other, coef, intercept) {
		if (v > 0) == (labels[i] == 1) {
			o.Accuracy += 1 / float64(len(labels))
		}
	}
	return o, nil
}

// timed runs liblinear until it cannot write its model.
func (b *bench) timed(ctx context.Context, args []string) (outcome, error) {
	cmd := exec.CommandContext(ctx, b.liblinear, args...) //nolint:gosec // the program under test
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "can't save model") {
		return outcome{}, fmt.Errorf("timing: %w: %s", err, out)
	}
	st := cmd.ProcessState
	return outcome{Wall: time.Since(start).Seconds(), CPU: (st.UserTime() + st.SystemTime()).Seconds(), Memory: peakOf(st.SysUsage())}, nil
}

func decide(x *features.CSR, coef []float64, intercept float64) []float64 {
	z := make([]float64, x.Rows)
	for i := range z {
		z[i] = intercept
		cols, vals := x.Row(i)
		for k, c := range cols {
			z[i] += vals[k] * coef[c]
		}
	}
	return z
}

// writeText writes liblinear's format.
func writeText(w io.Writer, x *features.CSR, y []int) error {
	out := bufio.NewWriter(w)
	for i := range x.Rows {
		_, _ = fmt.Fprintf(out, "%d", 2*y[i]-1)
		cols, vals := x.Row(i)
		for k, c := range cols {
			_, _ = out.WriteString(" " + strconv.Itoa(int(c)+1) + ":" + number(vals[k]))
		}
		_ = out.WriteByte('\n')
	}
	return out.Flush()
}

// readModel returns the coefficients for label 1 and the intercept.
func readModel(path string, cols int) ([]float64, float64, error) {
	data, err := os.ReadFile(path) //nolint:gosec // written a moment ago
	if err != nil {
		return nil, 0, err
	}
	head, body, ok := strings.Cut(string(data), "\nw\n")
	if !ok {
		return nil, 0, fmt.Errorf("%s: no weights", path)
	}
	sign := 1.0
	if strings.Contains(head, "label -1 1") {
		sign = -1
	}
	lines := strings.Fields(body)
	coef := make([]float64, cols)
	var intercept float64
	for j, l := range lines {
		v, err := strconv.ParseFloat(l, 64)
		if err != nil {
			return nil, 0, err
		}
		if j < len(lines)-1 {
			coef[j] = sign * v
		} else {
			intercept = sign * v
		}
	}
	return coef, intercept, nil
}

// accuracies are the classifiers of which scikit-learn's accuracy is known.
func accuracies() []row {
	var list []row
	for _, grams := range []string{"count", "count-bigrams"} {
		for _, size := range []string{"-50", "-5000", "-20000", ""} {
			name := grams + size
			if name == "count" {
				name = "count-all"
			}
			for _, s := range []setting{{penalty: "l1", solver: "liblinear"}, {penalty: "l2", solver: "liblinear"}, {penalty: "l2", solver: "lbfgs"}} {
				s.c = 1
				list = append(list, row{name: name, setting: s})
			}
		}
	}
	for _, name := range []string{"tfidf-bigrams-cleaned", "tfidf-bigrams"} {
		for _, c := range []float64{1, 10} {
			list = append(list, row{name: name, setting: setting{penalty: "l2", solver: "lbfgs", c: c}, lbfgs: 1e-7}, row{name: name, setting: setting{penalty: "l2", solver: "liblinear", c: c}})
		}
	}
	return append(list,
		row{name: "tfidf-bigrams", setting: setting{penalty: "l2", solver: "liblinear", dual: true, c: 10}},
		row{name: "count-20000", setting: setting{penalty: "l2", solver: "liblinear", dual: true, c: 1}},
		row{name: "count-raw-20000", setting: setting{penalty: "l2", solver: "liblinear", c: 1}},
		row{name: "count-raw-bigrams-20000", setting: setting{penalty: "l2", solver: "liblinear", c: 1}},
		row{name: "count-raw-bigrams", setting: setting{penalty: "l2", solver: "liblinear", c: 1}},
	)
}
