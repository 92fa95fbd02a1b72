package builtin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/score"
	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/backend"
)

const (
	infoFile         = "experiment_info.json"
	registrationFile = "registration.json"
)

// log logs the evaluation and the model to the tracking store, if the stage
// declares experiment_info.json. The same evaluation is logged once.
func (e *evaluator) log(ctx context.Context) (err error) {
	if e.infoFile == "" {
		return nil
	}
	v := track.Evaluation{
		Experiment: e.params.Experiment, Name: e.call.Stage, ModelDir: e.modelDir,
		Params: map[string]string{}, Files: map[string]string{}, GitCommit: gitCommit(ctx, e.call.Root),
	}
	if v.Metrics, err = numbers(e.metrics); err != nil {
		return err
	}
	byStage := map[string]map[string]string{}
	for _, p := range e.call.Params.All() {
		value := python.Str(p.Value)
		v.Params[p.Key] = value
		if section, _, ok := strings.Cut(p.Key, "."); ok && section != e.call.Stage {
			if byStage[section] == nil {
				byStage[section] = map[string]string{}
			}
			byStage[section][p.Key] = value
		}
	}
	for _, s := range Stages().List() {
		if params := byStage[s.Name]; params != nil {
			v.Stages = append(v.Stages, track.StageRun{Name: s.Name, Params: params})
		}
	}
	for _, part := range []struct{ name, use string }{{trainFile, "training"}, {testFile, "testing"}} {
		d, err := e.digest(part.name)
		if err != nil {
			return err
		}
		v.Inputs = append(v.Inputs, track.Dataset{
			Name: part.name, Digest: strings.TrimPrefix(d, "sha256:"), SourceType: "local", Source: "data/raw/" + part.name, Context: part.use,
		})
		if part.name == testFile {
			v.DataDigest = d
		}
	}
	if err := e.logged(v.Files); err != nil {
		return err
	}
	store, err := backend.Open(backend.Options{Root: e.call.Root})
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what was written is durable before LogEvaluation returns
	info, err := track.LogEvaluation(ctx, store, v)
	if err != nil {
		return fmt.Errorf("log evaluation: %w", err)
	}
	e.call.Log.Info("evaluation logged", "experiment", info.Experiment, "run", info.RunID)
	return output.File(e.infoFile, info.Write)
}

// logged names the files of the evaluation by their paths in the run.
func (e *evaluator) logged(files map[string]string) error {
	for _, f := range []string{e.metricsFile, e.evaluationFile, e.reportFile} {
		if f != "" {
			files[filepath.Base(f)] = f
		}
	}
	err := filepath.WalkDir(e.figureDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(e.figureDir, name)
		files[path.Join("figures", filepath.ToSlash(inside))] = name
		return err
	})
	if err != nil {
		return fmt.Errorf("log evaluation: %w", err)
	}
	return nil
}

// numbers returns the metrics that are numbers, by name.
func numbers(m score.Metrics) (map[string]float64, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for name, v := range all {
		if x, ok := v.(float64); ok && !math.IsNaN(x) {
			out[name] = x
		}
	}
	return out, nil
}

// gitCommit returns the commit that is checked out, "" where there is none.
func gitCommit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--verify", "-q", "HEAD").Output() //nolint:gosec // the project's root
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

type registerParams struct {
	// Name is that of the registered model.
	Name        string `param:"name"`
	Description string `param:"description"`
}

// registration is what the stage writes: what was registered, not as which
// version, which differs from store to store.
type registration struct {
	Name        string `json:"name"`
	RunID       string `json:"run_id"`
	ModelDigest string `json:"model_digest"`
}

// register registers the evaluated model and puts it in Staging. The same model
// of the same run is registered once.
func register(ctx context.Context, c *stages.Call) error {
	p := registerParams{Name: "sentiment"}
	if err := c.Params.Decode("model_registration", &p); err != nil {
		return err
	}
	if p.Name == "" {
		return &stages.ParamError{Key: "model_registration.name", Msg: "want a name"}
	}
	file, err := c.Dep(infoFile)
	if err != nil {
		return err
	}
	dir, err := modelDep(c)
	if err != nil {
		return err
	}
	out, err := c.Out(registrationFile)
	if err != nil {
		return err
	}
	info, err := track.ReadInfo(file)
	if err != nil {
		return err
	}
	store, err := backend.Open(backend.Options{Root: c.Root})
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what was written is durable before Register returns
	v, err := track.Register(ctx, store, track.Registration{
		Name: p.Name, Description: p.Description, Info: info, ModelDir: dir, GitCommit: gitCommit(ctx, c.Root),
	})
	if err != nil {
		return fmt.Errorf("register %s: %w", p.Name, err)
	}
	c.Log.Info("model registered", "name", p.Name, "version", v.Version, "stage", v.Stage)
	return output.File(out, func(w io.Writer) error {
		return score.WriteJSON(w, registration{p.Name, info.RunID, info.ModelDigest})
	})
}
