package remote

import (
	"context"
	"io"
	"iter"

	"golang.org/x/time/rate"
)

// LimitOptions bound the use of a store.
type LimitOptions struct {
	// Requests is how many operations run at once; 0 means no bound. A Get
	// runs until its reader is closed.
	Requests int
	// Bandwidth is in bytes a second, both directions together; 0 means no
	// bound.
	Bandwidth int64
}

// limited is a Store with bounds.
type limited struct {
	Store
	slots chan struct{}
	rate  *rate.Limiter
}

// bandwidthBurst is how many bytes may pass at once.
const bandwidthBurst = 64 << 10

// Limit returns s with bounds on operations at once and on bandwidth.
func Limit(s Store, o LimitOptions) Store {
	l := &limited{Store: s}
	if o.Requests > 0 {
		l.slots = make(chan struct{}, o.Requests)
	}
	if o.Bandwidth > 0 {
		l.rate = rate.NewLimiter(rate.Limit(o.Bandwidth), bandwidthBurst)
	}
	if l.slots == nil && l.rate == nil {
		return s
	}
	return l
}

func (l *limited) enter(ctx context.Context) error {
	if l.slots == nil {
		return nil
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *limited) leave() {
	if l.slots != nil {
		<-l.slots
	}
}

// pay waits until n bytes may pass.
func (l *limited) pay(ctx context.Context, n int) error {
	if l.rate == nil {
		return nil
	}
	for n > 0 {
		k := min(n, bandwidthBurst)
		if err := l.rate.WaitN(ctx, k); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

func (l *limited) Stat(ctx context.Context, name string) (Info, error) {
	if err := l.enter(ctx); err != nil {
		return Info{}, err
	}
	defer l.leave()
	return l.Store.Stat(ctx, name)
}

func (l *limited) Remove(ctx context.Context, names ...string) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return l.Store.Remove(ctx, names...)
}

func (l *limited) Put(ctx context.Context, name string, b Body) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	if l.rate != nil {
		b = &slowBody{b, ctx, l}
	}
	return l.Store.Put(ctx, name, b)
}

func (l *limited) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := l.enter(ctx); err != nil {
			yield(Info{}, err)
			return
		}
		defer l.leave()
		l.Store.List(ctx, prefix)(yield)
	}
}

func (l *limited) Get(ctx context.Context, name string, r Range) (io.ReadCloser, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	body, err := l.Store.Get(ctx, name, r)
	if err != nil {
		l.leave()
		return nil, err
	}
	return &limitedReader{body: body, ctx: ctx, l: l}, nil
}

type slowBody struct {
	Body
	ctx context.Context
	l   *limited
}

func (b *slowBody) ReadAt(p []byte, off int64) (int, error) {
	if err := b.l.pay(b.ctx, len(p)); err != nil {
		return 0, err
	}
	return b.Body.ReadAt(p, off)
}

type limitedReader struct {
	body   io.ReadCloser
	ctx    context.Context
	l      *limited
	closed bool
}

func (r *limitedReader) Read(p []byte) (int, error) {
	if r.l.rate != nil && len(p) > bandwidthBurst {
		p = p[:bandwidthBurst]
	}
	n, err := r.body.Read(p)
	if perr := r.l.pay(r.ctx, n); perr != nil && err == nil {
		err = perr
	}
	return n, err
}

func (r *limitedReader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	defer r.l.leave()
	return r.body.Close()
}
