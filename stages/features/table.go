package features

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"unicode/utf8"
)

// TableVersion names the layout of the arrays of a [Table]: the hash function,
// the probing and the meaning of a slot.
const TableVersion = 1

// Table is a [Vocabulary] of three flat arrays, which a file can hold as they
// are. The terms lie behind each other in text, term i ending at ends[i].
//
// slots is an open-addressing hash table with linear probing. It has a power of
// two of slots, at least twice the number of terms n. A slot is 0 when free,
// and otherwise tag<<bits | column+1, where bits is the number of binary digits
// of n and the tag is the low digits of the term's hash, as many as are left. A
// term starts probing at the slot that the high digits of its hash name. Terms
// are inserted in the order of their columns.
type Table struct {
	text []byte
	ends []uint32

	once  sync.Once // guards slots of a table that was made here
	slots []uint32
	shift uint // of a hash, to get a slot
	bits  uint // of a slot that hold the column
}

// maxTerms bounds a vocabulary, so that a column is an int32 and a tag has
// room.
const maxTerms = 1 << 29

// NewTable makes a table of distinct terms, which are UTF-8 and not empty. Term
// i has column i.
func NewTable(terms []string) (*Table, error) {
	size := 0
	for i, t := range terms {
		if t == "" || !utf8.ValidString(t) {
			return nil, fmt.Errorf("vocabulary: term %d: empty or not UTF-8", i)
		}
		size += len(t)
	}
	if len(terms) > maxTerms || size > math.MaxUint32 {
		return nil, errors.New("vocabulary: too large")
	}
	text, ends := make([]byte, 0, size), make([]uint32, len(terms))
	for i, t := range terms {
		text = append(text, t...)
		ends[i] = uint32(len(text))
	}
	t := newTable(text, ends)
	t.once.Do(func() {})
	if at := t.index(); at >= 0 {
		return nil, fmt.Errorf("vocabulary: term %q: twice", t.Term(int32(at)))
	}
	return t, nil
}

// newTable takes arrays that are known to be right and indexes them when the
// first term is looked up.
func newTable(text []byte, ends []uint32) *Table {
	t := &Table{text: text, ends: ends}
	t.bits = uint(bits.Len(uint(len(ends))))
	t.shift = 64 - uint(bits.Len(uint(max(len(ends), 1)*2-1)))
	return t
}

// OpenTable makes a table of stored arrays, which it keeps. It looks at ends
// and at the number of slots; Verify looks at all.
func OpenTable(text []byte, ends, slots []uint32) (*Table, error) {
	if len(ends) > maxTerms || uint64(len(text)) > math.MaxUint32 {
		return nil, errors.New("vocabulary: too large")
	}
	t := newTable(text, ends)
	if len(slots) != 1<<(64-t.shift) {
		return nil, fmt.Errorf("vocabulary: %d slots for %d terms, want %d", len(slots), len(ends), 1<<(64-t.shift))
	}
	last := uint32(0)
	for i, e := range ends {
		if e <= last || uint64(e) > uint64(len(text)) {
			return nil, fmt.Errorf("vocabulary: term %d: ends at %d", i, e)
		}
		last = e
	}
	if uint64(last) != uint64(len(text)) {
		return nil, fmt.Errorf("vocabulary: %d bytes of text, the terms end at %d", len(text), last)
	}
	t.slots = slots
	t.once.Do(func() {})
	return t, nil
}

// Arrays returns what OpenTable takes. The caller must not change it.
func (t *Table) Arrays() (text []byte, ends, slots []uint32) {
	t.once.Do(func() { t.index() })
	return t.text, t.ends, t.slots
}

// Verify checks all that OpenTable takes on trust: terms are UTF-8 and
// distinct, and every term is found.
func (t *Table) Verify() error {
	used := 0
	_, _, slots := t.Arrays()
	for _, s := range slots {
		if s != 0 {
			used++
		}
	}
	if used != len(t.ends) {
		return fmt.Errorf("vocabulary: %d slots used for %d terms", used, len(t.ends))
	}
	for i := range t.ends {
		term := t.term(i)
		if !utf8.Valid(term) {
			return fmt.Errorf("vocabulary: term %d: not UTF-8", i)
		}
		if c, ok := t.Lookup(term); !ok || int(c) != i {
			return fmt.Errorf("vocabulary: term %d is not found", i)
		}
	}
	return nil
}

// Len implements [Vocabulary].
func (t *Table) Len() int { return len(t.ends) }

// Term implements [Vocabulary].
func (t *Table) Term(column int32) string { return string(t.term(int(column))) }

func (t *Table) term(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.text[start:t.ends[i]]
}

// Lookup implements [Vocabulary]. It does not allocate. Wrong slots make it
// miss a term, and nothing worse.
func (t *Table) Lookup(term []byte) (int32, bool) {
	t.once.Do(func() { t.index() })
	h := hashBytes(term)
	mask := uint64(len(t.slots) - 1)
	low := uint32(1)<<t.bits - 1
	tag := uint32(h) << t.bits
	i := h >> t.shift
	for range t.slots {
		s := t.slots[i]
		if s == 0 {
			return 0, false
		}
		if s&^low == tag {
			if c := int(s&low) - 1; c >= 0 && c < len(t.ends) && bytes.Equal(t.term(c), term) {
				return int32(c), true
			}
		}
		i = (i + 1) & mask
	}
	return 0, false
}

// index fills slots. It returns the number of a term that is there twice, or
// -1.
func (t *Table) index() int {
	t.slots = make([]uint32, 1<<(64-t.shift))
	mask := uint64(len(t.slots) - 1)
	low := uint32(1)<<t.bits - 1
	twice := -1
	for c := range t.ends {
		term := t.term(c)
		h := hashBytes(term)
		tag := uint32(h) << t.bits
		i := h >> t.shift
		for t.slots[i] != 0 {
			if s := t.slots[i]; s&^low == tag && bytes.Equal(t.term(int(s&low)-1), term) {
				twice = c
			}
			i = (i + 1) & mask
		}
		t.slots[i] = tag | uint32(c+1)
	}
	return twice
}

// hashBytes is the hash of a term: eight bytes at a time are folded in by the
// two halves of a 128-bit product.
func hashBytes(b []byte) uint64 {
	h := hashStart ^ uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = fold(h ^ binary.LittleEndian.Uint64(b))
	}
	var tail uint64
	switch n := len(b); {
	case n >= 4:
		tail = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	case n > 0:
		tail = uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16
	}
	return fold(h ^ tail ^ hashTail)
}

const (
	hashStart = 0x9e3779b97f4a7c15
	hashTail  = 0xd6e8feb86659fd93
	hashPrime = 0xe7037ed1a0b428db
)

func fold(x uint64) uint64 {
	hi, lo := bits.Mul64(x, hashPrime)
	return hi ^ lo
}
