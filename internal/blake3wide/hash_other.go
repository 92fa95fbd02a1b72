//go:build !amd64

package blake3wide

const available = false

func chunks16(*[16][8]uint32, *[16 * chunkSize]byte, uint64) { panic("blake3wide: not available") }

func parents16(*[16][8]uint32, *[32][8]uint32) { panic("blake3wide: not available") }
