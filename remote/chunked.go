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
	// chunksAhead is how many of them are on their way at once for one object,
	// chunksAtOnce for all: with their size, what big objects take of memory.
	chunksAhead  = 5
	chunksAtOnce = 8
)

// chunkSlots is full when there are as many chunks as may be, and chunkBuffers
// has the buffers that are of no use at the moment.
var (
	chunkSlots   = make(chan struct{}, chunksAtOnce)
	chunkBuffers = sync.Pool{New: func() any { return new(chunkBuffer) }}
)

// chunked reads a big object in order from ranges that are fetched side by side.
// Chunks take their buffers in order, so that whoever waits for a buffer has none
// that another could wait for.
type chunked struct {
	ctx    context.Context
	cancel context.CancelFunc
	s      Store
	name   string
	end    int64
	size   int64       // of a chunk
	told   func(int64) // hears of the bytes that were read

	next  int64        // offset of the next chunk to ask for
	queue []chan chunk // in order
	now   []byte       // what is left of the current chunk
	buf   *chunkBuffer // that now is part of
	wg    sync.WaitGroup
	err   error
}

type chunkBuffer = [chunkSize]byte

type chunk struct {
	buf *chunkBuffer
	n   int
	err error
}

func newChunked(ctx context.Context, s Store, name string, offset, end int64, told func(int64)) *chunked {
	c := &chunked{s: s, name: name, next: offset, end: end, told: told}
	c.size = min(chunkSize, max(chunkLeast, (end-offset)/chunksAhead))
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// fill asks for chunks as long as there are buffers, and waits for the first.
func (c *chunked) fill() error {
	for c.next < c.end && len(c.queue) < chunksAhead {
		select {
		case chunkSlots <- struct{}{}:
		default:
			if len(c.queue) > 0 {
				return nil
			}
			select {
			case chunkSlots <- struct{}{}:
			case <-c.ctx.Done():
				return c.ctx.Err()
			}
		}
		buf := chunkBuffers.Get().(*chunkBuffer)
		offset, length := c.next, min(c.size, c.end-c.next)
		c.next += length
		done := make(chan chunk, 1)
		c.queue = append(c.queue, done)
		c.wg.Go(func() {
			n, err := c.get(buf[:length], offset)
			done <- chunk{buf, n, err}
		})
	}
	return nil
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
		if c.err != nil {
			return c.err
		}
		c.release(c.buf)
		c.buf = nil
		if c.err = c.fill(); c.err == nil && len(c.queue) == 0 {
			c.err = io.EOF
		}
		if c.err != nil {
			return c.err
		}
		got := <-c.queue[0]
		c.queue = c.queue[1:]
		c.buf, c.now, c.err = got.buf, got.buf[:got.n], got.err
	}
	return nil
}

// release gives a buffer back.
func (c *chunked) release(buf *chunkBuffer) {
	if buf != nil {
		chunkBuffers.Put(buf)
		<-chunkSlots
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

// WriteTo hands over whole chunks.
func (c *chunked) WriteTo(w io.Writer) (sum int64, err error) {
	for {
		if err := c.advance(); err == io.EOF { //nolint:errorlint // our own
			return sum, nil
		} else if err != nil {
			return sum, err
		}
		n, err := w.Write(c.now)
		c.now = c.now[n:]
		sum += int64(n)
		c.told(int64(n))
		if err != nil {
			return sum, err
		}
	}
}

func (c *chunked) Close() error {
	c.cancel()
	c.wg.Wait()
	c.release(c.buf)
	for _, done := range c.queue {
		c.release((<-done).buf)
	}
	c.queue, c.buf, c.now, c.err = nil, nil, nil, io.ErrClosedPipe
	return nil
}
