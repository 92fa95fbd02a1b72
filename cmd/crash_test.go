package cmd_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/engine/lock"
)

// killsVar sets how many times TestKilled kills flow.
const killsVar = "FLOW_KILLS"

var killSeed = flag.Uint64("killseed", 0, "seed of TestKilled's delays; 0 takes one from the clock")

// killCase is a command that is killed, and what is there before it.
type killCase struct {
	name    string
	prepare [][]string // run in the template of the format; "sh" scripts or flow's arguments
	args    []string   // of the command that is killed and then run again
	cache   bool       // the names in the cache must come out alike too
	format  string     // the only format of the case, "" for both
	usable  []string   // arguments that must do at any moment
}

const killPipeline = `stages:
  lines:
    foreach: [a, b, c]
    do:
      cmd: seq -f '${item} %.0f' 4000 > ${item}.txt
      deps: [in.txt]
      outs: ['${item}.txt']
  many:
    cmd: mkdir -p many/sub && n=$(wc -c < in.txt) && i=0 && while [ $i -lt 60 ]; do echo $n $i > many/$i; echo $i $n > many/sub/$i; i=$((i+1)); done
    deps: [in.txt]
    outs: [many]
  upper:
    cmd: flow stage upper
    deps: [a.txt]
    params: [suffix]
    outs: [upper.txt]
  count:
    cmd: ls many | wc -l | tr -d ' ' > n.txt && cat n.txt
    deps: [many, upper.txt]
    metrics: [{n.txt: {cache: false}}]
`

func killCases() []killCase {
	const makeData = `mkdir -p data/sub && i=0 && while [ $i -lt 150 ]; do echo $i > data/$i; echo x$i > data/sub/$i; i=$((i+1)); done`
	repro := []string{"repro", "-j", "2"}
	return []killCase{
		{name: "repro first", args: repro},
		{name: "repro stale", args: repro, prepare: [][]string{{"repro"}, {"sh", "echo more >> in.txt"}}},
		{name: "repro restoring", args: repro, prepare: [][]string{
			{"repro"}, {"sh", "cp in.txt old && echo more >> in.txt"}, {"repro"}, {"sh", "mv old in.txt"},
		}},
		{name: "add", args: []string{"add", "data"}, prepare: [][]string{{"sh", makeData}}},
		{name: "add again", args: []string{"add", "data"}, prepare: [][]string{
			{"sh", makeData}, {"add", "data"}, {"sh", "rm data/1* && for i in 2 3 4; do echo new$i > data/$i; done"},
		}},
		{name: "checkout", args: []string{"checkout"}, prepare: [][]string{
			{"sh", makeData}, {"add", "data"}, {"repro"}, {"sh", "rm -r data many [abc].txt"},
		}},
		{name: "checkout forced", args: []string{"checkout", "-f"}, prepare: [][]string{
			{"sh", makeData}, {"add", "data"}, {"repro"}, {"sh", "rm data/1*; echo 1 > data/new; for f in data/2* many/3* b.txt; do echo other > $f; done"},
		}},
		{name: "gc", args: []string{"gc", "-w", "-f"}, cache: true, prepare: [][]string{
			{"sh", makeData}, {"add", "data"}, {"repro"},
			{"sh", "rm data/1* && echo more >> in.txt"}, {"add", "data"}, {"repro"},
		}},
	}
}

// transferKillCases are those with a remote, a directory of the project.
func transferKillCases() []killCase {
	const (
		makeData = `mkdir -p data/sub && i=0 && while [ $i -lt 150 ]; do echo $i > data/$i; echo x$i > data/sub/$i; i=$((i+1)); done
			head -c 6000000 /dev/zero > data/big`
		empty = `rm -rf .flow/cache .dvc/cache data many [abc].txt upper.txt`
	)
	made := [][]string{{"sh", makeData}, {"add", "data"}, {"repro"}, {"remote", "add", "-d", "r", "store"}}
	with := func(more ...[]string) [][]string { return append(slices.Clone(made), more...) }
	return []killCase{
		{name: "push", args: []string{"push", "--run-cache"}, prepare: made},
		{name: "push the rest", args: []string{"push", "-j", "2"}, prepare: with(
			[]string{"push"}, []string{"sh", "rm -rf store/files/*/[0-9]* store/packs/*/*.index"})},
		{name: "pull", args: []string{"pull"}, cache: true, prepare: with([]string{"push"}, []string{"sh", empty})},
		{name: "fetch", args: []string{"fetch", "--run-cache"}, cache: true, prepare: with(
			[]string{"push", "--run-cache"}, []string{"sh", empty})},
		{name: "repro pulling", args: []string{"repro", "--pull"}, prepare: with([]string{"push", "--run-cache"}, []string{"sh", empty})},
		{name: "gc of the remote", args: []string{"gc", "-w", "-c", "-f"}, prepare: with(
			[]string{"push"}, []string{"sh", "rm data/1*"}, []string{"add", "data"})},
	}
}

