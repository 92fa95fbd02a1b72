package lock

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flowrepro/flow/internal/yaml12"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustParse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse("dvc.lock", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGolden reads what DVC wrote and writes it anew, stage by stage.
func TestGolden(t *testing.T) {
	data := golden(t, "dvc.lock.golden")
	f := mustParse(t, string(data))
	want := []string{"plain", "params", "list", "script", "long", "shared", "matrix@a", "matrix@b", "nothing"}
	if d := cmp.Diff(want, f.Names()); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff(string(data), string(f.Encode())); d != "" {
		t.Errorf("unchanged: %s", d)
	}
	anew := New()
	for _, name := range f.Names() {
		s, ok := f.Stage(name)
		if !ok {
			t.Fatalf("no stage %s", name)
		}
		if name == "shared" { // the list that two parameters share was read twice
			values := s.Params[0].Values
			train, _ := values.Get("train")
			layers, _ := train.(*yaml12.Map).Get("layers")
			values.Set("train.layers", layers)
		}
		anew.Set(name, s)
	}
	if d := cmp.Diff(string(data), string(anew.Encode())); d != "" {
		t.Errorf("written anew: %s", d)
	}
	if d := cmp.Diff(string(data), string(anew.Encode())); d != "" {
		t.Errorf("written again: %s", d)
	}
}

func TestGoldenValues(t *testing.T) {
	f := mustParse(t, string(golden(t, "dvc.lock.golden")))
	s, _ := f.Stage("list")
	if d := cmp.Diff([]any{"echo one > l1", "echo 'it''s' > l2",
		"echo one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen > l3"}, s.Cmd); d != "" {
		t.Error(d)
	}
	s, _ = f.Stage("params")
	want := Entry{Path: "data", Hash: "md5", Digest: "f4fdffbb63f645031ade4dd2098bbf38.dir", Size: 5, Files: 2}
	if d := cmp.Diff(want, s.Deps[0]); d != "" {
		t.Error(d)
	}
	if e := s.Deps[3]; e.Path != "run.sh" || !e.Exec || e.Files != -1 {
		t.Errorf("run.sh: %+v", e)
	}
	values := s.Params[0].Values
	for key, want := range map[string]any{"lr": 1e-5, "one": 1.0, "octal": int64(10), "yes_no": "yes", "digits": "0123",
		"null_value": nil, "empty_list": []any{}, "multi": "a\nb\tc", "été": "naïve 😀"} {
		got, ok := values.Get(key)
		if !ok || !yaml12.Identical(got, want) {
			t.Errorf("%s: %#v", key, got)
		}
	}
	if s.Params[1].Path != "other.json" {
		t.Errorf("second file: %s", s.Params[1].Path)
	}
}

func TestSetAndRemove(t *testing.T) {
	text := `# made by hand
schema: "2.0"   # text
stages:
  # about a
  a:
    cmd:   echo a # odd spacing
  # about b
  b: {cmd: echo b}

  c:
    cmd: echo c
    outs:
    - {path: x, md5: D41D8CD98F00B204E9800998ECF8427E}
# the end
`
	f := mustParse(t, text)
	if d := cmp.Diff(text, string(f.Encode())); d != "" {
		t.Fatalf("unchanged: %s", d)
	}
	a, _ := f.Stage("a")
	same := *a
	f.Set("a", &same)
	if d := cmp.Diff(text, string(f.Encode())); d != "" {
		t.Fatalf("set to the same: %s", d)
	}
	f.Set("b", &Stage{Cmd: "echo B", Version: "2"})
	f.Set("d", &Stage{Cmd: []any{"x"}, Outs: []Entry{
		{Path: "z", Hash: "blake3", Digest: "abc", Size: 0, Files: -1, Exec: true},
		{Path: "a", Size: -1, Files: -1, Extra: &yaml12.Map{Items: []yaml12.Item{
			{Key: "cloud", Value: map[string]any{"r": map[string]any{"etag": "1e5"}}}, {Key: "etag", Value: "x"}}}},
	}})
	want := strings.Replace(text, "  b: {cmd: echo b}\n", "  b:\n    cmd: echo B\n    version: '2'\n", 1)
	want = strings.TrimSuffix(want, "# the end\n") + `# the end
  d:
    cmd:
    - x
    outs:
    - path: a
      etag: x
      cloud:
        r:
          etag: '1e5'
    - path: z
      hash: blake3
      blake3: abc
      size: 0
      isexec: true
`
	if d := cmp.Diff(want, string(f.Encode())); d != "" {
		t.Errorf("set: %s", d)
	}
	c, _ := f.Stage("c")
	if c.Outs[0].Digest != "d41d8cd98f00b204e9800998ecf8427e" || c.Outs[0].Hash != "" {
		t.Errorf("legacy entry: %+v", c.Outs[0])
	}
	again := mustParse(t, string(f.Encode()))
	d1, _ := again.Stage("d")
	d2, _ := f.Stage("d")
	if !d1.Equal(d2) {
		t.Errorf("read back: %+v", d1)
	}
	if f.Remove("nope") || !f.Remove("a") || !f.Remove("b") {
		t.Error("Remove")
	}
	if _, ok := f.Stage("c"); !ok {
		t.Error("c is lost")
	}
	f.Remove("c")
	f.Remove("d")
	if f.Empty() {
		t.Error("a file with comments is not empty")
	}
	if got := string(f.Encode()); !strings.HasSuffix(got, "stages: {}\n") {
		t.Errorf("without stages: %q", got)
	}
}

