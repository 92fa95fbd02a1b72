package cmd

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// logDelay is how long a line of the server's log waits for others: a write
	// wakes whoever reads the log, which takes a tenth of what answering does.
	logDelay = 20 * time.Millisecond
	// logGathered is how many bytes wait at most.
	logGathered = 32 << 10
)

// gatheredLog writes lines together. Its methods may be called concurrently.
type gatheredLog struct {
	w io.Writer

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // set while lines wait
}

// Write takes whole lines. What became of them later is not told.
func (g *gatheredLog) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, p...)
	switch {
	case len(g.lines) >= logGathered:
		g.write()
	case g.timer == nil:
		g.timer = time.AfterFunc(logDelay, g.flush)
	}
	return len(p), nil
}

// flush writes what waits.
func (g *gatheredLog) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.write()
}

func (g *gatheredLog) write() {
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	if len(g.lines) > 0 {
		_, _ = g.w.Write(g.lines) // there is nowhere to tell it
		g.lines = g.lines[:0]
	}
}

// promptly is a handler that lets no line wait that is more than information.
type promptly struct {
	slog.Handler
	flush func()
}

func (h promptly) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level > slog.LevelInfo {
		h.flush()
	}
	return err
}

func (h promptly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptly{h.Handler.WithAttrs(attrs), h.flush}
}

func (h promptly) WithGroup(name string) slog.Handler {
	return promptly{h.Handler.WithGroup(name), h.flush}
}
