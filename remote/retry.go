package remote

import (
	"context"
	"io"
	"iter"
	"math/rand/v2"
	"sync"
	"time"
)

// RetryOptions say how often and how slowly operations are tried again.
type RetryOptions struct {
	// Attempts is how often in all; 0 means 8.
	Attempts int
	// Base is the first pause at most, doubled with each attempt up to Max;
	// 0 means 100 ms and 10 s. The pause is drawn between nothing and that.
	Base, Max time.Duration
	// MaxWait bounds the time a server may ask to wait; 0 means a minute.
	MaxWait time.Duration
	// Sleep waits; nil means for real.
	Sleep func(context.Context, time.Duration) error
}

// Retrier tries operations again that may succeed then, with growing pauses
// and full jitter. When a server asks to wait, everyone who shares the Retrier
// does. It is safe for concurrent use.
type Retrier struct {
	o     RetryOptions
	mu    sync.Mutex
	until time.Time
}

// NewRetrier returns a Retrier.
func NewRetrier(o RetryOptions) *Retrier {
	if o.Attempts == 0 {
		o.Attempts = 8
	}
	if o.Base == 0 {
		o.Base = 100 * time.Millisecond
	}
	if o.Max == 0 {
		o.Max = 10 * time.Second
	}
	if o.MaxWait == 0 {
		o.MaxWait = time.Minute
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Retrier{o: o}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Do calls fn until it succeeds, fails for good, or has been tried often enough.
func (r *Retrier) Do(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		if err := r.gate(ctx); err != nil {
			return err
		}
		err := fn()
		if err == nil || ctx.Err() != nil || !temporary(err) || attempt >= r.o.Attempts {
			return err
		}
		if perr := r.pause(ctx, attempt, err); perr != nil {
			return err
		}
	}
}

// gate waits for the end of a pause that a server has asked for.
func (r *Retrier) gate(ctx context.Context) error {
	r.mu.Lock()
	wait := time.Until(r.until)
	r.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	return r.o.Sleep(ctx, wait)
}

// pause waits before the next attempt.
func (r *Retrier) pause(ctx context.Context, attempt int, err error) error {
	if wait := min(waitOf(err), r.o.MaxWait); wait > 0 {
		r.mu.Lock()
		if until := time.Now().Add(wait); until.After(r.until) {
			r.until = until
		}
		r.mu.Unlock()
		return r.o.Sleep(ctx, wait)
	}
	most := r.o.Max
	if shift := attempt - 1; shift < 20 {
		most = min(most, r.o.Base<<shift)
	}
	return r.o.Sleep(ctx, rand.N(most)+1)
}

// retrying is a Store that tries again.
type retrying struct {
	Store
	r *Retrier
}

// Retry returns s with operations tried again. A reader that breaks off goes on
// where it was.
func Retry(s Store, r *Retrier) Store { return &retrying{s, r} }

func (s *retrying) Stat(ctx context.Context, name string) (info Info, err error) {
	err = s.r.Do(ctx, func() error {
		info, err = s.Store.Stat(ctx, name)
		return err
	})
	return info, err
}

func (s *retrying) Put(ctx context.Context, name string, b Body) error {
	return s.r.Do(ctx, func() error { return s.Store.Put(ctx, name, b) })
}

func (s *retrying) Remove(ctx context.Context, names ...string) error {
	return s.r.Do(ctx, func() error { return s.Store.Remove(ctx, names...) })
}

// List tries again from the start, passing over what was yielded already:
// a listing that breaks off in the middle is rare.
func (s *retrying) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var given []string
		over := false
		err := s.r.Do(ctx, func() error {
			before := make(map[string]struct{}, len(given))
			for _, name := range given {
				before[name] = struct{}{}
			}
			for info, err := range s.Store.List(ctx, prefix) {
				if err != nil {
					return err
				}
				if _, ok := before[info.Name]; ok {
					continue
				}
				given = append(given, info.Name)
				if !yield(info, nil) {
					over = true
					return nil
				}
			}
			return nil
		})
		if err != nil && !over {
			yield(Info{}, err)
		}
	}
}

func (s *retrying) Get(ctx context.Context, name string, r Range) (io.ReadCloser, error) {
	g := &resuming{ctx: ctx, s: s, name: name, at: r.Offset, left: -1}
	if r.Length > 0 {
		g.left = r.Length
	}
	if err := s.r.Do(ctx, g.open); err != nil {
		return nil, err
	}
	return g, nil
}

// resuming is a reader that opens the object again, where it was, when reading
// fails.
type resuming struct {
	ctx  context.Context
	s    *retrying
	name string
	at   int64 // next byte
	left int64 // bytes to come, -1 when up to the end
	body io.ReadCloser
	// failed counts failures since the last byte that came.
	failed int
}

func (g *resuming) open() error {
	r := Range{Offset: g.at}
	if g.left > 0 {
		r.Length = g.left
	}
	body, err := g.s.Store.Get(g.ctx, g.name, r)
	g.body = body
	return err
}

func (g *resuming) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	for {
		if g.body == nil {
			if err := g.s.r.Do(g.ctx, g.open); err != nil {
				return 0, err
			}
		}
		n, err := g.body.Read(p)
		g.at += int64(n)
		if g.left > 0 {
			g.left = max(g.left-int64(n), 0)
		}
		if n > 0 {
			g.failed = 0
		}
		if err == nil || err == io.EOF { //nolint:errorlint // the end is io.EOF itself, never wrapped
			return n, err
		}
		if g.failed++; !temporary(err) || g.failed >= g.s.r.o.Attempts || g.ctx.Err() != nil {
			return n, err
		}
		_ = g.body.Close() // it has failed already
		g.body = nil
		if n > 0 {
			return n, nil
		}
		if perr := g.s.r.pause(g.ctx, g.failed, err); perr != nil {
			return 0, err
		}
	}
}

func (g *resuming) Close() error {
	if g.body == nil {
		return nil
	}
	return g.body.Close()
}
