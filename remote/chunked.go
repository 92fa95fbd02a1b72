package remote

import (
	"context"
	"io"
	"sync"
)

const (
	// chunkSize is how much of a big object one request asks for, chunkLeast
	// how much of one that is not so big: the server's work and ours for each
	// request show below 16 MiB.
	chunkSize  = 16 << 20
	chunkLeast = 4 << 20
	// chunksAhead is how many of them are on their way or in use at once for one
	// object, chunksAtOnce for all: with their size, what big objects take of
	// memory.
	chunksAhead  = 5
	chunksAtOnce = 8
)

// chunkSlots is full when there are as many chunks as may be.
var chunkSlots = make(chan struct{}, chunksAtOnce)

// chunkBuffers keeps the buffers that are of no use at the moment as long as others
// are in use: there are never more than slots. (A sync.Pool makes new ones while it
// has some that another processor gave back.)
var chunkBuffers bufferList

type bufferList struct {
	mu   sync.Mutex
	free []*chunkBuffer
	used int
}

func (l *bufferList) take() *chunkBuffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used++
	if n := len(l.free); n > 0 {
		buf := l.free[n-1]
		l.free = l.free[:n-1]
		return buf
	}
	return new(chunkBuffer)
}

func (l *bufferList) give(buf *chunkBuffer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, buf)
	if l.used--; l.used == 0 {
		l.free = nil
	}
}

// chunked reads a big object in order from ranges that are fetched side by side.
// Chunks take their buffers in order, and whoever has one is done with it without
// another, so that all who wait for one get it.
type chunked struct {
	ctx    context.Context
	cancel context.CancelFunc
	s      Store
	name   string
	size   int64       // of a chunk
	told   func(int64) // hears of the bytes that were read
	left   int64       // what Left returns

	queue  chan chan chunk // what was asked for, in order
	places chan struct{}   // full when there are as many chunks as may be of this object
	now    []byte          // what is left of the current chunk
	buf    *chunkBuffer    // that now is part of
	wg     sync.WaitGroup
	err    error
}

type chunkBuffer = [chunkSize]byte

type chunk struct {
	buf *chunkBuffer
	n   int
	err error
}

// blockWriter is a writer that can go on with a block while it is given the next.
type blockWriter interface {
	io.Writer
	// WriteBlock writes p like Write, but may return before it is done with p.
	// It calls release once when it is, also when it returns an error, and from
	// any goroutine.
	WriteBlock(p []byte, release func()) (int, error)
}

// newChunked reads the object from offset to end. It begins at once, and has to be
// closed.
func newChunked(ctx context.Context, s Store, name string, offset, end int64, told func(int64)) *chunked {
	c := &chunked{
		s: s, name: name, told: told,
		size:   min(chunkSize, max(chunkLeast, (end-offset)/chunksAhead)),
		places: make(chan struct{}, chunksAhead),
		queue:  make(chan chan chunk, chunksAhead),
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.wg.Go(func() { c.ask(offset, end) })
	return c
}

// Left returns how many bytes are to come, as far as whoever made c trusts what the
// remote tells of that; otherwise 0.
func (c *chunked) Left() int64 { return c.left }

// ask asks for chunks as long as there are buffers.
func (c *chunked) ask(offset, end int64) {
	defer close(c.queue)
	for offset < end {
		select {
		case c.places <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		select {
		case chunkSlots <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		buf := chunkBuffers.take()
		at, length := offset, min(c.size, end-offset)
		offset += length
		done := make(chan chunk, 1)
		c.queue <- done
		c.wg.Go(func() {
			n, err := c.get(buf[:length], at)
			done <- chunk{buf, n, err}
		})
	}
}

func (c *chunked) get(buf []byte, offset int64) (int, error) {
	r, err := c.s.Get(c.ctx, c.name, Range{Offset: offset, Length: int64(len(buf))})
	if err != nil {
		return 0, err
	}
	defer r.Close() //nolint:errcheck // what it yields is verified
	n, err := io.ReadFull(r, buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // ReadFull returns them as they are
		err = &Error{Op: "get", Name: c.name, Kind: Unavailable, Err: io.ErrUnexpectedEOF}
	}
	return n, err
}

// advance sees to it that there is something left of the current chunk.
func (c *chunked) advance() error {
	for len(c.now) == 0 {
		c.release(c.buf)
		c.buf = nil
		if c.err != nil {
			return c.err
		}
		done, ok := <-c.queue
		if !ok {
			// Without an error of the context, all was asked for.
			if c.err = c.ctx.Err(); c.err == nil {
				c.err = io.EOF
			}
			return c.err
		}
		got := <-done
		c.buf, c.now, c.err = got.buf, got.buf[:got.n], got.err
	}
	return nil
}

// release gives a buffer back.
func (c *chunked) release(buf *chunkBuffer) {
	if buf != nil {
		chunkBuffers.give(buf)
		<-chunkSlots
		<-c.places
	}
}

func (c *chunked) Read(p []byte) (int, error) {
	if err := c.advance(); err != nil {
		return 0, err
	}
	n := copy(p, c.now)
	c.now = c.now[n:]
	c.told(int64(n))
	return n, nil
}

// WriteTo hands over whole chunks, to a blockWriter with their buffers.
func (c *chunked) WriteTo(w io.Writer) (sum int64, err error) {
	for {
		if err := c.advance(); err == io.EOF { //nolint:errorlint // our own
			return sum, nil
		} else if err != nil {
			return sum, err
		}
		n, err := c.give(w)
		sum += int64(n)
		c.told(int64(n))
		if err != nil {
			return sum, err
		}
	}
}

// give writes what is left of the current chunk.
func (c *chunked) give(w io.Writer) (int, error) {
	now, buf := c.now, c.buf
	if b, ok := w.(blockWriter); ok {
		c.now, c.buf = nil, nil
		return b.WriteBlock(now, func() { c.release(buf) })
	}
	n, err := w.Write(now)
	c.now = now[n:]
	return n, err
}

// Close ends the requests. What a blockWriter has is its own until it releases it.
func (c *chunked) Close() error {
	c.cancel()
	c.release(c.buf)
	for done := range c.queue {
		c.release((<-done).buf)
	}
	c.wg.Wait()
	c.buf, c.now, c.err = nil, nil, io.ErrClosedPipe
	return nil
}
