//go:build interop

package interop

import (
	"crypto/md5"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// versions make a project of which each commit has other data: one that only a
// commit has, one with a tag, one of another branch, and the workspace's.
func versions() []string {
	version := func(name string) string {
		return fmt.Sprintf(`echo %[1]s > f; mkdir -p d; echo %[1]s > d/a; echo same > d/b; dvc add -q f d; git add -A; git commit -qm %[1]s`, name)
	}
	return []string{
		"git config user.name u; git config user.email u@example.com",
		version("commit"), version("tag"), "git tag v1; git checkout -q -b other", version("branch"),
		"git checkout -q -; dvc checkout -q -f", version("workspace"),
		`head -c 10 /dev/zero > ten; head -c 11 /dev/zero > eleven; mkdir ten.d; head -c 5 /dev/zero > ten.d/a; head -c 5 /dev/zero > ten.d/b
dvc add -q ten eleven ten.d; git add -A; git commit -qm sizes`,
	}
}

// historyFlags are those that say which revisions count.
var historyFlags = []string{"", "--all-branches", "--all-tags", "--all-commits"}

func flagName(flag string) string {
	if flag == "" {
		return "workspace"
	}
	return strings.TrimPrefix(flag, "--")
}

// versionFlags are the flags that take in each version.
var versionFlags = map[string][]string{
	"commit": {"--all-commits"}, "tag": {"--all-tags", "--all-commits"},
	"branch": {"--all-branches", "--all-commits"}, "workspace": historyFlags,
}

// sizeLimits are around the size of a file and of a directory.
var sizeLimits = []string{"9", "10", "11"}

// TestHistory has both tools push, fetch, compare and keep with the flags that take
// in other revisions, and with --max-size. What DVC moves flow moves too, and flow
// just what the revisions name: of an output that has other content in another
// revision, DVC moves one version only.
func TestHistory(t *testing.T) {
	t.Parallel()
	origin := newProject(t, "dvc")
	origin.exec("dvc", "init", "-q").ok()
	for _, text := range versions() {
		origin.script(text)
	}
	var both []*project
	for _, tool := range []string{"dvc", "flow"} {
		p := origin.clone(tool)
		p.script(fmt.Sprintf("git fetch -q '%s' '+refs/*:refs/*' --update-head-ok && git reset -q --hard && cp -r '%[1]s/.dvc/cache' full && cp -r full ../all", origin.dir))
		both = append(both, p)
	}
	step := func(t *testing.T, what, place, flag string, prepare string, args ...string) {
		t.Helper()
		var left [2][]string
		for i, p := range both {
			p := p.in(t)
			p.script(prepare)
			p.exec(p.tool, strings.Fields(strings.Join(args, " "))...).ok()
			left[i] = strings.Fields(p.objects(place))
		}
		for _, name := range left[0] {
			if !slices.Contains(left[1], name) {
				t.Errorf("%s by DVC and not by flow: %s", what, name)
			}
		}
		if len(left[0]) == 0 {
			t.Errorf("%s: there is nothing to compare", what)
		}
		for version, flags := range versionFlags {
			d := fmt.Sprintf("%x", md5.Sum([]byte(version+"\n")))
			if want, got := slices.Contains(flags, flag), slices.Contains(left[1], "files/md5/"+d[:2]+"/"+d[2:]); want != got {
				t.Errorf("%s by flow: the file of the %s: %t, want %t", what, version, got, want)
			}
		}
	}
	const (
		full  = "rm -rf .dvc/cache && cp -r full .dvc/cache; "
		empty = "rm -rf .dvc/cache; "
	)
	for i, flag := range historyFlags {
		t.Run("push "+flagName(flag), func(t *testing.T) {
			step(t, "pushed", fmt.Sprintf("../store-%d", i), flag, full+fmt.Sprintf("$TOOL remote add -q -f -d r ../store-%d", i), "push", flag)
		})
	}
	for _, flag := range historyFlags {
		name := flagName(flag)
		t.Run("fetch "+name, func(t *testing.T) {
			step(t, "fetched", ".dvc/cache", flag, empty+"$TOOL remote add -q -f -d r ../all", "fetch", flag)
		})
		t.Run("status "+name, func(t *testing.T) {
			texts := make([]string, 2)
			for i, p := range both {
				p := p.in(t)
				p.script(full + "$TOOL remote add -q -f -d r ../store-0")
				texts[i] = sortedJSON(t, p.exec(p.tool, strings.Fields("status -c --json "+flag)...).ok().out)
			}
			if flag == "" {
				diff(t, "status -c, DVC's - and flow's +", texts[0], texts[1])
			}
			for line := range strings.Lines(texts[0]) {
				if line = strings.TrimRight(line, ",\n"); !strings.Contains(texts[1], line) {
					t.Errorf("DVC tells and flow does not: %s", line)
				}
			}
		})
		t.Run("gc "+name, func(t *testing.T) {
			step(t, "kept", ".dvc/cache", flag, full, "gc -w -f", flag)
		})
	}
	for _, size := range sizeLimits {
		t.Run("max-size "+size, func(t *testing.T) {
			var left [2]string
			for i, p := range both {
				p := p.in(t)
				p.script(empty + "$TOOL remote add -q -f -d r ../all")
				p.exec(p.tool, "fetch", "--max-size", size).ok()
				left[i] = p.objects(".dvc/cache")
			}
			diff(t, "fetched, DVC's - and flow's +", left[0], left[1])
		})
	}
}

// objects lists the objects of a cache or a remote, a path from the project.
func (p *project) objects(place string) string {
	p.t.Helper()
	c := exec.Command("sh", "-c", "cd '"+p.dir+"' && mkdir -p "+place+"/files && cd "+place+" && find files -type f | sort")
	out, err := c.Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return string(out)
}
