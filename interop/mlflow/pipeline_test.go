//go:build interop

package mlflow

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const probability = `
import json, sys, mlflow, pandas, warnings
warnings.simplefilter("ignore")
mlflow.set_tracking_uri(sys.argv[1])
m = mlflow.sklearn.load_model("models:/sentiment@production")
print(json.dumps([round(float(p), 9) for p in m.predict_proba([sys.argv[2]])[0]]))
`

// TestPipeline runs the shipped pipeline with a real server named by one
// variable: the evaluation is logged there, the model registered and promoted
// there, and served from there; Python loads it and says the same.
func TestPipeline(t *testing.T) {
	python(t)
	flow := flowBinary(t)
	root := t.TempDir()
	for _, name := range []string{"dvc.yaml", "params.yaml", "configurations/bag_of_words.yaml", "data/reviews.csv"} {
		data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		fatal(t, err)
		to := filepath.Join(root, filepath.FromSlash(name))
		fatal(t, os.MkdirAll(filepath.Dir(to), 0o777))
		fatal(t, os.WriteFile(to, data, 0o666))
	}
	address := newServer(t)
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), flow, args...)
		cmd.Dir = root
		cmd.Env = append(environment(root), "MLFLOW_TRACKING_URI="+address)
		return cmd
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := command(args...).CombinedOutput()
		if err != nil {
			t.Fatalf("flow %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("init", "-q", "--no-scm")
	if out := run("repro"); !strings.Contains(out, "model registered name=sentiment version=1 stage=Staging") {
		t.Errorf("repro: %s", out)
	}
	if out := run("repro"); !strings.Contains(out, "Data and pipelines are up to date.") {
		t.Errorf("the second repro: %s", out)
	}
	if _, err := os.Stat(filepath.Join(root, "mlflow.db")); err == nil {
		t.Error("there is a store of the project's own, too")
	}
	run("model", "promote", "sentiment")

	server := command("serve", "--address", "127.0.0.1:0")
	said, err := server.StdoutPipe()
	fatal(t, err)
	fatal(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	line, err := bufio.NewReader(said).ReadString('\n')
	fatal(t, err)
	if !strings.HasPrefix(line, "Serving sentiment version 1 of models:/sentiment@production at ") {
		t.Fatalf("serve: %s", line)
	}
	const review = "A wonderful film, moving and honest; I loved every minute."
	url := regexp.MustCompile(`http://\S+`).FindString(line)
	a, err := http.Post(url+"/invocations", "application/json", strings.NewReader(`{"inputs": ["`+review+`"], "params": {"probabilities": true}}`))
	fatal(t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	fatal(t, err)
	if a.StatusCode != http.StatusOK {
		t.Errorf("/invocations: %d %s", a.StatusCode, body)
	}
	page, err := http.Get(url + "/")
	fatal(t, err)
	defer page.Body.Close()
	if page.StatusCode != http.StatusOK {
		t.Errorf("the page: %s", page.Status)
	}
	theirs := strings.TrimSuffix(strings.TrimPrefix(script(t, root, probability, address, review), "["), "]")
	negative, _, _ := strings.Cut(theirs, ", ")
	ours := run("predict", "models:/sentiment@production", "--text", review, "--json")
	if len(negative) < 8 || !strings.Contains(ours, negative[:8]) {
		t.Errorf("Python says %s, flow %s", theirs, ours)
	}
}