// migrateKillCases convert a project.
func migrateKillCases() []killCase {
	const makeData = `mkdir -p data/sub && i=0 && while [ $i -lt 150 ]; do echo $i > data/$i; echo x$i > data/sub/$i; i=$((i+1)); done
		chmod +x data/1* && head -c 6000000 /dev/zero > data/big`
	prepare := [][]string{{"sh", makeData}, {"add", "data"}, {"repro"}, {"remote", "add", "-d", "r", "store"}, {"push"}}
	return []killCase{
		{name: "migrate", format: "native", args: []string{"migrate", "--to", "dvc"}, usable: []string{"status", "-q"}, cache: true, prepare: prepare},
		// How small objects are put together on a remote depends on what is there.
		{name: "migrate", format: "dvc", args: []string{"migrate", "--to", "native", "--no-remote"}, usable: []string{"status", "-q"}, cache: true, prepare: prepare},
	}
}

// TestKilledMigration is TestKilled for conversions: besides, the project must be
// whole in one of the formats at any moment.
func TestKilledMigration(t *testing.T) { killAll(t, migrateKillCases(), 4) }

// TestKilledTransfers is TestKilled for remotes: besides, what a push has put
// there must be whole at any moment.
func TestKilledTransfers(t *testing.T) { killAll(t, transferKillCases(), 4) }

// TestKilled kills flow at random moments of what it does. Each time the lock
// must be whole, the cache must verify, and the same command, run again, must
// end with the very files that it leaves when nothing disturbs it.
func TestKilled(t *testing.T) { killAll(t, killCases(), 8) }

// killAll kills the cases as often as killsVar says, usual times without it.
func killAll(t *testing.T, cases []killCase, usual int) {
	if runtime.GOOS == "windows" {
		t.Skip("the stages are written for a POSIX shell")
	}
	kills, random := killPlan(t, usual)

	var runs []*killRun
	for _, format := range []string{"native", "dvc"} {
		for _, c := range cases {
			if c.format == "" || c.format == format {
				runs = append(runs, &killRun{killCase: c, format: format, home: t.TempDir()})
			}
		}
	}
	// Which case gets a kill more than another is up to chance as well.
	random.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	killed := 0
	for i, r := range runs {
		share := kills / len(runs)
		if i < kills%len(runs) {
			share++
		}
		if share == 0 {
			continue
		}
		t.Run(r.format+"/"+r.name, func(t *testing.T) {
			r.setup(t)
			for k := range share {
				// The moments are spread over the whole duration.
				moment := (float64(k) + random.Float64()) / float64(share)
				if r.kill(t, k, time.Duration(moment*float64(r.took))) {
					killed++
				}
			}
		})
	}
	if killed < kills/3 {
		t.Errorf("only %d of %d commands were killed before their end", killed, kills)
	}
	t.Logf("%d were killed before their end", killed)
}

// killPlan returns how many kills there are to be, and what their moments are
// drawn from.
func killPlan(t *testing.T, usual int) (int, *rand.Rand) {
	t.Helper()
	kills := usual
	if v := os.Getenv(killsVar); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q: not a number of kills", killsVar, v)
		}
		kills = n
	} else if testing.Short() {
		kills = min(kills, 16)
	}
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d kills, -killseed %d", kills, seed)
	return kills, rand.New(rand.NewPCG(seed, 0))
}

// killRun is a case in one format: what is there before, and what must be
// there after.
type killRun struct {
	killCase
	format   string // that is tried
	home     string
	template string
	want     map[string]string
	took     time.Duration
}

func (r *killRun) setup(t *testing.T) {
	t.Helper()
	r.template = filepath.Join(r.home, "template")
	for name, text := range map[string]string{
		"dvc.yaml": killPipeline, "params.yaml": "suffix: '!'\n", "in.txt": "in\n",
	} {
		write(t, filepath.Join(r.template, name), text)
	}
	if git, err := exec.LookPath("git"); err == nil {
		c := exec.Command(git, "init", "-q", r.template)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git init: %v\n%s", err, out)
		}
		r.must(t, r.template, "init", "--format", r.format)
	} else {
		t.Log("git is absent: .gitignore is not written")
		r.must(t, r.template, "init", "--format", r.format, "--no-scm")
	}
	for _, p := range r.prepare {
		if p[0] != "sh" {
			r.must(t, r.template, p...)
			continue
		}
		c := exec.Command("sh", "-ec", p[1])
		c.Dir = r.template
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", p[1], err, out)
		}
	}
	// The first run warms the disk, the second tells how long one takes.
	for _, name := range []string{"warm", "reference"} {
		dir := filepath.Join(r.home, name)
		copyTree(t, r.template, dir)
		start := time.Now()
		r.must(t, dir, r.args...)
		r.took = time.Since(start)
		r.want = r.files(t, dir)
	}
}

