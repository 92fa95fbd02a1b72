//go:build interop

package interop

import (
	"strings"
	"testing"

	"github.com/flowrepro/flow/remote/remotetest"
)

// toMigrate has data, a directory with an executable file, and a pipeline.
const toMigrate = `mkdir -p data/s; echo 1 > data/a; echo 2 > data/s/b; echo echo > data/run; chmod +x data/run; $TOOL add -q data
cat > dvc.yaml <<'END'
stages:
  prep:
    cmd: mkdir -p prepped && cat data/a data/s/b > prepped/all && cp data/run prepped/run
    deps: [data]
    outs: [prepped]
  train:
    cmd: cat prepped/all > model && echo '{"n":1}' > m.json
    deps: [prepped]
    params: [lr]
    outs: [model]
    metrics: [{m.json: {cache: false}}]
END
echo 'lr: 0.1' > params.yaml
$TOOL repro -q; $TOOL push -q --run-cache`

// TestMigrated converts a native project to DVC's format, has DVC take it over
// from a clone, and converts it back; and a project that DVC has made, the other
// way round.
func TestMigrated(t *testing.T) {
	server := remotetest.StartS3(t)
	t.Run("native to DVC and back", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, "flow")
		p.exec("flow", "init", "-q").ok()
		p.onServer(server, "migrated-native")
		p.script(toMigrate)
		was := p.read("dvc.lock") + p.read("data.dvc") + p.read(".flow/config")
		p.exec("flow", "migrate").ok()
		upToDateInBoth(t, p)
		if out := p.exec("dvc", "push").ok().out; !strings.Contains(out, "Everything is up to date.") {
			t.Errorf("dvc push:\n%s", out)
		}
		q := p.clone("dvc")
		q.exec("dvc", "pull", "--run-cache").ok()
		upToDateInBoth(t, q)
		lock := q.read("dvc.lock")
		q.script("rm -r dvc.lock model prepped")
		if ran := q.exec("dvc", "repro", "--pull").ok().ran(); len(ran) > 0 || q.read("model") != "1\n2\n" {
			t.Errorf("DVC ran %q", ran)
		}
		diff(t, "dvc.lock as DVC writes it", lock, q.read("dvc.lock"))
		p.exec("flow", "migrate").ok()
		diff(t, "what was there", was, p.read("dvc.lock")+p.read("data.dvc")+p.read(".flow/config"))
		if out := p.exec("flow", "status").ok().out; !strings.Contains(out, upToDate) {
			t.Errorf("flow status:\n%s", out)
		}
	})
	t.Run("DVC to native and back", func(t *testing.T) {
		t.Parallel()
		p := newProject(t, "dvc")
		p.exec("dvc", "init", "-q").ok()
		p.onServer(server, "migrated-dvc")
		p.script(toMigrate)
		was := p.read("dvc.lock") + p.read("data.dvc") + p.read(".dvc/config")
		p.exec("flow", "migrate").ok()
		if out := p.exec("flow", "status").ok().out; !strings.Contains(out, upToDate) {
			t.Errorf("flow status:\n%s", out)
		}
		q := p.clone("flow")
		q.exec("flow", "repro", "--pull", "--require-cached").ok()
		diff(t, "model", "1\n2\n", q.read("model"))
		q.script("rm -r dvc.lock model prepped")
		q.exec("flow", "repro", "--pull", "--require-cached").ok()
		diff(t, "dvc.lock from records", p.read("dvc.lock"), q.read("dvc.lock"))
		p.exec("flow", "migrate").ok()
		diff(t, "what was there", was, p.read("dvc.lock")+p.read("data.dvc")+p.read(".dvc/config"))
		upToDateInBoth(t, p)
	})
}
