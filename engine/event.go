package engine

import "time"

// State is where a stage stands in a run.
type State string

// The states of a stage. Skipped, Verified, Restored, Done, Failed and Blocked
// are final.
const (
	Waiting  State = "waiting"  // its inputs are not final yet
	Deciding State = "deciding" // its inputs are being hashed and compared
	Running  State = "running"  // its command runs
	Saving   State = "saving"   // its outputs are hashed into the cache
	Skipped  State = "skipped"  // nothing changed
	Verified State = "verified" // a frozen stage or data source was recorded anew
	Restored State = "restored" // outputs came from the cache
	Done     State = "done"     // the command ran
	Failed   State = "failed"
	Blocked  State = "blocked" // a stage it needs failed
)

// Final reports whether no transition leaves the state.
func (s State) Final() bool {
	switch s {
	case Skipped, Verified, Restored, Done, Failed, Blocked:
		return true
	}
	return false
}

// EventKind tells what an Event reports.
type EventKind string

// The kinds of events.
const (
	RunStarted   EventKind = "run_started"  // Total stages are considered
	StateChanged EventKind = "state"        // Stage is now in State
	OutputLine   EventKind = "output"       // Text was written by the stage's command
	Progressed   EventKind = "progress"     // Done of Total in Unit
	LockUpdated  EventKind = "lock"         // File was created or got a new entry
	Warned       EventKind = "warning"      // Text, with Hint
	Kept         EventKind = "kept"         // an output that exists nowhere else was moved to File
	RunFinished  EventKind = "run_finished" // all stages are final
	FileChanged  EventKind = "file_changed" // a .gitignore or .dvc file was written
	CommandShown EventKind = "command"      // Text is about to run
)

// Event is one thing that happened. Only the fields of its kind are set.
type Event struct {
	Kind  EventKind `json:"event"`
	Time  time.Time `json:"time"`
	Stage string    `json:"stage,omitempty"` // display name
	// Index is the stage's place in the order of the plan, from 0.
	Index int `json:"index"`
	// Worker numbers the worker that handles the stage, from 0.
	Worker  int      `json:"-"`
	State   State    `json:"state,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
	Err     error    `json:"-"`
	Error   string   `json:"error,omitempty"`
	Text    string   `json:"text,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	// File is relative to the engine's directory.
	File     string        `json:"file,omitempty"`
	Created  bool          `json:"created,omitempty"`
	Done     int64         `json:"done,omitempty"`
	Total    int64         `json:"total,omitempty"`
	Unit     string        `json:"unit,omitempty"`
	Bytes    int64         `json:"bytes,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	// Data is set for data sources (.dvc files), Frozen for frozen stages.
	Data   bool `json:"data,omitempty"`
	Frozen bool `json:"frozen,omitempty"`
}

// Sink receives the events of a run, one at a time, in the order they happen.
// Emit must not block for long: the engine waits for it.
type Sink interface {
	Emit(Event)
}

// Sinks fans events out to several sinks.
type Sinks []Sink

// Emit hands the event to each sink in turn.
func (s Sinks) Emit(e Event) {
	for _, sink := range s {
		sink.Emit(e)
	}
}

type noSink struct{}

func (noSink) Emit(Event) {}
