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

// regular reports whether the order of eachTerm is that of the text, and two
// terms never read the same.
func (c *corpus) regular() bool {
	return bytes.IndexFunc(c.text, func(r rune) bool { return r <= ' ' }) < 0
}