func TestEmptyAndNew(t *testing.T) {
	f := New()
	if !f.Empty() || string(f.Encode()) != "schema: '2.0'\n" {
		t.Errorf("%q", f.Encode())
	}
	f.Set("x", &Stage{Cmd: "y"})
	if f.Empty() || string(f.Encode()) != "schema: '2.0'\nstages:\n  x:\n    cmd: y\n" {
		t.Errorf("%q", f.Encode())
	}
	f.Remove("x")
	if !f.Empty() {
		t.Error("not empty")
	}
	f = mustParse(t, "schema: '2.0'\ndatasets:\n- name: d # kept\nstages: {}\n")
	if f.Empty() {
		t.Error("datasets are something")
	}
	f.Set("x", &Stage{Cmd: "y"})
	if got, want := string(f.Encode()), "schema: '2.0'\ndatasets:\n- name: d # kept\nstages:\n  x:\n    cmd: y\n"; got != want {
		t.Errorf("%q", got)
	}
}

// TestUncuttable covers documents in which a stage can't be replaced alone.
func TestUncuttable(t *testing.T) {
	for name, text := range map[string]string{
		"flow":           "{schema: '2.0', stages: {a: {cmd: x}, b: {cmd: y}}}\n",
		"flow stages":    "schema: '2.0'\nstages: {a: {cmd: x}, b: {cmd: y}}\n",
		"four spaces":    "schema: '2.0'\nstages:\n    a:\n        cmd: x\n    b:\n        cmd: y\n",
		"shared anchors": "schema: '2.0'\nstages:\n  a:\n    cmd: &c x\n  b:\n    cmd: *c\n",
		"tag":            "schema: '2.0'\nstages: !!map\n  a:\n    cmd: x\n  b:\n    cmd: y\n",
		"datasets after": "schema: '2.0'\nstages: {a: {cmd: x}, b: {cmd: y}}\ndatasets: [1]\n",
		"quoted key":     "\"schema\": '2.0'\nstages:\n  'a':\n    cmd: x\n  \"b\":\n    cmd: y\n",
		"no newline":     "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: y",
		"crlf":           "schema: '2.0'\r\nstages:\r\n  a:\r\n    cmd: x\r\n  b:\r\n    cmd: y\r\n",
		"literal":        "schema: '2.0'\nstages:\n  a:\n    cmd: |\n      x\n      # no comment\n\n  b:\n    cmd: y\n",
		"nel":            "schema: '2.0'\nstages:\n  a:\n    cmd: \"x\u0085 y\"\n  b:\n    cmd: y\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := mustParse(t, text)
			b, ok := f.Stage("b")
			if d := cmp.Diff([]string{"a", "b"}, f.Names()); d != "" || !ok {
				t.Fatal(d)
			}
			f.Set("a", &Stage{Cmd: "new"})
			f.Set("c", &Stage{Cmd: "third"})
			out := f.Encode()
			again := mustParse(t, string(out))
			if d := cmp.Diff([]string{"a", "b", "c"}, again.Names()); d != "" {
				t.Fatalf("%s\n%s", d, out)
			}
			a2, _ := again.Stage("a")
			b2, _ := again.Stage("b")
			if a2.Cmd != "new" || !b2.Equal(b) {
				t.Errorf("got\n%s", out)
			}
			if strings.Contains(text, "datasets") && !strings.Contains(string(out), "datasets") {
				t.Errorf("datasets are lost:\n%s", out)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "dvc.lock:1:1: 'dvc.lock' validation failed: key \"schema\" is missing"},
		"no schema":      {"stages: {}\n", "dvc.lock:1:1: "},
		"float":          {"schema: 2.0\nstages: {}\n", "dvc.lock:1:9: 'dvc.lock' validation failed: invalid schema version"},
		"old":            {"schema: '1.0'\n", "invalid schema version"},
		"list":           {"- a\n", "a lock file must be a map"},
		"stages null":    {"schema: '2.0'\nstages:\n", "stages must be a map"},
		"unknown key":    {"schema: '2.0'\nx: 1\n", "dvc.lock:2:1: 'dvc.lock' validation failed: unknown key \"x\""},
		"no cmd":         {"schema: '2.0'\nstages:\n  a:\n    deps: []\n", "dvc.lock:4:5: 'dvc.lock' validation failed: cmd is missing"},
		"cmd number":     {"schema: '2.0'\nstages:\n  a:\n    cmd: 1\n", "dvc.lock:4:10: "},
		"stage key":      {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    wdir: y\n", "unknown key \"wdir\""},
		"no path":        {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - md5: abc\n", "dvc.lock:6:7: 'dvc.lock' validation failed: path is missing"},
		"path number":    {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: 1\n", "path must be text"},
		"entry key":      {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: x\n      sice: 1\n", "dvc.lock:7:7: "},
		"negative size":  {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: x\n      size: -1\n", "not negative"},
		"wrong digest":   {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: x\n      hash: blake3\n      md5: abc\n", "does not go with"},
		"params list":    {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    params: [a]\n", "params must be a map"},
		"params null":    {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    params:\n      p.yaml:\n", "must be a map"},
		"number as name": {"schema: '2.0'\nstages:\n  1:\n    cmd: x\n", "dvc.lock:3:3: 'dvc.lock' validation failed: key \"1\" must be text"},
		"duplicate":      {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n", "dvc.lock:5:3: found duplicate key \"a\""},
		"duplicate key":  {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    cmd: y\n", "dvc.lock:5:5: found duplicate key \"cmd\""},
		"conflict":       {"schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a:\n    cmd: x\n=======\n  a:\n    cmd: y\n>>>>>>> b\n", "dvc.lock:3"},
		"cut off":        {"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    de", "dvc.lock:5:5: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("dvc.lock", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			var es yaml12.Errors
			if !errors.As(err, &es) {
				t.Errorf("%T", err)
			}
		})
	}
}

func TestStageEqual(t *testing.T) {
	values := func(v any) []ParamFile {
		return []ParamFile{{"params.yaml", &yaml12.Map{Items: []yaml12.Item{{Key: "a", Value: v}}}}}
	}
	s := &Stage{Cmd: "x", Deps: []Entry{{Path: "a"}, {Path: "b"}}, Params: values(int64(1))}
	for _, c := range []struct {
		o    *Stage
		want bool
	}{
		{&Stage{Cmd: "x", Deps: []Entry{{Path: "b"}, {Path: "a"}}, Params: values(int64(1))}, true},
		{&Stage{Cmd: "x", Deps: []Entry{{Path: "b"}, {Path: "a"}}, Params: values(1.0)}, false},
		{&Stage{Cmd: "x", Deps: []Entry{{Path: "b"}, {Path: "a"}}, Params: values(true)}, false},
		{&Stage{Cmd: []any{"x"}, Deps: s.Deps, Params: s.Params}, false},
		{&Stage{Cmd: "x", Deps: []Entry{{Path: "b", Size: 1}, {Path: "a"}}, Params: s.Params}, false},
		{nil, false},
	} {
		if got := s.Equal(c.o); got != c.want {
			t.Errorf("%+v: %v", c.o, got)
		}
	}
}

// large returns a lock of n stages as DVC writes it.
func large(n int) []byte {
	f := New()
	for i := range n {
		f.Set(fmt.Sprintf("stage-%d", i), &Stage{
			Cmd:  fmt.Sprintf("python src/stage.py --index %d --out out/%d", i, i),
			Deps: []Entry{{Path: fmt.Sprintf("out/%d", i-1), Hash: "md5", Digest: fmt.Sprintf("%032x", i*7919), Size: 100, Files: -1}, {Path: "src/stage.py", Hash: "md5", Digest: fmt.Sprintf("%032x", 1<<40), Size: 100, Files: -1}},
			Outs: []Entry{{Path: fmt.Sprintf("out/%d", i), Hash: "md5", Digest: fmt.Sprintf("%032x", (i+1)*7919), Size: 100, Files: -1}},
			Params: []ParamFile{{"params.yaml", &yaml12.Map{Items: []yaml12.Item{
				{Key: "lr", Value: 0.01}, {Key: "name", Value: "x"}}}}},
		})
	}
	return f.Encode()
}

func TestFastPathIsTaken(t *testing.T) {
	for name, data := range map[string][]byte{"golden": golden(t, "dvc.lock.golden"), "large": large(50)} {
		f := parseFast(data)
		if f == nil {
			t.Errorf("%s is not read by the fast path", name)
			continue
		}
		checkSame(t, f, data)
	}
	f := parseFast([]byte("schema: '2.0'\nstages:\n  a:\n    cmd: x\n  # about b\n  b:\n    cmd: y\n"))
	if f != nil {
		t.Error("comments between stages are no shape of ours")
	}
}

// checkSame compares the fast path with the other one.
func checkSame(t testing.TB, fast *File, data []byte) {
	t.Helper()
	slow, err := parseSlow("dvc.lock", data)
	if err != nil {
		t.Fatalf("only the fast path reads %q: %v", data, err)
	}
	if d := cmp.Diff(slow.Names(), fast.Names(), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%q: %s", data, d)
	}
	for _, n := range slow.Names() {
		a, _ := slow.Stage(n)
		b, _ := fast.Stage(n)
		if !a.Equal(b) || !yaml12.Identical(a.Map(), b.Map()) || string(yaml12.Emit(a.Map())) != string(yaml12.Emit(b.Map())) {
			t.Fatalf("%q: stage %s: %+v and %+v", data, n, a, b)
		}
	}
	if !bytes.Equal(fast.Encode(), data) || !bytes.Equal(slow.Encode(), data) {
		t.Fatalf("%q is not kept: %q, %q", data, fast.Encode(), slow.Encode())
	}
}

func FuzzLockParse(f *testing.F) {
	f.Add(golden(f, "dvc.lock.golden"))
	f.Add(large(2))
	f.Add([]byte("schema: '2.0'\nstages:\n  a:\n    cmd: x\n      y\n    outs:\n    - path: 'it''s'\n      md5: 12e4567\n"))
	f.Add([]byte("schema: '2.0'\nstages:\n  a:\n    cmd: \"x\n  b:\n    cmd: y\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if fast := parseFast(data); fast != nil {
			checkSame(t, fast, data)
		}
		file, err := Parse("dvc.lock", data)
		if err != nil {
			var es yaml12.Errors
			if !errors.As(err, &es) || len(es) == 0 {
				t.Fatalf("%T", err)
			}
			return
		}
		// What is written anew reads back.
		file.Set("new", &Stage{Cmd: "x"})
		again, err := Parse("dvc.lock", file.Encode())
		if err != nil {
			t.Fatalf("%q became %q: %v", data, file.Encode(), err)
		}
		for _, n := range file.Names() {
			a, _ := file.Stage(n)
			if b, ok := again.Stage(n); !ok || !a.Equal(b) {
				t.Fatalf("%q became %q: stage %q differs", data, file.Encode(), n)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{6, 1000, 10000} {
		data := large(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse("dvc.lock", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseGeneral(b *testing.B) {
	data := large(1000)
	for b.Loop() {
		if _, err := parseSlow("dvc.lock", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	f, err := Parse("dvc.lock", large(10000))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			f.Encode()
		}
	})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			for _, blk := range f.blocks {
				blk.raw = nil
			}
			f.Encode()
		}
	})
}
