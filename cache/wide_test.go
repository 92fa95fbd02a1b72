package cache

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/internal/blake3wide"
)

func needWide(t *testing.T) {
	t.Helper()
	if !blake3wide.Available() {
		t.Skip("files are not hashed in pieces on this processor")
	}
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(data) // never fails
	return data
}

// TestWide holds reading and copying in pieces to the digest of the general
// library, around the sizes at which windows and pieces end.
func TestWide(t *testing.T) {
	needWide(t)
	data := randomBytes(70 << 20)
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(t interface{ Fatalf(string, ...any) }, size int) {
		if err := os.Truncate(path, int64(size)); err != nil {
			t.Fatalf("%v", err)
		}
		src, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer src.Close()
		if _, err := src.WriteAt(data[:size], 0); err != nil {
			t.Fatalf("%v", err)
		}
		sum := blake3.Sum256(data[:size])
		want := NewDigest(BLAKE3, sum[:], false)
		got, err := sumWide(context.Background(), src, int64(size), nil, nil)
		if err != nil || got != want {
			t.Fatalf("%d bytes: %v, %v, want %v", size, got, err, want)
		}
		dst, err := os.OpenFile(path+".copy", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer dst.Close()
		got, err = copyWide(context.Background(), dst, src, int64(size), nil)
		if err != nil || got != want {
			t.Fatalf("copy of %d bytes: %v, %v, want %v", size, got, err, want)
		}
		copied, err := os.ReadFile(path + ".copy")
		if err != nil || !bytes.Equal(copied, data[:size]) {
			t.Fatalf("copy of %d bytes differs, %v", size, err)
		}
	}
	for _, size := range []int{wideFrom, wideFrom + 1, wideFrom - 1, 5<<20 - 1, 64<<20 - 1, 64 << 20, 65<<20 + 77} {
		check(t, size)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.IntRange(wideFrom, wideFrom+3<<20).Draw(t, "size")) })
}

// TestWideTruncated cuts the file while it is mapped, which by itself would end
// the process.
func TestWideTruncated(t *testing.T) {
	needWide(t)
	path := filepath.Join(t.TempDir(), "data")
	data := randomBytes(8 << 20)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, unmap, err := mapFile(f, 0, 8<<20)
	if errors.Is(err, errUnsupported) {
		t.Skip("files are not mapped on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unmap()
	cvs := make([]blake3wide.ChainingValue, 8)
	if !hashMapped(mapped, cvs, 0) {
		t.Fatal("a whole file could not be read")
	}
	if err := f.Truncate(3<<20 + 5000); err != nil {
		t.Fatal(err)
	}
	if hashMapped(mapped, cvs, 0) {
		t.Fatal("read beyond the end of a file")
	}
	if _, err := sumWide(context.Background(), f, 8<<20, nil, nil); !errors.Is(err, errShort) {
		t.Fatalf("hash: %v, want errShort", err)
	}
	dst, err := os.Create(path + ".copy")
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if _, err := copyWide(context.Background(), dst, f, 8<<20, nil); !errors.Is(err, errShort) {
		t.Fatalf("copy: %v, want errShort", err)
	}
	// The next look finds the file as it is now.
	var sc scratch
	r, err := sc.hashPath(context.Background(), BLAKE3, path, OpenMemo("", nil).now, nil)
	if err != nil || r.info.Size != 3<<20+5000 {
		t.Fatalf("hash after truncation: %v, %v", r, err)
	}
}

// TestWideCancelled ends early.
func TestWideCancelled(t *testing.T) {
	needWide(t)
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, randomBytes(6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sumWide(ctx, f, 6<<20, nil, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// TestPieceHash holds hashing in pieces, of blocks of any sizes, to the general
// library.
func TestPieceHash(t *testing.T) {
	needWide(t)
	const piece = blake3wide.PieceSize
	data := randomBytes(5*piece + 17)
	check := func(t interface{ Fatalf(string, ...any) }, size int, blocks ...int) {
		h := streamHash(BLAKE3)
		left := data[:size]
		for _, n := range blocks {
			n = min(n, len(left))
			if got, err := h.Write(left[:n]); got != n || err != nil {
				t.Fatalf("write: %d, %v", got, err)
			}
			left = left[n:]
		}
		_, _ = h.Write(left)
		want := blake3.Sum256(data[:size])
		if got := h.Sum([]byte("a")); !bytes.Equal(got[1:], want[:]) || got[0] != 'a' || !bytes.Equal(h.Sum(nil), want[:]) {
			t.Fatalf("%d bytes in %v: %x, want %x", size, blocks, got, want)
		}
	}
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 2 * piece, 2*piece + 1, len(data)} {
		check(t, size)
		check(t, size, 1)
		check(t, size, piece, piece)
		check(t, size, piece-1, 2, piece-1)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.IntRange(0, len(data)).Draw(t, "size"),
			rapid.SliceOfN(rapid.IntRange(0, 2*piece), 0, 8).Draw(t, "blocks")...)
	})
}
