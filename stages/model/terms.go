package model

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// terms is a [features.Vocabulary] as it lies in two files: the text of all terms
// in the order of their columns, and an index of where each ends, followed by a hash
// table of columns that is ready for use. Nothing is built on loading and a
// lookup does not allocate.
//
// Whatever the bytes hold, lookups stay inside them and end: check bounds every
// offset and column once, and has seen a free slot.
type terms struct {
	n int
	// text is the terms one after the other, below the header.
	text []byte
	// ends has 4 bytes for each term: where it ends in text. slots has 4 bytes
	// for each slot of the table: 0 for free, or 1 + the column in the low
	// width bits and the low bits of the hash's upper half above them.
	ends, slots []byte
	width       uint
	// textFile and indexFile are the whole files, to write them again.
	textFile, indexFile []byte
}

const (
	termsMagic = "FLOWTRM\x01"
	indexMagic = "FLOWIDX\x01"

	termsHeader = 16 // magic, length of the text
	indexHeader = 16 // magic, terms, slots

	// maxTerms leaves at least four bits of a slot for the hash.
	maxTerms = 1<<28 - 2
)

// slotCount is the number of slots for n terms: a third of them stay free.
func slotCount(n int) int { return n + n/2 + 1 }

// slotOf spreads a hash over the slots without a division.
func slotOf(hash uint64, slots int) int {
	return int(uint64(uint32(hash)) * uint64(slots) >> 32)
}

// buildTerms returns the two files of a vocabulary.
func buildTerms(list []string) (text, index []byte, err error) {
	if len(list) > maxTerms {
		return nil, nil, fmt.Errorf("%d terms: want at most %d", len(list), maxTerms)
	}
	size := 0
	for _, t := range list {
		size += len(t)
	}
	if size > math.MaxUint32 {
		return nil, nil, fmt.Errorf("terms of %d bytes: want at most %d", size, math.MaxUint32)
	}
	slots := slotCount(len(list))
	text = make([]byte, 0, termsHeader+size)
	text = append(text, termsMagic...)
	text = binary.LittleEndian.AppendUint64(text, uint64(size))
	index = make([]byte, indexHeader+4*len(list)+4*slots)
	copy(index, indexMagic)
	binary.LittleEndian.PutUint32(index[8:], uint32(len(list)))
	binary.LittleEndian.PutUint32(index[12:], uint32(slots))
	ends, table := index[indexHeader:][:4*len(list)], index[indexHeader+4*len(list):]
	width := uint(bits.Len(uint(len(list))))
	for i, t := range list {
		if t == "" || !utf8.ValidString(t) {
			return nil, nil, fmt.Errorf("term %d: empty or not UTF-8", i)
		}
		text = append(text, t...)
		binary.LittleEndian.PutUint32(ends[4*i:], uint32(len(text)-termsHeader))
		h := xxhash.Sum64String(t)
		s := slotOf(h, slots)
		mine := uint32(h>>32)<<width | uint32(i+1)
		for {
			v := binary.LittleEndian.Uint32(table[4*s:])
			if v == 0 {
				break
			}
			if v>>width == mine>>width && list[v&(1<<width-1)-1] == t {
				return nil, nil, fmt.Errorf("term %q: twice", t)
			}
			if s++; s == slots {
				s = 0
			}
		}
		binary.LittleEndian.PutUint32(table[4*s:], mine)
	}
	return text, index, nil
}

// readTerms joins the two files of a vocabulary. It keeps both slices.
func readTerms(text, index []byte) (*terms, error) {
	switch {
	case len(text) < termsHeader || string(text[:8]) != termsMagic:
		return nil, errors.New("terms: not a file of terms of version 1")
	case binary.LittleEndian.Uint64(text[8:]) != uint64(len(text)-termsHeader):
		return nil, errors.New("terms: the length is not the one given")
	case len(index) < indexHeader || string(index[:8]) != indexMagic:
		return nil, errors.New("index: not an index of version 1")
	}
	n, slots := int64(binary.LittleEndian.Uint32(index[8:])), int64(binary.LittleEndian.Uint32(index[12:]))
	switch {
	case n == 0 || n > maxTerms:
		return nil, fmt.Errorf("index: %d terms: want 1 to %d", n, maxTerms)
	case slots != int64(slotCount(int(n))):
		return nil, fmt.Errorf("index: %d slots for %d terms: want %d", slots, n, slotCount(int(n)))
	case int64(len(index)) != indexHeader+4*n+4*slots:
		return nil, fmt.Errorf("index: %d bytes, want %d", len(index), indexHeader+4*n+4*slots)
	}
	t := &terms{
		n: int(n), text: text[termsHeader:],
		ends: index[indexHeader:][:4*n], slots: index[indexHeader+4*n:],
		width: uint(bits.Len(uint(n))), textFile: text, indexFile: index,
	}
	return t, t.check()
}

