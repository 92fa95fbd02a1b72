package serve

import (
	"bytes"
	"context"
	"net"
)

// gatherer is a listener whose connections can gather what is written. net/http
// sends an answer that is longer than its buffer of 4 KiB in two parts, and the
// client of a page wakes up for each of them.
type gatherer struct{ net.Listener }

func (l gatherer) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &gathering{TCPConn: tcp}, err
	}
	return c, err
}

// gathering is a connection. Only the goroutine that answers its request writes.
type gathering struct {
	*net.TCPConn
	held *bytes.Buffer // nil while it does not gather
	err  error         // of what was gathered and could not be sent
}

func (g *gathering) Write(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if g.held != nil {
		return g.held.Write(p)
	}
	return g.TCPConn.Write(p)
}

// gather keeps what is written until send is called.
func (g *gathering) gather() {
	g.held = buffers.Get().(*bytes.Buffer) //nolint:errcheck,forcetypeassert // the pool has nothing else
	g.held.Reset()
}

// send sends what was gathered. A fault is that of the next write.
func (g *gathering) send() {
	held := g.held
	g.held = nil
	if held.Len() > 0 {
		_, g.err = g.TCPConn.Write(held.Bytes())
	}
	recycle(held)
}

type gatheringKey struct{}

// withConn gives the context of a connection's requests the connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if g, ok := c.(*gathering); ok {
		return context.WithValue(ctx, gatheringKey{}, g)
	}
	return ctx
}
