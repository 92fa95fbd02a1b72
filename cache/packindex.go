package cache

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/blake3"
)

// The form of an index, version 1; see docs/formats.md. What bounds the parser
// bounds what is written, too.
const (
	packMagic  = "flowpack\x01\x00\x00\x00\x00\x00\x00\x00"
	packHeader = len(packMagic) + 8 + 8 // number of objects, size of the pack
	packEntry  = 32 + 8 + 4             // digest, offset, length

	// PackSuffix and PackIndexSuffix follow a pack's name in those of its two files.
	PackSuffix      = ".pack"
	PackIndexSuffix = ".index"

	// PackedLimit is what an object in a pack is smaller than, in bytes.
	PackedLimit = 512 << 10
	// PackObjects is how many objects a pack holds at most.
	PackObjects = 1 << 15
	// PackBytes is how many bytes a pack has at most.
	PackBytes = 64 << 20
	// PackIndexLeast and PackIndexLimit are how small and how large an index can
	// be, in bytes.
	PackIndexLeast = packHeader + packEntry
	PackIndexLimit = packHeader + PackObjects*packEntry
)

// Packed is an object in a pack.
type Packed struct {
	Digest         Digest
	Offset, Length int64
}

// PackIndex says what a pack holds. The objects lie one after the other and
// nothing between them.
type PackIndex struct {
	// Objects are sorted by digest, each once.
	Objects []Packed
	// Size is that of the pack in bytes.
	Size int64
}

// Add notes that the object d, of the given length, is at the end of the pack.
func (x *PackIndex) Add(d Digest, length int64) {
	x.Objects = append(x.Objects, Packed{d, x.Size, length})
	x.Size += length
}

// Encode returns the index of the objects, which it sorts, and the name that the
// pack gets by it.
func (x *PackIndex) Encode() (data []byte, name string) {
	slices.SortFunc(x.Objects, func(a, b Packed) int { return a.Digest.Compare(b.Digest) })
	data = make([]byte, 0, packHeader+len(x.Objects)*packEntry)
	data = append(data, packMagic...)
	data = binary.LittleEndian.AppendUint64(data, uint64(len(x.Objects)))
	data = binary.LittleEndian.AppendUint64(data, uint64(x.Size))
	for i := range x.Objects {
		o := &x.Objects[i]
		data = append(data, o.Digest.sum[:]...)
		data = binary.LittleEndian.AppendUint64(data, uint64(o.Offset))
		data = binary.LittleEndian.AppendUint32(data, uint32(o.Length))
	}
	return data, PackName(data)
}

// PackName is the digest of an index: it names the objects and where they are,
// so that two packs with the same name are the same.
func PackName(index []byte) string {
	sum := blake3.Sum256(index)
	return hex.EncodeToString(sum[:])
}

// packEntryAt reads an entry of an index that checkPackIndex has passed.
func packEntryAt(index []byte, i int) (sum []byte, offset, length int64) {
	e := index[packHeader+i*packEntry:][:packEntry]
	return e[:32], int64(binary.LittleEndian.Uint64(e[32:])), int64(binary.LittleEndian.Uint32(e[40:]))
}

// packLengthBits are what lengths below PackedLimit have.
const packLengthBits = 20

// packPlace orders objects as they lie: by offset, and of those that begin at the
// same the empty ones first.
func packPlace(offset, length uint64) uint64 { return offset<<packLengthBits | length }

// checkPackIndex returns how many objects an index tells of and the size of its
// pack. Nothing of it is believed: what it says must hold together.
func checkPackIndex(data []byte) (n int, size int64, err error) {
	if len(data) < packHeader || string(data[:len(packMagic)]) != packMagic {
		return 0, 0, errors.New("no index of a pack, or of a version that is not known")
	}
	count := binary.LittleEndian.Uint64(data[len(packMagic):])
	bytesOf := binary.LittleEndian.Uint64(data[len(packMagic)+8:])
	rest := data[packHeader:]
	if count == 0 || count > PackObjects || uint64(len(rest)) != count*uint64(packEntry) {
		return 0, 0, fmt.Errorf("index of a pack: %d objects in %d bytes", count, len(data))
	}
	if bytesOf > PackBytes {
		return 0, 0, fmt.Errorf("index of a pack: a pack of %d bytes", bytesOf)
	}
	places := make([]uint64, count)
	for i := range places {
		e := rest[i*packEntry : (i+1)*packEntry]
		if i > 0 && bytes.Compare(rest[(i-1)*packEntry:][:32], e[:32]) >= 0 {
			return 0, 0, errors.New("index of a pack: digests are not in order, or occur twice")
		}
		offset, length := binary.LittleEndian.Uint64(e[32:]), uint64(binary.LittleEndian.Uint32(e[40:]))
		if length >= PackedLimit || offset > bytesOf || length > bytesOf-offset {
			return 0, 0, errors.New("index of a pack: an object is not inside, or too large")
		}
		places[i] = packPlace(offset, length)
	}
	slices.Sort(places)
	at := uint64(0)
	for _, p := range places {
		if p>>packLengthBits != at {
			return 0, 0, errors.New("index of a pack: objects overlap, or something is between them")
		}
		at += p & (1<<packLengthBits - 1)
	}
	if at != bytesOf {
		return 0, 0, errors.New("index of a pack: the objects are not all of the pack")
	}
	return int(count), int64(bytesOf), nil
}

// ParsePackIndex reads an index. Nothing of it is believed: what it says must
// hold together, and it allocates in proportion to what is there.
func ParsePackIndex(data []byte) (*PackIndex, error) {
	n, size, err := checkPackIndex(data)
	if err != nil {
		return nil, err
	}
	x := &PackIndex{Objects: make([]Packed, n), Size: size}
	for i := range x.Objects {
		sum, offset, length := packEntryAt(data, i)
		x.Objects[i] = Packed{NewDigest(BLAKE3, sum, false), offset, length}
	}
	return x, nil
}

// ByOffset returns the objects in the order in which they lie.
func (x *PackIndex) ByOffset() []Packed {
	list := slices.Clone(x.Objects)
	slices.SortFunc(list, func(a, b Packed) int {
		if a.Offset != b.Offset {
			return int(a.Offset - b.Offset)
		}
		return int(a.Length - b.Length) // empty ones first
	})
	return list
}

// Find returns those of the objects that are wanted.
func (x *PackIndex) Find(wanted map[Digest]struct{}) []Packed {
	var list []Packed
	if len(wanted)*16 >= len(x.Objects) {
		for _, o := range x.Objects {
			if _, ok := wanted[o.Digest]; ok {
				list = append(list, o)
			}
		}
		return list
	}
	for d := range wanted {
		i, ok := slices.BinarySearchFunc(x.Objects, d, func(o Packed, d Digest) int { return o.Digest.Compare(d) })
		if ok {
			list = append(list, x.Objects[i])
		}
	}
	return list
}