// kill kills the command after a while and checks what it left; killed is false
// when the command was faster.
func (r *killRun) kill(t *testing.T, k int, after time.Duration) (killed bool) {
	t.Helper()
	dir := filepath.Join(r.home, strconv.Itoa(k))
	copyTree(t, r.template, dir)
	c := flowCommand(t, r.home, dir, r.args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	err := c.Wait()
	timer.Stop()
	var exit *exec.ExitError
	if killed = errors.As(err, &exit) && exit.ExitCode() == -1; !killed && err != nil {
		t.Fatalf("flow %s: %v", strings.Join(r.args, " "), err)
	}
	at := fmt.Sprintf("killed after %v of %v", after, r.took)

	if data, err := os.ReadFile(filepath.Join(dir, "dvc.lock")); err == nil {
		if _, err := lock.Parse("dvc.lock", data); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for name, content := range r.files(t, dir) {
		// What a push sends is in the reference, what a collection removes is not.
		sent := strings.HasPrefix(name, "store/files/") || strings.HasPrefix(name, "store/packs/")
		if want, ok := r.want[name]; sent && ok && content != want {
			t.Errorf("%s: %s is not whole", at, name)
		}
	}
	if r.usable != nil {
		if out, code := runFlow(t, r.home, dir, r.usable...); code != 0 {
			t.Errorf("%s: flow %s ends with %d:\n%s", at, strings.Join(r.usable, " "), code, out)
		}
	}
	if out, code := runFlow(t, r.home, dir, "cache", "verify"); code != 0 {
		t.Errorf("%s: flow cache verify ends with %d:\n%s", at, code, out)
	}
	if out, code := runFlow(t, r.home, dir, r.args...); code != 0 {
		t.Fatalf("%s: flow %s then ends with %d:\n%s", at, strings.Join(r.args, " "), code, out)
	}
	if diff := cmp.Diff(r.want, r.files(t, dir)); diff != "" {
		t.Errorf("%s: files after the next run (-undisturbed +got):\n%s", at, diff)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	return killed
}

func (r *killRun) must(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, code := runFlow(t, r.home, dir, args...); code != 0 {
		t.Fatalf("flow %s ends with %d:\n%s", strings.Join(args, " "), code, out)
	}
}

// files are the files of the workspace by content, and, where the case asks for
// it, the names in the cache.
func (r *killRun) files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		top, rest, _ := strings.Cut(filepath.ToSlash(rel), "/")
		switch control := top == ".flow" || top == ".dvc"; {
		case control && (!r.cache || d.IsDir() || !strings.HasPrefix(rest, "cache/")):
		case control && strings.Contains(rest, "/.flow-tmp-"):
			// Swept when it is an hour old.
		case control:
			all[filepath.ToSlash(rel)] = "object"
		case top == ".git":
		case top == "store" && (strings.HasPrefix(rest, ".flow-tmp-") || rest == ".flow/collecting"):
			// Left behind, or with the time in it.
		case d.IsDir():
			all[filepath.ToSlash(rel)] = "directory"
		default:
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if d.Name() == ".gitignore" {
				// Its lines come in the order in which stages end.
				lines := strings.SplitAfter(string(data), "\n")
				slices.Sort(lines)
				data = []byte(strings.Join(lines, ""))
			}
			all[filepath.ToSlash(rel)] = string(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// flowCommand is the program under test in a process of its own.
func flowCommand(t *testing.T, home, dir string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command("flow", args...) // TestMain put it there
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "SHELL=/bin/sh", "LC_ALL=C",
		"DVC_GLOBAL_CONFIG_DIR="+home, "DVC_SYSTEM_CONFIG_DIR="+home,
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "PWD="+dir)
	return c
}

// runFlow runs the program to its end and returns what it said and its code.
func runFlow(t *testing.T, home, dir string, args ...string) (string, int) {
	t.Helper()
	return runCommand(t, flowCommand(t, home, dir, args...))
}

// runCommand runs a command to its end and returns what it said and its code.
func runCommand(t *testing.T, c *exec.Cmd) (string, int) {
	t.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	c.WaitDelay = time.Second
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", strings.Join(c.Args, " "), err)
	}
	return out.String(), c.ProcessState.ExitCode()
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// copyTree copies files with their modes; hard links to one file become one
// file each.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, fi.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}
