package cache

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/flowrepro/flow/internal/blake3wide"
)

const (
	// wideFrom is the size from which a file is hashed in pieces by all
	// processors; below it starting them costs more than it gains.
	wideFrom = 4 << 20
	// wideWindow is the most pieces that are mapped at a time.
	wideWindow = 8
)

// wide reports whether a file is hashed by sumWide.
func wide(h *Hash, size int64) bool {
	return h == BLAKE3 && size >= wideFrom && blake3wide.Available()
}

// wideSlots bounds the goroutines of this process that hash pieces, and with
// them the memory of those that have to copy what they hash.
var wideSlots = make(chan struct{}, runtime.GOMAXPROCS(0))

var wideBuffers = sync.Pool{New: func() any { return new([blake3wide.PieceSize]byte) }}

// errShort tells that a file ended before its size.
var errShort = errors.New("file is shorter than it was")

// sumWide returns the BLAKE3 digest of the first size bytes of f, at least
// wideFrom. When fill is not nil, it is called for every part of the file
// before that is read, from several goroutines, to write it. The file is
// mapped rather than copied where that works; one that loses its end or its
// disk meanwhile gives an error all the same. The error wraps errShort when f is
// shorter.
func sumWide(ctx context.Context, f *os.File, size int64, fill func(off, n int64) error, progress func(int64)) (Digest, error) {
	pieces := blake3wide.Pieces(size)
	cvs := make([]blake3wide.ChainingValue, pieces)
	workers := runtime.GOMAXPROCS(0)
	window := min(wideWindow, max(1, pieces/int64(4*workers)))
	err := parallel(ctx, workers, int((pieces+window-1)/window), func(_, i int) error {
		wideSlots <- struct{}{}
		defer func() { <-wideSlots }()
		first := int64(i) * window
		off := first * blake3wide.PieceSize
		n := min(window*blake3wide.PieceSize, size-off)
		if fill != nil {
			if err := fill(off, n); err != nil {
				return err
			}
		}
		if err := hashWindow(f, off, n, cvs[first:], first); err != nil {
			return err
		}
		if progress != nil {
			progress(n)
		}
		return nil
	})
	if err != nil {
		return Digest{}, err
	}
	sum := blake3wide.Root(cvs)
	return NewDigest(BLAKE3, sum[:], false), nil
}

// hashWindow computes the chaining values of the pieces in n bytes of f at off,
// of which the first has the given index.
func hashWindow(f *os.File, off, n int64, cvs []blake3wide.ChainingValue, first int64) error {
	if data, unmap, err := mapFile(f, off, n); err == nil {
		ok := hashMapped(data, cvs, first)
		unmap()
		if ok {
			return nil
		}
	}
	buf := wideBuffers.Get().(*[blake3wide.PieceSize]byte)
	defer wideBuffers.Put(buf)
	for i := int64(0); n > 0; i++ {
		p := buf[:min(n, blake3wide.PieceSize)]
		k, err := f.ReadAt(p, off)
		if k < len(p) {
			if err == nil || errors.Is(err, io.EOF) {
				err = errShort
			}
			return err
		}
		cvs[i] = blake3wide.Piece(p, first+i)
		off += int64(k)
		n -= int64(k)
	}
	return nil
}

// hashMapped is hashWindow on mapped memory. It reports false when that could
// not be read: its file was truncated, or its disk failed.
func hashMapped(data []byte, cvs []blake3wide.ChainingValue, first int64) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, fault := r.(interface{ Addr() uintptr }); !fault {
				panic(r)
			}
			ok = false
		}
	}()
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), blake3wide.PieceSize)
		cvs[i] = blake3wide.Piece(data[:n], first+int64(i))
		data = data[n:]
	}
	return true
}

// copyWide copies the first size bytes of src into dst, which is empty, and
// returns the digest of what dst has then: the kernel copies while other
// processors hash.
func copyWide(ctx context.Context, dst, src *os.File, size int64, progress func(int64)) (Digest, error) {
	var inKernel atomic.Bool
	inKernel.Store(true)
	fill := func(off, n int64) error {
		if inKernel.Load() {
			k := copyRange(dst, src, off, n)
			if k == n {
				return nil
			}
			inKernel.Store(false) // or the file is short, which reading tells
			off, n = off+k, n-k
		}
		return copyPart(dst, src, off, n)
	}
	return sumWide(ctx, dst, size, fill, progress)
}

// copyPart copies n bytes at off.
func copyPart(dst, src *os.File, off, n int64) error {
	buf := wideBuffers.Get().(*[blake3wide.PieceSize]byte)
	defer wideBuffers.Put(buf)
	for n > 0 {
		p := buf[:min(n, blake3wide.PieceSize)]
		k, err := src.ReadAt(p, off)
		if k < len(p) {
			if err == nil || errors.Is(err, io.EOF) {
				err = errShort
			}
			return err
		}
		if _, err := dst.WriteAt(p, off); err != nil {
			return err
		}
		off += int64(k)
		n -= int64(k)
	}
	return nil
}
