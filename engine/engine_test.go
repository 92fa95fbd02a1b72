package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/stages"
)

// bench is a native project in a temporary directory.
type bench struct {
	*testing.T
	root string
	reg  *stages.Registry
}

func newBench(t *testing.T, yaml string, list ...stages.Stage) *bench {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stages are written for a POSIX shell")
	}
	b := &bench{t, t.TempDir(), stages.NewRegistry(list...)}
	t.Setenv("SHELL", "/bin/sh")
	t.Setenv("HOME", b.root)
	b.write("dvc.yaml", yaml)
	b.write("in", "1\n")
	if _, err := project.Init(b.root, project.Native, project.InitOptions{NoSCM: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) write(name, text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(b.root, name), []byte(text), 0o666); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.Helper()
	data, err := os.ReadFile(filepath.Join(b.root, name))
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

// story collects the events of a run.
type story struct {
	mu     sync.Mutex
	events []Event
	on     func(Event)
}

func (s *story) Emit(e Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	if s.on != nil {
		s.on(e)
	}
}

func (s *story) warnings() string {
	var all []string
	for _, e := range s.events {
		if e.Kind == Warned {
			all = append(all, e.Text)
		}
	}
	return strings.Join(all, "\n")
}

// repro runs the stages named, or all, as a process of its own would.
func (b *bench) repro(ctx context.Context, req Request, s *story, now <-chan struct{}, names ...string) (string, error) {
	b.Helper()
	p, err := project.Find(b.root)
	if err != nil {
		b.Fatal(err)
	}
	ig := project.NewIgnore(p.Root)
	set, err := pipeline.Load(pipeline.Options{Root: p.Root, Ignored: ig.Match})
	if err != nil {
		b.Fatal(err)
	}
	memo := cache.OpenMemo(filepath.Join(p.StateDir(), "memo"), time.Now)
	store, err := cache.Open(cache.Options{Dir: p.CacheDir(), Hash: p.Format.Hash, Memo: memo, Temp: p.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	e, err := New(Options{Project: p, Store: store, Memo: memo, Pipeline: set, Stages: b.reg, Sink: s, Interrupted: now})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		found, err := set.Resolve(name, ".", false)
		if err != nil {
			b.Fatal(err)
		}
		req.Targets = append(req.Targets, found...)
	}
	req.All = len(names) == 0
	res, err := e.Repro(ctx, req)
	if cerr := e.Close(); cerr != nil {
		b.Error(cerr)
	}
	if res == nil {
		return "", err
	}
	var out []string
	for _, r := range res.Stages {
		out = append(out, r.Stage+":"+string(r.State))
	}
	return strings.Join(out, " "), err
}

// expect runs everything, without an error, and compares the states.
func (b *bench) expect(want string, req Request, names ...string) *story {
	b.Helper()
	s := new(story)
	got, err := b.repro(context.Background(), req, s, nil, names...)
	if err != nil {
		b.Fatal(err)
	}
	if got != want {
		b.Errorf("%s, want %s", got, want)
	}
	return s
}

const chain = `stages:
  a: {cmd: wc -c < in > a, deps: [in], outs: [a]}
  b: {cmd: cp a b, deps: [a], outs: [b]}
  c: {cmd: cp b c, deps: [b], outs: [c]}
`

func TestDecisions(t *testing.T) {
	b := newBench(t, chain)
	b.expect("a:done b:done c:done", Request{})
	b.expect("a:skipped b:skipped c:skipped", Request{})
	// The same bytes stop the wave.
	b.write("in", "2\n")
	b.expect("a:done b:skipped c:skipped", Request{})
	// One, two, one.
	b.write("in", "22\n")
	b.expect("a:done b:done c:done", Request{})
	b.write("in", "1\n")
	b.expect("a:restored b:restored c:restored", Request{})
	b.expect("a:skipped b:skipped c:skipped", Request{})
	b.write("in", "3\n")
	b.expect("a:done b:done c:done", Request{ForceDownstream: true})
	b.write("in", "1\n")
	b.expect("a:done b:skipped c:skipped", Request{NoRunCache: true})
	b.expect("a:done b:done c:done", Request{Force: true})
	b.expect("b:done", Request{Force: true, Single: true}, "b")
	b.expect("b:skipped c:skipped", Request{Downstream: true}, "b")
}

func TestKeepGoing(t *testing.T) {
	b := newBench(t, chain+"  bad: {cmd: 'false', deps: [in], outs: [bad]}\n  after: {cmd: cp bad after, deps: [bad], outs: [after]}\n")
	s := new(story)
	got, err := b.repro(context.Background(), Request{KeepGoing: true, Jobs: 2}, s, nil)
	var failed *StageError
	if !errors.As(err, &failed) || failed.Stage != "bad" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"a:done", "c:done", "bad:failed", "after:blocked"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestInputEdited(t *testing.T) {
	b := newBench(t, "stages:\n  a: {cmd: cp in a && echo 2 > in, deps: [in], outs: [a]}\n")
	if s := b.expect("a:done", Request{}); !strings.Contains(s.warnings(), "'in' changed while stage 'a' was running") {
		t.Errorf("warnings: %s", s.warnings())
	}
	if _, err := os.Stat(filepath.Join(b.root, "dvc.lock")); err == nil {
		t.Errorf("recorded: %s", b.read("dvc.lock"))
	}
}

func TestPanic(t *testing.T) {
	b := newBench(t, chain+"  p: {cmd: flow stage p, deps: [in], outs: [p]}\n", stages.Stage{
		Name: "p", Version: "1", Run: func(context.Context, *stages.Call) error { panic("ouch") },
	})
	got, err := b.repro(context.Background(), Request{KeepGoing: true}, new(story), nil)
	if err == nil || !strings.Contains(err.Error(), "panicked: ouch") || !strings.Contains(got, "p:failed") || !strings.Contains(got, "c:done") {
		t.Errorf("%s: %v", got, err)
	}
	logs, _ := filepath.Glob(filepath.Join(b.root, ".flow", "state", "logs", "p-*.log"))
	if len(logs) != 1 {
		t.Fatalf("logs: %v", logs)
	}
	if data, err := os.ReadFile(logs[0]); err != nil || !strings.Contains(string(data), "goroutine ") {
		t.Errorf("the log has no stack: %s, %v", data, err)
	}
}

// The first interrupt lets commands clean up and keeps what is finished; the
// second does not wait for them. Either way the next run is right, and no
// goroutine stays behind.
func TestInterrupt(t *testing.T) {
	for _, twice := range []bool{false, true} {
		t.Run(fmt.Sprintf("twice=%v", twice), func(t *testing.T) {
			cleanup := "exit 1"
			if twice {
				cleanup = ":" // does not go by itself
			}
			b := newBench(t, fmt.Sprintf(`stages:
  a: {cmd: cp in a, deps: [in], outs: [a]}
  slow:
    cmd: trap 'echo told > told; %s' TERM; echo started; test -e quick && cp a slow && exit 0; for i in $(seq 300); do sleep 0.1; done
    deps: [a]
    outs: [slow]
`, cleanup))
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(context.Background())
			now := make(chan struct{})
			var once sync.Once
			s := &story{on: func(e Event) {
				if e.Kind == OutputLine && strings.Contains(e.Text, "started") {
					once.Do(func() {
						cancel()
						if twice {
							time.AfterFunc(200*time.Millisecond, func() { close(now) })
						}
					})
				}
			}}
			start := time.Now()
			got, err := b.repro(ctx, Request{Jobs: 2}, s, now)
			if !errors.Is(err, context.Canceled) || got != "a:done slow:waiting" {
				t.Errorf("%s: %v", got, err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("stopping took %v", took)
			}
			if got := b.read("told"); got != "told\n" {
				t.Errorf("told is %q", got)
			}
			b.write("quick", "")
			b.expect("a:skipped slow:done", Request{})
			for range 100 {
				if runtime.NumGoroutine() <= before {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			stack := make([]byte, 1<<20)
			t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stack[:runtime.Stack(stack, true)])
		})
	}
}

// Whatever the number of workers, the lock comes out the same.
func TestLockIsSame(t *testing.T) {
	var want string
	for _, jobs := range []int{1, 2, 8} {
		b := newBench(t, "stages:\n  w: {foreach: [e, d, c, b, a], do: {cmd: 'cp in ${item}', deps: [in], outs: ['${item}']}}\n"+
			"  all: {cmd: cat a b c d e > all, deps: [a, b, c, d, e], outs: [all]}\n")
		if _, err := b.repro(context.Background(), Request{Jobs: jobs}, new(story), nil); err != nil {
			t.Fatal(err)
		}
		got := b.read("dvc.lock")
		if want == "" {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-j %d (-one +got):\n%s", jobs, diff)
		}
	}
}

// TestKeyCoversStage fails when a stage gets a field that is neither described
// in its key nor excused here: results would be taken for those of another
// computation. Each field that is described is changed, to see that the key
// changes too; each that is excused, to see that it does not.
func TestKeyCoversStage(t *testing.T) {
	excused := map[string]string{
		"Stage.Name":          "the same work under another name has the same result",
		"Stage.Group":         "as Name",
		"Stage.File":          "as Name; paths are relative to the root",
		"Stage.WdirDef":       "Wdir is what counts",
		"Stage.Frozen":        "whether to decide, not what comes out",
		"Stage.AlwaysChanged": "whether to decide, not what comes out",
		"Stage.Desc":          "an annotation",
		"Stage.Meta":          "an annotation, but for meta.flow.env, whose values are described",
		"Stage.Data":          "no stage that runs has it",
		"Stage.Templated":     "how the text was written",
		"Stage.Pos":           "where the text was written",
		"Command.IsList":      "how the text was written",
		"Dependency.Def":      "Path is what counts",
		"Dependency.URL":      "a stage with one is refused",
		"Dependency.Pos":      "where the text was written",
		"ParamFile.Path":      "Def is described, and says the same below one wdir",
		"ParamFile.Keys":      "their values are described",
		"ParamFile.Pos":       "where the text was written",
		"Output.Def":          "Path is what counts",
		"Output.URL":          "results with one are not restored",
		"Output.Kind":         "what to show, not what is in it",
		"Output.Push":         "where to, not what",
		"Output.Remote":       "where to, not what",
		"Output.Plot":         "how to show it",
		"Output.Pos":          "where the text was written",
		"GoStage.Doc":         "an annotation",
		"GoStage.Run":         "Version stands for it",
	}
	described := map[string]bool{
		"Stage.Wdir": true, "Stage.Cmd": true, "Stage.Deps": true, "Stage.Params": true, "Stage.Outs": true,
		"Command.Lines": true, "Dependency.Path": true, "ParamFile.Def": true,
		"Output.Path": true, "Output.Cache": true, "Output.Persist": true,
		"GoStage.Name": true, "GoStage.Version": true,
	}
	seen := map[string]bool{}
	for name, v := range map[string]any{
		"Stage": pipeline.Stage{}, "Command": pipeline.Command{}, "Dependency": pipeline.Dependency{},
		"ParamFile": pipeline.ParamFile{}, "Output": pipeline.Output{}, "GoStage": stages.Stage{},
	} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			field := name + "." + typ.Field(i).Name
			seen[field] = true
			if described[field] == (excused[field] != "") {
				t.Errorf("%s must be either described in the key or excused", field)
			}
		}
	}
	for field := range excused {
		if !seen[field] {
			t.Errorf("%s is excused and no field", field)
		}
	}
	for field := range described {
		if !seen[field] {
			t.Errorf("%s is described and no field", field)
		}
	}
	keyWith := func(change func(*node)) cache.Key {
		n := &node{Stage: &pipeline.Stage{
			Name: "s", Wdir: ".", Cmd: pipeline.Command{Lines: []string{"x"}},
			Deps: []pipeline.Dependency{{Def: "d", Path: "d"}}, Outs: []pipeline.Output{{Def: "o", Path: "o", Cache: true}},
		}}
		change(n)
		k, _ := key(n, &snapshot{deps: make([]content, len(n.Deps))})
		return k
	}
	base := keyWith(func(*node) {})
	for name, change := range map[string]func(*node){
		"wdir": func(n *node) { n.Wdir = "w" }, "cmd": func(n *node) { n.Cmd.Lines[0] = "y" },
		"cmds": func(n *node) { n.Cmd.Lines = []string{"x", "x"} }, "dep": func(n *node) { n.Deps[0].Path = "e" },
		"deps": func(n *node) { n.Deps = nil }, "out": func(n *node) { n.Outs[0].Path = "p" },
		"cache": func(n *node) { n.Outs[0].Cache = false }, "persist": func(n *node) { n.Outs[0].Persist = true },
		"function": func(n *node) { n.goRef = &goStage{name: "x"} },
	} {
		if keyWith(change) == base {
			t.Errorf("another %s has the same key", name)
		}
	}
	for name, change := range map[string]func(*node){
		"name": func(n *node) { n.Name = "t" }, "desc": func(n *node) { n.Desc = "t" }, "frozen": func(n *node) { n.Frozen = true },
		"push": func(n *node) { n.Outs[0].Push = true }, "list": func(n *node) { n.Cmd.IsList = true },
	} {
		if keyWith(change) != base {
			t.Errorf("another %s has another key", name)
		}
	}
	one := keyWith(func(n *node) { n.goRef = &goStage{name: "x", stage: stages.Stage{Version: "1"}} })
	if one == keyWith(func(n *node) { n.goRef = &goStage{name: "x", stage: stages.Stage{Version: "2"}} }) {
		t.Error("another version has the same key")
	}
}
