package serve

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
)

// What is gathered arrives as one piece, after what was written before and before
// what is written later, and a fault of sending it is that of the next write.
func TestGathering(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := gatherer{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	g, ok := withConn(context.Background(), c).Value(gatheringKey{}).(*gathering)
	if !ok {
		t.Fatalf("a connection of %T", c)
	}
	write := func(s string) {
		t.Helper()
		if n, err := g.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	write("before ")
	g.gather()
	head, body := strings.Repeat("h", 4096), strings.Repeat("b", 9000)
	write(head)
	write(body)
	if g.held.Len() != len(head)+len(body) {
		t.Errorf("%d bytes held", g.held.Len())
	}
	g.send()
	g.gather()
	g.send() // nothing
	write(" after")
	want := "before " + head + body + " after"
	have := make([]byte, len(want))
	if _, err := io.ReadFull(client, have); err != nil || !bytes.Equal(have, []byte(want)) {
		t.Fatalf("%v: %d bytes differ from those written", err, len(have))
	}
	g.gather()
	write("lost")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	g.send()
	if _, err := g.Write([]byte("x")); err == nil {
		t.Error("no error after what could not be sent")
	}
}
