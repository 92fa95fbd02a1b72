package cmd

import (
	"bytes"
	"fmt"
	"io"

	"github.com/flowrepro/flow/engine"
)

// plainSink writes what DVC writes, line by line. Stages that run side by side
// are written in the plan's order: the first that is not final writes at once,
// the text of later ones is held back until their turn. So the output is the
// same for any number of workers.
type plainSink struct {
	out, err io.Writer
	quiet    bool
	// explain adds to each stage that runs why it does.
	explain bool
	dry     bool

	stages []plainStage
	head   int  // the stage whose text goes out at once
	spoke  bool // the last stage written did something
}

// plainStage is the text of one stage that waits for its turn.
type plainStage struct {
	held  []piece
	acted bool // it did something worth a blank line after it
	begun bool
	final bool
}

// piece is held-back text for one of the two streams.
type piece struct {
	text   []byte
	stderr bool
}

// Emit implements engine.Sink.
func (p *plainSink) Emit(e engine.Event) {
	switch e.Kind {
	case engine.RunStarted:
		p.stages, p.head, p.spoke = make([]plainStage, e.Total), 0, false
		return
	case engine.RunFinished:
		for p.head < len(p.stages) {
			p.next()
		}
		return
	}
	if e.Stage == "" || e.Index >= len(p.stages) {
		if e.Kind == engine.Warned {
			p.write(piece{[]byte(warning(e)), true})
		}
		return
	}
	st := &p.stages[e.Index]
	switch e.Kind {
	case engine.StateChanged:
		p.state(st, e)
	case engine.CommandShown:
		p.say(e.Index, "> %s\n", e.Text)
	case engine.OutputLine:
		p.put(e.Index, piece{[]byte(e.Text), false})
	case engine.LockUpdated:
		if e.Created {
			p.say(e.Index, "Generating lock file '%s'\n", e.File)
		} else {
			p.say(e.Index, "Updating lock file '%s'\n", e.File)
		}
	case engine.Warned:
		p.put(e.Index, piece{[]byte(warning(e)), true})
	case engine.Kept:
		p.put(e.Index, piece{fmt.Appendf(nil,
			"WARNING: '%s' holds data that is stored nowhere else; it was moved to '%s'\n", e.Text, e.File), true})
	}
	for p.head < len(p.stages) && p.stages[p.head].final {
		p.next()
	}
}

func warning(e engine.Event) string {
	text := "WARNING: " + e.Text + "\n"
	if e.Hint != "" {
		text += "hint: " + e.Hint + "\n"
	}
	return text
}

// state writes what a change of state says, in DVC's words.
func (p *plainSink) state(st *plainStage, e engine.Event) {
	if e.Frozen && !e.Data && e.State == engine.Deciding {
		p.put(e.Index, piece{fmt.Appendf(nil,
			"WARNING: stage: '%s' is frozen. Its dependencies are not going to be reproduced.\n", e.Stage), true})
	}
	switch e.State {
	case engine.Skipped:
		if e.Data {
			p.begin(e.Index, false, "'%s' didn't change, skipping\n", e.Stage)
		} else {
			p.begin(e.Index, false, "Stage '%s' didn't change, skipping\n", e.Stage)
		}
	case engine.Running:
		p.begin(e.Index, true, "Running stage '%s':\n", e.Stage)
		if p.explain {
			for _, r := range e.Reasons {
				p.say(e.Index, "  because %s\n", r)
			}
		}
	case engine.Restored:
		if e.Data || e.Frozen {
			p.begin(e.Index, true, "Pulling data for stage: '%s'\n", e.Stage)
			break
		}
		p.begin(e.Index, true, "Stage '%s' is cached - skipping run, checking out outputs\n", e.Stage)
	case engine.Verified:
		if e.Data {
			p.begin(e.Index, true, "Verifying data sources in stage: '%s'\n", e.Stage)
		} else {
			p.begin(e.Index, true, "Verifying outputs in frozen stage: '%s'\n", e.Stage)
		}
	}
	st.final = e.State.Final()
}

// begin opens a stage's text with its first line: a blank line stands between
// it and a stage before it that did something. What was held until then, such
// as the lock's lines of a restored stage, follows.
func (p *plainSink) begin(place int, acts bool, format string, stage string) {
	st := &p.stages[place]
	if st.begun {
		return
	}
	st.begun, st.acted = true, acts
	held := st.held
	st.held = nil
	if place == p.head {
		p.heading(st)
	}
	p.say(place, format, stage)
	for _, h := range held {
		p.put(place, h)
	}
}

func (p *plainSink) heading(st *plainStage) {
	if p.spoke && st.begun && !p.quiet {
		p.write(piece{[]byte("\n"), false})
	}
	p.spoke = false
}

// next hands the turn to the next stage and lets out what it held.
func (p *plainSink) next() {
	if st := &p.stages[p.head]; st.begun {
		p.spoke = st.acted
	}
	p.head++
	if p.head >= len(p.stages) {
		return
	}
	st := &p.stages[p.head]
	if st.begun {
		p.heading(st)
	}
	if st.begun || st.final {
		for _, h := range st.held {
			p.write(h)
		}
		st.held = nil
	}
}

func (p *plainSink) say(place int, format string, args ...any) {
	if !p.quiet {
		p.put(place, piece{fmt.Appendf(nil, format, args...), false})
	}
}

// put writes at once if it is the stage's turn and its heading is out.
func (p *plainSink) put(place int, t piece) {
	st := &p.stages[place]
	if place < p.head || place == p.head && (st.begun || t.stderr) {
		p.write(t)
		return
	}
	if k := len(st.held); k > 0 && st.held[k-1].stderr == t.stderr {
		st.held[k-1].text = append(st.held[k-1].text, t.text...)
		return
	}
	st.held = append(st.held, piece{bytes.Clone(t.text), t.stderr})
}

func (p *plainSink) write(t piece) {
	w := p.out
	if t.stderr {
		w = p.err
	}
	_, _ = w.Write(t.text) // a closed pipe must not stop the run
}
