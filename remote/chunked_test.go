package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
)

// memory is one object, of which ranges at fails and above yield half and then err.
type memory struct {
	Store
	data  []byte
	fails int64
	err   error
}

func (m *memory) Get(ctx context.Context, _ string, r Range) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	part := m.data[r.Offset : r.Offset+r.Length]
	if m.err != nil && r.Offset >= m.fails {
		return io.NopCloser(io.MultiReader(bytes.NewReader(part[:len(part)/2]), brokenReader{m.err})), nil
	}
	return io.NopCloser(bytes.NewReader(part)), nil
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// keeper is a blockWriter that releases blocks when it has some more, or at the end,
// and refuses one.
type keeper struct {
	t       *testing.T
	got     bytes.Buffer
	kept    []func()
	most    int
	blocks  int
	refuses int // the block, from 1 on; 0 for none
	err     error
	wg      sync.WaitGroup
}

func (k *keeper) Write([]byte) (int, error) {
	k.t.Error("Write was called")
	return 0, io.ErrClosedPipe
}

func (k *keeper) WriteBlock(p []byte, release func()) (int, error) {
	if k.blocks++; k.blocks == k.refuses {
		release()
		return 0, k.err
	}
	var once atomic.Bool
	k.kept = append(k.kept, func() {
		if once.Swap(true) {
			k.t.Error("released twice")
		}
		release()
	})
	k.got.Write(p)
	if len(k.kept) > k.most {
		first := k.kept[0]
		k.kept = k.kept[1:]
		k.wg.Go(first)
	}
	return len(p), nil
}

func (k *keeper) end() {
	for _, release := range k.kept {
		k.wg.Go(release)
	}
	k.wg.Wait()
}

func expectNoChunks(t *testing.T) {
	t.Helper()
	if len(chunkSlots) != 0 || chunkBuffers.used != 0 || chunkBuffers.free != nil {
		t.Errorf("%d slots and %d buffers are in use, %d are kept", len(chunkSlots), chunkBuffers.used, len(chunkBuffers.free))
	}
}

func TestChunkedGivesBlocks(t *testing.T) {
	data := make([]byte, 7*chunkLeast+5)
	for i := range data {
		data[i] = byte(i>>12) ^ byte(i)
	}
	refused, broken := errors.New("refused"), errors.New("broken")
	const offset = 3
	for name, c := range map[string]struct {
		refuses int
		breaks  error
		cancels bool
		want    error
	}{
		"all":       {},
		"refused":   {refuses: 2, want: refused},
		"broken":    {breaks: broken, want: broken},
		"cancelled": {cancels: true, want: context.Canceled},
	} {
		for _, most := range []int{0, chunksAhead - 1} {
			ctx, cancel := context.WithCancel(t.Context())
			var told int64
			r := newChunked(ctx, &memory{data: data, fails: 5 * chunkLeast, err: c.breaks}, "x", offset, int64(len(data)), func(n int64) {
				told += n
				if c.cancels && told > 2*chunkLeast {
					cancel()
				}
			})
			k := &keeper{t: t, most: most, refuses: c.refuses, err: refused}
			n, err := r.WriteTo(k)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if n != told || n != int64(k.got.Len()) {
				t.Errorf("%s: %d bytes, %d told of, %d written", name, n, told, k.got.Len())
			}
			want := data[offset:]
			if c.want != nil {
				want = want[:n]
			}
			if c.breaks != nil && n <= 5*chunkLeast {
				t.Errorf("%s: what a broken range yielded is lost: %d bytes", name, n)
			}
			if !bytes.Equal(k.got.Bytes(), want) {
				t.Errorf("%s: %d bytes, another content", name, k.got.Len())
			}
			// Blocks may be in use longer than the reader.
			for range 2 {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
				t.Error(err)
			}
			k.end()
			expectNoChunks(t)
			cancel()
		}
	}
}

// TestChunkedShare reads more objects at once than there are buffers for.
func TestChunkedShare(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 3*chunkLeast/16)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := newChunked(t.Context(), &memory{data: data}, "x", 0, int64(len(data)), func(int64) {})
			defer r.Close() //nolint:errcheck // it returns none
			if i%2 == 0 {
				got, err := io.ReadAll(struct{ io.Reader }{r})
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				return
			}
			k := &keeper{t: t, most: 1}
			if _, err := r.WriteTo(k); err != nil || !bytes.Equal(k.got.Bytes(), data) {
				t.Errorf("%d bytes, %v", k.got.Len(), err)
			}
			k.end()
		})
	}
	wg.Wait()
	expectNoChunks(t)
}

// TestChunkedOfACancelledContext is no shorter object.
func TestChunkedOfACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newChunked(ctx, &memory{data: make([]byte, 10*chunkLeast)}, "x", 0, 10*chunkLeast, func(int64) {})
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	expectNoChunks(t)
}
