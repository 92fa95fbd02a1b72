// Command stages measures pipelines of many trivial stages: the first run and
// the run that finds nothing to do, beside DVC, dud and xvc where they are
// installed, and the first run beside what the shells alone cost.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/bench/measure"
)

func main() {
	sizes := flag.String("stages", "10,100,1000,10000", "numbers of stages")
	limit := flag.Int("dvc-limit", 100, "largest number of stages given to DVC and xvc, which need long")
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
	tmp, err := os.MkdirTemp(os.Getenv("FLOW_BENCH_DIR"), "flow-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if n >= 10000 {
		runs = min(runs, 3)
	}
	dirs := map[string]string{}
	for _, name := range []string{"native", "shells", "format", "dvc", "xvc"} {
		dirs[name] = filepath.Join(tmp, name)
		if err := generate(dirs[name], n); err != nil {
			return err
		}
	}
	env := []string{"SHELL=/bin/sh"}
	trash := measure.Trash{Dir: filepath.Join(tmp, "trash")}
	clean := func(dir, control string) func() error {
		return func() error {
			for _, d := range []string{"out", "dvc.lock", control + "/cache", control + "/state", control + "/tmp/flow", control + "/tmp/lock", control + "/tmp/rwlock"} {
				if err := trash.Throw(filepath.Join(dir, d)); err != nil {
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
	if xvc, ok := measure.Tool("FLOW_BENCH_XVC", "xvc"); ok && n <= limit {
		dir := dirs["xvc"]
		if err := stepsOfXVC(xvc, dir, n); err != nil {
			return err
		}
		run := measure.Case{Name: "xvc", Args: []string{xvc, "--skip-git", "--quiet", "pipeline", "run"}, Dir: dir, Env: env}
		noop = append(noop, run)
		run.Before = func() error {
			if err := clean(dir, ".none")(); err != nil {
				return err
			}
			// It runs steps again only when it does not know them.
			if err := trash.Throw(filepath.Join(dir, ".xvc")); err != nil {
				return err
			}
			return os.CopyFS(filepath.Join(dir, ".xvc"), os.DirFS(filepath.Join(dir, "untouched")))
		}
		first = append(first, run)
	}
	measure.Print(os.Stdout, fmt.Sprintf("%d stages, first run", n), measure.Compare(first, 0, runs))
	measure.Print(os.Stdout, fmt.Sprintf("%d stages, nothing to do", n), measure.Compare(noop, 1, max(runs, 3)))
	return nil
}

// stepsOfXVC makes the same pipeline in xvc's terms, and keeps its state aside.
func stepsOfXVC(xvc, dir string, n int) error {
	do := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := errors.Join(do("git", "init", "-q"), do(xvc, "init")); err != nil {
		return err
	}
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		err := errors.Join(
			do(xvc, "--skip-git", "pipeline", "step", "new", "--step-name", name, "--command", fmt.Sprintf("sha1sum in/%d > out/%d", i, i)),
			do(xvc, "--skip-git", "pipeline", "step", "dependency", "--step-name", name, "--file", fmt.Sprintf("in/%d", i)),
			do(xvc, "--skip-git", "pipeline", "step", "output", "--step-name", name, "--output-file", fmt.Sprintf("out/%d", i)),
		)
		if err != nil {
			return err
		}
	}
	return os.CopyFS(filepath.Join(dir, "untouched"), os.DirFS(filepath.Join(dir, ".xvc")))
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
