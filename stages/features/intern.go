package features

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// interner numbers byte strings in the order of their first appearance. String
// i is text[ends[i-1]:ends[i]].
type interner struct {
	text  []byte
	ends  []uint32
	slots []internSlot // a power of two of them, at most 5/8 used
	shift uint
}

// internSlot is a string with what is counted of it, all in one line of the
// processor's cache: the beginning of the string, so that short ones are
// compared without going to the text, and the number of its occurrences and of
// the texts it occurs in.
type internSlot struct {
	head   uint64
	length uint32
	number uint32 // 1 + number, 0 for free
	tf, df uint32
	last   uint32 // 1 + the text the string was last seen in
	stop   bool
}

// newInterner returns an interner with a number of slots that is a power of two.
func newInterner(slots int) *interner {
	return &interner{slots: make([]internSlot, slots), shift: uint(64 - bits.TrailingZeros(uint(slots)))}
}

func (t *interner) len() int { return len(t.ends) }

func (t *interner) at(i uint32) []byte {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.text[start:t.ends[i]]
}

// headOf returns the first eight bytes of a string, with zeros for what is
// missing.
func headOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	if cap(b) >= 8 { // what comes after the string is masked out
		return binary.LittleEndian.Uint64(b[:8]) & (1<<(8*uint(len(b))) - 1)
	}
	var head [8]byte
	copy(head[:], b)
	return binary.LittleEndian.Uint64(head[:])
}

func internHash(b []byte, head uint64) uint64 {
	if len(b) <= 8 {
		return fold(head ^ hashStart ^ uint64(len(b))<<59)
	}
	return hashBytes(b)
}

// intern returns the place of a string, which holds until the next call, and
// whether the string is new.
func (t *interner) intern(b []byte) (slot *internSlot, fresh bool) {
	head, length := headOf(b), uint32(len(b))
	hash := internHash(b, head)
	mask := uint64(len(t.slots) - 1)
	for i := hash >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i&mask]
		if s.head == head && s.length == length && s.number != 0 &&
			(length <= 8 || string(t.at(s.number - 1)[8:]) == string(b[8:])) {
			return s, false
		}
		if s.number == 0 {
			break
		}
	}
	t.text = append(t.text, b...)
	t.ends = append(t.ends, uint32(len(t.text)))
	if len(t.ends)*8 > len(t.slots)*5 {
		t.grow()
		mask = uint64(len(t.slots) - 1)
	}
	i := hash >> t.shift
	for t.slots[i].number != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = internSlot{head: head, length: length, number: uint32(len(t.ends))}
	return &t.slots[i], true
}

func (t *interner) grow() {
	old := t.slots
	t.slots = make([]internSlot, 2*len(old))
	t.shift--
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.number == 0 {
			continue
		}
		i := internHash(t.at(s.number-1), s.head) >> t.shift
		for t.slots[i].number != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// sorted returns the numbers in the order of the bytes of their strings.
func (t *interner) sorted() []uint32 {
	type entry struct {
		head   uint64 // the first eight bytes
		number uint32
	}
	all := make([]entry, t.len())
	for i := range all {
		var head [8]byte
		copy(head[:], t.at(uint32(i)))
		all[i] = entry{binary.BigEndian.Uint64(head[:]), uint32(i)}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return bytes.Compare(t.at(a.number), t.at(b.number))
	})
	out := make([]uint32, len(all))
	for i, e := range all {
		out[i] = e.number
	}
	return out
}
