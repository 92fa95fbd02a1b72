//go:build interop

package interop

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestGetAndList compares what the tools get and list of another project of
// DVC's, from its directory and from a clone.
func TestGetAndList(t *testing.T) {
	t.Parallel()
	if len(tools) == 0 {
		t.Skip("FLOW_TEST_DVC does not name DVC's executable: there is nothing to compare with")
	}
	from := source(t)
	from.advance()
	// Outside of any project.
	p := newProject(t, "dvc")
	for i, args := range []string{
		"SOURCE data", "SOURCE data/a", "SOURCE data/deep", "SOURCE one.txt --rev v1", "SOURCE data --rev v1",
		"SOURCE mixed", "SOURCE mixed/note.txt", "file://SOURCE data", "file://SOURCE data --rev v1",
		"file://SOURCE data/deep/b", "file://SOURCE mixed", "file://SOURCE mixed/note.txt --rev v1",
	} {
		args = strings.ReplaceAll(args, "SOURCE", from.dir)
		for _, tool := range []string{"dvc", "flow"} {
			p.exec(tool, append(strings.Fields("get "+args), "-o", p.path(tool))...).ok()
		}
		if diff := p.exec("diff", "-r", "dvc", "flow"); diff.code != 0 {
			t.Errorf("%d: get %s: %s%s", i, args, diff.out, diff.err)
		}
		p.script("rm -r dvc flow")
	}
	for _, args := range []string{
		"SOURCE data", "SOURCE data/a", "SOURCE data --rev v1", "file://SOURCE data/deep/b",
	} {
		args := append(strings.Fields("get --show-url "+strings.ReplaceAll(args, "SOURCE", from.dir)), "-o", "x")
		dvc, flow := p.exec("dvc", args...).ok(), p.exec("flow", args...).ok()
		if dvc.out != flow.out {
			t.Errorf("%v: DVC printed\n%sflow printed\n%s", args, dvc.out, flow.out)
		}
	}
	for _, args := range []string{
		"SOURCE", "SOURCE -R", "SOURCE data", "SOURCE data -R --rev v1", "SOURCE --dvc-only -R",
		"file://SOURCE", "file://SOURCE -R", "file://SOURCE data -R", "file://SOURCE mixed", "file://SOURCE --rev v1 -R",
		"file://SOURCE data/a", "file://SOURCE data --show-hash",
	} {
		for _, form := range []string{"", "--json"} {
			args := strings.Fields("list " + strings.ReplaceAll(args, "SOURCE", from.dir) + " " + form)
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
	// A native project reads DVC's all the same, and DVC's digests are kept out of it.
	n := newProject(t, "flow")
	n.exec("flow", "init", "-q", "--format", "native").ok()
	n.exec("flow", "import", "file://"+from.dir, "data").ok()
	if diff := n.exec("diff", "-r", from.path("data"), "data"); diff.code != 0 {
		t.Errorf("native import: %s%s", diff.out, diff.err)
	}
	if text := n.read("data.dvc"); !strings.Contains(text, "- blake3: ") || strings.Contains(text, "hash: md5") {
		t.Errorf("native import wrote\n%s", text)
	}
	n.exec("rm", "-r", ".flow/cache", "data").ok()
	n.exec("flow", "pull").ok()
	if diff := n.exec("diff", "-r", from.path("data"), "data"); diff.code != 0 {
		t.Errorf("pull of a native import: %s%s", diff.out, diff.err)
	}
}

// TestDataStatusNotInRemote compares what the tools say is not on the remote.
func TestDataStatusNotInRemote(t *testing.T) {
	t.Parallel()
	p := changedProject(t)
	p.exec("dvc", "remote", "add", "-q", "-d", "store", filepath.Join(t.TempDir(), "store")).ok()
	p.exec("dvc", "import", "-q", source(t).dir, "one.txt").ok()
	p.exec("dvc", "push", "-q", "data", "edited.txt").ok()
	for _, args := range [][]string{
		{"--not-in-remote"},
		{"--not-in-remote", "--granular"},
		{"--not-in-remote", "--granular", "elsewhere", "edited.txt"},
	} {
		args = append([]string{"data", "status", "--json"}, args...)
		dvc, flow := p.exec("dvc", args...).ok(), p.exec("flow", args...).ok()
		if d, f := unordered(t, dvc.out), unordered(t, flow.out); !reflect.DeepEqual(d, f) {
			t.Errorf("%v: DVC printed\n%sflow printed\n%s", args, dvc.out, flow.out)
		}
	}
}
