//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowrepro/flow/remote/remotetest"
)

// transferCase is a project whose data one tool pushes and the other pulls.
type transferCase struct {
	name string
	// prepare is a script that makes the project; $TOOL pushes.
	prepare string
	// push and pull are the arguments, "push" and "pull" when empty.
	push, pull string
	// same are paths that must be as they were after the pull; all that Git
	// ignores when there are none.
	same []string
}

func transferCases() []transferCase {
	const pipeline = `cat > dvc.yaml <<'END'
stages:
  prep:
    cmd: mkdir -p prepped && cp data.csv prepped/a && wc -c < data.csv > prepped/b
    deps: [data.csv]
    outs: [prepped]
  train:
    cmd: cat prepped/* > model && echo '{"acc":1}' > m.json
    deps: [prepped]
    outs: [model]
    metrics: [{m.json: {cache: false}}]
END
echo 1,2 > data.csv
$TOOL repro -q
`
	return []transferCase{
		{name: "a file", prepare: `echo hello > f; $TOOL add -q f`},
		{name: "an empty file", prepare: `: > f; $TOOL add -q f`},
		{name: "an executable file", prepare: `printf '#!/bin/sh\n' > f; chmod +x f; $TOOL add -q f`},
		{name: "a directory", prepare: `mkdir -p d/e/f d/g; echo 1 > d/a; echo 2 > d/e/b; echo 3 > d/e/f/c; echo 1 > d/g/a; $TOOL add -q d`},
		{name: "names beyond ASCII", prepare: `mkdir -p 'd/ü ü'; echo 1 > 'd/é"q'; echo 2 > 'd/ü ü/€😀'; $TOOL add -q d`},
		{name: "a file in parts", prepare: `head -c 60000000 /dev/zero | tr '\0' x > f; echo end >> f; $TOOL add -q f`},
		{name: "many small files", prepare: `mkdir d; for i in $(seq 400); do echo "row $i" > d/$i; done; $TOOL add -q d`},
		{name: "outputs of a pipeline", prepare: pipeline},
		{name: "a part of a directory", prepare: `mkdir -p d/e; echo 1 > d/a; echo 2 > d/e/b; $TOOL add -q d`, pull: "pull d/e", same: []string{"d/e/b"}},
		{name: "one target", prepare: `echo 1 > f; echo 2 > g; $TOOL add -q f g`, push: "push f", pull: "pull f", same: []string{"f"}},
		{name: "a stage as target", prepare: pipeline, push: "push prep", pull: "pull prep", same: []string{"prepped/a", "prepped/b"}},
		{name: "an edited directory", prepare: `mkdir d; echo 1 > d/a; echo 2 > d/b; $TOOL add -q d; $TOOL push -q; echo 3 > d/a; $TOOL add -q d`},
		{name: "a remote of an output's own", prepare: `echo 1 > f; $TOOL add -q f; printf '  remote: other\n' >> f.dvc
			$TOOL remote add -q other s3://bucket/other-$NAME; $TOOL remote modify other endpointurl $ENDPOINT
			$TOOL remote modify other access_key_id $ACCESS; $TOOL remote modify other secret_access_key $SECRET`},
	}
}

// onServer gives a project the server's bucket as its default remote.
func (p *project) onServer(s *remotetest.S3, name string) {
	p.t.Helper()
	// What the machine has for AWS does not count.
	p.env = slices.DeleteFunc(p.env, func(kv string) bool {
		return strings.HasPrefix(kv, "AWS_") || strings.HasPrefix(kv, "REQUESTS_CA_BUNDLE=")
	})
	p.env = append(p.env, "ENDPOINT="+s.Endpoint, "ACCESS="+s.AccessKey, "SECRET="+s.SecretKey, "NAME="+name,
		"AWS_CONFIG_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true")
	tool := p.tool
	p.exec(tool, "remote", "add", "-q", "-d", "s", "s3://"+remotetest.Bucket+"/"+name).ok()
	for _, kv := range [][2]string{
		{"endpointurl", s.Endpoint}, {"access_key_id", s.AccessKey}, {"secret_access_key", s.SecretKey}, {"region", "us-east-1"},
	} {
		p.exec(tool, "remote", "modify", "s", kv[0], kv[1]).ok()
	}
}

func (p *project) script(text string) {
	p.t.Helper()
	p.exec("sh", "-ec", text).ok()
}

