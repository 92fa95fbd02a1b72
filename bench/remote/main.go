// Command remote measures push and pull against an S3 server on this machine,
// versitygw, beside DVC, s5cmd and rclone: many small files, one large one, and
// how little is asked for when there is little to do.
//
// FLOW_BENCH_FLOW is flow, FLOW_BENCH_VERSITYGW the server; FLOW_BENCH_DVC,
// FLOW_BENCH_S5CMD and FLOW_BENCH_RCLONE are the peers. They are looked for on
// the PATH as well; peers that are absent are left out. The server shares the
// machine with the program that is measured, and costs all of them alike.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowrepro/flow/bench/measure"
)

var (
	files   = flag.Int("files", 20_000, "number of small files")
	size    = flag.Int("size", 4<<10, "bytes of a small file")
	large   = flag.Int64("large", 4<<10, "MiB of the large file")
	objects = flag.Int("objects", 100_000, "objects of the project in which there is little to do, of 64 bytes")
	runs    = flag.Int("runs", 3, "runs of each command")
	storage = flag.String("storage", "", "directory of the server's objects (default memory, /dev/shm, where that is a tmpfs and large enough, else beside the projects)")
	peers   = flag.Bool("peers", true, "measure DVC, s5cmd and rclone too")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "remote:", err)
		os.Exit(1)
	}
}

// bench holds what the measurements share.
type bench struct {
	flow, tmp string
	server    *server
	trash     measure.Trash
	inMemory  bool // the server's objects are
	// one is the large file when it is measured: what is thrown away is deleted at
	// once then, because the disk could not hold it.
	one      string
	compared []*tool
	told     map[string]bool // peers that are absent
}

