package cache

import (
	"io"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/internal/blake3wide"
)

// summer is the part of a hash.Hash that a single pass needs.
type summer interface {
	io.Writer
	// Sum appends the digest of what was written to b.
	Sum(b []byte) []byte
}

// streamHash returns the fastest h for much that arrives in order and in large
// blocks.
func streamHash(h *Hash) summer {
	if h == BLAKE3 && blake3wide.Available() {
		return new(pieceHash)
	}
	return h.New()
}

// pieceHash is BLAKE3 in pieces of blake3wide, one after the other.
type pieceHash struct {
	pieces []blake3wide.ChainingValue
	// rest is the last piece as far as it has come. It is not taken for one of
	// pieces before something follows it: a single piece has no chaining value.
	rest []byte
}

func (h *pieceHash) Write(p []byte) (int, error) {
	n := len(p)
	if have := len(h.rest); have > 0 && have+len(p) > blake3wide.PieceSize {
		part := p[:blake3wide.PieceSize-have]
		h.add(append(h.rest, part...))
		h.rest, p = h.rest[:0], p[len(part):]
	}
	for ; len(p) > blake3wide.PieceSize; p = p[blake3wide.PieceSize:] {
		h.add(p[:blake3wide.PieceSize])
	}
	h.rest = append(h.rest, p...)
	return n, nil
}

func (h *pieceHash) add(piece []byte) {
	h.pieces = append(h.pieces, blake3wide.Piece(piece, int64(len(h.pieces))))
}

func (h *pieceHash) Sum(b []byte) []byte {
	if len(h.pieces) == 0 {
		sum := blake3.Sum256(h.rest)
		return append(b, sum[:]...)
	}
	sum := blake3wide.Root(append(h.pieces[:len(h.pieces):len(h.pieces)],
		blake3wide.Piece(h.rest, int64(len(h.pieces)))))
	return append(b, sum[:]...)
}
