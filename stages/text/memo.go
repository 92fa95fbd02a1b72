package text

import (
	"hash/maphash"
	"math/bits"
)

// memo remembers what became of words. It is a hash table with open
// addressing whose words lie in one buffer: reviews have few different words,
// and this look-up is most of what cleaning costs. It is not safe for
// concurrent use.
type memo struct {
	slots []memoSlot
	used  int
	text  []byte
}

type memoSlot struct {
	hash uint32
	// The word is text[at:at+word], its form the form bytes after it.
	at         uint32
	word, form uint16
}

const (
	// The bounds of a memo that lives as long as a server.
	maxMemoWords = 1 << 16
	maxMemoText  = 4 << 20
	// maxMemoWord is the length of the longest word that is remembered.
	maxMemoWord = 64

	minMemoSlots = 1 << 10
)

var memoSeed = maphash.MakeSeed()

// get returns the form of a word and, for put, its hash.
func (m *memo) get(word []byte) (form []byte, hash uint32, ok bool) {
	hash = uint32(maphash.Bytes(memoSeed, word)) | 1 // 0 marks a free slot
	if len(m.slots) == 0 {
		return nil, hash, false
	}
	mask := uint32(len(m.slots) - 1)
	for i := bits.ReverseBytes32(hash) & mask; m.slots[i].hash != 0; i = (i + 1) & mask {
		s := &m.slots[i]
		if s.hash == hash && int(s.word) == len(word) && string(m.text[s.at:s.at+uint32(s.word)]) == string(word) {
			at := s.at + uint32(s.word)
			return m.text[at : at+uint32(s.form)], hash, true
		}
	}
	return nil, hash, false
}

// put remembers the form of a word that get did not find, and returns it.
func (m *memo) put(hash uint32, word []byte, form string) []byte {
	if len(word) > maxMemoWord || len(form) > maxMemoWord {
		return []byte(form)
	}
	if m.used >= maxMemoWords || len(m.text) > maxMemoText {
		clear(m.slots)
		m.used, m.text = 0, m.text[:0]
	}
	if len(m.slots) == 0 {
		m.slots = make([]memoSlot, minMemoSlots)
	} else if m.used >= len(m.slots)/2 {
		old := m.slots
		m.slots = make([]memoSlot, 2*len(old))
		for _, s := range old {
			if s.hash != 0 {
				m.insert(s)
			}
		}
	}
	s := memoSlot{hash: hash, at: uint32(len(m.text)), word: uint16(len(word)), form: uint16(len(form))}
	m.text = append(append(m.text, word...), form...)
	m.insert(s)
	m.used++
	return m.text[len(m.text)-len(form):]
}

func (m *memo) insert(s memoSlot) {
	mask := uint32(len(m.slots) - 1)
	i := bits.ReverseBytes32(s.hash) & mask
	for m.slots[i].hash != 0 {
		i = (i + 1) & mask
	}
	m.slots[i] = s
}