func run() error {
	b := &bench{told: map[string]bool{}}
	var ok bool
	if b.flow, ok = measure.Tool("FLOW_BENCH_FLOW", "flow"); !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	gateway, ok := measure.Tool("FLOW_BENCH_VERSITYGW", "versitygw")
	if !ok {
		return fmt.Errorf("no versitygw: set FLOW_BENCH_VERSITYGW (tools/ has its version: go -C tools install github.com/versity/versitygw/cmd/versitygw)")
	}
	var err error
	if b.tmp, err = os.MkdirTemp(os.Getenv("FLOW_BENCH_DIR"), "flow-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.tmp) }()
	b.trash.Dir = filepath.Join(b.tmp, "trash")
	place, where := b.storage()
	if place != b.tmp {
		if place, err = os.MkdirTemp(place, "flow-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(place) }()
	}
	if b.server, err = startServer(gateway, filepath.Join(place, "server")); err != nil {
		return err
	}
	defer b.server.stop()
	fmt.Printf("%s\n\nversitygw %s posix %s; its objects are %s. Between runs the disk is written back.\n\n",
		measure.Machine(), strings.Join(gatewayFlags, " "), strings.Join(posixFlags, " "), where)
	if *files > 0 {
		what := fmt.Sprintf("%d files of %d bytes", *files, *size)
		err := b.compare("many", what, func(dir string) error { return measure.SmallFiles(dir, *files, *size) })
		if err != nil {
			return err
		}
	}
	if *large > 0 {
		source := filepath.Join(b.tmp, "large.bin")
		if err := measure.LargeFile(source, *large<<20); err != nil {
			return err
		}
		b.one = source
		err := b.compare("one", fmt.Sprintf("one file of %d MiB", *large), func(dir string) error {
			if err := os.Mkdir(dir, 0o777); err != nil {
				return err
			}
			return os.Link(source, filepath.Join(dir, "large.bin"))
		})
		if err != nil {
			return err
		}
	}
	if *objects > 0 {
		return b.little()
	}
	return nil
}

// storage is where the server keeps objects, and that in words. In memory the
// clients are measured rather than the disk.
func (b *bench) storage() (dir, where string) {
	switch memory := memoryDir(); {
	case *storage != "":
		b.inMemory = memory != "" && strings.HasPrefix(*storage, memory)
		return *storage, "in " + *storage
	case memory != "":
		// As many copies of the data as there are tools, and one in parts.
		tools := 2
		for env, name := range map[string]string{"FLOW_BENCH_DVC": "dvc", "FLOW_BENCH_S5CMD": "s5cmd", "FLOW_BENCH_RCLONE": "rclone"} {
			if _, ok := measure.Tool(env, name); ok && *peers {
				tools++
			}
		}
		need := int64(tools+1) * max(*large<<20, int64(*files)*int64(*size), int64(*objects)*(4<<10))
		if need <= memoryFree()/4*3 {
			b.inMemory = true
			return memory, "in memory (" + memory + ")"
		}
	}
	return b.tmp, "on the disk of the projects"
}

// compare measures a push of data into an empty bucket, a fetch of it into an empty
// cache, and a pull of it into an empty directory.
func (b *bench) compare(key, what string, data func(dir string) error) error {
	tools := b.tools(key, *peers)
	b.compared = tools
	for _, t := range tools {
		if err := b.fill(t, data); err != nil {
			return err
		}
	}
	b.print("push "+what, tools, func(t *tool) []string { return t.push }, b.forget)
	// s5cmd beside a fetch: both write what they bring once.
	var once []*tool
	for _, t := range tools {
		if t.fetch != nil {
			once = append(once, t)
		}
	}
	// MD5 has no parallel form: what verifies as it fetches in DVC's format is no
	// faster than the hash of the file.
	if exe, err := exec.LookPath("md5sum"); err == nil && b.one != "" {
		once = append(once, &tool{
			name: "md5sum of the file alone", exe: exe, dir: filepath.Join(b.tmp, key, "md5sum"), prefix: key + "-md5sum", fetch: []string{b.one},
		})
	}
	b.print("fetch (pull into the cache only) "+what, once, func(t *tool) []string { return t.fetch }, b.clone)
	b.print("pull "+what, tools, func(t *tool) []string { return t.pull }, b.clone)
	for _, t := range tools {
		if err := b.throw(t.dir); err != nil {
			return err
		}
		if err := b.forget(t); err != nil {
			return err
		}
	}
	return os.RemoveAll(b.trash.Dir)
}

// print measures a command of each tool, and prints it.
func (b *bench) print(title string, tools []*tool, args func(*tool) []string, before func(*tool) error) {
	var cases []measure.Case
	for _, t := range tools {
		c := measure.Case{Name: t.name, Args: append([]string{t.exe}, args(t)...), Dir: t.dir, Env: t.env, Server: b.server.cpu}
		c.Before = func() error {
			if before != nil {
				if err := before(t); err != nil {
					return err
				}
			}
			measure.Settle()
			return b.touch()
		}
		cases = append(cases, c)
	}
	rows := measure.Compare(cases, 0, *runs)
	measure.Print(os.Stdout, title, rows)
	for _, own := range rows[:2] {
		for _, peer := range rows[2:] {
			if own.Err == nil && peer.Err == nil {
				fmt.Printf("%s: %.2f times as fast as %s\n", own.Name, ratio(peer.Wall, own.Wall), peer.Name)
			}
		}
	}
	if len(rows) > 2 {
		fmt.Println()
	}
}

// touch sees to it, where a large file is measured, that memory for it is there: a
// virtual machine gets it from its host at first use and gives it back when it is free
// for seconds, which by chance costs one tool as much as all the rest, and another
// nothing.
func (b *bench) touch() error {
	if b.one == "" {
		return nil
	}
	path := filepath.Join(b.tmp, "touched")
	return errors.Join(measure.LargeFile(path, *large<<20), os.Remove(path))
}

// throw takes a file or directory away.
func (b *bench) throw(path string) error {
	if b.one != "" {
		return os.RemoveAll(path)
	}
	return b.trash.Throw(path)
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
