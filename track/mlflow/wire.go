package mlflow

import (
	"sort"
	"strconv"

	"github.com/flowrepro/flow/track"
)

// The messages of the API, with the fields that are used here. Every field may
// be missing.

type wirePair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func wirePairs(list []track.Pair) []wirePair {
	out := make([]wirePair, len(list))
	for i, p := range list {
		out[i] = wirePair(p)
	}
	return out
}

func pairMap(list []wirePair) map[string]string {
	m := make(map[string]string, len(list))
	for _, p := range list {
		m[p.Key] = p.Value
	}
	return m
}

type wireMetric struct {
	Key       string  `json:"key"`
	Value     number  `json:"value"`
	Timestamp integer `json:"timestamp"`
	Step      integer `json:"step"`
}

func (m wireMetric) metric() track.Metric {
	return track.Metric{Key: m.Key, Value: float64(m.Value), Time: m.Timestamp.time(), Step: int64(m.Step)}
}

type wireExperiment struct {
	ID               string `json:"experiment_id"`
	Name             string `json:"name"`
	ArtifactLocation string `json:"artifact_location"`
	LifecycleStage   string `json:"lifecycle_stage"`
}

func (e wireExperiment) experiment() track.Experiment {
	return track.Experiment{ID: e.ID, Name: e.Name, ArtifactRoot: e.ArtifactLocation, Deleted: e.LifecycleStage == "deleted"}
}

type wireRunInfo struct {
	RunID          string  `json:"run_id"`
	RunUUID        string  `json:"run_uuid"`
	RunName        string  `json:"run_name"`
	ExperimentID   string  `json:"experiment_id"`
	UserID         string  `json:"user_id"`
	Status         string  `json:"status"`
	StartTime      integer `json:"start_time"`
	EndTime        integer `json:"end_time"`
	ArtifactURI    string  `json:"artifact_uri"`
	LifecycleStage string  `json:"lifecycle_stage"`
}

type wireDataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
}

type wireInput struct {
	Tags    []wirePair  `json:"tags"`
	Dataset wireDataset `json:"dataset"`
}

type wireRun struct {
	Info wireRunInfo `json:"info"`
	Data struct {
		Metrics []wireMetric `json:"metrics"`
		Params  []wirePair   `json:"params"`
		Tags    []wirePair   `json:"tags"`
	} `json:"data"`
	Inputs struct {
		Datasets []wireInput `json:"dataset_inputs"`
	} `json:"inputs"`
	Outputs struct {
		Models []struct {
			ID string `json:"model_id"`
		} `json:"model_outputs"`
	} `json:"outputs"`
}

func (w *wireRun) run() track.Run {
	i := w.Info
	r := track.Run{
		ID: i.RunID, ExperimentID: i.ExperimentID, Name: i.RunName, Status: track.Status(i.Status), User: i.UserID,
		Start: i.StartTime.time(), End: i.EndTime.time(), ArtifactURI: i.ArtifactURI, Deleted: i.LifecycleStage == "deleted",
		Metrics: make(map[string]track.Metric, len(w.Data.Metrics)), Params: pairMap(w.Data.Params), Tags: pairMap(w.Data.Tags),
	}
	if r.ID == "" {
		r.ID = i.RunUUID
	}
	if r.Name == "" {
		r.Name = r.Tags[track.TagRunName]
	}
	for _, m := range w.Data.Metrics {
		r.Metrics[m.Key] = m.metric()
	}
	for _, in := range w.Inputs.Datasets {
		d := track.Dataset{Name: in.Dataset.Name, Digest: in.Dataset.Digest, SourceType: in.Dataset.SourceType, Source: in.Dataset.Source}
		d.Context = pairMap(in.Tags)[track.DatasetContext]
		r.Inputs = append(r.Inputs, d)
	}
	return r
}

type wireAlias struct {
	Alias   string  `json:"alias"`
	Version integer `json:"version"`
}

type wireModel struct {
	Name        string      `json:"name"`
	Created     integer     `json:"creation_timestamp"`
	Updated     integer     `json:"last_updated_timestamp"`
	Description string      `json:"description"`
	Tags        []wirePair  `json:"tags"`
	Aliases     []wireAlias `json:"aliases"`
}

func (w wireModel) model() track.Model {
	m := track.Model{
		Name: w.Name, Description: w.Description, Created: w.Created.time(), Updated: w.Updated.time(),
		Tags: pairMap(w.Tags), Aliases: make(map[string]int, len(w.Aliases)),
	}
	for _, a := range w.Aliases {
		m.Aliases[a.Alias] = int(a.Version)
	}
	return m
}

type wireVersion struct {
	Name        string     `json:"name"`
	Version     integer    `json:"version"`
	Created     integer    `json:"creation_timestamp"`
	Updated     integer    `json:"last_updated_timestamp"`
	Description string     `json:"description"`
	Stage       string     `json:"current_stage"`
	Source      string     `json:"source"`
	RunID       string     `json:"run_id"`
	Status      string     `json:"status"`
	Message     string     `json:"status_message"`
	Tags        []wirePair `json:"tags"`
	Aliases     []string   `json:"aliases"`
}

func (w wireVersion) version() track.Version {
	v := track.Version{
		Name: w.Name, Version: int(w.Version), Description: w.Description, Created: w.Created.time(), Updated: w.Updated.time(),
		Stage: w.Stage, Source: w.Source, RunID: w.RunID, Status: w.Status, Aliases: w.Aliases, Tags: pairMap(w.Tags),
	}
	if v.Stage == "" {
		v.Stage = track.StageNone
	}
	if v.Status == "" {
		v.Status = "READY"
	}
	sort.Strings(v.Aliases)
	return v
}

// versionText is a version's number as the API takes it.
func versionText(n int) string { return strconv.Itoa(n) }
