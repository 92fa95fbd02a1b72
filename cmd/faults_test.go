package cmd_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
)

// fault is a project in a directory of its own, with files beside it that
// nothing may touch.
type fault struct {
	*testing.T
	dir, beside, home, format string
}

// faults runs a test in both formats.
func faults(t *testing.T, test func(t *fault)) {
	if runtime.GOOS == "windows" {
		t.Skip("the stages are written for a POSIX shell")
	}
	for _, format := range []string{"native", "dvc"} {
		t.Run(format, func(t *testing.T) {
			top := t.TempDir()
			f := &fault{t, filepath.Join(top, "p"), filepath.Join(top, "beside"), filepath.Join(top, "home"), format}
			f.write("../beside/precious", "precious\n")
			f.write("in.txt", "in\n")
			f.mkdir("../home")
			f.flow(0, "init", "--format", format, "--no-scm")
			before := f.outside()
			test(f)
			if diff := cmp.Diff(before, f.outside()); diff != "" {
				t.Errorf("files outside of the project (-before +after):\n%s", diff)
			}
		})
	}
}

func (f *fault) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *fault) write(name, text string) { f.Helper(); write(f.T, f.path(name), text) }

func (f *fault) mkdir(name string) {
	f.Helper()
	if err := os.MkdirAll(f.path(name), 0o777); err != nil {
		f.Fatal(err)
	}
}

func (f *fault) read(name string) string {
	f.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.Fatal(err)
	}
	return string(data)
}

// control is the directory that holds the cache.
func (f *fault) control() string {
	if f.format == "dvc" {
		return ".dvc"
	}
	return ".flow"
}

func (f *fault) hash() *cache.Hash {
	if f.format == "dvc" {
		return cache.MD5
	}
	return cache.BLAKE3
}

// flow runs the program, which must end with the code and without a panic, and
// say all of the texts.
func (f *fault) flow(code int, args ...string) string {
	f.Helper()
	return f.run(code, flowCommand(f.T, f.home, f.dir, args...), args)
}

// withPermissions is like flow where permissions apply, to root too.
func (f *fault) withPermissions(code int, args ...string) string {
	f.Helper()
	c := flowCommand(f.T, f.home, f.dir, args...)
	if os.Geteuid() == 0 {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil && os.Getenv("CI") == "" {
			f.Skipf("root reads everything: permissions are not tested without setpriv: %v", err)
		}
		c.Path, c.Err = setpriv, err
		c.Args = slices.Concat([]string{"setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"}, c.Args)
	}
	return f.run(code, c, args)
}

func (f *fault) run(code int, c *exec.Cmd, args []string) string {
	f.Helper()
	out, got := runCommand(f.T, c)
	if got != code {
		f.Fatalf("flow %s ends with %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	if strings.Contains(out, "goroutine ") {
		f.Fatalf("flow %s crashes:\n%s", strings.Join(args, " "), out)
	}
	return out
}

func (f *fault) says(out string, texts ...string) {
	f.Helper()
	for _, t := range texts {
		if !strings.Contains(out, t) {
			f.Errorf("%q is not in:\n%s", t, out)
		}
	}
}

// outside is everything beside the project.
func (f *fault) outside() map[string]string {
	f.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(f.beside, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[name] = "directory"
			return err
		}
		data, err := os.ReadFile(name)
		all[name] = string(data)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Dir(f.dir))
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		all[n.Name()] = "directory"
	}
	return all
}

// object puts content into the cache under its right name.
func (f *fault) object(content string) string {
	f.Helper()
	h := f.hash().New()
	_, _ = h.Write([]byte(content))
	digest := hex.EncodeToString(h.Sum(nil))
	suffix := ""
	if strings.HasPrefix(content, "[") {
		suffix = ".dir"
	}
	name := fmt.Sprintf("%s/cache/files/%s/%s/%s%s", f.control(), f.hash().Name, digest[:2], digest[2:], suffix)
	f.write(name, content)
	return digest + suffix
}

// tracked writes a .dvc file that names an object.
func (f *fault) tracked(file, path, digest string) {
	f.Helper()
	f.write(file, fmt.Sprintf("outs:\n- %s: %s\n  size: 5\n  hash: %s\n  path: %s\n", f.hash().Name, digest, f.hash().Name, path))
}

