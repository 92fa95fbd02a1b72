package features

import (
	"encoding/binary"
	"math/bits"
)

// hasher is what a HashingVectorizer does to a term: its column is the absolute
// value of its hash, modulo the number of columns, and its value the hash's
// sign.
type hasher struct {
	columns   uint32
	alternate bool
}

// column returns the column of a term, and whether it counts as -1.
func (h hasher) column(term []byte) (column int32, negative bool) {
	x := int32(murmur3(term))
	size := uint32(x)
	if x < 0 {
		size = -size // right for the least number too
	}
	return int32(size % h.columns), h.alternate && x < 0
}

// row appends the row of a text's terms, given as column<<1 and, for a negative
// term, 1 more. Columns of which the terms cancel out stay, as a 0.
func (h hasher) row(c Config, cols, spare []int32, r *Row) {
	start := len(r.Data)
	sortColumns(cols, spare)
	for i := 0; i < len(cols); {
		column := cols[i] >> 1
		x := 0
		for ; i < len(cols) && cols[i]>>1 == column; i++ {
			x += 1 - 2*int(cols[i]&1)
		}
		if c.Binary {
			x = 1
		}
		r.Indices, r.Data = append(r.Indices, column), append(r.Data, float64(x))
	}
	normalize(r.Data[start:], c.Norm)
}

// murmur3 is Austin Appleby's MurmurHash3_x86_32 with the seed 0.
func murmur3(b []byte) uint32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	var h uint32
	n := uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * c1
		h ^= bits.RotateLeft32(k, 15) * c2
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	var k uint32
	for i := len(b) - 1; i >= 0; i-- {
		k = k<<8 | uint32(b[i])
	}
	if len(b) > 0 {
		h ^= bits.RotateLeft32(k*c1, 15) * c2
	}
	h ^= n
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
