package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flowrepro/flow/cmd"
	"github.com/flowrepro/flow/stages"
)

// conformanceDVC names the environment variable that holds the path of a dvc
// executable. When it is set, the scripts run that program in flow's place, so
// that what they expect is checked against DVC itself.
const conformanceDVC = "FLOW_CONFORMANCE_DVC"

// dvcScript is the program named flow that scripts find when they run DVC,
// which has one project format and runs one stage at a time: it leaves out the
// flags that say otherwise.
const dvcScript = `#!/bin/sh
n=$#
while [ "$n" -gt 0 ]; do
	case $1 in
	--format | -j) shift && n=$((n - 1)) ;;
	*) set -- "$@" "$1" ;;
	esac
	shift && n=$((n - 1))
done
exec "$` + conformanceDVC + `" "$@"
`

// conformanceNumbers lists the cases the directory must hold.
func conformanceNumbers() []int {
	var list []int
	for n := 1; n <= 105; n++ {
		list = append(list, n)
	}
	return list
}

var conformanceName = regexp.MustCompile(`^(\d{3})_[a-z0-9_]+\.txtar$`)

// TestConformanceTable checks that every case has exactly one script, and that
// every script says what it is about.
func TestConformanceTable(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "conformance", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, f := range files {
		m := conformanceName.FindStringSubmatch(filepath.Base(f))
		if m == nil {
			t.Errorf("%s: name is not NNN_subject.txtar", f)
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(data), "\n"); !strings.HasPrefix(first, "# ") || len(first) < 12 {
			t.Errorf("%s: the first line is not a comment that states the case", f)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(conformanceNumbers(), got); diff != "" {
		t.Errorf("case numbers (-want +got):\n%s", diff)
	}
}

// hasRemotes reports whether flow has the command that lists remotes.
var hasRemotes = sync.OnceValue(func() bool {
	var out strings.Builder
	args := []string{"remote", "list", "--help"}
	code := cmd.Run(context.Background(), stages.NewRegistry(), args, strings.NewReader(""), &out, io.Discard)
	return code == 0 && strings.Contains(out.String(), "flow remote list")
})

// TestConformance runs every script. TestMain gives them the program flow.
func TestConformance(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts' stages are written for a POSIX shell")
	}
	dvc := os.Getenv(conformanceDVC)
	if dvc != "" {
		if _, err := exec.LookPath(dvc); err != nil {
			t.Fatalf("%s: %v", conformanceDVC, err)
		}
	}
	outside := t.TempDir()
	bin := filepath.Join(outside, "bin")
	if dvc != "" {
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "flow"), []byte(dvcScript), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "conformance"),
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			// What belongs to the user and not to the project lies outside
			// the project, which fills $WORK.
			if dvc != "" {
				e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			}
			home := filepath.Join(outside, filepath.Base(e.WorkDir))
			if err := os.MkdirAll(filepath.Join(home, "config"), 0o755); err != nil {
				return err
			}
			for _, kv := range [][2]string{
				{"HOME", home},
				{"TMPDIR", home},
				{"GORACE", os.Getenv("GORACE")},
				{"SHELL", "/bin/sh"},
				{"LC_ALL", "C.UTF-8"},
				{"PID", strconv.Itoa(os.Getpid())},
				{"GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig")},
				{"GIT_CONFIG_NOSYSTEM", "1"},
				{"GIT_AUTHOR_NAME", "A U Thor"}, {"GIT_AUTHOR_EMAIL", "author@example.com"},
				{"GIT_COMMITTER_NAME", "A U Thor"}, {"GIT_COMMITTER_EMAIL", "author@example.com"},
				{"GIT_CEILING_DIRECTORIES", filepath.Dir(e.WorkDir)},
				{"DVC_NO_ANALYTICS", "1"},
				{"DVC_SITE_CACHE_DIR", filepath.Join(home, "site")},
				{"DVC_GLOBAL_CONFIG_DIR", filepath.Join(home, "config")},
				{"DVC_SYSTEM_CONFIG_DIR", filepath.Join(home, "config", "system")},
				{conformanceDVC, dvc},
			} {
				e.Setenv(kv[0], kv[1])
			}
			e.Values[locksKey{}] = map[string]*flock.Flock{}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "dvc":
				return dvc != "", nil
			case "remotes":
				return dvc != "" || hasRemotes(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    scriptCode,
			"ran":     scriptRan,
			"write":   scriptWrite,
			"append":  scriptAppend,
			"edit":    scriptEdit,
			"text":    scriptText,
			"mode":    scriptMode,
			"count":   scriptCount,
			"flock":   scriptFlock,
			"funlock": scriptFunlock,
		},
	})
}

