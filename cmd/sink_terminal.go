package cmd

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/flowrepro/flow/engine"
)

// terminalSink shows a run on a terminal: a line for each stage that is over,
// and below them, redrawn in place, a bar for each stage that is at work.
type terminalSink struct {
	bars    *mpb.Progress
	width   int
	explain bool

	mu      sync.Mutex
	running map[string]*liveStage
	total   int64
	over    int64
	skipped int
	column  int // width of the stage column
}

// liveStage is a stage at work.
type liveStage struct {
	bar   *mpb.Bar
	began time.Time
	unit  string
	phase engine.State
}

func newTerminalSink(w io.Writer, width int, explain bool) *terminalSink {
	return &terminalSink{
		bars:    mpb.New(mpb.WithOutput(w), mpb.WithWidth(min(width, 100)), mpb.WithRefreshRate(100*time.Millisecond)),
		width:   width,
		explain: explain,
		running: map[string]*liveStage{},
		column:  12,
	}
}

// Emit implements engine.Sink.
func (t *terminalSink) Emit(e engine.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case engine.RunStarted:
		t.total = e.Total
	case engine.RunFinished:
		for _, l := range t.running {
			l.bar.Abort(true)
		}
		if t.skipped > 0 && t.skipped < int(t.total) {
			t.line("%s", color.New(color.Faint).Sprintf("  %d unchanged, %d in all, %s", t.skipped, t.total, round(e.Duration)))
		}
	case engine.StateChanged:
		t.state(e)
	case engine.Progressed:
		if l := t.running[e.Stage]; l != nil {
			l.unit = e.Unit
			l.bar.SetTotal(e.Total, false)
			l.bar.SetCurrent(e.Done)
		}
	case engine.OutputLine:
		for _, text := range strings.Split(strings.TrimRight(e.Text, "\n"), "\n") {
			t.line("%s %s", color.New(color.Faint).Sprint(e.Stage+" │"), text)
		}
	case engine.Warned:
		t.line("%s %s", color.YellowString("warning:"), e.Text)
		if e.Hint != "" {
			t.line("   %s %s", color.New(color.Faint).Sprint("hint:"), e.Hint)
		}
	case engine.Kept:
		t.line("%s '%s' holds data that is stored nowhere else; it was moved to", color.YellowString("warning:"), e.Text)
		t.line("   %s", e.File)
	}
}

func (t *terminalSink) state(e engine.Event) {
	switch {
	case e.State == engine.Running:
		if t.explain {
			for _, r := range e.Reasons {
				t.line("  %s: %s", e.Stage, r)
			}
		}
		t.running[e.Stage] = t.start(e.Stage)
	case e.State == engine.Saving:
		if l := t.running[e.Stage]; l != nil {
			l.phase = engine.Saving
		}
	case e.State.Final() || e.State == engine.Waiting:
		if l := t.running[e.Stage]; l != nil {
			l.bar.Abort(true)
			delete(t.running, e.Stage)
		}
		if e.State.Final() {
			t.over++
			t.outcome(e)
		}
	}
}

// start adds the bar of a stage that begins to run.
func (t *terminalSink) start(stage string) *liveStage {
	l := &liveStage{began: time.Now(), phase: engine.Running}
	name := clip(stage, max(t.width/3, 12))
	l.bar = t.bars.New(0, mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("  "+color.CyanString(name)+"  ")),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string {
			took := time.Since(l.began).Truncate(100 * time.Millisecond)
			if s.Total > 0 && l.unit != "" {
				return fmt.Sprintf("  %s  %s", amount(s.Current, s.Total, l.unit), took)
			}
			return fmt.Sprintf("  %s  %s", l.phase, took)
		})),
	)
	return l
}

// amount writes work done out of a total.
func amount(done, total int64, unit string) string {
	if unit == "bytes" {
		return fmt.Sprintf("%.1f/%.1f MB", float64(done)/1e6, float64(total)/1e6)
	}
	return fmt.Sprintf("%d/%d %s", done, total, unit)
}

// outcome prints the line of a stage that is over.
func (t *terminalSink) outcome(e engine.Event) {
	var mark, text string
	switch e.State {
	case engine.Skipped:
		t.skipped++
		if t.total > 40 {
			return // hundreds of unchanged stages are summed up at the end
		}
		mark, text = color.New(color.Faint).Sprint("·"), color.New(color.Faint).Sprint("unchanged")
	case engine.Done:
		mark, text = color.GreenString("✔"), "ran in "+round(e.Duration)
	case engine.Restored:
		mark, text = color.GreenString("↺"), "restored from the cache in "+round(e.Duration)
	case engine.Verified:
		mark, text = color.BlueString("✔"), "recorded as it is"
	case engine.Failed:
		mark, text = color.RedString("✘"), color.RedString("failed")+" after "+round(e.Duration)
	case engine.Blocked:
		mark, text = color.YellowString("–"), "skipped: a stage it needs failed"
	}
	t.column = min(max(t.column, len([]rune(e.Stage))), 40)
	name := clip(e.Stage, 40)
	t.line("%s %s%s  %s", mark, name, strings.Repeat(" ", max(0, t.column-len([]rune(name)))), text)
}

// line prints above the bars.
func (t *terminalSink) line(format string, args ...any) {
	_, _ = fmt.Fprintf(t.bars, format+"\n", args...) // a closed terminal must not stop the run
}

func (t *terminalSink) close() error {
	t.mu.Lock()
	for _, l := range t.running {
		l.bar.Abort(true)
	}
	t.mu.Unlock()
	t.bars.Wait()
	return nil
}

func clip(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}

// round shows a duration with three significant digits or so.
func round(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}