// clone commits the project and clones it for the other tool, with an empty
// cache.
func (p *project) clone(tool string) *project {
	p.t.Helper()
	p.script("git add -A && { git diff --cached --quiet || git -c user.name=u -c user.email=u@example.com commit -qm all; }")
	c := newProject(p.t, tool)
	c.env = slices.DeleteFunc(c.env, func(kv string) bool {
		return strings.HasPrefix(kv, "AWS_") || strings.HasPrefix(kv, "REQUESTS_CA_BUNDLE=")
	})
	c.env = append(c.env, "AWS_CONFIG_FILE=/nonexistent", "AWS_EC2_METADATA_DISABLED=true")
	c.script(fmt.Sprintf("git fetch -q '%s' HEAD && git reset -q --hard FETCH_HEAD", p.dir))
	return c
}

var pairs = [][2]string{{"dvc", "flow"}, {"flow", "dvc"}}

// TestTransfers has one tool push and the other pull, through S3, and the first
// see that everything is where it put it.
func TestTransfers(t *testing.T) {
	if len(tools) == 0 {
		t.Skip("FLOW_TEST_DVC does not name DVC's executable: there is nothing to compare with")
	}
	server := remotetest.StartS3(t)
	for i, c := range transferCases() {
		for _, by := range pairs {
			t.Run(c.name+"/"+by[0]+" pushes", func(t *testing.T) {
				p := newProject(t, by[0])
				p.exec(by[0], initArgs(by[0])...).ok()
				p.onServer(server, fmt.Sprintf("%s-%d", by[0], i))
				p.script(c.prepare)
				p.exec(by[0], words(c.push, "push")...).ok()
				q := p.clone(by[1])
				q.exec(by[1], words(c.pull, "pull")...).ok()
				same := c.same
				if same == nil {
					same = strings.Split(strings.TrimSpace(p.exec("git", "-c", "core.quotePath=false", "ls-files", "-oi", "--exclude-standard", "-z").ok().out), "\x00")
				}
				n := 0
				for _, rel := range same {
					if rel = strings.TrimSpace(rel); rel == "" || strings.HasPrefix(rel, ".dvc/") {
						continue
					}
					n++
					want, err := os.ReadFile(p.path(rel))
					if err != nil {
						t.Fatal(err)
					}
					if got, err := os.ReadFile(q.path(rel)); err != nil || string(got) != string(want) {
						t.Errorf("%s: %v, %d bytes, want %d", rel, err, len(got), len(want))
					}
				}
				if n == 0 {
					t.Error("nothing was compared")
				}
				if c.push != "" || c.pull != "" {
					return
				}
				// Both agree that nothing is to be done.
				for _, tool := range []string{"dvc", "flow"} {
					if out := q.exec(tool, "push").ok().out; !strings.Contains(out, "Everything is up to date.") {
						t.Errorf("%s push: %s", tool, out)
					}
					if out := q.exec(tool, "status").ok().out; !strings.Contains(out, "Data and pipelines are up to date.") {
						t.Errorf("%s status: %s", tool, out)
					}
				}
			})
		}
	}
}

func words(given, usual string) []string {
	if given == "" {
		given = usual
	}
	return strings.Fields(given)
}

func initArgs(tool string) []string {
	if tool == "flow" {
		return []string{"init", "-q", "--format", "dvc"}
	}
	return []string{"init", "-q"}
}

// TestRunCacheOfOthers has one tool compute and push its run cache, and the other
// restore from it without a lock.
func TestRunCacheOfOthers(t *testing.T) {
	if len(tools) == 0 {
		t.Skip("FLOW_TEST_DVC does not name DVC's executable: there is nothing to compare with")
	}
	server := remotetest.StartS3(t)
	for _, by := range pairs {
		t.Run(by[0]+" computes", func(t *testing.T) {
			p := newProject(t, by[0])
			p.exec(by[0], initArgs(by[0])...).ok()
			p.onServer(server, "runs-"+by[0])
			p.write("in.txt", "1\n")
			p.write("dvc.yaml", "stages:\n  copy:\n    cmd: cp in.txt out.txt && echo '{\"n\":1}' > m.json\n    deps: [in.txt]\n    outs: [out.txt]\n    metrics: [{m.json: {cache: false}}]\n")
			p.exec(by[0], "repro").ok()
			p.exec(by[0], "push", "--run-cache").ok()
			q := p.clone(by[1])
			// DVC does not push what its run cache needs of uncached outputs: Git
			// has to bring it.
			q.script("rm -f dvc.lock")
			if by[0] == "flow" {
				q.script("rm -f m.json")
			}
			if by[1] == "dvc" {
				q.exec("dvc", "fetch", "--run-cache").ok()
			}
			r := q.exec(by[1], "repro", "--pull").ok()
			if names := r.ran(); len(names) > 0 || q.read("out.txt") != "1\n" || q.read("m.json") == "" {
				t.Errorf("ran %q\n%s%s", names, r.out, r.err)
			}
			diff(t, "dvc.lock", p.read("dvc.lock"), q.read("dvc.lock"))
		})
	}
}

