package features

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// interner numbers byte strings in the order of their first appearance. String
// i is text[ends[i-1]:ends[i]].
type interner struct {
	text  []byte
	ends  []uint32
	slots []internSlot // a power of two of them, at most half used
	shift uint
}

type internSlot struct {
	hash   uint32
	number uint32 // 1 + number, 0 for free
}

func newInterner() *interner {
	const start = 13
	return &interner{slots: make([]internSlot, 1<<start), shift: 64 - start}
}

func (t *interner) len() int { return len(t.ends) }

func (t *interner) at(i uint32) []byte {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.text[start:t.ends[i]]
}

// intern returns the number of a string and whether it is new.
func (t *interner) intern(b []byte) (number uint32, fresh bool) {
	h := hashBytes(b)
	mask := uint64(len(t.slots) - 1)
	for i := h >> t.shift; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.number == 0 {
			t.text = append(t.text, b...)
			t.ends = append(t.ends, uint32(len(t.text)))
			t.slots[i] = internSlot{uint32(h), uint32(len(t.ends))}
			if len(t.ends)*2 > len(t.slots) {
				t.grow()
			}
			return uint32(len(t.ends) - 1), true
		}
		if s.hash == uint32(h) && string(t.at(s.number-1)) == string(b) {
			return s.number - 1, false
		}
	}
}

func (t *interner) grow() {
	t.slots = make([]internSlot, 2*len(t.slots))
	t.shift--
	mask := uint64(len(t.slots) - 1)
	for n := range t.ends {
		h := hashBytes(t.at(uint32(n)))
		i := h >> t.shift
		for t.slots[i].number != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = internSlot{uint32(h), uint32(n + 1)}
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
