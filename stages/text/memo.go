package text

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// memo remembers what became of words: reviews have few different words, and
// this look-up is most of what cleaning costs. It is a hash table with open
// addressing whose slots tell all there is to know of a short word that stays
// as it is or disappears; other words and forms lie in one buffer. It is not
// safe for concurrent use.
type memo struct {
	// limit is how many words are remembered before all are forgotten.
	limit int
	slots []memoSlot
	used  int
	text  []byte
}

type memoSlot struct {
	// key is a function of the word: one to one for words of a length up to
	// keyWord, a hash for longer ones.
	key uint64
	// at is where the buffer has the word, if it is longer than keyWord, and
	// after it the form, if it is another than the word.
	at uint32
	// word is the length of the word, at least 1 but in a free slot.
	word, form uint8
	same       bool
}

const (
	// servedWords bounds a memo that lives as long as a server.
	servedWords = 1 << 16
	// corpusWords bounds one that lives as long as a corpus is cleaned: the
	// different words of a hundred thousand reviews.
	corpusWords = 1 << 18
	// meanMemoText is how much buffer there may be for each word.
	meanMemoText = 64
	// maxMemoWord is the length of the longest word that is remembered.
	maxMemoWord = 64
	// keyWord is the length of the longest word whose key has all of it.
	keyWord = 8

	minMemoSlots = 1 << 10
)

var (
	memoSeed  = maphash.MakeSeed()
	memoNoise = [2]uint64{maphash.Bytes(memoSeed, []byte{1}) | 1, maphash.Bytes(memoSeed, []byte{2}) | 1}
)

// memoKey returns the key of a word that is not empty, and its hash.
func memoKey(word []byte) (key, hash uint64) {
	switch n := len(word); {
	case n > keyWord:
		key = maphash.Bytes(memoSeed, word)
		return key, key
	case n >= 4:
		key = uint64(binary.LittleEndian.Uint32(word)) | uint64(binary.LittleEndian.Uint32(word[n-4:]))<<32
	default:
		key = uint64(word[0]) | uint64(word[n/2])<<8 | uint64(word[n-1])<<16
	}
	return key, mix(key, len(word))
}

// mix returns the hash of the key of a word of n bytes, keyWord at most.
func mix(key uint64, n int) uint64 {
	high, low := bits.Mul64(key^memoNoise[0], memoNoise[1]^uint64(n))
	return high ^ low
}

// get returns the form of a word, which may be the word itself.
func (m *memo) get(word []byte) (form []byte, ok bool) {
	if len(m.slots) == 0 || len(word) == 0 || len(word) > maxMemoWord {
		return nil, false
	}
	key, hash := memoKey(word)
	mask := uint64(len(m.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &m.slots[i]
		if s.word == 0 {
			return nil, false
		}
		if s.key != key || int(s.word) != len(word) {
			continue
		}
		at := s.at
		if len(word) > keyWord {
			if string(m.text[at:at+uint32(s.word)]) != string(word) {
				continue
			}
			at += uint32(s.word)
		}
		if s.same {
			return word, true
		}
		return m.text[at : at+uint32(s.form)], true
	}
}

// put remembers the form of a word that get did not find.
func (m *memo) put(word []byte, form string) {
	if len(word) == 0 || len(word) > maxMemoWord || len(form) > maxMemoWord {
		return
	}
	if m.used >= m.limit || len(m.text) > m.limit*meanMemoText {
		clear(m.slots)
		m.used, m.text = 0, m.text[:0]
	}
	if len(m.slots) == 0 {
		m.slots = make([]memoSlot, minMemoSlots)
	} else if m.used >= len(m.slots)/2 {
		old := m.slots
		m.slots = make([]memoSlot, 2*len(old))
		for _, s := range old {
			if s.word != 0 {
				m.insert(s)
			}
		}
	}
	key, _ := memoKey(word)
	s := memoSlot{key: key, at: uint32(len(m.text)), word: uint8(len(word)), form: uint8(len(form)), same: string(word) == form}
	if len(word) > keyWord {
		m.text = append(m.text, word...)
	}
	if !s.same {
		m.text = append(m.text, form...)
	}
	m.insert(s)
	m.used++
}

// insert takes a word that the table does not have.
func (m *memo) insert(s memoSlot) {
	hash := s.key
	if s.word <= keyWord {
		hash = mix(s.key, int(s.word))
	}
	mask := uint64(len(m.slots) - 1)
	i := hash & mask
	for m.slots[i].word != 0 {
		i = (i + 1) & mask
	}
	m.slots[i] = s
}
