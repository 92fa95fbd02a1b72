// Command noop measures a reproduction that finds nothing to do, in the
// project's own pipeline: flow, native and in DVC's format, beside DVC.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/flowrepro/flow/bench/measure"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "noop:", err)
		os.Exit(1)
	}
}

func run() error {
	flow, ok := measure.Tool("FLOW_BENCH_FLOW", "flow")
	if !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	tmp, err := os.MkdirTemp("", "flow-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	// DVC starts `flow` for the stages, so it must be found by that name.
	env := []string{"PATH=" + filepath.Dir(flow) + string(os.PathListSeparator) + os.Getenv("PATH"), "DVC_NO_ANALYTICS=1"}
	var cases []measure.Case
	native, err := project(tmp, "native", flow, env)
	if err != nil {
		return err
	}
	cases = append(cases, measure.Case{Name: "flow", Args: []string{flow, "repro"}, Dir: native, Env: env})
	shared, err := project(tmp, "dvc", flow, env, "init", "--format", "dvc", "--no-scm")
	if err != nil {
		return err
	}
	cases = append(cases, measure.Case{Name: "flow, DVC's format", Args: []string{flow, "repro"}, Dir: shared, Env: env})
	if dvc, ok := measure.Tool("FLOW_BENCH_DVC", "dvc"); ok {
		cases = append(cases, measure.Case{Name: "DVC", Args: []string{dvc, "repro"}, Dir: shared, Env: env})
	}
	fmt.Printf("%s\n\n", measure.Machine())
	measure.Print(os.Stdout, "no-op repro, 5 stages", measure.Compare(cases, 1, 11))
	return nil
}

// project copies the pipeline into a directory of its own and runs it once.
func project(tmp, name, flow string, env []string, first ...string) (string, error) {
	dir := filepath.Join(tmp, name)
	for _, f := range []string{"dvc.yaml", "params.yaml", "data/reviews.csv"} {
		data, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o777); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, f), data, 0o666); err != nil {
			return "", err
		}
	}
	if len(first) == 0 {
		first = []string{"init", "--no-scm"}
	}
	for _, args := range [][]string{first, {"repro"}} {
		rows := measure.Compare([]measure.Case{{Name: name, Args: append([]string{flow}, args...), Dir: dir, Env: env}}, 0, 1)
		if rows[0].Err != nil {
			return "", rows[0].Err
		}
	}
	return dir, nil
}
