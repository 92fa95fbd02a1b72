//go:build interop

package interop

import (
	"strings"
	"testing"

	"github.com/flowrepro/flow/remote"
	"github.com/flowrepro/flow/remote/remotetest"
	"github.com/flowrepro/flow/remote/s3"
)

// versioned is a project of DVC's with a cloud-versioned remote on which, after
// DVC's push, somebody has replaced what two of the files have: only the recorded
// version is right. option is the key that makes the remote one.
func versioned(t *testing.T, option string) *project {
	t.Helper()
	p := newProject(t, "dvc")
	server := remotetest.StartVersionedS3(t)
	p.exec("dvc", "init", "-q").ok()
	p.onServer(server, "versioned")
	p.exec("dvc", "remote", "modify", "s", option, "true").ok()
	p.script(`mkdir -p d/s; echo 1 > d/a; echo 2 > d/s/b; echo one > f; dvc add -q d f
cat > dvc.yaml <<'END'
stages:
  copy:
    cmd: cp f out && mkdir -p many && cp f many/f
    deps: [f]
    outs: [out, many]
END
dvc repro -q; dvc push -q`)
	if text := p.read("d.dvc"); !strings.Contains(text, "version_id:") || !strings.Contains(text, "files:") {
		t.Fatalf("DVC did not record versions:\n%s", text)
	}
	options, err := s3.Parse("s3://"+remotetest.Bucket+"/versioned", server.Settings())
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3.New(options)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f", "d/s/b"} {
		if err := store.Put(t.Context(), name, remote.Bytes([]byte("replaced\n"))); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestVersionedPull has DVC push to a cloud-versioned remote and flow pull, fetch
// a part, and find everything in place.
func TestVersionedPull(t *testing.T) {
	for _, option := range []string{"version_aware", "worktree"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			q := versioned(t, option).clone("flow")
			q.exec("flow", "pull").ok()
			for name, want := range map[string]string{"d/a": "1\n", "d/s/b": "2\n", "f": "one\n", "out": "one\n", "many/f": "one\n"} {
				diff(t, name, want, q.read(name))
			}
			upToDateInBoth(t, q)
			if out := q.exec("git", "status", "--short").ok().out; out != "" {
				t.Errorf("flow pull changed files of Git:\n%s", out)
			}
			q.script("rm -rf .dvc/cache d out")
			q.exec("flow", "pull", "d/s").ok()
			diff(t, "a part of a directory", "2\n", q.read("d/s/b"))
			diff(t, "the other part", "", q.read("d/a"))
			q.exec("flow", "repro", "--pull", "--require-cached").ok()
			diff(t, "out", "one\n", q.read("out"))
		})
	}
}

// TestVersionedRefused has flow refuse what it does not do with such a remote, and
// leave it alone.
func TestVersionedRefused(t *testing.T) {
	t.Parallel()
	p := versioned(t, "version_aware")
	for _, c := range []struct {
		args string
		code int
	}{{"push", 1}, {"status -c", 251}, {"gc -w -c -f", 251}, {"migrate", 255}} {
		r := p.exec("flow", strings.Fields(c.args)...)
		if r.code != c.code || !strings.Contains(r.err, "cloud") || c.code != 255 && !strings.Contains(r.err, "hint: ") {
			t.Errorf("flow %s: exit code %d, want %d and a word about it:\n%s%s", c.args, r.code, c.code, r.out, r.err)
		}
	}
	if out := p.exec("dvc", "push").ok().out; !strings.Contains(out, "Everything is up to date.") {
		t.Errorf("dvc push:\n%s", out)
	}
}

// TestVersionedKept lets flow work on such a project: what has not changed keeps
// its versions, what has loses them, and DVC pushes that.
func TestVersionedKept(t *testing.T) {
	t.Parallel()
	p := versioned(t, "version_aware")
	was := p.read("d.dvc")
	p.write("f", "three\n")
	p.exec("flow", "add", "d", "f").ok()
	diff(t, "d.dvc, of which nothing changed", was, p.read("d.dvc"))
	if text := p.read("f.dvc"); strings.Contains(text, "version_id") {
		t.Errorf("f.dvc names the version of what was there:\n%s", text)
	}
	p.exec("flow", "repro").ok()
	upToDateInBoth(t, p)
	p.exec("flow", "commit", "-f").ok()
	diff(t, "d.dvc after a commit", was, p.read("d.dvc"))
}

// upToDateInBoth requires both tools to find nothing to do.
func upToDateInBoth(t *testing.T, p *project) {
	t.Helper()
	for _, tool := range []string{"dvc", "flow"} {
		if out := p.exec(tool, "status").ok().out; !strings.Contains(out, upToDate) {
			t.Errorf("%s status:\n%s", tool, out)
		}
	}
}
