package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/zeebo/blake3"
)

// exampleIndex is the index of a pack of objects of some sizes.
func exampleIndex(sizes ...int) []byte {
	var x PackIndex
	for i, n := range sizes {
		sum := blake3.Sum256(fmt.Append(nil, i))
		x.Add(NewDigest(BLAKE3, sum[:], false), int64(n))
	}
	data, _ := x.Encode()
	return data
}

func TestPackIndexRoundTrip(t *testing.T) {
	data := exampleIndex(5, 0, 0, 1000, PackedLimit-1, 1)
	x, err := ParsePackIndex(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Objects) != 6 || x.Size != 5+1000+PackedLimit-1+1 {
		t.Errorf("%+v", x)
	}
	again, name := x.Encode()
	if !bytes.Equal(again, data) || name != PackName(data) {
		t.Error("it is written in another way")
	}
	wanted := map[Digest]struct{}{x.Objects[3].Digest: {}, NewDigest(BLAKE3, make([]byte, 32), false): {}}
	if got := x.Find(wanted); len(got) != 1 || got[0] != x.Objects[3] {
		t.Errorf("%v", got)
	}
}

func TestHostilePackIndexes(t *testing.T) {
	const first = packHeader
	for name, spoil := range map[string]func([]byte) []byte{
		"nothing":            func(d []byte) []byte { return nil },
		"no object":          func(d []byte) []byte { binary.LittleEndian.PutUint64(d[16:], 0); return d[:packHeader] },
		"truncated":          func(d []byte) []byte { return d[:len(d)-1] },
		"more":               func(d []byte) []byte { return append(d, 0) },
		"another version":    func(d []byte) []byte { d[8] = 2; return d },
		"huge count":         func(d []byte) []byte { binary.LittleEndian.PutUint64(d[16:], 1<<60); return d },
		"count that wraps":   func(d []byte) []byte { binary.LittleEndian.PutUint64(d[16:], 1<<62+3); return d },
		"huge pack":          func(d []byte) []byte { binary.LittleEndian.PutUint64(d[24:], 1<<62); return d },
		"pack too long":      func(d []byte) []byte { d[24]++; return d },
		"pack too short":     func(d []byte) []byte { d[24]--; return d },
		"beyond the pack":    func(d []byte) []byte { binary.LittleEndian.PutUint64(d[first+32:], 1<<40); return d },
		"offset that wraps":  func(d []byte) []byte { binary.LittleEndian.PutUint64(d[first+32:], 1<<64-1); return d },
		"huge object":        func(d []byte) []byte { binary.LittleEndian.PutUint32(d[first+40:], 1<<32-1); return d },
		"overlap":            func(d []byte) []byte { copy(d[first+32:first+44], d[first+packEntry+32:]); return d },
		"gap":                func(d []byte) []byte { d[first+40]--; return d },
		"duplicate digest":   func(d []byte) []byte { copy(d[first+packEntry:][:32], d[first:][:32]); return d },
		"digests unordered":  func(d []byte) []byte { d[first] = 0xff; return d },
		"large pack, filled": func(d []byte) []byte { binary.LittleEndian.PutUint64(d[24:], PackBytes+1); return d },
	} {
		if x, err := ParsePackIndex(spoil(exampleIndex(10, 20, 30))); err == nil {
			t.Errorf("%s: %+v", name, x)
		}
	}
}

// Whatever an index says, what is read holds together, and is written as it was.
func FuzzPackIndex(f *testing.F) {
	f.Add(exampleIndex(10, 20, 30))
	f.Add(exampleIndex(0))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := ParsePackIndex(data)
		if err != nil {
			return
		}
		if again, _ := (&PackIndex{Objects: x.Objects, Size: x.Size}).Encode(); !bytes.Equal(again, data) {
			t.Error("what was read is written in another way")
		}
		at := int64(0)
		seen := map[Digest]bool{}
		for _, o := range x.ByOffset() {
			if o.Offset != at || o.Length < 0 || o.Length >= PackedLimit || seen[o.Digest] {
				t.Fatalf("%+v at %d", o, at)
			}
			seen[o.Digest] = true
			at += o.Length
		}
		if at != x.Size || at > PackBytes {
			t.Errorf("%d bytes of %d", at, x.Size)
		}
	})
}
