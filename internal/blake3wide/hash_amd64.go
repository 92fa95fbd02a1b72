package blake3wide

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// available is false also where the operating system does not keep the wide
// registers.
var available = cpu.X86.HasAVX512F

// hash16 compresses 16 inputs of blocks times 64 bytes, which begin stride
// bytes after each other, into their chaining values. The counter of input i is
// low + lanes[i], which must not overflow, and high. The first and the last
// block of each have the flags first and last besides flags.
//
//go:noescape
func hash16(out *[16][8]uint32, in unsafe.Pointer, stride, blocks uintptr, low, high uint32, lanes *[16]uint32, flags, first, last uint32)

var (
	iota16 = [16]uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	zero16 [16]uint32
)

// chunks16 hashes 16 chunks, of which counter is the first's, a multiple of 16.
func chunks16(out *[16][8]uint32, in *[16 * chunkSize]byte, counter uint64) {
	hash16(out, unsafe.Pointer(in), chunkSize, chunkSize/blockSize, uint32(counter), uint32(counter>>32), &iota16, 0, flagChunkStart, flagChunkEnd)
}

// parents16 hashes 16 pairs of chaining values.
func parents16(out *[16][8]uint32, in *[32][8]uint32) {
	hash16(out, unsafe.Pointer(in), blockSize, 1, 0, 0, &zero16, flagParent, 0, 0)
}
