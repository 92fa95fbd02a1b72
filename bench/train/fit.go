package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
)

// outcome is what one fit reports, in seconds and bytes.
type outcome struct {
	Wall       float64 `json:"wall"`
	CPU        float64 `json:"cpu"`
	Memory     int64   `json:"memory"`
	Objective  float64 `json:"objective"`
	Iterations int     `json:"iterations"`
	Accuracy   float64 `json:"accuracy"`
	Converged  bool    `json:"converged"`
}

// setting is a classifier by scikit-learn's names.
type setting struct {
	penalty, solver string
	dual            bool
	c, tol          float64
	// repeat stacks the rows so many times.
	repeat int
	nb     bool
}

func (s *setting) flags(f *flag.FlagSet) {
	f.StringVar(&s.penalty, "penalty", "l2", "")
	f.StringVar(&s.solver, "solver", "liblinear", "")
	f.BoolVar(&s.dual, "dual", false, "")
	f.Float64Var(&s.c, "C", 1, "")
	f.Float64Var(&s.tol, "tol", 1e-4, "")
	f.IntVar(&s.repeat, "repeat", 1, "")
	f.BoolVar(&s.nb, "nb", false, "")
}

// fit trains on one of the matrices in dir and prints the outcome.
func fit(ctx context.Context, dir, name string, args []string) error {
	var s setting
	f := flag.NewFlagSet("fit", flag.ContinueOnError)
	s.flags(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	x, y, err := load(dir, name, "train")
	if err != nil {
		return err
	}
	x, y = stack(x, y, s.repeat)
	o := linear.DefaultOptions()
	o.Penalty, o.Solver, o.Dual, o.C, o.Tol = s.penalty, s.solver, s.dual, s.c, s.tol
	if s.nb {
		o.NaiveBayes = &linear.NaiveBayes{Alpha: 1, Beta: 1}
	}
	start, before := time.Now(), cpuTime()
	r, err := linear.Fit(ctx, x, y, o)
	if err != nil {
		return err
	}
	out := outcome{
		Wall: time.Since(start).Seconds(), CPU: (cpuTime() - before).Seconds(),
		Objective: r.Objective, Iterations: r.Iterations, Converged: r.Converged, Memory: peak(),
	}
	other, labels, err := load(dir, name, "dev")
	if err != nil {
		return err
	}
	z, err := linear.Decision(ctx, other, r.Coef, r.Intercept, 0)
	if err != nil {
		return err
	}
	right := 0
	for i, v := range z {
		if (v > 0) == (labels[i] == 1) {
			right++
		}
	}
	out.Accuracy = float64(right) / float64(len(z))
	return json.NewEncoder(os.Stdout).Encode(out)
}

func load(dir, name, part string) (*features.CSR, []int, error) {
	x, err := features.OpenNPZ(filepath.Join(dir, name+"-"+part+".npz"))
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(filepath.Join(dir, strings.TrimSuffix(part, ".npz")+"_labels.npy")) //nolint:gosec // a file of the benchmark
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	y, err := features.ReadLabels(f)
	return x, y, err
}

// stack repeats the rows.
func stack(x *features.CSR, y []int, times int) (*features.CSR, []int) {
	if times <= 1 {
		return x, y
	}
	out := &features.CSR{Rows: x.Rows * times, Cols: x.Cols, Indptr: []int64{0}}
	var labels []int
	for range times {
		base := int64(len(out.Data))
		for _, at := range x.Indptr[1:] {
			out.Indptr = append(out.Indptr, base+at)
		}
		out.Indices = append(out.Indices, x.Indices...)
		out.Data = append(out.Data, x.Data...)
		labels = append(labels, y...)
	}
	return out, labels
}
