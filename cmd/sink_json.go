package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/internal/atomicfile"
)

// jsonSink writes each event as one line of JSON.
type jsonSink struct{ enc *json.Encoder }

func newJSONSink(w io.Writer) *jsonSink {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonSink{enc}
}

// Emit implements engine.Sink.
func (j *jsonSink) Emit(e engine.Event) {
	_ = j.enc.Encode(e) // a closed pipe must not stop the run
}

// traceSink collects a trace in Chrome's trace event format: one row a worker,
// one bar for each phase of a stage.
type traceSink struct {
	path  string
	start time.Time
	open  map[string]engine.Event // stage -> its last change of state
	rows  []traceEvent
}

// traceEvent is one entry of the trace event format; times are microseconds.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Time     int64          `json:"ts"`
	Duration int64          `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

func newTraceSink(path string) *traceSink {
	return &traceSink{path: path, open: map[string]engine.Event{}}
}

// Emit implements engine.Sink.
func (t *traceSink) Emit(e engine.Event) {
	switch e.Kind {
	case engine.RunStarted:
		t.start = e.Time
		t.rows = append(t.rows, traceEvent{Name: "process_name", Phase: "M", Process: 1, Args: map[string]any{"name": "flow repro"}})
	case engine.StateChanged:
		if was, ok := t.open[e.Stage]; ok {
			row := traceEvent{Name: e.Stage, Category: string(was.State), Phase: "X", Process: 1, Thread: was.Worker + 1,
				Time: t.micros(was.Time), Duration: max(e.Time.Sub(was.Time).Microseconds(), 1),
				Args: map[string]any{"phase": was.State, "then": e.State}}
			var because []string
			for _, r := range e.Reasons {
				because = append(because, r.String())
			}
			if len(because) > 0 {
				row.Args["because"] = because
			}
			if e.Error != "" {
				row.Args["error"] = e.Error
			}
			t.rows = append(t.rows, row)
		}
		if e.State.Final() {
			delete(t.open, e.Stage)
		} else {
			t.open[e.Stage] = e
		}
	}
}

func (t *traceSink) micros(at time.Time) int64 { return at.Sub(t.start).Microseconds() }

// write puts the trace on disk.
func (t *traceSink) write() error {
	data, err := json.Marshal(map[string]any{"traceEvents": t.rows, "displayTimeUnit": "ms"})
	if err != nil {
		return fmt.Errorf("encode trace: %w", err)
	}
	if err := atomicfile.Write(t.path, append(data, '\n'), atomicfile.Options{}); err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	return nil
}

// reproSink chooses how a run is shown. finish must be called when it is over.
func (a *app) reproSink(f *reproFlags) (sink engine.Sink, finish func() error, err error) {
	finish = func() error { return nil }
	var sinks engine.Sinks
	switch width, tty := terminal(a.stdout); {
	case f.json:
		sinks = append(sinks, newJSONSink(a.stdout))
	case tty && !a.quiet && !f.interactive && !f.req.Dry && f.req.Jobs != 1:
		live := newTerminalSink(a.stdout, width, a.verbose > 0)
		sinks = append(sinks, live)
		finish = live.close
	default:
		sinks = append(sinks, &plainSink{out: a.stdout, err: a.stderr, quiet: a.quiet, explain: a.verbose > 0, dry: f.req.Dry})
	}
	if f.trace != "" {
		t := newTraceSink(f.trace)
		sinks = append(sinks, t)
		before := finish
		finish = func() error {
			if err := before(); err != nil {
				return err
			}
			return t.write()
		}
	}
	return sinks, finish, nil
}
