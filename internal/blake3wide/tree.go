package blake3wide

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

//go:generate go run gen.go

const (
	blockSize = 64
	chunkSize = 1024
	// pieceChunks is a power of two, so that every piece but the last is a
	// complete subtree.
	pieceChunks = 1024
	// PieceSize is the number of bytes in every piece but the last.
	PieceSize = pieceChunks * chunkSize
	// Size is that of a digest in bytes.
	Size = 32
)

// Available reports whether this processor has what the package needs. Where
// it does not, Piece panics.
func Available() bool { return available }

// ChainingValue is what a piece contributes to the digest.
type ChainingValue [8]uint32

// Pieces returns the number of pieces of an input of size bytes.
func Pieces(size int64) int64 { return (size + PieceSize - 1) / PieceSize }

// Piece returns the chaining value of the piece with the given index, which is
// 1 to PieceSize bytes.
func Piece(p []byte, index int64) ChainingValue {
	if len(p) == 0 || len(p) > PieceSize {
		panic(fmt.Sprintf("blake3wide: piece of %d bytes", len(p)))
	}
	var cvs [pieceChunks + 32][8]uint32
	counter := uint64(index) * pieceChunks
	n := 0
	for ; len(p) >= 16*chunkSize; n += 16 {
		chunks16((*[16][8]uint32)(cvs[n:]), (*[16 * chunkSize]byte)(p), counter+uint64(n))
		p = p[16*chunkSize:]
	}
	for ; len(p) > 0; n++ {
		k := min(len(p), chunkSize)
		cvs[n] = chunk(p[:k], counter+uint64(n))
		p = p[k:]
	}
	return merge(&cvs, n)
}

// merge combines the n chaining values in order, level by level; an odd one at
// the end goes up as it is. That is the tree whose left subtrees are complete.
func merge(cvs *[pieceChunks + 32][8]uint32, n int) ChainingValue {
	for n > 1 {
		pairs, i := n/2, 0
		for ; i+8 < pairs; i += 16 {
			// The space after the last pair takes what is computed of too much.
			parents16((*[16][8]uint32)(cvs[i:]), (*[32][8]uint32)(cvs[2*i:]))
		}
		for ; i < pairs; i++ {
			cvs[i] = parent(&cvs[2*i], &cvs[2*i+1], 0)
		}
		if n%2 == 1 {
			cvs[pairs] = cvs[n-1]
		}
		n = pairs + n%2
	}
	return cvs[0]
}

// Root returns the digest of the input with the given pieces, of which there
// must be at least two.
func Root(pieces []ChainingValue) [Size]byte {
	if len(pieces) < 2 {
		panic("blake3wide: root of a single piece")
	}
	left := leftOf(len(pieces))
	l, r := subtree(pieces[:left]), subtree(pieces[left:])
	cv := parent((*[8]uint32)(&l), (*[8]uint32)(&r), flagRoot)
	var sum [Size]byte
	for i, w := range cv {
		binary.LittleEndian.PutUint32(sum[4*i:], w)
	}
	return sum
}

func subtree(pieces []ChainingValue) ChainingValue {
	if len(pieces) == 1 {
		return pieces[0]
	}
	left := leftOf(len(pieces))
	l, r := subtree(pieces[:left]), subtree(pieces[left:])
	return parent((*[8]uint32)(&l), (*[8]uint32)(&r), 0)
}

// leftOf is the largest power of two less than n.
func leftOf(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }
