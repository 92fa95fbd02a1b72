package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// giver is a reader that gives blocks away, then ends with err. It fails the test
// for a block that is not released once, or changed before it is.
type giver struct {
	t        *testing.T
	data     []byte
	block    int
	before   func(i int) // is called before each block
	err      error
	given    int
	released atomic.Int64
}

func (g *giver) Read([]byte) (int, error) { g.t.Error("Read was called"); return 0, io.EOF }
func (g *giver) Close() error             { return nil }

func (g *giver) WriteTo(w io.Writer) (sum int64, err error) {
	b, ok := w.(interface {
		WriteBlock(p []byte, release func()) (int, error)
	})
	if !ok {
		g.t.Fatal("no WriteBlock")
	}
	for len(g.data) > 0 {
		if g.before != nil {
			g.before(g.given)
		}
		p := bytes.Clone(g.data[:min(g.block, len(g.data))])
		g.data = g.data[len(p):]
		g.given++
		var once atomic.Bool
		n, err := b.WriteBlock(p, func() {
			if once.Swap(true) {
				g.t.Error("a block was released twice")
			}
			clear(p) // whoever still uses it has the wrong content
			g.released.Add(1)
		})
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, g.err
}

// check is called when nobody may have a block any more.
func (g *giver) check() {
	g.t.Helper()
	if n := g.released.Load(); n != int64(g.given) {
		g.t.Errorf("%d of %d blocks were released", n, g.given)
	}
}

// content is n bytes that no block of repeats.
func content(n int) []byte {
	data := make([]byte, n)
	x := uint32(1)
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}

func openTest(t *testing.T, h *Hash) *Store {
	t.Helper()
	s, err := Open(Options{Dir: filepath.Join(t.TempDir(), "cache"), Hash: h})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPutPartOfBlocks(t *testing.T) {
	for _, h := range []*Hash{MD5, BLAKE3, MD5Text} {
		data := content(5<<20 + 7)
		d := digestOf(h, data, false)
		s := openTest(t, h)
		g := &giver{t: t, data: data, block: 300_001}
		n, err := s.PutPart(t.Context(), d, func(int64) (io.ReadCloser, error) { return g, nil })
		if err != nil || n != int64(len(data)) {
			t.Errorf("%s: %d, %v", h.Name, n, err)
		}
		g.check()
		if got, err := os.ReadFile(s.Path(d)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: another content, %v", h.Name, err)
		}
	}
}

// TestPutPartGoesOn breaks off a transfer, and by ending its context, and expects
// that all that was taken is kept.
func TestPutPartGoesOn(t *testing.T) {
	data := content(4 << 20)
	d := digestOf(MD5, data, false)
	broken := errors.New("broken")
	for _, cancels := range []bool{false, true} {
		s := openTest(t, MD5)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		g := &giver{t: t, data: data[:3<<20], block: 1 << 18, err: broken}
		want := broken
		if cancels {
			want = context.Canceled
			g.before = func(i int) {
				if i == 5 {
					cancel()
				}
			}
		}
		n, err := s.PutPart(ctx, d, func(int64) (io.ReadCloser, error) { return g, nil })
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		g.check()
		if !s.Begun(d) || s.Has(d) {
			t.Error("the beginning is not kept")
		}
		if kept, err := os.ReadFile(s.partPath(d)); err != nil || !bytes.Equal(kept, data[:n]) || n == 0 {
			t.Errorf("%d bytes kept of %d taken, %v", len(kept), n, err)
		}
		_, err = s.PutPart(t.Context(), d, func(offset int64) (io.ReadCloser, error) {
			if offset != n {
				t.Errorf("goes on at %d, want %d", offset, n)
			}
			g = &giver{t: t, data: data[offset:], block: 1 << 19}
			return g, nil
		})
		if err != nil {
			t.Error(err)
		}
		g.check()
		if got, err := os.ReadFile(s.Path(d)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("another content, %v", err)
		}
	}
}

// failing takes so many writes, each of them half when it fails, and then no more.
type failing struct {
	after  int
	err    error
	got    bytes.Buffer
	failed bool
	t      *testing.T
}

func (f *failing) Write(p []byte) (int, error) {
	if f.failed {
		f.t.Error("written behind a hole")
	}
	if f.after--; f.after < 0 {
		f.failed = true
		n, _ := f.got.Write(p[:len(p)/2])
		return n, f.err
	}
	return f.got.Write(p)
}

func TestSideBySideFails(t *testing.T) {
	data := content(20 << 10)
	full := errors.New("full")
	for after := range 20 {
		for side := range 2 {
			good, bad := &failing{t: t, after: 100}, &failing{t: t, after: after, err: full}
			w := [2]io.Writer{good, good}
			w[side] = bad
			s := newSideBySide(t.Context(), w[0], w[1])
			g := &giver{t: t, data: data, block: 1 << 10}
			n, werr := g.WriteTo(s)
			err := s.Close()
			g.check()
			if !errors.Is(err, full) || werr != nil && !errors.Is(werr, full) {
				t.Fatalf("%v and %v, want %v", werr, err, full)
			}
			// The other has all that was taken, this one a beginning.
			if !bytes.Equal(good.got.Bytes(), data[:n]) {
				t.Errorf("%d bytes written, want %d", good.got.Len(), n)
			}
			if want := data[:after<<10+1<<9]; !bytes.Equal(bad.got.Bytes(), want) {
				t.Errorf("%d bytes written, want %d", bad.got.Len(), len(want))
			}
		}
	}
}

// TestSideBySideWrites mixes blocks with writes that are and are not handed over:
// all arrives in order, and nothing of a Write is used after it.
func TestSideBySideWrites(t *testing.T) {
	data := content(3 << 20)
	a, b := &failing{t: t, after: 1000}, &failing{t: t, after: 1000}
	s := newSideBySide(t.Context(), a, b)
	rest, i := data, 0
	for ; len(rest) > 0; i++ {
		size := min([]int{1000, sideBySideFrom, 70_000, 1}[i%4], len(rest))
		p := bytes.Clone(rest[:size])
		rest = rest[size:]
		if i%3 == 0 {
			if _, err := s.WriteBlock(p, func() { clear(p) }); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if n, err := s.Write(p); err != nil || n != size {
			t.Fatal(n, err)
		}
		clear(p)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(a.got.Bytes(), data) || !bytes.Equal(b.got.Bytes(), data) {
		t.Error("another content")
	}
	ended, cancel := context.WithCancel(t.Context())
	s = newSideBySide(ended, a, b)
	cancel()
	released := 0
	if _, err := s.WriteBlock(data, func() { released++ }); !errors.Is(err, context.Canceled) || released != 1 {
		t.Errorf("%v, released %d times", err, released)
	}
	if _, err := s.Write(data[:1]); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestReserve expects that what is reserved changes neither size nor content.
func TestReserve(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("abc"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, 1 << 20, 1 << 62, -1} {
		reserve(f, 3, n)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
}
