//go:build interop

package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/backend"
	"github.com/flowrepro/flow/track/sqlite"
	"github.com/flowrepro/flow/track/tracktest"
)

// modelDir makes the smallest model that MLflow's python_function loads: it
// answers with a word.
func modelDir(t *testing.T, word string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"MLmodel": "flavors:\n  python_function:\n    loader_module: wordmodel\n    code: code\n    data: word.txt\n    python_version: 3.11.0\n" +
			"signature:\n  inputs: '[{\"type\": \"string\", \"name\": \"text\", \"required\": true}]'\n  outputs: '[{\"type\": \"string\", \"required\": true}]'\n",
		"word.txt": word,
		"code/wordmodel.py": "class Model:\n    def __init__(self, word):\n        self.word = word\n" +
			"    def predict(self, data, params=None):\n        return [self.word] * len(data)\n\n" +
			"def _load_pyfunc(path):\n    with open(path) as f:\n        return Model(f.read())\n",
		"requirements.txt": "",
	} {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// publish logs, registers and promotes a model as the pipeline does.
func publish(t *testing.T, s track.Store, word string, accuracy float64) (track.Info, track.Version) {
	t.Helper()
	ctx := t.Context()
	figure := filepath.Join(t.TempDir(), "roc.svg")
	fatal(t, os.WriteFile(figure, []byte("<svg/>"), 0o666))
	dir := modelDir(t, word)
	info, err := track.LogEvaluation(ctx, s, track.Evaluation{
		Experiment: "sentiment", Name: "pipeline", Params: map[string]string{"model_building.c": "10"},
		Metrics:    map[string]float64{"accuracy": accuracy, "roc_auc": 0.95},
		Inputs:     []track.Dataset{{Name: "data/raw", Digest: strings.Repeat("ab", 32), Source: "data/raw", Context: "testing"}},
		DataDigest: "sha256:data", ModelDir: dir, Files: map[string]string{"figures/roc.svg": figure},
		Stages: []track.StageRun{{Name: "model_building", Params: map[string]string{"c": "10"}}}, User: "somebody",
	})
	fatal(t, err)
	v, err := track.Register(ctx, s, track.Registration{Name: "sentiment", Info: info, ModelDir: dir})
	fatal(t, err)
	p := track.Promoter{Store: s, By: "somebody", Gates: track.Gates{Minimum: map[string]float64{"accuracy": 0.5}}}
	d, err := p.Plan(ctx, v, track.AliasProduction)
	fatal(t, err)
	_, err = p.Promote(ctx, d, false, "")
	fatal(t, err)
	v, err = s.Version(ctx, "sentiment", v.Version)
	fatal(t, err)
	return info, v
}

const readStore = `
import json, mlflow, pandas, warnings
warnings.simplefilter("ignore")
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
runs = mlflow.search_runs(experiment_names=["sentiment"], filter_string="metrics.accuracy > 0.8", output_format="list")
run = [r for r in runs if r.data.tags.get("flow.kind") == "pipeline"][0]
children = mlflow.search_runs(experiment_names=["sentiment"], filter_string="tags.mlflow.parentRunId = '%s'" % run.info.run_id, output_format="list")
version = client.get_model_version_by_alias("sentiment", "production")
model = mlflow.pyfunc.load_model("models:/sentiment@production")
print(json.dumps({
    "run": run.info.run_id, "status": run.info.status, "name": run.info.run_name, "metrics": run.data.metrics, "params": run.data.params,
    "inputs": [[i.dataset.name, i.dataset.digest, i.tags[0].value] for i in run.inputs.dataset_inputs],
    "artifacts": sorted(f.path for f in client.list_artifacts(run.info.run_id)), "children": [c.info.run_name for c in children],
    "version": int(version.version), "stage": version.current_stage, "gate": version.tags["flow.gate"],
    "latest": [int(v.version) for v in client.get_latest_versions("sentiment", ["Production"])],
    "prediction": list(model.predict(pandas.DataFrame({"text": ["a", "b"]}))),
    "by_stage": list(mlflow.pyfunc.load_model("models:/sentiment/Production").predict(pandas.DataFrame({"text": ["a"]}))),
    "by_run": list(mlflow.pyfunc.load_model("runs:/%s/model" % run.info.run_id).predict(pandas.DataFrame({"text": ["a"]}))),
}))
`

const writeStore = `
import mlflow, warnings
warnings.simplefilter("ignore")
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return ["python"] * len(model_input)

mlflow.set_experiment("sentiment")
with mlflow.start_run(run_name="by python") as run:
    mlflow.log_param("solver", "python")
    mlflow.log_metric("accuracy", 0.99)
    mlflow.log_metric("nothing", float("nan"))
    mlflow.log_text("text", "notes/a.txt")
    info = mlflow.pyfunc.log_model(name="model", python_model=Model(), registered_model_name="sentiment", pip_requirements=[])
client.set_registered_model_alias("sentiment", "challenger", 2)
client.transition_model_version_stage("sentiment", "2", "Staging")
client.delete_registered_model_alias("sentiment", "unused") if False else None
print(run.info.run_id)
`

// TestEmbeddedStore is the life of a project's store in which flow and MLflow
// take turns.
func TestEmbeddedStore(t *testing.T) {
	python(t)
	ctx := t.Context()
	root := t.TempDir()
	s, err := backend.Embedded(root)
	fatal(t, err)
	defer s.Close()
	info, _ := publish(t, s, "flow", 0.9)

	var seen map[string]any
	fatal(t, json.Unmarshal([]byte(script(t, root, readStore)), &seen))
	want := map[string]any{
		"run": info.RunID, "status": "FINISHED", "name": "pipeline", "metrics": map[string]any{"accuracy": 0.9, "roc_auc": 0.95},
		"params": map[string]any{"model_building.c": "10"}, "inputs": []any{[]any{"data/raw", strings.Repeat("ab", 18), "testing"}},
		"artifacts": []any{"figures", "model"}, "children": []any{"model_building"}, "version": 1.0, "stage": "Production",
		"gate": "passed", "latest": []any{1.0}, "prediction": []any{"flow", "flow"}, "by_stage": []any{"flow"}, "by_run": []any{"flow"},
	}
	if got := fmt.Sprint(seen); got != fmt.Sprint(want) {
		t.Errorf("MLflow sees\n%v, want\n%v", got, fmt.Sprint(want))
	}

	// MLflow has migrated the file. It writes, and flow reads.
	lines := strings.Fields(script(t, root, writeStore))
	id := lines[len(lines)-1]
	r, err := s.Run(ctx, id)
	fatal(t, err)
	if r.Name != "by python" || r.Params["solver"] != "python" || r.Metrics["accuracy"].Value != 0.99 || r.Status != track.Finished {
		t.Errorf("flow sees %+v", r)
	}
	if v := r.Metrics["nothing"].Value; v == v {
		t.Errorf("a NaN came as %v", v)
	}
	in, err := s.OpenArtifact(ctx, r.ArtifactURI, "notes/a.txt")
	fatal(t, err)
	text, _ := io.ReadAll(in)
	_ = in.Close()
	if string(text) != "text" {
		t.Errorf("the artifact holds %q", text)
	}
	v, err := s.VersionByAlias(ctx, "sentiment", "challenger")
	fatal(t, err)
	if v.Version != 2 || v.Stage != track.StageStaging {
		t.Errorf("flow sees %+v", v)
	}
	resolver := track.Resolver{Store: s}
	for _, address := range []string{"models:/sentiment@challenger", "runs:/" + id + "/model", "models:/sentiment/Staging"} {
		dir, _, err := resolver.Load(ctx, address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "MLmodel")); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}

	// flow goes on writing to the migrated file, and MLflow reads that.
	_, v = publish(t, s, "again", 0.95)
	if v.Version != 3 {
		t.Errorf("the third version is %d", v.Version)
	}
	fatal(t, json.Unmarshal([]byte(script(t, root, readStore)), &seen))
	if fmt.Sprint(seen["version"], seen["prediction"]) != "3 [again again]" {
		t.Errorf("MLflow sees %v", seen)
	}
	tracktest.Run(t, tracktest.Options{Open: func(t *testing.T) track.Store { return again(t, root) }})
	page(t, root, info.RunID)

	// The whole can be moved.
	moved := filepath.Join(t.TempDir(), "moved")
	fatal(t, s.Close())
	fatal(t, os.CopyFS(moved, os.DirFS(root)))
	fatal(t, os.RemoveAll(filepath.Join(root, "mlruns")))
	fatal(t, json.Unmarshal([]byte(script(t, moved, readStore)), &seen))
	if fmt.Sprint(seen["prediction"]) != "[again again]" {
		t.Errorf("MLflow sees %v", seen)
	}
}

