package blake3wide

import (
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

// sum hashes data by pieces.
func sum(data []byte) [Size]byte {
	cvs := make([]ChainingValue, Pieces(int64(len(data))))
	for i := range cvs {
		cvs[i] = Piece(data[i*PieceSize:min(len(data), (i+1)*PieceSize)], int64(i))
	}
	return Root(cvs)
}

func random(n int) []byte {
	data := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{7})
	_, _ = rng.Read(data)
	return data
}

// TestSizes compares with the general library around every boundary: of
// blocks, chunks, 16 chunks, and pieces, for each number of pieces.
func TestSizes(t *testing.T) {
	if !Available() {
		t.Skip("no AVX-512 here")
	}
	data := random(9*PieceSize + 1)
	offsets := map[int]bool{}
	for _, unit := range []int{1, blockSize, chunkSize, 2 * chunkSize, 15 * chunkSize, 16 * chunkSize, 17 * chunkSize, 31 * chunkSize, 33 * chunkSize, 512 * chunkSize, 1000 * chunkSize} {
		for _, d := range []int{-1, 0, 1} {
			if n := unit + d; n > 0 {
				offsets[n] = true
			}
		}
	}
	for n := range 65 {
		offsets[(n+1)*16*chunkSize-5] = true
	}
	check := func(n int) {
		if got, want := sum(data[:n]), blake3.Sum256(data[:n]); got != want {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
	for n := range offsets {
		check(PieceSize + n)
	}
	for pieces := 2; pieces <= 9; pieces++ {
		for d := -1; d <= 1; d++ {
			check(pieces*PieceSize + d)
		}
	}
}

func TestAnySize(t *testing.T) {
	if !Available() {
		t.Skip("no AVX-512 here")
	}
	data := random(4 * PieceSize)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(PieceSize+1, len(data)).Draw(t, "size")
		if got, want := sum(data[:n]), blake3.Sum256(data[:n]); got != want {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	})
}

// TestCounter has chunk numbers beyond 32 bits, where the two halves of the
// counter matter. The portable code is the reference.
func TestCounter(t *testing.T) {
	if !Available() {
		t.Skip("no AVX-512 here")
	}
	data := random(PieceSize)
	for _, index := range []int64{0, 1, 1<<22 - 1, 1 << 22, 1<<22 + 1, 1 << 40} {
		var cvs [pieceChunks + 32][8]uint32
		for i := range pieceChunks {
			cvs[i] = chunk(data[i*chunkSize:][:chunkSize], uint64(index)*pieceChunks+uint64(i))
		}
		n := pieceChunks
		for ; n > 1; n /= 2 {
			for i := range n / 2 {
				cvs[i] = parent(&cvs[2*i], &cvs[2*i+1], 0)
			}
		}
		if got := Piece(data, index); got != cvs[0] {
			t.Errorf("piece %d: %x, want %x", index, got, cvs[0])
		}
	}
}

func BenchmarkPiece(b *testing.B) {
	if !Available() {
		b.Skip("no AVX-512 here")
	}
	data := random(PieceSize)
	b.SetBytes(PieceSize)
	for range b.N {
		Piece(data, 3)
	}
}

func BenchmarkLibrary(b *testing.B) {
	data := random(PieceSize)
	b.SetBytes(PieceSize)
	for range b.N {
		blake3.Sum256(data)
	}
}
