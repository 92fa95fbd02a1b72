package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/engine/pipeline"
)

// outputsAfter looks at the outputs that a command left and refuses what cannot
// be one.
func (e *Engine) outputsAfter(ctx context.Context, n *node, before *lock.Stage) ([]outState, error) {
	list := make([]outState, len(n.Outs))
	for i, o := range n.Outs {
		if err := e.checkOutput(n, o); err != nil {
			return nil, err
		}
		abs := e.abs(o.Path)
		e.ws.forget(abs)
		rec := recordedOut(before, o.Def)
		c := e.current(ctx, o.Path, e.look(ctx, o.Path, rec), rec)
		if c.missing() {
			return nil, hintError{fmt.Errorf("output '%s' does not exist", o.Def),
				"the command must write every output that the stage declares"}
		}
		if c.err != nil {
			return nil, fmt.Errorf("output '%s': %w", o.Def, c.err)
		}
		list[i] = outState{out: o, content: c, rec: rec}
		if c.entry.Size == 0 {
			e.warn(n, fmt.Sprintf("'%s' is empty.", e.show(o.Path)), "")
		}
		if o.Kind == pipeline.MetricOutput && c.tree == nil {
			if err := checkText(abs); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// checkOutput refuses an output that Git tracks or that .dvcignore hides.
func (e *Engine) checkOutput(n *node, o pipeline.Output) error {
	if !inside(o.Path) {
		if o.Cache {
			return outsideError(o.Def)
		}
		return nil
	}
	abs := e.abs(o.Path)
	if hit, rule := e.ignore.Check(o.Path, isDir(abs)); hit {
		return fmt.Errorf("Path '%s' is ignored by %s:%d:%s", abs, rule.File, rule.Line, rule.Pattern) //nolint:staticcheck,revive // DVC's words
	}
	if e.git == nil || !o.Cache {
		return nil
	}
	tracked, err := e.git.Tracked(abs)
	if err != nil {
		return fmt.Errorf("output '%s': %w", o.Def, err)
	}
	if tracked {
		return hintError{
			fmt.Errorf("output '%s' is already tracked by SCM (e.g. Git).", o.Def), //nolint:staticcheck,revive // DVC's words
			fmt.Sprintf("stop tracking it: git rm -r --cached '%s' && git commit -m \"stop tracking %s\"", e.show(o.Path), e.show(o.Path)),
		}
	}
	return nil
}

// checkText refuses a metrics file that is not text, by DVC's rule: a NUL byte
// or more than 30 % of unprintable bytes among the first 512.
func checkText(abs string) error {
	f, err := os.Open(abs)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	defer f.Close()
	head := make([]byte, 512)
	k, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read metrics: %w", err)
	}
	if !looksLikeText(head[:k]) {
		return fmt.Errorf("binary file '%s' cannot be used as metrics.", abs) //nolint:staticcheck,revive // DVC's words
	}
	return nil
}

func looksLikeText(b []byte) bool {
	odd := 0
	for _, c := range b {
		switch {
		case c == 0:
			return false
		case c >= 0x20 && c < 0x7f, c == '\n', c == '\r', c == '\t', c == '\f', c == '\b':
		default:
			odd++
		}
	}
	return float64(odd) <= 0.3*float64(len(b))
}

// storeOutputs puts the outputs into the cache. Outputs that are not cached are
// left alone, but metrics and plots of a stage whose results are recorded are
// stored so that these can be restored.
func (e *Engine) storeOutputs(ctx context.Context, n *node, outs []outState, relink bool) error {
	for i := range outs {
		o := &outs[i]
		if o.content.err != nil || !o.out.Cache && !e.recordable(n) {
			continue
		}
		if err := e.storeOutput(ctx, o.out, o.content, relink); err != nil {
			return fmt.Errorf("store output '%s': %w", o.out.Def, err)
		}
	}
	return nil
}

func (e *Engine) storeOutput(ctx context.Context, o pipeline.Output, c content, relink bool) error {
	if !o.Cache && o.Kind == pipeline.PlainOutput || !inside(o.Path) {
		return nil
	}
	var m *cache.Manifest
	if c.tree != nil {
		var err error
		if m, err = c.tree.Manifest(ctx); err != nil {
			return err
		}
	}
	opt := cache.SaveOptions{Relink: relink && o.Cache && !o.Persist}
	if err := e.opt.Store.Save(ctx, e.abs(o.Path), c.entry, m, opt); err != nil {
		return err
	}
	if o.Cache {
		e.links().note(o.Path, c.entry.Digest)
	}
	return nil
}

// ignoreOutputs keeps Git from seeing the outputs that the cache holds.
func (e *Engine) ignoreOutputs(n *node) error {
	if e.git == nil {
		return nil
	}
	for _, o := range n.Outs {
		if !o.Cache || !inside(o.Path) {
			continue
		}
		changed, file, err := e.git.AddIgnore(e.abs(o.Path))
		if err != nil {
			return fmt.Errorf("ignore output '%s': %w", o.Def, err)
		}
		if changed {
			e.emit(Event{Kind: FileChanged, Stage: n.name, Index: n.place, File: e.showAbs(file)})
		}
	}
	return nil
}

// logLimit bounds what a record keeps of a log: its end, where errors are.
const logLimit = 64 << 10

func (e *Engine) logTail(n *node) string {
	if !e.states.logged(n) {
		return ""
	}
	data, err := os.ReadFile(e.states.logPath(n))
	if err != nil {
		return ""
	}
	if len(data) > logLimit {
		data = data[len(data)-logLimit:]
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			data = data[i+1:]
		}
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

// stageOutput sends what a command writes to the stage's log at once and to the
// sinks line by line. Safe for concurrent use: a Go stage's goroutines share it.
type stageOutput struct {
	mu   sync.Mutex
	e    *Engine
	n    *node
	log  io.Writer
	line []byte
}

// maxLine bounds a line that is held back for its end.
const maxLine = 8 << 10

// Write implements io.Writer. A log that cannot be written does not stop the
// stage: its output still reaches the sinks.
func (w *stageOutput) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.log.Write(p)
	w.line = append(w.line, p...)
	if i := bytes.LastIndexByte(w.line, '\n'); i >= 0 {
		w.emit(w.line[:i+1])
		w.line = append(w.line[:0], w.line[i+1:]...)
	}
	if len(w.line) > maxLine {
		w.rest()
	}
	return len(p), nil
}

// flush lets out a last line without an end.
func (w *stageOutput) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest()
}

func (w *stageOutput) rest() {
	if len(w.line) > 0 {
		w.emit(w.line)
		w.line = w.line[:0]
	}
}

func (w *stageOutput) emit(b []byte) {
	w.e.emit(Event{Kind: OutputLine, Stage: w.n.name, Index: w.n.place, Text: string(b)})
}
