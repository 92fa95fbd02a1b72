// Command files measures data tracked by hand: add, status and checkout of many
// small files and of one large one, beside DVC, and hashing beside b3sum.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/flowrepro/flow/bench/measure"
)

func main() {
	count := flag.Int("files", 100_000, "number of small files, 1 KB each")
	large := flag.Int64("large", 4<<30, "bytes of the large file")
	runs := flag.Int("runs", 3, "runs of each command")
	peers := flag.Bool("peers", true, "measure DVC too (minutes)")
	flag.Parse()
	if err := run(*count, *large, *runs, *peers); err != nil {
		fmt.Fprintln(os.Stderr, "files:", err)
		os.Exit(1)
	}
}

// bench holds what the measurements share.
type bench struct {
	flow, dvc string
	haveDVC   bool
	tmp       string
	runs      int
}

func run(count int, large int64, runs int, peers bool) error {
	b := &bench{runs: runs}
	var ok bool
	if b.flow, ok = measure.Tool("FLOW_BENCH_FLOW", "flow"); !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	if peers {
		b.dvc, b.haveDVC = measure.Tool("FLOW_BENCH_DVC", "dvc")
	}
	var err error
	if b.tmp, err = os.MkdirTemp(os.Getenv("FLOW_BENCH_DIR"), "flow-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.tmp) }()
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
	name, exe, dir, control string
	init                    []string
}

func (b *bench) tools(what string) []tool {
	list := []tool{
		{"flow", b.flow, filepath.Join(b.tmp, what, "native"), ".flow", []string{"init", "--no-scm"}},
		{"flow, DVC's format", b.flow, filepath.Join(b.tmp, what, "format"), ".dvc", []string{"init", "--no-scm", "--format", "dvc"}},
	}
	if b.haveDVC {
		list = append(list, tool{"DVC", b.dvc, filepath.Join(b.tmp, what, "dvc"), ".dvc", []string{"init", "--no-scm"}})
	}
	return list
}

func (b *bench) compare(title string, tools []tool, warmup int, args []string, before func(t tool) error) {
	var cases []measure.Case
	for _, t := range tools {
		c := measure.Case{Name: t.name, Args: append([]string{t.exe}, args...), Dir: t.dir, Env: []string{"DVC_NO_ANALYTICS=1"}}
		if before != nil {
			c.Before = func() error { return before(t) }
		}
		cases = append(cases, c)
	}
	runs := b.runs
	if b.haveDVC {
		runs = min(runs, 3)
	}
	measure.Print(os.Stdout, title, measure.Compare(cases, warmup, runs))
}

// reset makes a project that tracks nothing yet around untouched data.
func reset(t tool, fill func(dir string) error) error {
	if err := os.RemoveAll(t.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(t.dir, 0o777); err != nil {
		return err
	}
	if err := fill(t.dir); err != nil {
		return err
	}
	r := measure.Compare([]measure.Case{{Args: append([]string{t.exe}, t.init...), Dir: t.dir}}, 0, 1)
	return r[0].Err
}

func (b *bench) many(count int) error {
	tools := b.tools("many")
	fill := func(dir string) error { return smallFiles(filepath.Join(dir, "data"), count) }
	b.compare(fmt.Sprintf("add %d files of 1 KB", count), tools, 0, []string{"add", "-q", "data"}, func(t tool) error { return reset(t, fill) })
	b.compare("status, nothing changed", tools, 1, []string{"status", "-q"}, nil)
	b.compare("checkout into an empty workspace", tools, 0, []string{"checkout", "-q"}, func(t tool) error {
		return os.RemoveAll(filepath.Join(t.dir, "data"))
	})
	b.compare("checkout, nothing to do", tools, 1, []string{"checkout", "-q"}, nil)
	for _, t := range tools {
		if err := os.RemoveAll(t.dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) one(size int64) error {
	source := filepath.Join(b.tmp, "large.bin")
	if err := largeFile(source, size); err != nil {
		return err
	}
	tools := b.tools("one")
	fill := func(dir string) error { return os.Link(source, filepath.Join(dir, "large.bin")) }
	title := fmt.Sprintf("add one file of %d MiB", size>>20)
	b.compare(title, tools, 0, []string{"add", "-q", "large.bin"}, func(t tool) error {
		if err := reset(t, fill); err != nil {
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
			{Name: "b3sum --num-threads 1", Args: []string{b3sum, "--num-threads", "1", source}, Dir: dir},
			{Name: "b3sum", Args: []string{b3sum, source}, Dir: dir},
		}, 1, b.runs))
	}
	return nil
}

// smallFiles writes count files of 1 KB of random text in directories of 1,000.
func smallFiles(dir string, count int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 1024)
	for i := range count {
		sub := filepath.Join(dir, strconv.Itoa(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(sub, 0o777); err != nil {
				return err
			}
		}
		for k := range buf {
			buf[k] = 'a' + byte(rng.Uint32()%26)
		}
		if err := os.WriteFile(filepath.Join(sub, strconv.Itoa(i)), buf, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func largeFile(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.NewChaCha8([32]byte{1})
	buf := make([]byte, 1<<20)
	for left := size; left > 0; left -= int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), left)]
		_, _ = rng.Read(buf) // never fails
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return w.Flush()
}
