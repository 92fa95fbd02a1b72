package lock

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const lockHead = "schema: '2.0'\nstages:\n"

func TestMerge(t *testing.T) {
	a, a2, a3 := "  a:\n    cmd: 1 x\n", "  a:\n    cmd: 2 x\n", "  a:\n    cmd: 3 x\n"
	b, b2 := "  b:\n    cmd: 1 y\n", "  b:\n    cmd: 2 y # kept\n"
	c, d := "  c:\n    cmd: z\n", "  d:\n    cmd: w\n"
	for name, x := range map[string]struct {
		base, ours, theirs, want string
		conflicts                []string
	}{
		"nothing":          {lockHead + a, lockHead + a, lockHead + a, lockHead + a, nil},
		"both sides":       {lockHead + a + b, lockHead + a2 + b, lockHead + a + b2, lockHead + a2 + b2, nil},
		"both the same":    {lockHead + a, lockHead + a2, lockHead + a2, lockHead + a2, nil},
		"added":            {lockHead + a, lockHead + a + c, lockHead + a + d, lockHead + a + c + d, nil},
		"added the same":   {lockHead + a, lockHead + a + c, lockHead + a + c, lockHead + a + c, nil},
		"removed":          {lockHead + a + b + c, lockHead + b + c, lockHead + a + b, lockHead + b, nil},
		"conflict":         {lockHead + a + b, lockHead + a2 + b, lockHead + a3 + b2, lockHead + a2 + b2, []string{"a"}},
		"removed, changed": {lockHead + a + b, lockHead + b, lockHead + a2 + b, lockHead + b, []string{"a"}},
		"changed, removed": {lockHead + a + b, lockHead + a2 + b, lockHead + b, lockHead + a2 + b, []string{"a"}},
		"no base":          {"", lockHead + a, lockHead + b, lockHead + a + b, nil},
		"no base, both":    {"", lockHead + a, lockHead + a2, lockHead + a, []string{"a"}},
		"ours is new":      {"", lockHead + a, "", lockHead + a, nil},
		"theirs is new":    {"", "", lockHead + a, lockHead + a, nil},
		"datasets": {lockHead + a, "schema: '2.0'\ndatasets: [1]\nstages:\n" + a, lockHead + a2,
			"schema: '2.0'\ndatasets: [1]\nstages:\n" + a2, nil},
		"two datasets": {lockHead + a, "schema: '2.0'\ndatasets: [1]\nstages:\n" + a, "schema: '2.0'\ndatasets: [2]\nstages:\n" + a2,
			"schema: '2.0'\ndatasets: [1]\nstages:\n" + a2, []string{"the rest of the file"}},
	} {
		t.Run(name, func(t *testing.T) {
			merged, conflicts, err := Merge([]byte(x.base), []byte(x.ours), []byte(x.theirs))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(x.want, string(merged)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(x.conflicts, conflicts); d != "" {
				t.Error(d)
			}
		})
	}
	if _, _, err := Merge(nil, []byte("<<<<<<< a\n"), nil); err == nil {
		t.Error("no error for a text that is no lock")
	}
}

func FuzzMerge(f *testing.F) {
	g := golden(f, "dvc.lock.golden")
	f.Add(g, large(2), g)
	f.Add([]byte(lockHead+"  a:\n    cmd: &x 1 x\n"), []byte(lockHead+"  b:\n    cmd: y\n# c\n"), []byte("{schema: '2.0'}"))
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		merged, _, err := Merge(base, ours, theirs)
		if err != nil || len(merged) == 0 {
			return
		}
		if _, err := Parse("merged", merged); err != nil {
			t.Fatalf("%q: %v", merged, err)
		}
		same, conflicts, err := Merge(merged, merged, merged)
		if err != nil || len(conflicts) > 0 || string(same) != string(merged) {
			t.Fatalf("%q merged with itself is %q, %v, %v", merged, same, conflicts, err)
		}
	})
}