// TestRemoteConfig compares the configuration that the tools write, byte by byte.
// The remote that is renamed is the last one: flow leaves it in its place, DVC
// moves it to the end.
func TestRemoteConfig(t *testing.T) {
	t.Parallel()
	dvc, flow := newProject(t, "dvc"), newProject(t, "flow")
	dvc.exec("dvc", "init", "-q").ok()
	flow.exec("flow", "init", "-q", "--format", "dvc").ok()
	for _, line := range []string{
		"remote add -d One ../first", "remote add two s3://bucket/path", "remote add -f two s3://other/path", "remote add two s3://x",
		"remote modify two region eu-west-1", "remote modify two jobs 8", "remote add --local mine s3://mine", "remote modify --local mine access_key_id k",
		"remote modify two region -u", "remote modify two nope 1", "remote modify three url x", "config core.autostage true",
		"remote rename two due", "remote default due", "remote default", "remote default -u", "remote default nope", "remote default",
		"remote modify --local mine access_key_id -u", "remote list", "remote remove one", "remote remove one", "remote rename nope x", "remote list",
	} {
		a, b := dvc.exec("dvc", strings.Fields(line)...), flow.exec("flow", strings.Fields(line)...)
		if a.code != b.code {
			t.Errorf("%s: DVC exits with %d, flow with %d\n%s%s", line, a.code, b.code, a.err, b.err)
		}
		if strings.HasPrefix(line, "remote default") {
			diff(t, line, a.out, b.out)
		}
		for _, file := range []string{".dvc/config", ".dvc/config.local"} {
			diff(t, line+": "+file, dvc.read(file), flow.read(file))
		}
	}
}

// TestCloudStatus compares what the tools say of the same project and remote.
func TestCloudStatus(t *testing.T) {
	t.Parallel()
	p := newProject(t, "both")
	p.exec("dvc", "init", "-q").ok()
	p.script("mkdir d; echo 1 > d/a; echo 2 > d/b; echo x > f; dvc add -q d f; dvc remote add -q -d r ../store")
	compare := func(when string) {
		t.Helper()
		a, b := p.exec("dvc", "status", "-c", "--json").ok(), p.exec("flow", "status", "-c", "--json").ok()
		diff(t, when, sortedJSON(t, a.out), sortedJSON(t, b.out))
	}
	compare("nothing pushed")
	p.exec("flow", "push", "f").ok()
	compare("a file pushed")
	p.exec("dvc", "push", "-q").ok()
	compare("all pushed")
	p.script("rm -rf .dvc/cache/files/md5/b0 .dvc/cache/files/md5/40")
	compare("objects deleted here")
}

// sortedJSON is the text of a flat object with its keys sorted.
func sortedJSON(t *testing.T, text string) string {
	t.Helper()
	var m map[string]string
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	out, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestCollectRemote compares what is left on a remote after gc -c.
func TestCollectRemote(t *testing.T) {
	t.Parallel()
	left := map[string]string{}
	for _, tool := range []string{"dvc", "flow"} {
		p := newProject(t, tool)
		p.exec(tool, initArgs(tool)...).ok()
		p.script("$TOOL remote add -q -d r ../store; mkdir d; echo 1 > d/a; echo 2 > d/b; echo x > f; $TOOL add -q d f; $TOOL push -q; " +
			"echo 3 > d/b; $TOOL add -q d; $TOOL push -q; $TOOL remove f.dvc; $TOOL gc -q -w -c -f")
		out, err := exec.Command("sh", "-c", "cd '"+filepath.Join(p.dir, "..", "store")+"' && find files -type f | sort").Output()
		if err != nil {
			t.Fatal(err)
		}
		left[tool] = string(out)
	}
	diff(t, "left on the remote, DVC's - and flow's +", left["dvc"], left["flow"])
}
