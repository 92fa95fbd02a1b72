package remote

import (
	"context"
	"io"
	"sync"
)

const (
	// chunkSize is how much of a big object one request asks for.
	chunkSize = 8 << 20
	// chunksAhead is how many of them are on their way at once: with their
	// size, what a big object takes of memory.
	chunksAhead = 6
)

// chunked reads a big object in order from ranges that are fetched side by side.
type chunked struct {
	ctx    context.Context
	cancel context.CancelFunc
	s      Store
	name   string
	end    int64

	next  int64        // offset of the next chunk to ask for
	queue []chan chunk // in order
	spare chan []byte  // buffers
	now   []byte       // what is left of the current chunk
	buf   []byte       // the buffer that now is part of
	wg    sync.WaitGroup
	err   error
}

type chunk struct {
	buf []byte
	n   int
	err error
}

func newChunked(ctx context.Context, s Store, name string, offset, end int64) *chunked {
	c := &chunked{s: s, name: name, next: offset, end: end, spare: make(chan []byte, chunksAhead)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	for range chunksAhead {
		c.spare <- nil
	}
	c.fill()
	return c
}

// fill asks for chunks as long as there are buffers.
func (c *chunked) fill() {
	for c.next < c.end {
		var buf []byte
		select {
		case buf = <-c.spare:
		default:
			return
		}
		if buf == nil {
			buf = make([]byte, chunkSize)
		}
		offset, length := c.next, min(chunkSize, c.end-c.next)
		c.next += length
		done := make(chan chunk, 1)
		c.queue = append(c.queue, done)
		c.wg.Go(func() {
			n, err := c.get(buf[:length], offset)
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

func (c *chunked) Read(p []byte) (int, error) {
	for len(c.now) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		if c.buf != nil {
			c.spare <- c.buf
			c.buf = nil
			c.fill()
		}
		if len(c.queue) == 0 {
			c.err = io.EOF
			return 0, io.EOF
		}
		got := <-c.queue[0]
		c.queue = c.queue[1:]
		c.buf, c.now, c.err = got.buf, got.buf[:got.n], got.err
	}
	n := copy(p, c.now)
	c.now = c.now[n:]
	return n, nil
}

func (c *chunked) Close() error {
	c.cancel()
	c.wg.Wait()
	return nil
}
