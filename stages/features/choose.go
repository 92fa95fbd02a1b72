package features

import (
	"bytes"
	"context"
	"math"
	"slices"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// counted is texts with their terms: levels of one, two and more tokens, or,
// when expand is set, terms that belong to the words of the corpus, as the
// character n-grams of a word do.
type counted struct {
	corpus *corpus
	levels []level
	// expand has the terms of word w as its text w; levels is then one level.
	expand *corpus
	// between is what stands between the tokens of a term.
	between string
}

// term names a term: its level and its number there.
type term struct {
	level int
	id    uint32
}

// eachTerm visits all terms in the order of their text. Tokens compare greater
// than what stands between them, so that is the order of a tree walk.
func (c *counted) eachTerm(visit func(t term)) {
	next := make([]uint32, len(c.levels))
	var walk func(n int, id uint32)
	walk = func(n int, id uint32) {
		visit(term{n, id})
		if n+1 == len(c.levels) {
			return
		}
		l := &c.levels[n+1]
		for int(next[n+1]) < len(l.prefix) && l.prefix[next[n+1]] == id {
			next[n+1]++
			walk(n+1, next[n+1]-1)
		}
	}
	for id := range c.levels[0].df {
		walk(0, uint32(id))
	}
}

// words returns the corpus whose words the first level counts.
func (c *counted) words() *corpus {
	if c.expand != nil {
		return c.expand
	}
	return c.corpus
}

// choose returns the terms of the vocabulary in the order of their text and
// gives them their columns. low and high bound the number of texts.
func (c *counted) choose(o Config, low, high float64) []term {
	var found []term
	var tf []uint32
	top := o.MaxFeatures
	c.eachTerm(func(t term) {
		l := &c.levels[t.level]
		if df := float64(l.df[t.id]); t.level+1 < o.NgramRange[0] && c.expand == nil || df < low || df > high {
			return
		}
		found = append(found, t)
		if top > 0 {
			n := l.tf[t.id]
			if o.Binary {
				n = l.df[t.id]
			}
			tf = append(tf, n)
		}
	})
	found, tf = c.arrange(found, tf)
	if top > 0 && len(found) > top {
		best := mostFrequent(tf)[:top]
		slices.Sort(best)
		for i, at := range best {
			found[i] = found[at]
		}
		found = found[:top]
	}
	for n := range c.levels {
		l := &c.levels[n]
		l.column = nil
	}
	for column, t := range found {
		l := &c.levels[t.level]
		if l.column == nil {
			l.column = make([]int32, len(l.df))
			for i := range l.column {
				l.column[i] = -1
			}
		}
		l.column[t.id] = int32(column)
	}
	return found
}

// table spells the terms.
func (c *counted) table(ctx context.Context, terms []term, workers int) (*Table, error) {
	const size = 1 << 14
	ends := make([]uint32, len(terms))
	err := parallel.Blocks(ctx, len(terms), size, workers, func(lo, hi int) error {
		var buf []byte
		for i := lo; i < hi; i++ {
			buf = c.spell(buf[:0], terms[i])
			ends[i] = uint32(len(buf))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := uint64(0)
	for i, n := range ends {
		total += uint64(n)
		if total > math.MaxUint32 {
			return nil, errTooLarge
		}
		ends[i] = uint32(total)
	}
	text := make([]byte, total)
	err = parallel.Blocks(ctx, len(terms), size, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			start := uint32(0)
			if i > 0 {
				start = ends[i-1]
			}
			c.spell(text[start:start:ends[i]], terms[i])
		}
		return nil
	})
	return newTable(text, ends), err
}

// spell appends the text of a term.
func (c *counted) spell(dst []byte, t term) []byte {
	if t.level > 0 {
		l := &c.levels[t.level]
		dst = c.spell(dst, term{t.level - 1, l.prefix[t.id]})
		dst = append(dst, c.between...)
		t.id = l.last[t.id]
	}
	return append(dst, c.words().word(t.id)...)
}

// arrange puts terms that are in the order of eachTerm, with their counts, in
// the order of their text. The two are the same but where a word has a character
// before the space that joins words. Such words are rare: their terms are taken
// out and put where they belong.
func (c *counted) arrange(found []term, tf []uint32) ([]term, []uint32) {
	if c.between == "" {
		return found, tf
	}
	odd := map[uint32]bool{}
	words := c.words()
	for w := range words.ends {
		if bytes.IndexFunc(words.word(uint32(w)), func(r rune) bool { return r < ' ' }) >= 0 {
			odd[uint32(w)] = true
		}
	}
	if len(odd) == 0 {
		return found, tf
	}
	type strange struct {
		term
		text []byte
		tf   uint32
		at   int // of the first term that comes after it, among the others
	}
	var apart []strange
	n := 0
	for i, t := range found {
		if c.has(t, odd) {
			s := strange{term: t, text: c.spell(nil, t)}
			if tf != nil {
				s.tf = tf[i]
			}
			apart = append(apart, s)
			continue
		}
		found[n] = t
		if tf != nil {
			tf[n] = tf[i]
		}
		n++
	}
	var buf []byte
	for i := range apart {
		s := &apart[i]
		s.at, _ = slices.BinarySearchFunc(found[:n], s.text, func(t term, text []byte) int {
			buf = c.spell(buf[:0], t)
			return bytes.Compare(buf, text)
		})
	}
	slices.SortFunc(apart, func(a, b strange) int { return bytes.Compare(a.text, b.text) })
	// From the end, so that nothing is overwritten before it has moved.
	for i := len(apart) - 1; i >= 0; i-- {
		s := apart[i]
		copy(found[s.at+i+1:], found[s.at:n])
		found[s.at+i] = s.term
		if tf != nil {
			copy(tf[s.at+i+1:], tf[s.at:n])
			tf[s.at+i] = s.tf
		}
		n = s.at
	}
	return found, tf
}

// has reports whether one of some words is in a term.
func (c *counted) has(t term, words map[uint32]bool) bool {
	for ; t.level > 0; t = (term{t.level - 1, c.levels[t.level].prefix[t.id]}) {
		if words[c.levels[t.level].last[t.id]] {
			return true
		}
	}
	return words[t.id]
}
