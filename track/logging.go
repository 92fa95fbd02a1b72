package track

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// Evaluation is an evaluated model with what led to it.
type Evaluation struct {
	// Experiment and Name are those of the run.
	Experiment, Name string
	// Params are the parameters by full key, Metrics the results by name.
	Params  map[string]string
	Metrics map[string]float64
	// Inputs are the data, of any digests: they are cut to what fits.
	Inputs []Dataset
	// DataDigest says what the metrics were measured on: two evaluations can be
	// compared when it is equal.
	DataDigest string
	// ModelDir is the model's directory, logged under ModelName ("model").
	ModelDir, ModelName string
	// Files are logged as artifacts by their paths in the run: figures,
	// reports. The values are paths on this machine.
	Files map[string]string
	// Stages become runs nested in the evaluation's.
	Stages []StageRun
	// Tags are added to the run; GitCommit and User are among them if known.
	Tags            map[string]string
	GitCommit, User string
	// Start and End are when it was made; zero is now.
	Start, End time.Time
}

// StageRun is a stage of the pipeline, for a nested run.
type StageRun struct {
	Name    string
	Params  map[string]string
	Metrics map[string]float64
	Inputs  []Dataset
}

const defaultModelName = "model"

// Key identifies the evaluation by its content: experiment, parameters, metrics,
// inputs and the model's files. Times, tags and who did it do not count.
func (e *Evaluation) Key() (key, modelDigest string, err error) {
	if modelDigest, err = DirDigest(e.ModelDir); err != nil {
		return "", "", err
	}
	metrics := map[string]string{}
	for k, v := range e.Metrics {
		metrics[k] = FormatFloat(v)
	}
	var inputs []string
	for _, d := range e.Inputs {
		inputs = append(inputs, d.Context+" "+d.Name+" "+d.Digest)
	}
	sort.Strings(inputs)
	data, err := json.Marshal(map[string]any{ // whose keys are written in order
		"experiment": e.Experiment, "params": e.Params, "metrics": metrics, "inputs": inputs,
		"data": e.DataDigest, "model": modelDigest, "name": e.modelName(),
	})
	if err != nil {
		return "", "", fmt.Errorf("describe the evaluation: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), modelDigest, nil
}

func (e *Evaluation) modelName() string {
	if e.ModelName == "" {
		return defaultModelName
	}
	return e.ModelName
}

// LogEvaluation logs an evaluation and returns what experiment_info.json is to
// say. An evaluation of the same content is logged once: a second call finds
// the run, and one that was interrupted is completed.
func LogEvaluation(ctx context.Context, s Store, e Evaluation) (Info, error) {
	key, digest, err := e.Key()
	if err != nil {
		return Info{}, err
	}
	info := Info{
		ModelPath: e.modelName(), Experiment: e.Experiment, Key: key, ModelDigest: digest, DataDigest: e.DataDigest,
		Metrics: map[string]float64{}, Params: map[string]string{},
	}
	for k, v := range e.Metrics {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			info.Metrics[k] = v
		}
	}
	for k, v := range e.Params {
		info.Params[k] = v
	}
	for _, d := range e.Inputs {
		info.Inputs = append(info.Inputs, InfoInput{d.Name, d.Digest, d.Source, d.Context})
	}
	if e.Start.IsZero() {
		e.Start = time.Now()
	}
	run, err := e.run(ctx, s, key, digest)
	if err != nil {
		return Info{}, err
	}
	info.RunID = run.ID
	if info.ModelURI = run.Tags[tagModelURI]; run.Status == Finished && info.ModelURI != "" {
		return info, nil
	}
	if info.ModelURI, err = e.log(ctx, s, run); err != nil {
		// The run says so, unless the store is what failed.
		_ = s.EndRun(context.WithoutCancel(ctx), run.ID, Failed, time.Now())
		return Info{}, err
	}
	return info, nil
}

// tagModelURI keeps the address of the model that a run logged.
const tagModelURI = "flow.model_uri"

func (e *Evaluation) run(ctx context.Context, s Store, key, digest string) (Run, error) {
	experiment, err := s.EnsureExperiment(ctx, e.Experiment)
	if err != nil {
		return Run{}, err
	}
	tags := []Pair{{TagKind, "pipeline"}, {TagModelDigest, digest}, {TagSourceName, "flow"}, {TagSourceType, "LOCAL"}}
	if e.DataDigest != "" {
		tags = append(tags, Pair{TagDataDigest, e.DataDigest})
	}
	if e.GitCommit != "" {
		tags = append(tags, Pair{TagGitCommit, e.GitCommit})
	}
	if e.User != "" {
		tags = append(tags, Pair{TagUser, e.User})
	}
	for _, k := range sortedKeys(e.Tags) {
		tags = append(tags, Pair{k, Shorten(e.Tags[k], MaxRunTag)})
	}
	return s.CreateRun(ctx, NewRun{ExperimentID: experiment.ID, Name: e.Name, Start: e.Start, User: e.User, Key: key, Tags: tags})
}

// log logs everything to a run, of which a part may be there already.
func (e *Evaluation) log(ctx context.Context, s Store, run Run) (uri string, err error) {
	if err := logValues(ctx, s, run, e.Params, e.Metrics, e.Inputs, e.Start); err != nil {
		return "", err
	}
	for _, at := range sortedKeys(e.Files) {
		if err := UploadFile(ctx, s, run.ArtifactURI, at, e.Files[at]); err != nil {
			return "", err
		}
	}
	m, err := LogModel(ctx, s, run, e.modelName(), e.ModelDir)
	if err != nil {
		return "", err
	}
	for _, st := range e.Stages {
		if err := st.log(ctx, s, run, e.Start); err != nil {
			return "", fmt.Errorf("log stage '%s': %w", st.Name, err)
		}
	}
	if err := s.Log(ctx, run.ID, Batch{Tags: []Pair{{tagModelURI, m.URI}}}); err != nil {
		return "", err
	}
	end := e.End
	if end.IsZero() {
		end = time.Now()
	}
	return m.URI, s.EndRun(ctx, run.ID, Finished, end)
}

func (st *StageRun) log(ctx context.Context, s Store, parent Run, at time.Time) error {
	child, err := s.CreateRun(ctx, NewRun{
		ExperimentID: parent.ExperimentID, Name: st.Name, Start: at, User: parent.User,
		Key:  parent.Tags[TagKey] + "/" + st.Name,
		Tags: []Pair{{TagParent, parent.ID}, {TagKind, "stage"}, {TagSourceName, "flow"}, {TagSourceType, "LOCAL"}},
	})
	if err != nil {
		return err
	}
	if err := logValues(ctx, s, child, st.Params, st.Metrics, st.Inputs, at); err != nil {
		return err
	}
	return s.EndRun(ctx, child.ID, Finished, time.Now())
}

// logValues logs parameters, metrics and inputs. A parameter that is too long is
// cut, with its digest, and kept whole as an artifact.
func logValues(ctx context.Context, s Store, r Run, params map[string]string, metrics map[string]float64, inputs []Dataset, at time.Time) error {
	var b Batch
	for _, k := range sortedKeys(params) {
		v := params[k]
		if utf8.RuneCountInString(v) > MaxParam {
			sum := sha256.Sum256([]byte(v))
			name := path.Join("params", k+".txt")
			if err := s.PutArtifact(ctx, r.ArtifactURI, name, strings.NewReader(v), int64(len(v))); err != nil {
				return err
			}
			v = Shorten(v, MaxParam-100) + "… sha256:" + hex.EncodeToString(sum[:])
		}
		b.Params = append(b.Params, Pair{k, v})
	}
	at = at.Truncate(time.Millisecond)
	for _, k := range sortedKeys(metrics) {
		b.Metrics = append(b.Metrics, Metric{Key: k, Value: metrics[k], Time: at})
	}
	// An interrupted attempt left the same values with an earlier time.
	if len(r.Metrics) > 0 {
		kept := b.Metrics[:0]
		for _, m := range b.Metrics {
			if _, ok := r.Metrics[m.Key]; !ok {
				kept = append(kept, m)
			}
		}
		b.Metrics = kept
	}
	if err := s.Log(ctx, r.ID, b); err != nil || len(inputs) == 0 {
		return err
	}
	short := make([]Dataset, len(inputs))
	for i, d := range inputs {
		d.Digest = DatasetDigest(d.Digest)
		if d.SourceType == "" {
			d.SourceType = "local"
		}
		if !json.Valid([]byte(d.Source)) { // MLflow's page reads it as JSON
			source, err := json.Marshal(map[string]string{"uri": d.Source})
			if err != nil {
				return err
			}
			d.Source = string(source)
		}
		short[i] = d
	}
	return s.LogInputs(ctx, r.ID, short)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Relog makes sure that a store has the run that an Info speaks of, and returns
// the Info for this store. The run is missing where the Info came from a cache,
// or from a project that was cloned: it is logged from the Info and the model's
// directory.
func Relog(ctx context.Context, s Store, info Info, modelDir string) (Info, error) {
	_, err := s.Run(ctx, info.RunID)
	if !errors.Is(err, ErrNotFound) {
		return info, err
	}
	if info.Key == "" || modelDir == "" {
		return info, err
	}
	e := Evaluation{
		Experiment: info.Experiment, Name: "evaluation", Params: info.Params, Metrics: info.Metrics,
		DataDigest: info.DataDigest, ModelDir: modelDir, ModelName: info.ModelPath,
	}
	for _, in := range info.Inputs {
		e.Inputs = append(e.Inputs, Dataset{Name: in.Name, Digest: in.Digest, Source: in.Source, Context: in.Context})
	}
	digest, err := DirDigest(modelDir)
	if err != nil {
		return info, err
	}
	if digest != info.ModelDigest {
		return info, &Error{Op: "log run '" + info.RunID + "' again",
			Err:    fmt.Errorf("%w: the model in '%s' is not the one that was evaluated", ErrInvalid, modelDir),
			Advice: "evaluate it: flow repro"}
	}
	return LogEvaluation(ctx, s, e)
}
