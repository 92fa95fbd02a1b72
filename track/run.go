package track

import (
	"strconv"
	"time"
)

// Status is the state of a run, in MLflow's words.
type Status string

// The states of a run.
const (
	Running   Status = "RUNNING"
	Scheduled Status = "SCHEDULED"
	Finished  Status = "FINISHED"
	Failed    Status = "FAILED"
	Killed    Status = "KILLED"
)

// Valid reports whether s is one of the states.
func (s Status) Valid() bool {
	switch s {
	case Running, Scheduled, Finished, Failed, Killed:
		return true
	}
	return false
}

// Experiment is a group of runs.
type Experiment struct {
	ID, Name string
	// ArtifactRoot is where its runs keep their artifacts, by default.
	ArtifactRoot string
	Deleted      bool
}

// Metric is a measured value. The value may be NaN or infinite; SQL stores keep
// an infinity as the largest number of its sign.
type Metric struct {
	Key   string
	Value float64
	// Time has millisecond resolution.
	Time time.Time
	Step int64
}

// Pair is a parameter or a tag.
type Pair struct{ Key, Value string }

// Batch is what Log adds to a run.
type Batch struct {
	Metrics []Metric
	Params  []Pair
	Tags    []Pair
}

// Dataset is an input of a run.
type Dataset struct {
	Name string
	// Digest is at most 36 characters; DatasetDigest cuts a longer one.
	Digest string
	// SourceType and Source say where it comes from: "local" and a path.
	SourceType, Source string
	// Context is what it was used for: "training", "testing".
	Context string
}

// DatasetDigest cuts a digest to what MLflow's field takes.
func DatasetDigest(digest string) string {
	return digest[:min(len(digest), MaxDatasetDigest)]
}

// Run is one execution with what was logged to it.
type Run struct {
	ID, ExperimentID, Name string
	Status                 Status
	// Start and End have millisecond resolution; End is zero while it runs.
	Start, End  time.Time
	User        string
	ArtifactURI string
	Deleted     bool
	// Metrics are the latest values by key: of the greatest step, then time.
	Metrics map[string]Metric
	Params  map[string]string
	Tags    map[string]string
	Inputs  []Dataset
}

// Parent returns the id of the run this one is nested in, "" if none.
func (r *Run) Parent() string { return r.Tags[TagParent] }

// NewRun describes a run to be created.
type NewRun struct {
	ExperimentID, Name string
	Start              time.Time
	User               string
	Tags               []Pair
	// Key, when not empty, is unique in the experiment and kept as TagKey:
	// creating a run whose key exists returns the run that has it.
	Key string
}

// Query selects runs. The zero Query is all runs that are not deleted.
type Query struct {
	// ExperimentIDs limits the search; nil means all experiments.
	ExperimentIDs []string
	// Tags must all be equal.
	Tags map[string]string
	// Limit bounds the number of runs; 0 means no bound.
	Limit int
}

// The tags that MLflow gives a meaning.
const (
	TagParent      = "mlflow.parentRunId"
	TagRunName     = "mlflow.runName"
	TagUser        = "mlflow.user"
	TagSourceName  = "mlflow.source.name"
	TagSourceType  = "mlflow.source.type"
	TagGitCommit   = "mlflow.source.git.commit"
	TagNote        = "mlflow.note.content"
	TagModels      = "mlflow.log-model.history"
	DatasetContext = "mlflow.data.context"
)

// The tags that flow gives a meaning.
const (
	// TagKey holds the unique key of a run or of a model version.
	TagKey = "flow.key"
	// TagKind is "pipeline" or "stage".
	TagKind = "flow.kind"
	// TagModelDigest is the digest of a model directory, see DirDigest.
	TagModelDigest = "flow.model_digest"
	// TagDataDigest is the digest of the data that the metrics are about.
	TagDataDigest = "flow.data_digest"
)

// FormatFloat writes a metric's value as people read it: the shortest text that
// reads back as the same number.
func FormatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
