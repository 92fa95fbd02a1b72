package lock

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
)

func TestDataGolden(t *testing.T) {
	for _, name := range []string{"tracked", "x", "imported", "imported_dir"} {
		data := golden(t, name+".dvc.golden")
		f, err := ParseData(name+".dvc", data)
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(data), string(out)); d != "" {
			t.Errorf("%s unchanged: %s", name, d)
		}
		anew := NewData(name+".dvc", f.Outs...)
		anew.MD5, anew.Frozen, anew.Deps = f.MD5, f.Frozen, f.Deps
		if out, err = anew.Encode(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(data), string(out)); d != "" {
			t.Errorf("%s anew: %s", name, d)
		}
		if f.MD5 != "" && f.Checksum() != f.MD5 {
			t.Errorf("%s: checksum %s, DVC has %s", name, f.Checksum(), f.MD5)
		}
	}
}

func TestDataFields(t *testing.T) {
	f, err := ParseData("a.dvc", []byte(`
desc: about
wdir: ..
locked: true
always_changed: true
meta: {x: 1}
deps:
- path: data
  repo: {url: git@x, rev_lock: abc}
outs:
- md5: 123456
  path: x
  cache: false
  push: false
  persist: true
  remote: r
  desc: d
  type: model
  labels: [a]
  fs_config: {a: b}
`))
	if err != nil {
		t.Fatal(err)
	}
	if f.Desc != "about" || f.Wdir != ".." || !f.Frozen || !f.AlwaysChanged || f.Meta == nil {
		t.Errorf("%+v", f)
	}
	if url, _ := f.Deps[0].Repo.Get("url"); url != "git@x" || f.Deps[0].Size != -1 {
		t.Errorf("%+v", f.Deps[0])
	}
	o := f.Outs[0]
	if o.Digest != "123456" || o.Cache || o.Push || !o.Persist || o.Remote != "r" || o.Desc != "d" || o.Extra.Len() != 3 {
		t.Errorf("%+v", o)
	}
}

func TestDataEdit(t *testing.T) {
	text := `# tracked by hand
outs:
  # the data
  - path: data   # here
    md5: 0123456789abcdef0123456789abcdef
    size: 5
    cache: true
    meta: {owner: me}
meta:
  k: v # kept
`
	f, err := ParseData("d.dvc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &f.Outs[0]
	o.Hash, o.Digest, o.Size, o.Files = "md5", "11111111111111111111111111111111.dir", 7, 2
	f.Frozen = true
	f.Outs = append(f.Outs, DataEntry{Entry: Entry{Path: "more", Hash: "md5", Digest: "abc", Size: 1, Files: -1}, Cache: true, Push: true})
	got, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `# tracked by hand
outs:
  # the data
  - path: data   # here
    md5: 11111111111111111111111111111111.dir
    size: 7
    cache: true
    meta: {owner: me}
    nfiles: 2
    hash: md5
  - md5: abc
    size: 1
    hash: md5
    path: more
meta:
  k: v # kept
frozen: true
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	f, err = ParseData("d.dvc", got)
	if err != nil {
		t.Fatal(err)
	}
	f.Outs = f.Outs[1:]
	f.Frozen = false
	if got, err = f.Encode(); err != nil {
		t.Fatal(err)
	}
	again, err := ParseData("d.dvc", got)
	if err != nil || len(again.Outs) != 1 || again.Outs[0].Path != "more" || again.Frozen {
		t.Errorf("%v\n%s", err, got)
	}
	if !strings.Contains(string(got), "k: v # kept") {
		t.Errorf("comment is lost:\n%s", got)
	}
}

func TestDataErrors(t *testing.T) {
	for text, want := range map[string]string{
		"cmd: x\n":                             "a.dvc:1:1: 'a.dvc' validation failed: unknown key \"cmd\"",
		"outs:\n- md5: abc\n":                  "a.dvc:2:3: 'a.dvc' validation failed: path is missing",
		"outs: x\n":                            "outs must be a list",
		"outs:\n- path: x\n  x: 1\n":           "a.dvc:3:3: ",
		"deps:\n- path: x\n  cache: false\n":   "unknown key \"cache\"",
		"deps:\n- path: x\n  repo: {rev: x}\n": "repo must be a map with a url",
		"frozen: 1\n":                          "must be true or false",
		"outs:\n- path: x\n  path: y\n":        "duplicate key",
		"- a\n":                                "must be a map",
	} {
		_, err := ParseData("a.dvc", []byte(text))
		var es yaml12.Errors
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &es) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if f, err := ParseData("a.dvc", nil); err != nil || len(f.Outs) != 0 {
		t.Errorf("empty: %v", err)
	}
}

func FuzzData(f *testing.F) {
	f.Add(golden(f, "imported.dvc.golden"))
	f.Add([]byte("outs:\n  - {path: x, md5: abc, cache: true}\n# c\nmeta: [1]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseData("a.dvc", data)
		if err != nil {
			return
		}
		if out, err := d.Encode(); err != nil || string(out) != string(data) {
			t.Fatalf("%q became %q, %v", data, out, err)
		}
		d.Checksum()
		for i := range d.Outs {
			d.Outs[i].Hash, d.Outs[i].Digest, d.Outs[i].Size = "md5", "00000000000000000000000000000000", 3
		}
		out, err := d.Encode()
		if err != nil {
			return // an edit that is refused
		}
		again, err := ParseData("a.dvc", out)
		if err != nil || len(again.Outs) != len(d.Outs) {
			t.Fatalf("%q became %q: %v", data, out, err)
		}
		for i := range d.Outs {
			if !equalEntries(again.Outs[i].Entry, d.Outs[i].Entry) {
				t.Fatalf("%q became %q", data, out)
			}
		}
	})
}