// A manifest is read from a place that others may write to: whatever paths it
// names, nothing out of its directory is made.
func TestHostileManifest(t *testing.T) {
	for _, path := range []string{
		"../../beside/new", "..", "a/../../../beside/new", "/ABS", "", ".", "a//b", "a/./b", `a\u0000b`, "a/", "./a",
	} {
		t.Run(strings.ReplaceAll(path, "/", ":"), func(t *testing.T) {
			faults(t, func(f *fault) {
				path := strings.Replace(path, "/ABS", f.beside+"/new", 1)
				file := f.object("evil\n")
				size := ""
				if f.format == "native" {
					size = `, "size": 5`
				}
				dir := f.object(fmt.Sprintf(`[{"%s": "%s", "relpath": "%s"%s}]`, f.hash().Name, file, path, size))
				f.tracked("data.dvc", "data", dir)
				f.says(f.flow(255, "checkout"), "directory manifest")
				f.flow(255, "checkout", "-f")
				f.flow(1, "status", "--check")
				f.flow(0, "gc", "-w", "-f")
				if _, err := os.Lstat(f.path("data")); err == nil {
					f.Error("data was made")
				}
			})
		})
	}
}

// What lock and .dvc files name out of the project is neither written nor
// deleted.
func TestOutputsOutside(t *testing.T) {
	faults(t, func(f *fault) {
		file := f.object("evil\n")
		for _, place := range []string{"../beside/new", "../beside/precious", f.beside + "/new", "link/new", "link/precious"} {
			if _, err := os.Lstat(f.path("link")); err != nil {
				if err := os.Symlink("../beside", f.path("link")); err != nil {
					f.Fatal(err)
				}
			}
			f.write("dvc.yaml", fmt.Sprintf("stages:\n  a: {cmd: echo new > %s, outs: [%s]}\n", place, place))
			f.write("dvc.lock", fmt.Sprintf("schema: '2.0'\nstages:\n  a:\n    cmd: echo new > %s\n    outs:\n    - path: %s\n      hash: %s\n      %s: %s\n      size: 5\n",
				place, place, f.hash().Name, f.hash().Name, file))
			f.says(f.flow(255, "checkout"), "outside of the project")
			f.says(f.flow(255, "checkout", "-f"), "outside of the project")
			f.says(f.flow(255, "repro"), "outside of the project")
			f.says(f.flow(255, "repro", "-f"), "outside of the project")
			for _, name := range []string{"dvc.yaml", "dvc.lock"} {
				if err := os.Remove(f.path(name)); err != nil {
					f.Fatal(err)
				}
			}
			if !strings.HasPrefix(place, "link") {
				f.tracked("x.dvc", place, file)
				f.says(f.flow(255, "checkout"), "outside of the project")
				if err := os.Remove(f.path("x.dvc")); err != nil {
					f.Fatal(err)
				}
			}
		}
	})
}

// An output that is a link is replaced, never followed.
func TestOutputIsLink(t *testing.T) {
	faults(t, func(f *fault) {
		f.write("dvc.yaml", "stages:\n  a: {cmd: mkdir out && echo 1 > out/precious, outs: [out]}\n")
		f.flow(0, "repro")
		for _, args := range [][]string{{"checkout", "-f"}, {"repro"}, {"repro", "-f"}} {
			if err := os.RemoveAll(f.path("out")); err != nil {
				f.Fatal(err)
			}
			if err := os.Symlink("../beside", f.path("out")); err != nil {
				f.Fatal(err)
			}
			f.flow(0, args...)
			if got := f.read("out/precious"); got != "1\n" {
				f.Errorf("%v: %q", args, got)
			}
		}
	})
}

