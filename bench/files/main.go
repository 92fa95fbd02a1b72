// Command files measures data tracked by hand: add, status and checkout of many
// small files and of one large one, beside DVC, and hashing beside b3sum.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/flowrepro/flow/bench/measure"
)

func main() {
	count := flag.Int("files", 100_000, "number of small files, 1 KB each")
	large := flag.Int64("large", 4<<30, "bytes of the large file")
	runs := flag.Int("runs", 3, "runs of each command")
	peers := flag.Bool("peers", true, "measure DVC and xvc too (minutes)")
	remove := flag.Bool("delete", false, "delete what a run left rather than moving it aside, which only ext4 asks for")
	alone := flag.String("create", "", "only make the small files, below this `directory`")
	flag.Parse()
	if *alone != "" {
		if err := create(*alone, *count, smallSize); err != nil {
			fmt.Fprintln(os.Stderr, "files:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*count, *large, *runs, *peers, *remove); err != nil {
		fmt.Fprintln(os.Stderr, "files:", err)
		os.Exit(1)
	}
}

const smallSize = 1 << 10

// bench holds what the measurements share.
type bench struct {
	flow, dvc, xvc   string
	haveDVC, haveXVC bool
	tmp              string
	runs             int
	trash            measure.Trash
}

func run(count int, large int64, runs int, peers, remove bool) error {
	b := &bench{runs: runs}
	var ok bool
	if b.flow, ok = measure.Tool("FLOW_BENCH_FLOW", "flow"); !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	if peers {
		b.dvc, b.haveDVC = measure.Tool("FLOW_BENCH_DVC", "dvc")
		b.xvc, b.haveXVC = measure.Tool("FLOW_BENCH_XVC", "xvc")
	}
	var err error
	if b.tmp, err = os.MkdirTemp(os.Getenv("FLOW_BENCH_DIR"), "flow-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.tmp) }()
	b.trash = measure.Trash{Dir: filepath.Join(b.tmp, "trash"), Delete: remove}
	fmt.Printf("%s\n\n", measure.Machine())
	if count > 0 {
		if err := b.many(count); err != nil {
			return err
		}
	}
	if large > 0 {
		return b.one(large)
	}
	return nil
}

// tool is one of the programs compared, in its own copy of the data.
type tool struct {
	name, exe, dir string
	init           []string
	git            bool // works in Git repositories only
	// verbs has what a command of flow is called where it is called otherwise;
	// none means that there is no such command.
	verbs map[string][]string
}

// command is the tool's for one of flow's, nil when it has none.
func (t tool) command(args []string) []string {
	if t.verbs != nil {
		verb, ok := t.verbs[args[0]]
		if !ok {
			return nil
		}
		if args[0] == "add" {
			verb = append(verb[:len(verb):len(verb)], args[len(args)-1])
		}
		args = verb
	}
	return append([]string{t.exe}, args...)
}

func (b *bench) tools(what string) []tool {
	list := []tool{
		{name: "flow", exe: b.flow, dir: filepath.Join(b.tmp, what, "native"), init: []string{"init", "--no-scm"}},
		{name: "flow, DVC's format", exe: b.flow, dir: filepath.Join(b.tmp, what, "format"), init: []string{"init", "--no-scm", "--format", "dvc"}},
	}
	if b.haveDVC {
		list = append(list, tool{name: "DVC", exe: b.dvc, dir: filepath.Join(b.tmp, what, "dvc"), init: []string{"init", "--no-scm"}})
	}
	if b.haveXVC {
		list = append(list, tool{name: "xvc", exe: b.xvc, dir: filepath.Join(b.tmp, what, "xvc"), init: []string{"init"}, git: true,
			verbs: map[string][]string{"add": {"--skip-git", "file", "track"}, "checkout": {"--skip-git", "file", "recheck"}}})
	}
	return list
}

func (b *bench) compare(title string, tools []tool, warmup int, args []string, before func(t tool) error) {
	var cases []measure.Case
	for _, t := range tools {
		command := t.command(args)
		if command == nil {
			continue
		}
		c := measure.Case{Name: t.name, Args: command, Dir: t.dir, Env: []string{"DVC_NO_ANALYTICS=1"}}
		if before != nil {
			c.Before = func() error { return before(t) }
		}
		cases = append(cases, c)
	}
	measure.Print(os.Stdout, title, measure.Compare(cases, warmup, b.runs))
}

// reset makes a project that tracks nothing yet around untouched data.
func (b *bench) reset(t tool, fill func(dir string) error) error {
	if err := b.trash.Throw(t.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(t.dir, 0o777); err != nil {
		return err
	}
	if err := fill(t.dir); err != nil {
		return err
	}
	if t.git {
		if err := exec.Command("git", "init", "-q", t.dir).Run(); err != nil {
			return fmt.Errorf("git init: %w", err)
		}
	}
	r := measure.Compare([]measure.Case{{Args: append([]string{t.exe}, t.init...), Dir: t.dir}}, 0, 1)
	return r[0].Err
}

func (b *bench) many(count int) error {
	tools := b.tools("many")
	fill := func(dir string) error { return measure.SmallFiles(filepath.Join(dir, "data"), count, smallSize) }
	b.compare(fmt.Sprintf("add %d files of 1 KB", count), tools, 0, []string{"add", "-q", "data"}, func(t tool) error { return b.reset(t, fill) })
	b.compare("status, nothing changed", tools, 1, []string{"status", "-q"}, nil)
	// Beside them, what making the files costs by itself.
	all := tools
	if self, err := os.Executable(); err == nil {
		dir := filepath.Join(b.tmp, "many", "alone")
		all = append(all, tool{name: "making the files alone", exe: self, dir: dir,
			verbs: map[string][]string{"checkout": {"-files", strconv.Itoa(count), "-create", filepath.Join(dir, "data")}}})
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	b.compare("checkout into an empty workspace", all, 0, []string{"checkout", "-q"}, func(t tool) error {
		return b.trash.Throw(filepath.Join(t.dir, "data"))
	})
	b.compare("checkout, nothing to do", tools, 1, []string{"checkout", "-q"}, nil)
	return nil
}

func (b *bench) one(size int64) error {
	source := filepath.Join(b.tmp, "large.bin")
	if err := measure.LargeFile(source, size); err != nil {
		return err
	}
	tools := b.tools("one")
	fill := func(dir string) error { return os.Link(source, filepath.Join(dir, "large.bin")) }
	title := fmt.Sprintf("add one file of %d MiB", size>>20)
	b.compare(title, tools, 0, []string{"add", "-q", "large.bin"}, func(t tool) error {
		if err := b.reset(t, fill); err != nil {
			return err
		}
		_, err := os.Stat(source)
		return err
	})
	b.compare("status, nothing changed", tools, 1, []string{"status", "-q"}, nil)
	b.compare("checkout into an empty workspace", tools, 0, []string{"checkout", "-q"}, func(t tool) error {
		return os.Remove(filepath.Join(t.dir, "large.bin"))
	})
	if b3sum, ok := measure.Tool("FLOW_BENCH_B3SUM", "b3sum"); ok {
		dir := tools[0].dir
		measure.Print(os.Stdout, fmt.Sprintf("hash %d MiB", size>>20), measure.Compare([]measure.Case{
			{Name: "flow cache verify", Args: []string{b.flow, "cache", "verify", "-q"}, Dir: dir},
			{Name: "b3sum", Args: []string{b3sum, source}, Dir: dir},
		}, 1, b.hashRuns()))
		if taskset, err := exec.LookPath("taskset"); err == nil {
			measure.Print(os.Stdout, fmt.Sprintf("hash %d MiB on one core", size>>20), measure.Compare([]measure.Case{
				{Name: "flow cache verify", Args: []string{taskset, "-c", "0", b.flow, "cache", "verify", "-q"}, Dir: dir},
				{Name: "b3sum --num-threads 1", Args: []string{taskset, "-c", "0", b3sum, "--num-threads", "1", source}, Dir: dir},
			}, 1, b.hashRuns()))
		}
	}
	return nil
}

// hashRuns is the number of runs of what takes a second or less.
func (b *bench) hashRuns() int { return max(b.runs, 7) }
