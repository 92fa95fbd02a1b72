package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowrepro/flow/stages/model"
)

// loaded is a model that answers requests. It does not change.
type loaded struct {
	*model.Model
	Version
	at    time.Time
	drift *drift
	// label names the model in answers and logs: name/version.
	label string
}

// shown returns the version of the model as it is shown: the registry's number,
// else the beginning of the digest.
func (l *loaded) shown() string {
	if l.Number != "" {
		return l.Number
	}
	return l.Digest()[:12]
}

// holder keeps the model of a source. current may be read at any time.
type holder struct {
	role     string
	source   Source
	remember string
	drift    DriftOptions
	log      *slog.Logger
	metrics  *metrics
	current  atomic.Pointer[loaded]
	status   atomic.Pointer[status]
	mu       sync.Mutex // held while loading
}

// status is how the last look at the source went.
type status struct {
	at  time.Time
	err error
}

// refresh makes current what the source means now. After an error current is
// what it was.
func (h *holder) refresh(ctx context.Context) (changed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed, err = h.load(ctx)
	if err != nil && ctx.Err() != nil {
		return changed, ctx.Err()
	}
	previous := h.status.Swap(&status{time.Now(), err})
	switch {
	case err != nil:
		h.metrics.reloads.WithLabelValues("error").Inc()
		if previous == nil || previous.err == nil || previous.err.Error() != err.Error() {
			h.log.Error("model not loaded", "role", h.role, "source", h.source.String(), "error", err.Error())
		}
	case changed:
		h.metrics.reloads.WithLabelValues("success").Inc()
		if l := h.current.Load(); l != nil {
			h.log.Info("model loaded", "role", h.role, "source", h.source.String(), "model", l.label, "run_id", l.RunID, "digest", l.Digest())
		} else {
			h.log.Info("model withdrawn", "role", h.role, "source", h.source.String())
		}
	}
	return changed, err
}

func (h *holder) load(ctx context.Context) (bool, error) {
	v, err := h.source.Resolve(ctx)
	if err != nil {
		// A second model may come and go.
		if h.role != roleModel && errors.Is(err, ErrNotFound) {
			return h.current.Swap(nil) != nil, nil
		}
		return false, fmt.Errorf("resolve %s: %w", h.source, err)
	}
	if l := h.current.Load(); l != nil && l.Identity == v.Identity {
		return false, nil
	}
	dir, err := h.source.Fetch(ctx, v)
	if err != nil {
		return false, fmt.Errorf("fetch %s: %w", h.source, err)
	}
	l, err := h.open(dir, v)
	if err != nil {
		return false, err
	}
	if h.current.Swap(l) != nil {
		// The one before is as large; it goes once its requests are answered.
		debug.FreeOSMemory()
	}
	if h.remember != "" {
		if err := remember(h.remember, dir, l, h.source.String()); err != nil {
			h.log.Warn("model not remembered", "error", err.Error())
		}
	}
	return true, nil
}

// open loads and warms a model: its files have been verified and its example
// predicted when model.Open returns.
func (h *holder) open(dir string, v Version) (*loaded, error) {
	m, err := model.Open(dir)
	if err != nil {
		return nil, err
	}
	if v.Name == "" {
		v.Name = "model"
	}
	l := &loaded{Model: m, Version: v, at: time.Now(), drift: newDrift(m.Statistics(), h.drift)}
	l.label = l.Name + "/" + l.shown()
	text, _ := m.Example()
	for _, t := range []string{text, "", "A first text."} {
		m.Predict(t)
		m.Explain(t, 1)
	}
	return l, nil
}

// boot loads a model for the first time: from the source, else what is
// remembered. The error is that of the source.
func (h *holder) boot(ctx context.Context) error {
	_, err := h.refresh(ctx)
	if err == nil || h.remember == "" {
		return err
	}
	dir, v, digest, recallErr := recall(h.remember, h.source.String())
	if recallErr != nil {
		return err
	}
	l, openErr := h.open(dir, v)
	if openErr != nil || l.Digest() != digest {
		return err
	}
	h.current.Store(l)
	h.log.Warn("serving the last good model", "model", l.label, "error", err.Error())
	return nil
}

// follow refreshes every now and then until ctx is done.
func (h *holder) follow(ctx context.Context, every time.Duration) {
	for every > 0 {
		// Servers that were started together ask at different times.
		wait := time.Duration(float64(every) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		_, _ = h.refresh(ctx) // logged and counted
	}
}
