package project

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newProject(t *testing.T, f *Format, config string) *Project {
	t.Helper()
	isolate(t)
	root := t.TempDir()
	write(t, filepath.Join(root, f.Control, "config"), config)
	p, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMain lets the test binary play another process: one that holds the lock
// of a project until its input ends.
func TestMain(m *testing.M) {
	root := os.Getenv("PROJECT_TEST_HOLD")
	if root == "" {
		os.Exit(m.Run())
	}
	p, err := Find(root)
	if err == nil {
		_, err = p.Lock(context.Background(), false)
	}
	fmt.Println(err)
	bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// hold starts a process that holds the project's lock. end ends it without
// giving it the chance to let go.
func hold(t *testing.T, p *Project) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROJECT_TEST_HOLD="+p.Root)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(end)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "<nil>\n" {
		t.Fatalf("holder: %q, %v", line, err)
	}
	return cmd.Process.Pid, end
}

func TestLock(t *testing.T) {
	for _, config := range []string{"", "[core]\nhardlink_lock = true\n"} {
		p := newProject(t, DVC, config)
		for range 2 {
			release, err := p.Lock(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := p.Lock(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("taken twice: %v", err)
			}
			cancel()
			if err := release(); err != nil {
				t.Fatal(err)
			}
		}
		left, err := os.ReadDir(p.TempDir())
		if err != nil || config != "" && len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestLockContent(t *testing.T) {
	p := newProject(t, DVC, "")
	write(t, filepath.Join(p.TempDir(), "lock"), " 123456789\nlonger than what comes\n")
	release, err := p.Lock(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got, want := read(t, filepath.Join(p.TempDir(), "lock")), fmt.Sprintf(" %d\n", os.Getpid()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLockOfAnotherProcess(t *testing.T) {
	p := newProject(t, DVC, "")
	pid, end := hold(t, p)
	start := time.Now()
	done := make(chan error, 1)
	go func() {
		// One that waits gets the lock when the holder dies, however it dies.
		time.Sleep(600 * time.Millisecond)
		end()
	}()
	go func() {
		release, err := p.Lock(context.Background(), false)
		if err == nil {
			err = release()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if waited := time.Since(start); waited < 500*time.Millisecond {
		t.Errorf("taken after %v from process %d", waited, pid)
	}
}

func TestBusyError(t *testing.T) {
	if p := patient(false); time.Duration(p.retries)*p.delay != 3*time.Second || p.forever {
		t.Errorf("DVC waits for three seconds, we %+v", p)
	}
	short := patience{retries: 3, delay: 10 * time.Millisecond}
	dir := t.TempDir()
	path := filepath.Join(dir, "lock")
	release, err := lockFile(context.Background(), path, short)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	start := time.Now()
	_, err = lockFile(context.Background(), path, short)
	var busy *BusyError
	if !errors.As(err, &busy) {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < 30*time.Millisecond || waited > 2*time.Second {
		t.Errorf("gave up after %v", waited)
	}
	if !strings.HasPrefix(err.Error(), "Unable to acquire lock. Most likely another DVC process is running") ||
		!strings.Contains(busy.Hint(), fmt.Sprintf("process %d holds", os.Getpid())) {
		t.Errorf("%v; %s", err, busy.Hint())
	}
}

// deadPID returns the number of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestLockPaths(t *testing.T) {
	const self = "repro -f"
	parent := os.Getppid() // alive, and not us
	table := func(write, read string) string { return fmt.Sprintf(`{"write": {%s}, "read": {%s}}`, write, read) }
	holds := func(path, cmd string) string {
		return fmt.Sprintf(`"/p/%s": {"pid": %d, "cmd": "%s"}`, path, parent, cmd)
	}
	reads := func(path string) string { return fmt.Sprintf(`"/p/%s": [{"pid": %d, "cmd": "x"}]`, path, parent) }
	for _, c := range []struct {
		name        string
		table       string
		read, write []string
		busy        string
	}{
		{"no file", "", []string{"/p/a"}, []string{"/p/b"}, ""},
		{"sections missing", "{}", []string{"/p/a"}, []string{"/p/b"}, ""},
		{"read of what is read", table("", reads("a")), []string{"/p/a"}, nil, ""},
		{"write of what is read", table("", reads("a")), nil, []string{"/p/a"}, "/p/a"},
		{"read of what is written", table(holds("a", "x"), ""), []string{"/p/a"}, nil, "/p/a"},
		{"write of what is written", table(holds("a", "x"), ""), nil, []string{"/p/a"}, "/p/a"},
		{"child of what is written", table(holds("a", "x"), ""), []string{"/p/a/b"}, nil, "/p/a/b"},
		{"parent of what is written", table(holds("a/b", "x"), ""), nil, []string{"/p/a"}, "/p/a"},
		{"neighbour of what is written", table(holds("a", "x"), ""), nil, []string{"/p/ab"}, ""},
		{"the one that overlaps is named", table(holds("a", "x"), ""), []string{"/p/z", "/p/a/q"}, nil, "/p/a/q"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProject(t, DVC, "")
			file := filepath.Join(p.TempDir(), "rwlock")
			before := "{}"
			if c.table != "" {
				write(t, file, c.table)
				before = c.table
			}
			release, err := p.LockPaths(t.Context(), PathLocks{Read: c.read, Write: c.write, Cmd: self})
			if c.busy != "" {
				want := fmt.Sprintf("'%s' is busy, it is being blocked by:\n  (PID %d): x\n\nIf there are no processes with such PIDs, you can manually remove '%s' and try again.", c.busy, parent, file)
				if err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var held pathTable
			if err := json.Unmarshal([]byte(read(t, file)), &held); err != nil {
				t.Fatal(err)
			}
			me := holder{os.Getpid(), self}
			for _, path := range c.write {
				if held.Write[path] != me {
					t.Errorf("%s is not held for writing: %+v", path, held)
				}
			}
			for _, path := range c.read {
				if n := len(held.Read[path]); n == 0 || held.Read[path][n-1] != me {
					t.Errorf("%s is not held for reading: %+v", path, held)
				}
			}
			if err := release(); err != nil {
				t.Fatal(err)
			}
			want, err := readTable(before)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readPathTable(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func readTable(text string) (*pathTable, error) {
	t := &pathTable{Write: map[string]holder{}, Read: map[string][]holder{}}
	return t, json.Unmarshal([]byte(text), t)
}

func TestLockPathsOfTheDead(t *testing.T) {
	p := newProject(t, Native, "")
	dead := deadPID(t)
	write(t, filepath.Join(p.TempDir(), "rwlock"), fmt.Sprintf(
		`{"write": {"/p/a": {"pid": %[1]d, "cmd": "old"}, "/p/other": {"pid": %[1]d, "cmd": "old"}}, "read": {"/p/b": [{"pid": %[1]d, "cmd": "old"}]}}`, dead))
	var warnings []string
	release, err := p.LockPaths(t.Context(), PathLocks{
		Read: []string{"/p/a/x"}, Write: []string{"/p/b"}, Cmd: "repro",
		Warn: func(msg string) { warnings = append(warnings, msg) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], fmt.Sprintf("Process 'old' with (Pid %d)", dead)) {
		t.Errorf("warnings %q", warnings)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	got, err := readPathTable(filepath.Join(p.TempDir(), "rwlock"))
	if err != nil || len(got.Read) != 0 || len(got.Write) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLockPathsTwice(t *testing.T) {
	p := newProject(t, Native, "")
	o := PathLocks{Read: []string{"/p/a"}, Write: []string{"/p/b"}, Cmd: "repro"}
	first, err := p.LockPaths(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.LockPaths(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.TempDir(), "rwlock")
	if got, _ := readPathTable(file); len(got.Read) != 1 || len(got.Write) != 1 {
		t.Errorf("the first to finish let go for the other: %+v", got)
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
	if got, _ := readPathTable(file); len(got.Read) != 0 || len(got.Write) != 0 {
		t.Errorf("still held: %+v", got)
	}
	other := o
	other.Cmd = "commit"
	first, err = p.LockPaths(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := p.LockPaths(t.Context(), other); !errors.As(err, &busy) {
		t.Errorf("another command of the same process: %v", err)
	}
	go func() { time.Sleep(50 * time.Millisecond); first() }()
	other.Wait = true
	release, err := p.LockPaths(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestLockPathsBadFile(t *testing.T) {
	p := newProject(t, Native, "")
	file := filepath.Join(p.TempDir(), "rwlock")
	for text, want := range map[string]string{
		"":                               "JSON structure is corrupted",
		"{":                              "JSON structure is corrupted",
		`{"write": {"a": {"pid": "x"}}}`: "format error",
		`{"other": 1}`:                   "format error",
	} {
		write(t, file, text)
		if _, err := p.LockPaths(t.Context(), PathLocks{Read: []string{"/a"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestLocksWithDVC(t *testing.T) {
	dvc := realDVC(t)
	p := newProject(t, DVC, "[core]\nno_scm = true\n")
	write(t, filepath.Join(p.Root, "dvc.yaml"), "stages:\n  a:\n    cmd: sleep 30\n    outs: [out]\n")

	// Ours keeps DVC out.
	release, err := p.Lock(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := runDVC(t, dvc, p.Root, "status")
	if err == nil || !strings.Contains(out, "Unable to acquire lock.") {
		t.Errorf("DVC did not notice our lock: %v\n%s", err, out)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	releasePaths, err := p.LockPaths(t.Context(), PathLocks{Read: []string{p.Abs("out")}, Cmd: "flow repro"})
	if err != nil {
		t.Fatal(err)
	}
	out, err = runDVC(t, dvc, p.Root, "repro")
	if err == nil || !strings.Contains(out, fmt.Sprintf("(PID %d): flow repro", os.Getpid())) {
		t.Errorf("DVC did not notice our path lock: %v\n%s", err, out)
	}
	if err := releasePaths(); err != nil {
		t.Fatal(err)
	}

	// DVC's keeps us out.
	cmd := exec.Command(dvc, "repro")
	cmd.Dir = p.Root
	cmd.Env = append(os.Environ(), "DVC_NO_ANALYTICS=1", "DVC_SITE_CACHE_DIR="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Signal(os.Interrupt); cmd.Process.Kill(); cmd.Wait() }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if table, err := readPathTable(filepath.Join(p.TempDir(), "rwlock")); err == nil && len(table.Write) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("DVC took no lock")
		}
		time.Sleep(50 * time.Millisecond)
	}
	var busy *BusyError
	if _, err := p.LockPaths(t.Context(), PathLocks{Write: []string{p.Abs("out")}, Cmd: "flow repro"}); !errors.As(err, &busy) || busy.Blockers[0].PID != cmd.Process.Pid {
		t.Errorf("we did not notice DVC's path lock: %v", err)
	}
}

// A lock that could not be entered in the file is not held.
func TestLockPathsNotWritten(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the longest path has another length")
	}
	// Its directory has so long a name that the lock file can be opened, but
	// no file of a longer name.
	p := newProject(t, Native, "")
	longest := 4095 - len("/rwlock.lock")
	for rest := longest - len(p.TempDir()); rest > 0; rest = longest - len(p.TempDir()) {
		name := strings.Repeat("d", min(rest-1, 200))
		if rest-len(name)-1 == 1 {
			name = name[1:] // a separator alone would be left
		}
		p.Root += "/" + name
	}
	if err := os.MkdirAll(p.TempDir(), 0o777); err != nil {
		t.Fatal(err)
	}
	o := PathLocks{Read: []string{"/p/a"}, Write: []string{"/p/b"}, Cmd: "repro"}
	if _, err := p.LockPaths(t.Context(), o); err == nil {
		t.Fatal("a lock nobody can see was given")
	} else if !strings.Contains(err.Error(), "write locks") {
		t.Fatalf("not what was to fail: %v", err)
	}
	if n := len(p.paths.count); n != 0 {
		t.Errorf("%d locks are still counted", n)
	}
}

// readPathTable reads the file as another process would.
func readPathTable(file string) (*pathTable, error) {
	f, t, _, err := new(pathHolds).read(file)
	if f != nil {
		f.Close()
	}
	return t, err
}

// A release that lingers is in the file with the next change, or when it is
// asked for, and what was taken again meanwhile stays.
func TestLockPathsLinger(t *testing.T) {
	p := newProject(t, DVC, "")
	file := filepath.Join(p.TempDir(), "rwlock")
	lock := func(read, write string) func() error {
		t.Helper()
		release, err := p.LockPaths(t.Context(), PathLocks{Read: []string{read}, Write: []string{write}, Cmd: "repro", Linger: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	want := func(when string, read, write []string) {
		t.Helper()
		got, err := readPathTable(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{read, write}, [][]string{sortedKeys(got.Read), sortedKeys(got.Write)}); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	a := lock("/p/in", "/p/a")
	if err := a(); err != nil {
		t.Fatal(err)
	}
	want("lingering", []string{"/p/in"}, []string{"/p/a"})
	b := lock("/p/in", "/p/b")
	want("the next one", []string{"/p/in"}, []string{"/p/b"})
	if err := b(); err != nil {
		t.Fatal(err)
	}
	again := lock("/p/other", "/p/b")
	want("taken again", []string{"/p/other"}, []string{"/p/b"})
	if err := again(); err != nil {
		t.Fatal(err)
	}
	if err := p.ReleasePaths(); err != nil {
		t.Fatal(err)
	}
	want("released", []string{}, []string{})
}

// A release that lingers is written when its time has come.
func TestLockPathsLingerEnds(t *testing.T) {
	p := newProject(t, DVC, "")
	for range 2 {
		release, err := p.LockPaths(t.Context(), PathLocks{Write: []string{"/p/a"}, Cmd: "repro", Linger: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		for {
			got, err := readPathTable(filepath.Join(p.TempDir(), "rwlock"))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Write) == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}
