// Package blake3wide computes BLAKE3 of large inputs in pieces, so that several
// processors can share the work, 16 chunks at a time by AVX-512. It is for what
// the general library cannot do; on processors without AVX-512 it is not
// available, and everything small is better hashed elsewhere.
//
// An input is cut into pieces of PieceSize bytes, the last of which may be
// shorter. Piece computes the chaining value of one, in any order and on any
// goroutine; Root combines them. An input must have at least two pieces: that
// of a single one has no chaining value, because its last compression is the
// root's.
//
// The algorithm is that of "BLAKE3: one function, fast everywhere" (O'Connor,
// Aumasson, Neves, Wilcox-O'Hearn), sections 2 and 5: the state of 16 chunks is
// held as 16 vectors, one for each word, and their blocks are transposed into
// 16 more.
package blake3wide