// Whatever is in the files that flow reads, it says what is wrong, soon.
func TestHostileFiles(t *testing.T) {
	const head = "schema: '2.0'\nstages:\n  a:\n    cmd: echo 1 > out\n    outs:\n    - path: out\n"
	var bomb strings.Builder
	bomb.WriteString("x0: &x0 [y, y, y, y, y, y, y, y, y]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 9), ", "))
	}
	stage := "stages:\n  a: {cmd: echo 1 > out, outs: [out]}\n"
	for name, files := range map[string]map[string]string{
		"alias bomb":            {"dvc.yaml": bomb.String() + "stages: {a: {cmd: *x11}}\n"},
		"alias bomb in params":  {"dvc.yaml": "stages: {a: {cmd: 'echo ${x11}', params: [x11], outs: [out]}}\n", "params.yaml": bomb.String()},
		"deep list":             {"dvc.yaml": "stages: " + strings.Repeat("[", 50000)},
		"deep map":              {"dvc.yaml": "stages: " + strings.Repeat("{a: ", 9000) + "1" + strings.Repeat("}", 9000)},
		"deep JSON":             {"dvc.yaml": "stages: {a: {cmd: echo, params: [p.json: [i]], outs: [out]}}\n", "p.json": strings.Repeat("[", 100000)},
		"deep Python":           {"dvc.yaml": "stages: {a: {cmd: echo, params: [p.py: [i]], outs: [out]}}\n", "p.py": "i = " + strings.Repeat("(", 100000)},
		"nested templates":      {"dvc.yaml": "vars: [{a: '${b}', b: '${a}'}]\nstages: {a: {cmd: 'echo ${a}'}}\n"},
		"not UTF-8":             {"dvc.yaml": "stages: {a: {cmd: \"\xff\xfe\"}}\n"},
		"NUL":                   {"dvc.yaml": "stages: {a: {cmd: \"a\x00b\"}}\n"},
		"half a lock":           {"dvc.yaml": stage, "dvc.lock": "schema: '2.0'\nstages: [1,\n"},
		"size is huge":          {"dvc.yaml": stage, "dvc.lock": head + "      size: 99999999999999999999999999\n"},
		"size is negative":      {"dvc.yaml": stage, "dvc.lock": head + "      size: -1\n"},
		"digest is a path":      {"dvc.yaml": stage, "dvc.lock": head + "      hash: HASH\n      HASH: ../../../beside/precious\n"},
		"digest is short":       {"dvc.yaml": stage, "dvc.lock": head + "      hash: HASH\n      HASH: a\n"},
		"algorithm is unknown":  {"dvc.yaml": stage, "dvc.lock": head + "      hash: rot13\n      rot13: abc\n"},
		"lock is a list":        {"dvc.yaml": stage, "dvc.lock": "[]\n"},
		".dvc file is a number": {"x.dvc": "1\n"},
		".dvc digest is a path": {"x.dvc": "outs:\n- HASH: ../../beside/precious\n  hash: HASH\n  path: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			faults(t, func(f *fault) {
				for file, text := range files {
					f.write(file, strings.ReplaceAll(text, "HASH", f.hash().Name))
				}
				for _, args := range [][]string{{"status"}, {"repro"}, {"checkout"}} {
					start := time.Now()
					out, code := runFlow(f.T, f.home, f.dir, args...)
					if code != 255 && code != 1 && args[0] != "checkout" || strings.Contains(out, "goroutine ") || len(out) > 1<<20 {
						f.Errorf("flow %s ends with %d and %d bytes: %.2000s", args[0], code, len(out), out)
					}
					if took := time.Since(start); took > 10*time.Second {
						f.Errorf("flow %s takes %v", args[0], took)
					}
				}
			})
		})
	}
}

// An output that a user edited, and that no cache holds, is kept when its stage
// runs again, and flow says where.
func TestKeptAside(t *testing.T) {
	faults(t, func(f *fault) {
		f.write("dvc.yaml", "stages:\n  a: {cmd: cp in.txt out && mkdir dir && cp in.txt dir/f, deps: [in.txt], outs: [out, dir]}\n")
		f.flow(0, "repro")
		f.write("in.txt", "other\n")
		f.write("out", "edited by hand\n")
		f.write("dir/mine", "mine\n")
		out := f.flow(0, "repro")
		if got := f.read("out"); got != "other\n" {
			f.Errorf("out is %q", got)
		}
		kept := map[string]bool{"edited by hand\n": false, "mine\n": false}
		state := f.path(f.control())
		err := filepath.WalkDir(state, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.Contains(name, string(filepath.Separator)+"kept"+string(filepath.Separator)) {
				return err
			}
			data, err := os.ReadFile(name)
			if _, ok := kept[string(data)]; ok {
				kept[string(data)] = true
				top := name
				if string(data) == "mine\n" {
					top = filepath.Dir(name)
				}
				top, err = filepath.Rel(f.dir, top)
				if err != nil {
					return err
				}
				f.says(out, "'"+top+"'")
			}
			return err
		})
		if err != nil {
			f.Fatal(err)
		}
		for text, ok := range kept {
			if !ok {
				f.Errorf("%q was not kept; flow says:\n%s", text, out)
			}
		}
		// Checkout asks first, and loses nothing either way.
		f.write("out", "edited again\n")
		f.says(f.flow(255, "checkout"), "unsaved", "out")
		if got := f.read("out"); got != "edited again\n" {
			f.Errorf("out is %q", got)
		}
	})
}

