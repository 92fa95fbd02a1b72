package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/stages"
)

// goStage is a command that names a registered Go function.
type goStage struct {
	name  string
	args  []string
	stage stages.Stage
	known bool
}

// Reserved are the words after `flow stage` that are verbs of the command line
// and so cannot name a stage function in a pipeline's command.
var Reserved = []string{"add", "list", "run", "show"}

// parseGoStage recognises `flow stage <name> [args]` as the whole command. Any
// shell syntax in it, or several lines, make it a shell command like any other.
func parseGoStage(s *pipeline.Stage, reg *stages.Registry) *goStage {
	if reg == nil || s.IsData() || len(s.Cmd.Lines) != 1 {
		return nil
	}
	line := s.Cmd.Lines[0]
	if !strings.HasPrefix(line, "flow stage ") || strings.ContainsAny(line, "|&;<>()$`\\*?[]#~=%!{}\n") {
		return nil
	}
	words, err := shellquote.Split(line)
	if err != nil || len(words) < 3 {
		return nil
	}
	g := &goStage{name: words[2], args: words[3:]}
	for _, r := range Reserved {
		if g.name == r {
			return nil
		}
	}
	g.stage, g.known = reg.Lookup(g.name)
	return g
}

// GoStage returns the name and version of the Go function that a stage's
// command calls; ok is false for shell commands.
func (e *Engine) GoStage(s *pipeline.Stage) (name, version string, ok bool) {
	n := e.byStage[s]
	if n == nil || n.goRef == nil {
		return "", "", false
	}
	return n.goRef.name, n.goRef.stage.Version, true
}

// call runs the Go function of a stage in this process. A panic fails the stage
// alone; its stack goes to the stage's log.
func (e *Engine) call(ctx context.Context, n *node, params []paramState, log io.Writer) (err error) {
	g := n.goRef
	if !g.known {
		var names []string
		for _, s := range e.opt.Stages.List() {
			names = append(names, s.Name)
		}
		return hintError{fmt.Errorf("no stage function '%s' in this program", g.name),
			"registered are: " + strings.Join(names, ", ")}
	}
	c := e.stageCall(n, params, log)
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(log, "panic: %v\n\n%s", p, debug.Stack())
			err = fmt.Errorf("stage function '%s' panicked: %v", g.name, p)
		}
	}()
	if err := g.stage.Run(ctx, c); err != nil {
		return fmt.Errorf("stage function '%s': %w", g.name, err)
	}
	return nil
}

func (e *Engine) stageCall(n *node, params []paramState, log io.Writer) *stages.Call {
	c := &stages.Call{Stage: n.name, Root: e.abs("."), Log: slog.New(&plainLog{out: log})}
	if n.goRef != nil {
		c.Args = n.goRef.args
	}
	for _, d := range n.Deps {
		c.Deps = append(c.Deps, stages.Path{Name: d.Def, File: e.abs(d.Path)})
	}
	for _, o := range n.Outs {
		c.Outs = append(c.Outs, stages.Path{Name: o.Def, File: e.abs(o.Path)})
	}
	all := new(yaml12.Map)
	for _, p := range params {
		all.Items = append(all.Items, p.values.Items...)
	}
	c.Params = stages.NewParams(all)
	c.Progress = func(done, total int64, unit string) {
		e.emit(Event{Kind: Progressed, Stage: n.name, Index: n.place, Done: done, Total: total, Unit: unit})
	}
	return c
}

// plainLog writes a stage's messages for people: the text, then key=value. It
// leaves the time out: logs of equal runs are equal.
type plainLog struct {
	out    io.Writer
	prefix string // of keys, from WithGroup
	fixed  string // attributes from WithAttrs, written out
}

// Enabled implements slog.Handler: debugging messages are left out.
func (*plainLog) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler with one Write for each message.
func (h *plainLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString("error: ")
	case r.Level >= slog.LevelWarn:
		b.WriteString("warning: ")
	}
	b.WriteString(r.Message)
	b.WriteString(h.fixed)
	r.Attrs(func(a slog.Attr) bool {
		h.attr(&b, h.prefix, a)
		return true
	})
	b.WriteByte('\n')
	_, err := io.WriteString(h.out, b.String())
	return err
}

func (h *plainLog) attr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, m := range v.Group() {
			h.attr(b, prefix+a.Key+".", m)
		}
		return
	}
	text := v.String()
	if text == "" || strings.ContainsAny(text, " \t\n\"=") {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + prefix + a.Key + "=" + text)
}

// WithAttrs implements slog.Handler.
func (h *plainLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		h.attr(&b, h.prefix, a)
	}
	return &plainLog{h.out, h.prefix, h.fixed + b.String()}
}

// WithGroup implements slog.Handler.
func (h *plainLog) WithGroup(name string) slog.Handler {
	return &plainLog{h.out, h.prefix + name + ".", h.fixed}
}

// RunFunction calls the Go function of a stage as a subprocess of another tool
// would: nothing is decided, recorded or cached. It is what `flow stage <name>`
// does when DVC or a shell spawns it.
func (e *Engine) RunFunction(ctx context.Context, s *pipeline.Stage, log io.Writer) error {
	n := e.byStage[s]
	if n == nil || n.goRef == nil {
		return fmt.Errorf("the command of stage '%s' names no stage function", s.Address(e.opt.Dir))
	}
	params, err := e.readParams(n)
	if err != nil {
		return err
	}
	if err := e.checkRunnable(n, &snapshot{deps: make([]content, len(n.Deps)), params: params}); err != nil {
		return err
	}
	return e.call(ctx, n, params, log)
}
