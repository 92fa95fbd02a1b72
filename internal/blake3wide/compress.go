package blake3wide

import (
	"encoding/binary"
	"math/bits"
)

// The flags that tell the roles of a block apart.
const (
	flagChunkStart = 1 << iota
	flagChunkEnd
	flagParent
	flagRoot
)

var iv = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

// permutation is the order in which each round takes the words of the one
// before.
var permutation = [16]uint8{2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8}

// compress returns the chaining value after a block of length bytes. It serves
// what is left over by 16 lanes.
func compress(cv *[8]uint32, m [16]uint32, counter uint64, length, flags uint32) [8]uint32 {
	v := [16]uint32{
		cv[0], cv[1], cv[2], cv[3], cv[4], cv[5], cv[6], cv[7],
		iv[0], iv[1], iv[2], iv[3], uint32(counter), uint32(counter >> 32), length, flags,
	}
	for round := 0; ; round++ {
		quarter(&v, 0, 4, 8, 12, m[0], m[1])
		quarter(&v, 1, 5, 9, 13, m[2], m[3])
		quarter(&v, 2, 6, 10, 14, m[4], m[5])
		quarter(&v, 3, 7, 11, 15, m[6], m[7])
		quarter(&v, 0, 5, 10, 15, m[8], m[9])
		quarter(&v, 1, 6, 11, 12, m[10], m[11])
		quarter(&v, 2, 7, 8, 13, m[12], m[13])
		quarter(&v, 3, 4, 9, 14, m[14], m[15])
		if round == 6 {
			break
		}
		old := m
		for i, from := range permutation {
			m[i] = old[from]
		}
	}
	var out [8]uint32
	for i := range out {
		out[i] = v[i] ^ v[i+8]
	}
	return out
}

func quarter(v *[16]uint32, a, b, c, d int, x, y uint32) {
	v[a] += v[b] + x
	v[d] = bits.RotateLeft32(v[d]^v[a], -16)
	v[c] += v[d]
	v[b] = bits.RotateLeft32(v[b]^v[c], -12)
	v[a] += v[b] + y
	v[d] = bits.RotateLeft32(v[d]^v[a], -8)
	v[c] += v[d]
	v[b] = bits.RotateLeft32(v[b]^v[c], -7)
}

// chunk returns the chaining value of a chunk of 1 to chunkSize bytes.
func chunk(p []byte, counter uint64) [8]uint32 {
	cv := iv
	for flags := uint32(flagChunkStart); ; flags = 0 {
		n := min(len(p), blockSize)
		var block [blockSize]byte
		copy(block[:], p[:n])
		p = p[n:]
		if len(p) == 0 {
			flags |= flagChunkEnd
		}
		var m [16]uint32
		for i := range m {
			m[i] = binary.LittleEndian.Uint32(block[4*i:])
		}
		cv = compress(&cv, m, counter, uint32(n), flags)
		if len(p) == 0 {
			return cv
		}
	}
}

// parent returns the chaining value over two others.
func parent(left, right *[8]uint32, flags uint32) [8]uint32 {
	var m [16]uint32
	copy(m[:8], left[:])
	copy(m[8:], right[:])
	return compress(&iv, m, 0, blockSize, flagParent|flags)
}
