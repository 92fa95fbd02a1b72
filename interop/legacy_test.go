//go:build interop

package interop

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// legacy is a project that a real DVC 2 has made and pushed to a directory: its
// entries have no hash, objects lie right below the cache and the remote, and
// digests of texts are of those with normalized line ends.
func legacy(t *testing.T) *project {
	t.Helper()
	p := newProject(t, "dvc2")
	if tools["dvc2"] == "" {
		t.Skip("FLOW_TEST_DVC2 does not name the executable of a DVC 2")
	}
	p.env = append(p.env, "DVC2="+tools["dvc2"])
	p.script(`$DVC2 init -q; mkdir -p d/s; printf 'a\r\nb\r\n' > d/crlf; printf 'x\ny\n' > d/s/lf; printf '\000\r\n' > d/binary
printf 'one\r\ntwo\r\n' > f; : > empty; $DVC2 add -q d f empty
cat > dvc.yaml <<'END'
stages:
  copy:
    cmd: cat f f > out && cat d/crlf d/s/lf > both && echo '{"n":1}' > m.json
    deps: [f, d]
    outs: [out, both]
    metrics: [{m.json: {cache: false}}]
END
$DVC2 repro -q; $DVC2 remote add -q -d r "$PWD/../store"; $DVC2 push -q`)
	if text := p.read("d.dvc") + p.read("dvc.lock"); strings.Contains(text, "hash:") {
		t.Fatalf("this is not what DVC 2 writes:\n%s", text)
	}
	return p
}

// withStore gives the project a copy of the other's remote.
func (p *project) withStore(other *project) {
	p.t.Helper()
	p.script(fmt.Sprintf("cp -r '%s' ../store", filepath.Join(other.dir, "..", "store")))
	p.exec("flow", "remote", "modify", "r", "url", filepath.Join(p.dir, "..", "store")).ok()
}

// stored lists what is on the project's remote, without the mark by which flow
// tells pushes of a garbage collection.
func (p *project) stored() string {
	p.t.Helper()
	c := exec.Command("sh", "-c", "cd ../store && find . -type f ! -path './.flow/*' | sort")
	c.Dir = p.dir
	out, err := c.Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}

// TestLegacy lets today's DVC and flow live the same life with a project of DVC
// 2's: pull, status, status -c, push, an edit, and garbage collection here and on
// the remote.
func TestLegacy(t *testing.T) {
	t.Parallel()
	origin := legacy(t)
	both := map[string]*project{}
	for _, tool := range []string{"dvc", "flow"} {
		both[tool] = origin.clone(tool)
		both[tool].withStore(origin)
	}
	d, f := both["dvc"], both["flow"]
	step := func(name string, args ...string) {
		t.Helper()
		for tool, p := range both {
			if r := p.exec(tool, args...); r.code != 0 {
				t.Errorf("%s: %s: exit code %d\n%s%s", name, r.line, r.code, r.out, r.err)
			}
		}
		for _, file := range []string{"d.dvc", "f.dvc", "empty.dvc", "dvc.lock"} {
			diff(t, name+": "+file+", DVC's - and flow's +", d.read(file), f.read(file))
		}
		for _, file := range []string{"d/crlf", "d/s/lf", "d/binary", "f", "out", "both", "m.json"} {
			diff(t, name+": "+file, d.read(file), f.read(file))
		}
		diff(t, name+": on the remote, DVC's - and flow's +", d.stored(), f.stored())
	}
	cloud := func(name string) {
		t.Helper()
		diff(t, name+": status -c", sortedJSON(t, d.exec("dvc", "status", "-c", "--json").ok().out), sortedJSON(t, f.exec("flow", "status", "-c", "--json").ok().out))
	}
	step("fetch", "fetch")
	step("pull", "pull")
	diff(t, "pulled", "one\r\ntwo\r\n", f.read("f"))
	upToDateInBoth(t, f)
	cloud("all here")
	if ran := f.exec("flow", "repro").ok().ran(); len(ran) > 0 {
		t.Errorf("flow ran %q", ran)
	}
	step("push of nothing", "push")
	// What changes takes today's form, what does not keeps the old one.
	for _, p := range both {
		p.write("f", "three\r\n")
	}
	step("an edit", "add", "f")
	if text := f.read("f.dvc"); !strings.Contains(text, "hash: md5") {
		t.Errorf("f.dvc:\n%s", text)
	}
	step("repro", "repro")
	cloud("an edit")
	step("push of the edit", "push")
	step("gc", "gc", "-w", "-f")
	step("gc of the remote", "gc", "-w", "-c", "-f")
	step("pull again", "pull")
	upToDateInBoth(t, f)
}

// TestLegacyMigrated converts a project of DVC 2's to the native format and back
// to today's DVC format.
func TestLegacyMigrated(t *testing.T) {
	t.Parallel()
	origin := legacy(t)
	p := origin.clone("flow")
	p.withStore(origin)
	p.exec("flow", "pull").ok()
	p.exec("flow", "migrate").ok()
	if text := p.read("dvc.lock") + p.read("d.dvc"); strings.Contains(text, "md5") {
		t.Errorf("not all is native:\n%s", text)
	}
	if out := p.exec("flow", "status").ok().out; !strings.Contains(out, upToDate) {
		t.Errorf("flow status:\n%s", out)
	}
	p.exec("flow", "migrate").ok()
	upToDateInBoth(t, p)
	if out := p.exec("dvc", "push").ok().out; !strings.Contains(out, "Everything is up to date.") {
		t.Errorf("dvc push:\n%s", out)
	}
}
