//go:build interop

package mlflow

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/backend"
)

// flowBinary is flow's executable, built unless FLOW_TEST_FLOW names one.
func flowBinary(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("FLOW_TEST_FLOW"); given != "" {
		return given
	}
	bin := filepath.Join(t.TempDir(), "flow")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/flow").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

const loadFromServer = `
import json, sys, mlflow, pandas, warnings
warnings.simplefilter("ignore")
mlflow.set_tracking_uri(sys.argv[1])
out = []
for address in sys.argv[2:]:
    out.append(mlflow.pyfunc.load_model(address).predict(pandas.DataFrame({"text": ["a"]}))[0])
print(json.dumps(out))
`

// TestCommands brings a project's own store to a real server, and goes on there.
func TestCommands(t *testing.T) {
	python(t)
	flow := flowBinary(t)
	root := t.TempDir()
	fatal(t, os.WriteFile(filepath.Join(root, "dvc.yaml"), []byte("stages: {}\n"), 0o666))
	own, err := backend.Embedded(root)
	fatal(t, err)
	info, _ := publish(t, own, "first", 0.9)
	publish(t, own, "second", 0.91)
	fatal(t, own.Close())

	address := newServer(t)
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), flow, args...)
		cmd.Dir = root
		cmd.Env = append(environment(root), "MLFLOW_TRACKING_URI="+address)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("flow %s: exit code %d, %v\n%s", strings.Join(args, " "), code, err, out)
		}
		return string(out)
	}
	var findings []struct {
		Name   string
		OK     *bool
		Detail string
	}
	fatal(t, json.Unmarshal([]byte(run(0, "mlflow", "doctor", "--write", "--json")), &findings))
	tried := 0
	for _, f := range findings {
		if f.OK != nil {
			tried++
			if !*f.OK {
				t.Errorf("%s: %s", f.Name, f.Detail)
			}
		}
	}
	if tried < 11 {
		t.Errorf("only %d findings: %+v", tried, findings)
	}

	first := run(0, "mlflow", "sync")
	if !strings.Contains(first, "Brought 4 runs, 2 files, 2 versions and 1 alias to "+address) {
		t.Errorf("the first sync: %s", first)
	}
	again := run(0, "mlflow", "sync")
	if !strings.Contains(again, "Brought 0 runs, 0 files, 0 versions and 0 aliases") || !strings.Contains(again, "4 runs and 2 versions were there") {
		t.Errorf("the second sync: %s", again)
	}
	same := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	same(script(t, root, loadFromServer, address, "models:/sentiment@production", "models:/sentiment/1", "models:/sentiment/Production"), `["second", "first", "second"]`)
	run(0, "model", "promote", "sentiment/1", "--reason", "a test")
	same(script(t, root, loadFromServer, address, "models:/sentiment@production", "models:/sentiment/Production"), `["first", "first"]`)
	run(0, "model", "rollback", "sentiment")
	same(script(t, root, loadFromServer, address, "models:/sentiment@production"), `["second"]`)
	if history := run(0, "model", "history", "sentiment"); strings.Count(history, "\n") != 4 || !strings.Contains(history, "a test") {
		t.Errorf("the history is\n%s", history)
	}

	// Straight to the server, as the pipeline does there.
	s := client(t, address)
	third, v := publish(t, s, "third", 0.92)
	if v.Version != 3 || third.RunID == info.RunID || !strings.HasPrefix(third.ModelURI, "models:/m-") {
		t.Errorf("published %+v, %+v", third, v)
	}
	once, _ := publish(t, s, "third", 0.92)
	same(once.RunID, third.RunID)
	same(script(t, root, loadFromServer, address, "models:/sentiment@production", "runs:/"+third.RunID+"/model", third.ModelURI), `["third", "third", "third"]`)
	r := track.Resolver{Store: s, Cache: t.TempDir()}
	for _, uri := range []string{"models:/sentiment@production", "runs:/" + third.RunID + "/model", third.ModelURI, "models:/sentiment/latest"} {
		dir, m, err := r.Load(t.Context(), uri)
		fatal(t, err)
		data, err := os.ReadFile(filepath.Join(dir, "word.txt"))
		fatal(t, err)
		same(string(data), "third")
		if m.Version == 0 && strings.HasPrefix(uri, "models:/s") || m.Digest == "" && !strings.HasPrefix(uri, "models:/m-") {
			t.Errorf("%s is %+v", uri, m)
		}
	}
	if out := run(0, "runs", "list"); strings.Count(out, "pipeline") != 3 {
		t.Errorf("the runs are\n%s", out)
	}
	if out := run(0, "model", "diff", "sentiment/2", "sentiment/3"); !strings.Contains(out, "+0.01") {
		t.Errorf("the difference is\n%s", out)
	}
}
