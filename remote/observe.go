package remote

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"
)

// Operation is one finished operation on a store.
type Operation struct {
	// Op is stat, get, put, list or remove.
	Op   string
	Name string
	// Bytes is what was read or written.
	Bytes int64
	Took  time.Duration
	Err   error
}

// observed is a Store that tells of its operations.
type observed struct {
	Store
	tell func(Operation)
}

// Observe returns s with tell called after each operation, from whatever
// goroutine; a Get is over when its reader is closed.
func Observe(s Store, tell func(Operation)) Store { return &observed{s, tell} }

func (o *observed) done(op, name string, bytes int64, began time.Time, err error) {
	o.tell(Operation{op, name, bytes, time.Since(began), err})
}

func (o *observed) Stat(ctx context.Context, name string) (Info, error) {
	began := time.Now()
	info, err := o.Store.Stat(ctx, name)
	o.done("stat", name, 0, began, err)
	return info, err
}

func (o *observed) Put(ctx context.Context, name string, b Body) error {
	began := time.Now()
	err := o.Store.Put(ctx, name, b)
	var n int64
	if err == nil {
		n = b.Size()
	}
	o.done("put", name, n, began, err)
	return err
}

func (o *observed) Remove(ctx context.Context, names ...string) error {
	began := time.Now()
	err := o.Store.Remove(ctx, names...)
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	o.done("remove", first, 0, began, err)
	return err
}

func (o *observed) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		began := time.Now()
		var failed error
		o.Store.List(ctx, prefix)(func(i Info, err error) bool {
			failed = err
			return yield(i, err)
		})
		o.done("list", prefix, 0, began, failed)
	}
}

func (o *observed) Get(ctx context.Context, name string, r Range) (io.ReadCloser, error) {
	began := time.Now()
	body, err := o.Store.Get(ctx, name, r)
	if err != nil {
		o.done("get", name, 0, began, err)
		return nil, err
	}
	return &observedReader{body: body, o: o, name: name, began: began}, nil
}

type observedReader struct {
	body  io.ReadCloser
	o     *observed
	name  string
	began time.Time
	n     int64
	err   error
	once  sync.Once
}

func (r *observedReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.n += int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

func (r *observedReader) Close() error {
	err := r.body.Close()
	r.once.Do(func() { r.o.done("get", r.name, r.n, r.began, r.err) })
	return err
}

// Metrics counts operations. The zero Metrics is ready; Add is for Observe.
type Metrics struct {
	mu sync.Mutex
	by map[string]Count
}

// Count sums up the operations of one kind.
type Count struct {
	Operations int64         `json:"operations"`
	Failed     int64         `json:"failed,omitempty"`
	Bytes      int64         `json:"bytes,omitempty"`
	Took       time.Duration `json:"took_ns"`
}

// Add counts an operation.
func (m *Metrics) Add(op Operation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[string]Count{}
	}
	c := m.by[op.Op]
	c.Operations++
	c.Bytes += op.Bytes
	c.Took += op.Took
	if op.Err != nil {
		c.Failed++
	}
	m.by[op.Op] = c
}

// Counts returns what was counted, by Operation.Op.
func (m *Metrics) Counts() map[string]Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]Count, len(m.by))
	for k, c := range m.by {
		out[k] = c
	}
	return out
}