func TestMergeMarked(t *testing.T) {
	base := lockHead + "  a:\n    cmd: 1 x\n  b:\n    cmd: 1 y\n  c:\n    cmd: 1 z\n"
	ours := lockHead + "  a:\n    cmd: 2 x\n  b:\n    cmd: 2 y\n  c:\n    cmd: 1 z\n"
	theirs := lockHead + "  a:\n    cmd: 3 x\n  c:\n    cmd: 2 z\n"
	merged, conflicts, err := MergeMarked([]byte(base), []byte(ours), []byte(theirs), 7)
	if err != nil {
		t.Fatal(err)
	}
	want := lockHead + "  a:\n<<<<<<< ours\n    cmd: 2 x\n=======\n    cmd: 3 x\n>>>>>>> theirs\n" +
		"<<<<<<< ours\n  b:\n    cmd: 2 y\n=======\n>>>>>>> theirs\n  c:\n    cmd: 2 z\n"
	if d := cmp.Diff(want, string(merged)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a", "b"}, conflicts); d != "" {
		t.Error(d)
	}
	// Keeping either side everywhere gives a lock.
	for _, keep := range []bool{true, false} {
		var text []byte
		in, ours := false, false
		for _, l := range lines(merged) {
			switch {
			case strings.HasPrefix(string(l), "<<<<<<<"):
				in, ours = true, true
			case strings.HasPrefix(string(l), "======="):
				ours = false
			case strings.HasPrefix(string(l), ">>>>>>>"):
				in = false
			case !in || ours == keep:
				text = append(text, l...)
			}
		}
		if _, err := Parse("kept", text); err != nil {
			t.Errorf("%v: %s", err, text)
		}
	}
}

func TestMergeData(t *testing.T) {
	out := func(md5, more string) string {
		return "outs:\n- md5: " + md5 + "\n  size: 1\n  hash: md5\n  path: d\n" + more
	}
	x, y, z := strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)
	join := func(base *Entry, ours, theirs Entry) (Entry, error) {
		if base != nil && base.Digest == x+".dir" {
			ours.Digest, ours.Size = strings.Repeat("d", 32)+".dir", 7
			return ours, nil
		}
		return ours, errors.New("e")
	}
	joined := "outs:\n- md5: " + strings.Repeat("d", 32) + ".dir\n  size: 7\n  hash: md5\n  path: d\n"
	for name, c := range map[string]struct {
		base, ours, theirs, want string
		conflicts                []string
	}{
		"theirs changed":              {out(x, ""), out(x, "# kept\n"), out(y, ""), out(y, "# kept\n"), nil},
		"ours changed":                {out(x, ""), out(y, ""), out(x, ""), out(y, ""), nil},
		"same":                        {out(x, ""), out(y, ""), out(y, ""), out(y, ""), nil},
		"both changed":                {out(x, ""), out(y, ""), out(z, ""), out(y, ""), []string{"'d'"}},
		"content and key":             {out(x, ""), out(y, ""), out(x, "  remote: r\n"), out(y, "  remote: r\n"), nil},
		"meta and desc":               {out(x, ""), "desc: a\n" + out(x, ""), out(x, "meta:\n  k: 1\n"), "desc: a\n" + out(x, "meta:\n  k: 1\n"), nil},
		"two remotes":                 {out(x, ""), out(x, "  remote: q\n"), out(x, "  remote: r\n"), out(x, "  remote: q\n"), []string{"'d'"}},
		"directories":                 {out(x+".dir", ""), out(y+".dir", ""), out(z+".dir", ""), joined, nil},
		"not joined":                  {out(z+".dir", ""), out(y+".dir", ""), out(x+".dir", ""), out(y+".dir", ""), []string{"'d': e"}},
		"removed":                     {out(x, ""), out(x, ""), "outs: []\n", "", nil},
		"both added":                  {"", out(x, ""), out(y, ""), out(x, ""), []string{"'d'"}},
		"new there":                   {"", "", out(y, ""), out(y, ""), nil},
		"cloud goes with its content": {out(x, ""), out(y, ""), out(x, "  cloud:\n    r:\n      etag: e\n      version_id: v\n"), out(y, ""), []string{"'d'"}},
	} {
		t.Run(name, func(t *testing.T) {
			merged, conflicts, err := MergeData([]byte(c.base), []byte(c.ours), []byte(c.theirs), join)
			if err != nil {
				t.Fatal(err)
			}
			if name == "removed" {
				if f, err := ParseData("", merged); err != nil || len(f.Outs) > 0 {
					t.Errorf("%v: %s", err, merged)
				}
			} else if d := cmp.Diff(c.want, string(merged)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.conflicts, conflicts); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzMergeData(f *testing.F) {
	a := golden(f, "imported_dir.dvc.golden")
	f.Add(a, golden(f, "tracked.dvc.golden"), golden(f, "x.dvc.golden"))
	f.Add(a, a, golden(f, "imported.dvc.golden"))
	join := func(_ *Entry, ours, _ Entry) (Entry, error) { return ours, nil }
	f.Fuzz(func(t *testing.T, base, ours, theirs []byte) {
		merged, _, err := MergeData(base, ours, theirs, join)
		if err != nil {
			return
		}
		if same, conflicts, err := MergeData(merged, merged, merged, join); err != nil || len(conflicts) > 0 || string(same) != string(merged) {
			t.Fatalf("%q merged with itself is %q, %v, %v", merged, same, conflicts, err)
		}
	})
}