// A dependency that goes away while its stage runs is told, and the result is
// not taken for that of what was there before.
func TestVanished(t *testing.T) {
	faults(t, func(f *fault) {
		f.write("dvc.yaml", "stages:\n  a: {cmd: cp in.txt out && rm in.txt, deps: [in.txt], outs: [out]}\n")
		f.says(f.flow(0, "repro"), "'in.txt' changed while stage 'a' was running")
		if _, err := os.Stat(f.path("dvc.lock")); err == nil {
			f.Error("the result was recorded")
		}
		f.says(f.flow(255, "repro"), "in.txt")
	})
}

// What cannot be read is told by its name; nothing is recorded of it.
func TestUnreadable(t *testing.T) {
	faults(t, func(f *fault) {
		if out, err := exec.Command("mkfifo", f.path("pipe")).CombinedOutput(); err != nil {
			f.Skipf("no named pipes here: %v %s", err, out)
		}
		f.write("dvc.yaml", "stages:\n  a: {cmd: cp in.txt out, deps: [pipe, in.txt], outs: [out]}\n")
		f.says(f.flow(255, "repro"), "pipe", "named pipe")
		f.says(f.flow(1, "add", "pipe"), "named pipe")
		f.write("d/a", "1\n")
		if err := os.Symlink("nowhere", f.path("d/broken")); err != nil {
			f.Fatal(err)
		}
		f.says(f.flow(1, "add", "d"), "broken")
		if _, err := os.Stat(f.path("d.dvc")); err == nil {
			f.Error("d.dvc was written")
		}
		f.write("dvc.yaml", "stages:\n  a: {cmd: cp in.txt out, deps: [secret, in.txt], outs: [out]}\n")
		f.write("secret", "1\n")
		deny := func(name string) func() {
			fi, err := os.Stat(f.path(name))
			if err == nil {
				err = os.Chmod(f.path(name), 0)
			}
			if err != nil {
				f.Fatal(err)
			}
			return func() { _ = os.Chmod(f.path(name), fi.Mode().Perm()) }
		}
		allow := deny("secret")
		f.says(f.withPermissions(1, "add", "secret"), "secret", "permission denied")
		f.says(f.withPermissions(255, "repro"), "secret", "permission denied")
		if _, err := os.Stat(f.path("dvc.lock")); err == nil {
			f.Error("dvc.lock was written")
		}
		allow()
		allow = deny("dvc.yaml")
		f.says(f.withPermissions(255, "repro"), "dvc.yaml", "permission denied")
		allow()
		f.says(f.withPermissions(0, "repro"), "Running stage 'a'")
	})
}

// mount mounts a file system in memory. A test that may not is skipped; in CI
// one that may, but cannot, fails.
func (f *fault) mount(place, options string) {
	f.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		f.Skip("mounting takes root on Linux")
	}
	f.mkdir(place)
	args := []string{"-t", "tmpfs", "-o", options, "tmpfs", f.path(place)}
	if strings.HasPrefix(options, "remount") {
		args = []string{"-o", options, f.path(place)}
	}
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" && mayMount() {
			f.Fatalf("mount: %v %s", err, out)
		}
		f.Skipf("mount: %v %s", err, out)
	}
	if !strings.HasPrefix(options, "remount") {
		f.Cleanup(func() {
			if out, err := exec.Command("umount", f.path(place)).CombinedOutput(); err != nil {
				f.Errorf("umount: %v %s", err, out)
			}
		})
	}
}

// mayMount reports whether this process has the capability that mounting takes.
func mayMount() bool {
	const sysAdmin = 21 // CAP_SYS_ADMIN
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return err == nil && set>>sysAdmin&1 == 1
		}
	}
	return false
}

// On a full disk the stage's data stays where it is, the lock names nothing
// that is not stored, and a run after making space ends well.
func TestFullDisk(t *testing.T) {
	faults(t, func(f *fault) {
		f.mount("full", "size=256k")
		f.flow(0, "config", "cache.dir", f.path("full"))
		f.write("dvc.yaml", "stages:\n  a: {cmd: seq 100000 > out, deps: [in.txt], outs: [out]}\n")
		f.says(f.flow(255, "repro"), "no space left on device")
		if !strings.HasSuffix(f.read("out"), "\n100000\n") {
			f.Error("the output is gone")
		}
		if _, err := os.Stat(f.path("dvc.lock")); err == nil {
			f.Errorf("the lock names what is not stored:\n%s", f.read("dvc.lock"))
		}
		f.write("data/a", strings.Repeat("a\n", 200000))
		f.says(f.flow(1, "add", "data"), "no space left on device")
		if _, err := os.Stat(f.path("data.dvc")); err == nil {
			f.Error("data.dvc names what is not stored")
		}
		f.flow(0, "cache", "verify")
		f.mount("full", "remount,size=8m")
		f.flow(0, "repro")
		f.flow(0, "add", "data")
		f.flow(0, "cache", "verify")
		f.says(f.flow(0, "status"), "up to date")
	})
}