// check bounds all offsets and columns. The blocks are checked in parallel, as
// that is most of the work of opening a model besides hashing it.
func (t *terms) check() error {
	const block = 1 << 18
	ctx := context.Background()
	err := parallel.Blocks(ctx, t.n, block, 0, func(lo, hi int) error {
		last := uint32(0)
		if lo > 0 {
			last = binary.LittleEndian.Uint32(t.ends[4*(lo-1):])
		}
		descends := uint64(0)
		for ends := t.ends[4*lo : 4*hi]; len(ends) >= 4; ends = ends[4:] {
			end := binary.LittleEndian.Uint32(ends)
			descends |= uint64(end) - uint64(last) - 1 // its highest bit, below 0
			last = end
		}
		if descends>>63 != 0 {
			return errors.New("index: ends of terms do not ascend")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if last := binary.LittleEndian.Uint32(t.ends[4*(t.n-1):]); uint64(last) != uint64(len(t.text)) {
		return fmt.Errorf("index: the terms end at %d of %d bytes", last, len(t.text))
	}
	// Two slots at a time: adding room to the low bits of each sets its highest
	// bit when they are above n, adding all ones when they are not 0.
	const low = 0x0000_0001_0000_0001
	mask := (uint64(1)<<t.width - 1) * low
	room := (uint64(1)<<31 - 1 - uint64(t.n)) * low
	total := len(t.slots) / 4
	used := make([]uint64, (total+block-1)/block)
	err = parallel.Blocks(ctx, total, block, 0, func(lo, hi int) error {
		slots := t.slots[4*lo : 4*hi]
		var above, taken uint64
		for ; len(slots) >= 8; slots = slots[8:] {
			cols := binary.LittleEndian.Uint64(slots) & mask
			above |= cols + room
			taken += (cols + (1<<31-1)*low) >> 31 & low
		}
		if len(slots) == 4 {
			cols := uint64(binary.LittleEndian.Uint32(slots)) & mask
			above |= cols + room
			taken += (cols + (1<<31 - 1)) >> 31 & 1
		}
		if above&(low<<31) != 0 {
			return errors.New("index: a slot names a column that there is not")
		}
		used[lo/block] = taken>>32 + taken&(1<<32-1)
		return nil
	})
	if err != nil {
		return err
	}
	var sum uint64
	for _, u := range used {
		sum += u
	}
	if sum != uint64(t.n) {
		return fmt.Errorf("index: %d slots are taken by %d terms", sum, t.n)
	}
	return nil
}

// Len returns the number of terms.
func (t *terms) Len() int { return t.n }

// bytes returns the term of a column.
func (t *terms) bytes(col int) []byte {
	from, to := t.bounds(col)
	return t.text[from:to]
}

// bounds returns where the term of a column is in the text.
func (t *terms) bounds(col int) (from, to uint32) {
	if col > 0 {
		from = binary.LittleEndian.Uint32(t.ends[4*(col-1):])
	}
	return from, binary.LittleEndian.Uint32(t.ends[4*col:])
}

// Term returns the term of a column.
func (t *terms) Term(col int32) string {
	return strings.ToValidUTF8(string(t.bytes(int(col))), "\uFFFD")
}

// Lookup returns the column of a term.
func (t *terms) Lookup(term []byte) (int32, bool) {
	h := xxhash.Sum64(term)
	column := t.lookup(term, h, slotOf(h, len(t.slots)/4))
	return max(column, 0), column >= 0
}

// slot returns what is in a slot.
func (t *terms) slot(s int) uint32 { return binary.LittleEndian.Uint32(t.slots[4*s:]) }

// lookup returns the column of a term, or -1, from a slot of its hash on.
func (t *terms) lookup(term []byte, h uint64, s int) int32 {
	for {
		column, s2 := t.candidate(h, s, t.slot(s))
		if column < 0 || string(t.bytes(int(column))) == string(term) {
			return column
		}
		s = t.next(s2)
	}
}

// candidate returns the first column that may be that of a hash, or -1 where there is
// none, and its slot. It begins at slot s, which has v.
func (t *terms) candidate(h uint64, s int, v uint32) (column int32, slot int) {
	mask := uint32(1)<<t.width - 1
	tag := uint32(h>>32) << t.width
	for v&mask != 0 && v&^mask != tag {
		s = t.next(s)
		v = t.slot(s)
	}
	return int32(v&mask) - 1, s
}

func (t *terms) next(s int) int {
	if s++; s == len(t.slots)/4 {
		return 0
	}
	return s
}

// LookupAll sets columns to those of the terms text[starts[i]:ends[i]], -1 for what
// is none. What a look-up reads is all over tens of megabytes: a step is done for
// many terms before the next, so that the processor waits for them together.
func (t *terms) LookupAll(text []byte, starts, ends []uint32, columns []int32) {
	const block = 64
	var (
		hashes   [block]uint64
		slots    [block]int
		values   [block]uint32
		from, to [block]uint32
		first    [block]byte
		some     [block]uint8
	)
	for len(starts) > 0 {
		n := min(block, len(starts))
		for i := range n {
			hashes[i] = xxhash.Sum64(text[starts[i]:ends[i]])
			slots[i] = slotOf(hashes[i], len(t.slots)/4)
		}
		for i := range n {
			values[i] = t.slot(slots[i])
		}
		for i := range n {
			columns[i], slots[i] = t.candidate(hashes[i], slots[i], values[i])
		}
		// Those that may be terms, without a branch that nobody can predict: one
		// that is taken wrongly ends the waiting together.
		k := 0
		for i, c := range columns[:n] {
			some[k] = uint8(i)
			k += int(^uint32(c) >> 31)
		}
		for _, i := range some[:k] {
			from[i], to[i] = t.bounds(int(columns[i]))
		}
		for _, i := range some[:k] {
			first[i] = t.text[from[i]]
		}
		for _, i := range some[:k] {
			term := text[starts[i]:ends[i]]
			if len(term) == 0 || first[i] != term[0] || string(t.text[from[i]:to[i]]) != string(term) {
				columns[i] = t.lookup(term, hashes[i], t.next(slots[i]))
			}
		}
		starts, ends, columns = starts[n:], ends[n:], columns[n:]
	}
}
