//go:build interop

package interop

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSharingDiff lets both tools tell what became of the data of one project.
func TestSharingDiff(t *testing.T) {
	t.Parallel()
	p := changedProject(t)
	for _, args := range [][]string{
		{"diff"},
		{"diff", "--json"},
		{"diff", "--json", "--show-hash"},
		{"diff", "--md"},
		{"diff", "--md", "--show-hash"},
		{"diff", "--show-hash"},
		{"diff", "--hide-missing", "--json"},
		{"diff", "--json", "--targets", "data"},
		{"diff", "--json", "--targets", "data/a"},
		{"diff", "--json", "--targets", "make"},
		{"diff", "--json", "--targets", "edited.txt.dvc"},
		{"diff", "HEAD", "HEAD"},
		{"diff", "HEAD", "HEAD", "--json"},
		{"diff", "HEAD~1", "HEAD"},
		{"diff", "HEAD~1", "HEAD", "--json"},
		{"diff", "HEAD~1", "--json"},
	} {
		dvc, flow := p.exec("dvc", args...).ok(), p.exec("flow", args...).ok()
		if dvc.out != flow.out {
			t.Errorf("%v: DVC printed\n%sflow printed\n%s", args, dvc.out, flow.out)
		}
	}
}

// TestSharingDataStatus compares the JSON of data status, whose lists DVC does
// not order.
func TestSharingDataStatus(t *testing.T) {
	t.Parallel()
	p := changedProject(t)
	for _, args := range [][]string{
		{},
		{"--granular"},
		{"--unchanged"},
		{"--granular", "--unchanged", "--untracked-files"},
		{"--untracked-files=all"},
		{"--granular", "data", "edited.txt"},
		{"--granular", "data/a"},
	} {
		args = append([]string{"data", "status", "--json"}, args...)
		dvc, flow := p.exec("dvc", args...).ok(), p.exec("flow", args...).ok()
		if d, f := unordered(t, dvc.out), unordered(t, flow.out); !reflect.DeepEqual(d, f) {
			t.Errorf("%v: DVC printed\n%sflow printed\n%s", args, dvc.out, flow.out)
		}
	}
}

// changedProject has two commits, and data that differs in all ways from that
// of the second.
func changedProject(t *testing.T) *project {
	t.Helper()
	p := newProject(t, "dvc")
	p.exec("dvc", "init", "-q").ok()
	p.exec("git", "config", "user.name", "A U Thor").ok()
	p.exec("git", "config", "user.email", "author@example.com").ok()
	p.write("data/a", "1")
	p.write("data/b", "22")
	p.write("data/nested/c", "333")
	p.write("moved/x", "4444")
	p.write("moved/y", "55555")
	p.write("old.txt", "old")
	p.write("edited.txt", "edited")
	p.write("gone.txt", "gone")
	p.write("lost.txt", "lost")
	p.write("dvc.yaml", "stages:\n  make:\n    cmd: cp gone.txt out.txt\n    deps: [gone.txt]\n    outs: [out.txt]\n")
	p.exec("dvc", "add", "-q", "data", "moved", "old.txt", "edited.txt", "gone.txt", "lost.txt").ok()
	p.exec("dvc", "repro", "-q").ok()
	p.exec("git", "add", "-A").ok()
	p.exec("git", "commit", "-q", "-m", "one").ok()
	p.exec("dvc", "move", "old.txt", "new.txt").ok()
	p.write("later.txt", "later")
	p.exec("dvc", "add", "-q", "later.txt").ok()
	p.exec("git", "add", "-A").ok()
	p.exec("git", "commit", "-q", "-m", "two").ok()
	p.exec("dvc", "move", "moved", "elsewhere").ok()
	p.write("data/a", "one")
	p.write("data/nested/d", "new")
	p.write("edited.txt", "again")
	p.write("untracked.txt", "untracked")
	p.exec("rm", "data/b", "gone.txt").ok()
	// The object of lost.txt.
	p.exec("rm", "-f", ".dvc/cache/files/md5/"+md5Path("lost")).ok()
	return p
}

// TestSharingList compares the listings of a project and its sizes. Sizes of
// directories are left out: DVC tells those of the file system.
func TestSharingList(t *testing.T) {
	t.Parallel()
	p := changedProject(t)
	p.write("src/deep/code.py", "code")
	p.exec("chmod", "+x", "src/deep/code.py").ok()
	p.exec("rm", "-r", "data").ok()
	for _, args := range [][]string{
		{"."},
		{".", "-R"},
		{".", "-R", "-L", "2"},
		{".", "--dvc-only"},
		{".", "--dvc-only", "-R"},
		{".", "data"},
		{".", "data/nested"},
		{".", "data/a"},
		{".", "src"},
		{p.dir, "src", "-R"},
		{".", "--rev", "HEAD"},
		{".", "--rev", "HEAD~1", "-R"},
		{".", "elsewhere", "--show-hash"},
	} {
		for _, form := range []string{"", "--json"} {
			args := append([]string{"list"}, args...)
			if form != "" {
				args = append(args, form)
			}
			dvc, flow := p.exec("dvc", args...).ok(), p.exec("flow", args...).ok()
			same := dvc.out == flow.out
			if form != "" {
				same = reflect.DeepEqual(withoutSizes(t, dvc.out), withoutSizes(t, flow.out))
			}
			if !same {
				t.Errorf("%v: DVC printed\n%sflow printed\n%s", args, dvc.out, flow.out)
			}
		}
	}
	for _, args := range [][]string{{".", "src"}, {".", "elsewhere"}, {".", "-s", "--rev", "HEAD"}, {".", "edited.txt"}} {
		args = append([]string{"du"}, args...)
		dvc, flow := p.exec("dvc", args...).ok(), p.exec("flow", args...).ok()
		if d, f := strings.Fields(dvc.out), strings.Fields(flow.out); !slices.Equal(slices.Sorted(slices.Values(d)), slices.Sorted(slices.Values(f))) {
			t.Errorf("%v: DVC printed\n%sflow printed\n%s", args, dvc.out, flow.out)
		}
	}
}

// withoutSizes is a listing without the sizes of directories, and of files of
// which DVC's manifests tell none.
func withoutSizes(t *testing.T, text string) (list []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	for _, it := range list {
		if it["isdir"] == true || it["isout"] == true {
			delete(it, "size")
		}
	}
	return list
}

// unordered is JSON whose lists are sorted by their elements' own JSON.
func unordered(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return sortLists(v)
}

func sortLists(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Collect(maps.Keys(v)) {
			v[k] = sortLists(v[k])
		}
	case []any:
		for i := range v {
			v[i] = sortLists(v[i])
		}
		slices.SortFunc(v, func(a, b any) int {
			x, _ := json.Marshal(a) // came from JSON: cannot fail
			y, _ := json.Marshal(b)
			return slices.Compare(x, y)
		})
	}
	return v
}

// md5Path is where DVC's cache keeps a text.
func md5Path(text string) string {
	sum := fmt.Sprintf("%x", md5.Sum([]byte(text)))
	return sum[:2] + "/" + sum[2:]
}