// With a full disk under the workspace, what was there stays as it was.
func TestFullWorkspace(t *testing.T) {
	faults(t, func(f *fault) {
		f.write("dvc.yaml", "stages:\n  a: {cmd: seq 50000 > small/out, deps: [in.txt], outs: [small/out]}\n")
		f.flow(0, "repro")
		if err := os.RemoveAll(f.path("small")); err != nil {
			f.Fatal(err)
		}
		f.mount("small", "size=64k")
		f.says(f.flow(255, "checkout"), "no space left on device")
		if names, err := os.ReadDir(f.path("small")); err != nil || len(names) > 0 {
			f.Errorf("left in the workspace: %v %v", names, err)
		}
		f.mount("small", "remount,size=8m")
		f.flow(0, "checkout")
		f.says(f.flow(0, "status"), "up to date")
	})
}

// A cache that cannot be written is no obstacle to reading it.
func TestReadOnlyCache(t *testing.T) {
	faults(t, func(f *fault) {
		f.mount("cache", "size=8m")
		f.flow(0, "config", "cache.dir", f.path("cache"))
		f.write("dvc.yaml", "stages:\n  a: {cmd: cp in.txt out, deps: [in.txt], outs: [out]}\n")
		f.flow(0, "repro")
		for i := range 300 { // so many that they are packed
			f.write(fmt.Sprintf("data/%d", i), fmt.Sprintf("text %d\n", i))
		}
		f.flow(0, "add", "data")
		f.mount("cache", "remount,ro")
		defer f.mount("cache", "remount,rw")
		if err := os.Remove(f.path("out")); err != nil {
			f.Fatal(err)
		}
		if err := os.RemoveAll(f.path("data")); err != nil {
			f.Fatal(err)
		}
		f.flow(0, "checkout")
		f.flow(0, "repro")
		if got := f.read("data/299"); got != "text 299\n" {
			f.Errorf("data/299 is %q", got)
		}
		f.flow(0, "cache", "verify")
		before := f.read("dvc.lock")
		f.write("in.txt", "other\n")
		f.says(f.flow(255, "repro"), "read-only file system")
		if diff := cmp.Diff(before, f.read("dvc.lock")); diff != "" {
			f.Errorf("dvc.lock changed:\n%s", diff)
		}
		if got := f.read("out"); got != "other\n" {
			f.Errorf("out is %q", got)
		}
	})
}

// Several processes at once, on the same stage and on others, while garbage is
// collected: all end well, each stage's result is right, and nothing is lost.
func TestManyProcesses(t *testing.T) {
	faults(t, func(f *fault) {
		f.write("dvc.yaml", `stages:
  work:
    foreach: [a, b, c]
    do:
      cmd: sleep 0.05 && cat in.txt > ${item} && echo ${item} >> ${item} && echo ${item} >> ran
      deps: [in.txt]
      outs: ['${item}']
  join: {cmd: cat a b c > all, deps: [a, b, c], outs: [all]}
`)
		for round := range 2 {
			f.write("in.txt", fmt.Sprintf("round %d\n", round))
			var wg sync.WaitGroup
			for _, args := range [][]string{
				{"repro", "work@a"}, {"repro", "work@b"}, {"repro", "work@c"}, {"repro"}, {"repro"}, {"gc", "-w", "-f"}, {"gc", "-w", "-f"},
			} {
				wg.Add(1)
				go func() {
					defer wg.Done()
					var out bytes.Buffer
					c := flowCommand(f.T, f.home, f.dir, append([]string{"--wait-for-lock"}, args...)...)
					c.Stdout, c.Stderr = &out, &out
					if err := c.Run(); err != nil {
						f.Errorf("flow %s: %v\n%s", strings.Join(args, " "), err, out.String())
					}
				}()
			}
			wg.Wait()
			want := fmt.Sprintf("round %d\na\nround %d\nb\nround %d\nc\n", round, round, round)
			if got := f.read("all"); got != want {
				f.Errorf("all is %q, want %q", got, want)
			}
			f.says(f.flow(0, "status"), "up to date")
			f.flow(0, "cache", "verify")
			for _, name := range []string{"a", "b", "c", "all"} {
				if err := os.Remove(f.path(name)); err != nil {
					f.Fatal(err)
				}
			}
			f.flow(0, "checkout")
			if got := f.read("all"); got != want {
				f.Errorf("all is %q, want %q", got, want)
			}
		}
	})
}
