package features

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"strings"

	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/text"
)

// corpus is the texts as numbers: text d is tokens[starts[d]:starts[d+1]].
type corpus struct {
	tokens []uint32
	starts []int
	words  []string
}

// none stands for a term that is too rare to matter.
const none = math.MaxUint32

// tokenize numbers the words of all texts. Blocks are numbered on their own
// in parallel and then renumbered in order, so that a number depends on the
// texts alone.
func tokenize(ctx context.Context, c Config, docs []string, workers int) (*corpus, error) {
	const size = 1024
	type part struct {
		tokens []uint32
		ends   []int
		words  []string
	}
	parts := make([]part, (len(docs)+size-1)/size)
	err := parallel.Blocks(ctx, len(docs), size, workers, func(lo, hi int) error {
		p := &parts[lo/size]
		index := map[string]uint32{}
		for _, d := range docs[lo:hi] {
			if c.Lowercase {
				d = text.Lower(d)
			}
			Tokens(d, func(t string) {
				id, ok := index[t]
				if !ok {
					t = strings.Clone(t)
					id = uint32(len(p.words))
					index[t] = id
					p.words = append(p.words, t)
				}
				p.tokens = append(p.tokens, id)
			})
			p.ends = append(p.ends, len(p.tokens))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := 0
	for i := range parts {
		total += len(parts[i].tokens)
	}
	all := &corpus{tokens: make([]uint32, 0, total), starts: make([]int, 1, len(docs)+1)}
	index := map[string]uint32{}
	for i := range parts {
		p := &parts[i]
		global := make([]uint32, len(p.words))
		for j, w := range p.words {
			id, ok := index[w]
			if !ok {
				id = uint32(len(all.words))
				index[w] = id
				all.words = append(all.words, w)
			}
			global[j] = id
		}
		base := len(all.tokens)
		for _, t := range p.tokens {
			all.tokens = append(all.tokens, global[t])
		}
		for _, e := range p.ends {
			all.starts = append(all.starts, base+e)
		}
		*p = part{}
	}
	return all, nil
}

// level has the n-grams of one length. The gram that starts at token i is
// grams[i], none where a text ends or the gram cannot reach min_df.
type level struct {
	grams  []uint32
	tf, df []uint32
	words  []string // of level 0
	pairs  []uint64 // of longer grams: shorter gram << 32 | last word
	column []int32  // by gram, -1 when not in the vocabulary
}

// countGrams counts the n-grams of all lengths. A text that has a gram has
// its beginning and its last word too, so a gram of which one occurs in fewer
// than low texts is not looked at.
func countGrams(ctx context.Context, c Config, words *corpus, low float64) ([]level, error) {
	levels := make([]level, c.NgramMax)
	levels[0] = level{grams: words.tokens, words: words.words}
	levels[0].count(words, len(words.words))
	for n := 1; n < c.NgramMax; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := levels[n].extend(words, &levels[0], &levels[n-1], n, low); err != nil {
			return nil, err
		}
		levels[n].count(words, len(levels[n].pairs))
	}
	return levels, nil
}

// count fills tf and df.
func (l *level) count(words *corpus, size int) {
	l.tf, l.df = make([]uint32, size), make([]uint32, size)
	last := make([]uint32, size) // 1 + the text a gram was last seen in
	for d := range len(words.starts) - 1 {
		for _, id := range l.grams[words.starts[d]:words.starts[d+1]] {
			if id == none {
				continue
			}
			l.tf[id]++
			if last[id] != uint32(d)+1 {
				last[id] = uint32(d) + 1
				l.df[id]++
			}
		}
	}
}

// extend makes the grams of n+1 words from those of n.
func (l *level) extend(words *corpus, single, short *level, n int, low float64) error {
	l.grams = make([]uint32, len(words.tokens))
	table := newPairs(1 << 16)
	for d := range len(words.starts) - 1 {
		from, to := words.starts[d], words.starts[d+1]
		for i := from; i < to; i++ {
			l.grams[i] = none
			if i+n >= to {
				continue
			}
			begin := short.grams[i]
			if begin == none || float64(short.df[begin]) < low {
				continue
			}
			end := words.tokens[i+n]
			if float64(single.df[end]) < low {
				continue
			}
			id, ok := table.intern(uint64(begin)<<32 | uint64(end))
			if !ok {
				return errors.New("learn vocabulary: too many n-grams")
			}
			l.grams[i] = id
		}
	}
	l.pairs = table.keys
	return nil
}

// pairs numbers 64-bit keys in the order of their first appearance, by open
// addressing with linear probing.
type pairs struct {
	keys  []uint64 // by number
	slots []uint32 // 1 + number, 0 for free; a power of two of them
	shift uint
}

func newPairs(size int) *pairs {
	return &pairs{slots: make([]uint32, size), shift: uint(64 - bits.TrailingZeros(uint(size)))}
}

// intern returns the number of a key. It fails when the numbers run out.
func (p *pairs) intern(key uint64) (uint32, bool) {
	mask := uint64(len(p.slots) - 1)
	for i := spread(key) >> p.shift; ; i = (i + 1) & mask {
		s := p.slots[i]
		if s == 0 {
			if len(p.keys) >= none-1 {
				return 0, false
			}
			p.keys = append(p.keys, key)
			p.slots[i] = uint32(len(p.keys))
			if len(p.keys)*2 > len(p.slots) {
				p.grow()
			}
			return uint32(len(p.keys) - 1), true
		}
		if p.keys[s-1] == key {
			return s - 1, true
		}
	}
}

func (p *pairs) grow() {
	p.slots = make([]uint32, 2*len(p.slots))
	p.shift--
	mask := uint64(len(p.slots) - 1)
	for n, key := range p.keys {
		i := spread(key) >> p.shift
		for p.slots[i] != 0 {
			i = (i + 1) & mask
		}
		p.slots[i] = uint32(n + 1)
	}
}

// spread mixes a key so that its high bits depend on all of it.
func spread(key uint64) uint64 {
	key ^= key >> 29
	key *= 0xbf58476d1ce4e5b9
	key ^= key >> 32
	return key * 0x94d049bb133111eb
}
