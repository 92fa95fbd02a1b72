package track

import (
	"context"
	"io"
	"time"
)

// Runs keeps experiments and runs.
type Runs interface {
	// EnsureExperiment returns the experiment of that name, made if there is
	// none. One that is deleted is an error.
	EnsureExperiment(ctx context.Context, name string) (Experiment, error)
	// Experiments returns those that are not deleted, ordered by id.
	Experiments(ctx context.Context) ([]Experiment, error)
	// CreateRun starts a run in the state Running, or returns the run that
	// has the key already.
	CreateRun(ctx context.Context, r NewRun) (Run, error)
	// Run returns a run with all that was logged to it.
	Run(ctx context.Context, id string) (Run, error)
	// SearchRuns returns runs, the newest first.
	SearchRuns(ctx context.Context, q Query) ([]Run, error)
	// Log adds metrics, parameters and tags, any number of them. A parameter
	// keeps its first value: another one is ErrInvalid. Logging the same
	// again changes nothing.
	Log(ctx context.Context, runID string, b Batch) error
	// LogInputs adds datasets. The same ones again change nothing.
	LogInputs(ctx context.Context, runID string, inputs []Dataset) error
	// EndRun sets the final state. A state of Running makes it run again.
	EndRun(ctx context.Context, runID string, s Status, at time.Time) error
	// DeleteRun hides a run from searches. Its artifacts stay.
	DeleteRun(ctx context.Context, runID string) error
	// MetricHistory returns all values of a metric by time, then step.
	MetricHistory(ctx context.Context, runID, key string) ([]Metric, error)
}

// File is an entry of an artifact directory.
type File struct {
	// Path is relative to the artifact root, with slashes.
	Path string
	Dir  bool
	Size int64
}

// Artifacts keeps files below artifact roots, which are URIs that runs and
// model versions name. Paths have slashes and cannot leave their root.
type Artifacts interface {
	// PutArtifact stores r, from its start, at path, in place of what is there.
	// It must have size bytes.
	// Readers see the old content or the new, never a part.
	PutArtifact(ctx context.Context, root, path string, r io.ReadSeeker, size int64) error
	// OpenArtifact reads a file. The caller closes it.
	OpenArtifact(ctx context.Context, root, path string) (io.ReadCloser, error)
	// ListArtifacts returns what is directly in a directory, by name; "" is
	// the root. One that does not exist is empty.
	ListArtifacts(ctx context.Context, root, dir string) ([]File, error)
	// DeleteArtifact removes a file; one that does not exist is no error.
	DeleteArtifact(ctx context.Context, root, path string) error
	// LocalDir returns the directory of an artifact root that lies on this
	// machine.
	LocalDir(root string) (dir string, ok bool)
}

// Registry keeps registered models.
type Registry interface {
	// EnsureModel makes a registered model if there is none of that name.
	EnsureModel(ctx context.Context, name, description string) error
	Model(ctx context.Context, name string) (Model, error)
	// Models returns all of them by name.
	Models(ctx context.Context) ([]Model, error)
	// CreateVersion adds the next version, or returns the one that has the
	// key already. The model must exist.
	CreateVersion(ctx context.Context, v NewVersion) (Version, error)
	Version(ctx context.Context, name string, version int) (Version, error)
	// Versions returns all of them, the newest first.
	Versions(ctx context.Context, name string) ([]Version, error)
	// VersionByAlias returns the version that an alias points to.
	VersionByAlias(ctx context.Context, name, alias string) (Version, error)
	// VersionSource returns the artifact root that a version's files are in.
	VersionSource(ctx context.Context, v Version) (root string, err error)
	// SetAlias points an alias to a version, wherever it pointed before.
	SetAlias(ctx context.Context, name, alias string, version int) error
	// DeleteAlias removes an alias; one that does not exist is no error.
	DeleteAlias(ctx context.Context, name, alias string) error
	// Move points alias to a version and moves the version to the stage; other
	// versions in that stage become Archived. The embedded store does it in
	// one transaction, a server in two steps of which the alias is the first.
	Move(ctx context.Context, name string, version int, alias, stage string) error
	// SetStage moves one version to a stage and leaves the others alone.
	SetStage(ctx context.Context, name string, version int, stage string) error
	// SetModelTag and SetVersionTag set or replace a tag.
	SetModelTag(ctx context.Context, name string, tag Pair) error
	SetVersionTag(ctx context.Context, name string, version int, tag Pair) error
	// DeleteVersion removes a version and the aliases that point to it. Its
	// artifacts stay.
	DeleteVersion(ctx context.Context, name string, version int) error
}

// Store is a place where runs and models are kept. It is safe for concurrent
// use, by several processes too. Failures are *Error.
type Store interface {
	Runs
	Artifacts
	Registry
	// Location names the store for people, without credentials.
	Location() string
	Close() error
}

// LoggedModel is a model that a store keeps by itself, as MLflow 3 does.
type LoggedModel struct {
	// ID is "m-" and 32 hex digits.
	ID string
	// Name is the name it was logged under, "model".
	Name string
	// Root is the artifact root of its files.
	Root string
	// RunID is the run that made it.
	RunID string
	Ready bool
}

// ModelLogger is implemented by stores that may keep models by themselves.
type ModelLogger interface {
	// StartModel makes a place for a model of a run. The error is
	// ErrUnsupported when the store keeps models as artifacts of their runs.
	StartModel(ctx context.Context, r Run, name string) (LoggedModel, error)
	// FinishModel tells that the files are there, or that they never will be.
	FinishModel(ctx context.Context, m LoggedModel, ok bool) error
	// RunModels returns the models that a run made.
	RunModels(ctx context.Context, r Run) ([]LoggedModel, error)
	// LoggedModel returns a model by its id.
	LoggedModel(ctx context.Context, id string) (LoggedModel, error)
}
