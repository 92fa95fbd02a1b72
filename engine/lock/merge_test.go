package lock

import (
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