// scriptCode runs a program that must end with an exact exit code:
//
//	code 255 flow repro
func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code number program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

var runningStage = regexp.MustCompile(`(?m)^Running stage '(.*)':$`)

// scriptRan checks which stages the last command ran, in their order; with
// -any in whatever order. Without names: none.
//
//	ran prep train
func scriptRan(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! ran")
	}
	anyOrder := len(args) > 0 && args[0] == "-any"
	if anyOrder {
		args = args[1:]
	}
	want := append([]string{}, args...)
	got := []string{}
	for _, m := range runningStage.FindAllStringSubmatch(ts.ReadFile("stdout"), -1) {
		got = append(got, m[1])
	}
	if anyOrder {
		slices.Sort(want)
		slices.Sort(got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		ts.Fatalf("stages that ran (-want +got):\n%s", diff)
	}
}

// scriptWrite creates or replaces a file, and the directories above it, with
// text in which Go's backslash escapes count:
//
//	write data/in.txt 'hello\n'
func scriptWrite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: write file text")
	}
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o777))
	ts.Check(os.WriteFile(name, []byte(unescape(ts, args[1])), 0o666))
}

// scriptAppend adds text to the end of a file that exists.
func scriptAppend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append file text")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	_, err = f.WriteString(unescape(ts, args[1]))
	ts.Check(errors.Join(err, f.Close()))
}

// scriptEdit replaces one text, which must occur exactly once, by another:
//
//	edit dvc.yaml 'lr: 1' 'lr: 2'
func scriptEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit file old new")
	}
	data := ts.ReadFile(args[0])
	from, to := unescape(ts, args[1]), unescape(ts, args[2])
	if n := strings.Count(data, from); n != 1 {
		ts.Fatalf("%s: %q occurs %d times, want once", args[0], from, n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(data, from, to, 1)), 0o666))
}

// scriptText checks the whole content of a file, stdout or stderr against text
// with Go's backslash escapes. Unlike cmp it can state a missing newline at
// the end.
//
//	text object '[]'
func scriptText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: text file text")
	}
	if diff := cmp.Diff(unescape(ts, args[1]), ts.ReadFile(args[0])); diff != "" {
		ts.Fatalf("%s (-want +got):\n%s", args[0], diff)
	}
}

// scriptMode checks permission bits: mode 0444 file...
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode octal file...")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := info.Mode().Perm(); got != os.FileMode(want) {
			ts.Fatalf("%s: mode %#o, want %#o", name, got, want)
		}
	}
}

// scriptCount checks how many paths match a pattern: count 5 '.dvc/cache/runs/*/*/*'
func scriptCount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: count number pattern")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(got) != want {
		ts.Fatalf("%s matches %d paths, want %d: %q", args[1], len(got), want, got)
	}
}

// locksKey finds the locks that a script holds, by absolute path.
type locksKey struct{}

// scriptFlock holds an exclusive lock on a file as another process would,
// until funlock or the end of the script:
//
//	flock .dvc/tmp/lock
func scriptFlock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flock file")
	}
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o777))
	l := flock.New(name)
	ok, err := l.TryLock()
	ts.Check(err)
	if !ok {
		ts.Fatalf("%s: locked already", args[0])
	}
	ts.Defer(func() { _ = l.Unlock() })
	ts.Value(locksKey{}).(map[string]*flock.Flock)[name] = l
}

// scriptFunlock lets go of a lock when some time has passed, while the script
// goes on:
//
//	funlock .dvc/tmp/lock 1s
func scriptFunlock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: funlock file duration")
	}
	l := ts.Value(locksKey{}).(map[string]*flock.Flock)[ts.MkAbs(args[0])]
	if l == nil {
		ts.Fatalf("%s: not locked", args[0])
	}
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	timer := time.AfterFunc(d, func() { _ = l.Unlock() })
	ts.Defer(func() { timer.Stop() })
}

// unescape resolves Go's backslash escapes; every other byte stands for itself.
func unescape(ts *testscript.TestScript, s string) string {
	var b strings.Builder
	for s != "" {
		if s[0] != '\\' {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		r, multibyte, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			ts.Fatalf("%q: %v", s, err)
		}
		if multibyte || r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		s = rest
	}
	return b.String()
}