func again(t *testing.T, root string) track.Store {
	s, err := sqlite.Open(sqlite.Options{File: filepath.Join(root, sqlite.FileName)})
	fatal(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// page asks what MLflow's page asks of its server.
func page(t *testing.T, root, run string) {
	address := startServer(t, root, "--backend-store-uri", "sqlite:///mlflow.db")
	ask := func(method, path, body string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, address+path, strings.NewReader(body))
		fatal(t, err)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		fatal(t, err)
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		fatal(t, err)
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s %s: %s %s", method, path, res.Status, data)
		}
		return string(data)
	}
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/ajax-api/2.0/mlflow/runs/search", `{"experiment_ids":["1"],"filter":"metrics.accuracy > 0.8"}`, run},
		{"GET", "/ajax-api/2.0/mlflow/runs/get?run_id=" + run, "", `"accuracy"`},
		{"GET", "/ajax-api/2.0/mlflow/artifacts/list?path=figures&run_id=" + run, "", "figures/roc.svg"},
		{"GET", "/get-artifact?path=" + url.QueryEscape("figures/roc.svg") + "&run_uuid=" + run, "", "<svg/>"},
		{"GET", "/ajax-api/2.0/mlflow/registered-models/search?max_results=10", "", `"production"`},
		{"GET", "/ajax-api/2.0/mlflow/model-versions/get?name=sentiment&version=1", "", `"Archived"`},
		{"GET", "/", "", "<div id=\"root\""},
	} {
		if got := ask(c.method, c.path, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s, want %s in it", c.method, c.path, got, c.want)
		}
	}
}
