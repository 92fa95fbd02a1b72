// Command stages measures pipelines of many trivial stages: the first run and
// the run that finds nothing to do, beside DVC, dud and xvc where they are
// installed, and the first run beside what the shells alone cost.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/bench/measure"
)

func main() {
	sizes := flag.String("stages", "10,100,1000,10000", "numbers of stages")
	limit := flag.Int("dvc-limit", 100, "largest number of stages given to DVC, which needs a third of a second for each")
	runs := flag.Int("runs", 5, "runs of each command")
	flag.Parse()
	if err := run(*sizes, *limit, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "stages:", err)
		os.Exit(1)
	}
}

func run(sizes string, limit, runs int) error {
	flow, ok := measure.Tool("FLOW_BENCH_FLOW", "flow")
	if !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	fmt.Printf("%s\n\n", measure.Machine())
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := compare(flow, n, limit, runs); err != nil {
			return err
		}
	}
	return nil
}

// compare measures pipelines of n stages.
func compare(flow string, n, limit, runs int) error {
	tmp, err := os.MkdirTemp("", "flow-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if n >= 10000 {
		runs = min(runs, 3)
	}
	dirs := map[string]string{}
	for _, name := range []string{"native", "shells", "format", "dvc"} {
		dirs[name] = filepath.Join(tmp, name)
		if err := generate(dirs[name], n); err != nil {
			return err
		}
	}
	env := []string{"SHELL=/bin/sh"}
	clean := func(dir, control string) func() error {
		return func() error {
			for _, d := range []string{"out", "dvc.lock", control + "/cache", control + "/state", control + "/tmp/flow", control + "/tmp/lock", control + "/tmp/rwlock"} {
				if err := os.RemoveAll(filepath.Join(dir, d)); err != nil {
					return err
				}
			}
			return os.Mkdir(filepath.Join(dir, "out"), 0o777)
		}
	}
	for dir, format := range map[string]string{"native": "native", "format": "dvc", "dvc": "dvc"} {
		r := measure.Compare([]measure.Case{{Args: []string{flow, "init", "--no-scm", "--format", format}, Dir: dirs[dir]}}, 0, 1)
		if r[0].Err != nil {
			return r[0].Err
		}
	}
	xargs := measure.Case{
		Name: "xargs -P2, shells alone", Dir: dirs["shells"], Env: env, Before: clean(dirs["shells"], ".none"),
		Args: []string{"/bin/sh", "-c", "xargs -P 2 -d '\\n' -n 1 /bin/sh -c < commands"},
	}
	first := []measure.Case{
		{Name: "flow", Args: []string{flow, "repro", "-q"}, Dir: dirs["native"], Env: env, Before: clean(dirs["native"], ".flow")},
		xargs,
		{Name: "flow, DVC's format", Args: []string{flow, "repro", "-q"}, Dir: dirs["format"], Env: env, Before: clean(dirs["format"], ".dvc")},
	}
	noop := []measure.Case{
		{Name: "flow", Args: []string{flow, "repro", "-q"}, Dir: dirs["native"], Env: env},
		{Name: "flow, DVC's format", Args: []string{flow, "repro", "-q"}, Dir: dirs["format"], Env: env},
	}
	dvc, haveDVC := measure.Tool("FLOW_BENCH_DVC", "dvc")
	if haveDVC && n <= limit {
		first = append(first, measure.Case{Name: "DVC", Args: []string{dvc, "repro", "-q"}, Dir: dirs["dvc"], Env: env, Before: clean(dirs["dvc"], ".dvc")})
		noop = append(noop, measure.Case{Name: "DVC", Args: []string{dvc, "repro", "-q"}, Dir: dirs["dvc"], Env: env})
	}
	if haveDVC && n <= limit {
		runs = min(runs, 3)
	}
	measure.Print(os.Stdout, fmt.Sprintf("%d stages, first run", n), measure.Compare(first, 0, runs))
	measure.Print(os.Stdout, fmt.Sprintf("%d stages, nothing to do", n), measure.Compare(noop, 1, max(runs, 3)))
	return nil
}

// generate writes a pipeline of n independent stages, each of which writes the
// checksum of one small file, and the same commands as a list.
func generate(dir string, n int) error {
	for _, d := range []string{"in", "out"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			return err
		}
	}
	var pipeline, commands strings.Builder
	pipeline.WriteString("stages:\n")
	for i := range n {
		in := filepath.Join("in", strconv.Itoa(i))
		if err := os.WriteFile(filepath.Join(dir, in), []byte(strconv.Itoa(i)+"\n"), 0o666); err != nil {
			return err
		}
		command := fmt.Sprintf("sha1sum in/%d > out/%d", i, i)
		fmt.Fprintf(&pipeline, "  s%d:\n    cmd: %s\n    deps: [in/%d]\n    outs: [out/%d]\n", i, command, i, i)
		commands.WriteString(command + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "commands"), []byte(commands.String()), 0o666); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "dvc.yaml"), []byte(pipeline.String()), 0o666)
}
