package lock

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

// TestRunKeyExample is the example that the documentation of the format gives.
func TestRunKeyExample(t *testing.T) {
	s := &Stage{Cmd: "cp in.txt mid.txt",
		Deps: []Entry{{Path: "in.txt", Hash: "md5", Digest: "b1946ac92492d2347c6235b4d2611184", Size: 6, Files: -1}},
		Outs: []Entry{{Path: "mid.txt", Size: -1, Files: -1}}}
	if got := RunKey(s); got != "db8352869e1481bb4d25d3b9fbbe3533dc5d06a2ed29f43919199015e6e15651" {
		t.Error(got)
	}
}

// TestRunGolden finds the keys, values and bytes of entries that DVC made.
func TestRunGolden(t *testing.T) {
	f := mustParse(t, string(golden(t, "dvc.lock.golden")))
	wrote := &RunCache{Dir: filepath.Join(t.TempDir(), "runs")}
	dvc := &RunCache{Dir: "testdata/runs"}
	for _, name := range f.Names() {
		s, _ := f.Stage(name)
		if len(s.Deps) == 0 || len(s.Outs) == 0 {
			continue
		}
		found, err := dvc.Lookup(s)
		if err != nil || len(found) != 1 || !found[0].Equal(s) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		if name == "shared" {
			train, _ := s.Params[0].Values.Get("train")
			layers, _ := train.(*yaml12.Map).Get("layers")
			s.Params[0].Values.Set("train.layers", layers)
		}
		if err := wrote.Save(s); err != nil {
			t.Fatal(err)
		}
	}
	read := func(dir string) map[string]string {
		out := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			out[filepath.ToSlash(rel)] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := read(dvc.Dir)
	if len(want) < 7 {
		t.Fatalf("only %d goldens", len(want))
	}
	if d := cmp.Diff(want, read(wrote.Dir)); d != "" {
		t.Error(d)
	}
}

func TestRunLookup(t *testing.T) {
	c := &RunCache{Dir: filepath.Join(t.TempDir(), "runs")}
	stage := func(size any, out string) *Stage {
		return &Stage{Cmd: "x", Deps: []Entry{{Path: "d", Hash: "md5", Digest: "abc", Size: 1, Files: -1}},
			Params: []ParamFile{{"params.yaml", &yaml12.Map{Items: []yaml12.Item{{Key: "size", Value: size}}}}},
			Outs:   []Entry{{Path: "o", Hash: "md5", Digest: out, Size: 1, Files: -1}}}
	}
	if found, err := c.Lookup(stage(int64(1), "")); err != nil || found != nil {
		t.Fatalf("empty cache: %v, %v", found, err)
	}
	save := func(s *Stage, age time.Duration) string {
		t.Helper()
		if err := c.Save(s); err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(c.dir(RunKey(s)), RunValue(s))
		when := time.Now().Add(-age)
		if err := os.Chtimes(p, when, when); err != nil {
			t.Fatal(err)
		}
		return p
	}
	save(stage(int64(1), "old"), time.Hour)
	save(stage(int64(1), "new"), time.Minute)
	save(stage(int64(2), "other"), time.Second)
	bad := filepath.Join(c.dir(RunKey(stage(int64(1), ""))), RunValue(stage(int64(3), "bad")))
	if err := os.WriteFile(bad, []byte("cmd: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if RunKey(stage(int64(1), "")) != RunKey(stage(int64(2), "")) {
		t.Fatal("this test rests on sizes not being in the key")
	}
	found, err := c.Lookup(stage(int64(1), ""))
	if err != nil {
		t.Fatal(err)
	}
	var outs []string
	for _, s := range found {
		outs = append(outs, s.Outs[0].Digest)
	}
	if d := cmp.Diff([]string{"new", "old"}, outs); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(bad); !os.IsNotExist(err) {
		t.Error("the corrupt entry is still there")
	}
	// The same key with a value of another type is no hit.
	if found, _ := c.Lookup(stage(1.0, "")); len(found) != 0 {
		t.Errorf("1.0 hits 1: %v", found)
	}
	// Saving again changes nothing.
	p := save(stage(int64(1), "old"), time.Hour)
	before, _ := os.Stat(p)
	if err := c.Save(stage(int64(1), "old")); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(p); !after.ModTime().Equal(before.ModTime()) {
		t.Error("an entry was written again")
	}
}
