package text

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"
)

// lexicon is lines that are sorted by their first word, each the word alone or
// followed by a space and a value. Words are looked up by bisection, which
// costs nothing before the first; who looks up many gets an index. It is safe
// for concurrent use.
type lexicon struct {
	lines string
	asked atomic.Int64
	// index is an open-addressing hash table of lexiconSlot, nil at first.
	index atomic.Pointer[[]lexiconSlot]
}

// lexiconSlot is where a line begins, plus one, and above mark bits of its
// word's hash. The zero value is a free slot.
type lexiconSlot struct{ at, mark uint32 }

// indexAfter is the number of look-ups that pay for an index.
const indexAfter = 1 << 13

var lexiconSeed = maphash.MakeSeed()

func newLexicon(lines string) *lexicon { return &lexicon{lines: lines} }

// find returns the value of a word's line.
func (l *lexicon) find(word string) (value string, ok bool) {
	if index := l.index.Load(); index != nil {
		return l.lookUp(*index, word)
	}
	// Whoever comes to this number first makes the index; the others do
	// without meanwhile.
	if l.asked.Add(1) == indexAfter {
		index := l.newIndex()
		l.index.Store(&index)
	}
	return bisect(l.lines, word)
}

func (l *lexicon) newIndex() []lexiconSlot {
	count := strings.Count(l.lines, "\n") + 1
	index := make([]lexiconSlot, 1<<bits.Len(uint(2*count)))
	mask := uint64(len(index) - 1)
	for at := 0; at < len(l.lines); {
		line, _, _ := strings.Cut(l.lines[at:], "\n")
		word, _, _ := strings.Cut(line, " ")
		hash := maphash.String(lexiconSeed, word)
		i := hash & mask
		for index[i].at != 0 {
			i = (i + 1) & mask
		}
		index[i] = lexiconSlot{uint32(at) + 1, uint32(hash >> 32)}
		at += len(line) + 1
	}
	return index
}

func (l *lexicon) lookUp(index []lexiconSlot, word string) (value string, ok bool) {
	if word == "" {
		return "", false
	}
	hash := maphash.String(lexiconSeed, word)
	mask := uint64(len(index) - 1)
	for i := hash & mask; index[i].at != 0; i = (i + 1) & mask {
		if index[i].mark != uint32(hash>>32) {
			continue
		}
		line, _, _ := strings.Cut(l.lines[index[i].at-1:], "\n")
		if key, value, _ := strings.Cut(line, " "); key == word {
			return value, true
		}
	}
	return "", false
}

// bisect looks a word up in sorted lines.
func bisect(lines, word string) (value string, ok bool) {
	if word == "" {
		return "", false
	}
	lo, hi := 0, len(lines)
	for lo < hi {
		// The line around the middle; lo and hi are beginnings of lines.
		start := lo + (hi-lo)/2
		if i := strings.LastIndexByte(lines[lo:start], '\n'); i >= 0 {
			start = lo + i + 1
		} else {
			start = lo
		}
		line, _, _ := strings.Cut(lines[start:hi], "\n")
		key, value, _ := strings.Cut(line, " ")
		switch strings.Compare(word, key) {
		case 0:
			return value, true
		case -1:
			hi = start
		default:
			lo = start + len(line) + 1
		}
	}
	return "", false
}
