package remote

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/cache"
)

// The form of an index, version 1; see docs/formats.md. What bounds the parser
// bounds what is written, too.
const (
	packMagic  = "flowpack\x01\x00\x00\x00\x00\x00\x00\x00"
	packHeader = len(packMagic) + 8 + 8 // number of objects, size of the pack
	packEntry  = 32 + 8 + 4             // digest, offset, length

	// packedLimit is what an object in a pack is smaller than.
	packedLimit = 512 << 10
	// packObjects is how many objects a pack holds at most, packMost how many
	// bytes.
	packObjects = 1 << 15
	packMost    = 64 << 20
	// packIndexLimit is how large an index can be.
	packIndexLimit = packHeader + packObjects*packEntry
)

// packed is an object in a pack.
type packed struct {
	digest         cache.Digest
	offset, length int64
}

// packIndex says what a pack holds. The objects lie one after the other and
// nothing between them.
type packIndex struct {
	// objects are sorted by digest, each once.
	objects []packed
	// size is that of the pack in bytes.
	size int64
}

// encode returns the index of objects, which it sorts, and the name that the
// pack gets by it.
func (x *packIndex) encode() (data []byte, name string) {
	slices.SortFunc(x.objects, func(a, b packed) int { return a.digest.Compare(b.digest) })
	data = make([]byte, 0, packHeader+len(x.objects)*packEntry)
	data = append(data, packMagic...)
	data = binary.LittleEndian.AppendUint64(data, uint64(len(x.objects)))
	data = binary.LittleEndian.AppendUint64(data, uint64(x.size))
	for i := range x.objects {
		o := &x.objects[i]
		data = append(data, o.digest.Sum()...)
		data = binary.LittleEndian.AppendUint64(data, uint64(o.offset))
		data = binary.LittleEndian.AppendUint32(data, uint32(o.length))
	}
	return data, packNameOf(data)
}

// packNameOf is the digest of an index: it names the objects and where they are,
// so that two packs with the same name are the same.
func packNameOf(index []byte) string {
	sum := blake3.Sum256(index)
	return hex.EncodeToString(sum[:])
}

// parsePackIndex reads an index. Nothing of it is believed: what it says must
// hold together, and it allocates in proportion to what is there.
func parsePackIndex(data []byte) (*packIndex, error) {
	if len(data) < packHeader || string(data[:len(packMagic)]) != packMagic {
		return nil, errors.New("no index of a pack, or of a version that is not known")
	}
	n := binary.LittleEndian.Uint64(data[len(packMagic):])
	size := binary.LittleEndian.Uint64(data[len(packMagic)+8:])
	rest := data[packHeader:]
	if n == 0 || n > packObjects || uint64(len(rest)) != n*uint64(packEntry) {
		return nil, fmt.Errorf("index of a pack: %d objects in %d bytes", n, len(data))
	}
	if size > packMost {
		return nil, fmt.Errorf("index of a pack: a pack of %d bytes", size)
	}
	x := &packIndex{objects: make([]packed, n), size: int64(size)}
	for i := range x.objects {
		e := rest[i*packEntry : (i+1)*packEntry]
		if i > 0 && bytes.Compare(rest[(i-1)*packEntry:][:32], e[:32]) >= 0 {
			return nil, errors.New("index of a pack: digests are not in order, or occur twice")
		}
		offset, length := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint32(e[40:])
		if length >= packedLimit || offset > size || uint64(length) > size-offset {
			return nil, errors.New("index of a pack: an object is not inside, or too large")
		}
		x.objects[i] = packed{cache.NewDigest(cache.BLAKE3, e[:32], false), int64(offset), int64(length)}
	}
	at := int64(0)
	for _, o := range x.byOffset() {
		if o.offset != at {
			return nil, errors.New("index of a pack: objects overlap, or something is between them")
		}
		at += o.length
	}
	if at != x.size {
		return nil, errors.New("index of a pack: the objects are not all of the pack")
	}
	return x, nil
}

// byOffset returns the objects in the order in which they lie.
func (x *packIndex) byOffset() []packed {
	list := slices.Clone(x.objects)
	sortByOffset(list)
	return list
}

func sortByOffset(list []packed) {
	slices.SortFunc(list, func(a, b packed) int {
		if a.offset != b.offset {
			return int(a.offset - b.offset)
		}
		return int(a.length - b.length) // empty ones first
	})
}

// find returns those of the objects that are wanted.
func (x *packIndex) find(wanted map[cache.Digest]struct{}) []packed {
	var list []packed
	if len(wanted)*16 >= len(x.objects) {
		for _, o := range x.objects {
			if _, ok := wanted[o.digest]; ok {
				list = append(list, o)
			}
		}
		return list
	}
	for d := range wanted {
		i, ok := slices.BinarySearchFunc(x.objects, d, func(o packed, d cache.Digest) int { return o.digest.Compare(d) })
		if ok {
			list = append(list, x.objects[i])
		}
	}
	return list
}
