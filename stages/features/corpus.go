package features

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// corpus is texts as numbers. A number is the rank of a word among all in the
// order of bytes, so that it depends on the texts alone.
type corpus struct {
	// blocks have the words of docBlock texts each. starts are the places of
	// the texts' first words among all words.
	blocks [][]uint32
	starts []int
	// words by number, word i being text[ends[i-1]:ends[i]], the number of
	// their occurrences and of the texts they occur in.
	text   []byte
	ends   []uint32
	tf, df []uint32
}

// docBlock is how many texts one step of work takes.
const docBlock = 256

func (c *corpus) docs() int { return len(c.starts) - 1 }

// tokens returns the number of words of all texts.
func (c *corpus) tokens() int { return c.starts[len(c.starts)-1] }

// doc returns the words of a text.
func (c *corpus) doc(d int) []uint32 {
	base := c.starts[d&^(docBlock-1)]
	return c.blocks[d/docBlock][c.starts[d]-base : c.starts[d+1]-base]
}

func (c *corpus) word(i uint32) []byte {
	start := uint32(0)
	if i > 0 {
		start = c.ends[i-1]
	}
	return c.text[start:c.ends[i]]
}

// lexicon is the words that one worker met, in the numbers that it gave them.
type lexicon struct {
	*interner
	global []uint32 // by number, the number in the corpus
	tokens tokens
	buffer []uint32
}

// read appends the words of text d to the buffer, stop words excepted.
func (l *lexicon) read(d int, starts, ends []uint32, stop func([]byte) bool) {
	text, out := l.tokens.text, l.buffer
	last := uint32(d) + 1
	for i, start := range starts {
		word := text[start:ends[i]]
		s, fresh := l.intern(word)
		if fresh && stop != nil {
			s.stop = stop(word)
		}
		if s.stop {
			continue
		}
		s.tf++
		if s.last != last {
			s.last = last
			s.df++
		}
		out = append(out, s.number-1)
	}
	l.buffer = out
}

// readCorpus numbers the words of docs texts. Each splits a text into its words,
// which are parts of t.text by where they start and end. Workers number words
// on their own, and once all are known they get their ranks.
func readCorpus(ctx context.Context, docs, workers int, stop func([]byte) bool,
	each func(d int, t *tokens) (starts, ends []uint32),
) (*corpus, error) {
	if docs >= math.MaxUint32 {
		return nil, errTooLarge
	}
	blocks := (docs + docBlock - 1) / docBlock
	c := &corpus{blocks: make([][]uint32, blocks), starts: make([]int, docs+1)}
	by := make([]*lexicon, blocks)
	var mu sync.Mutex
	var idle, all []*lexicon
	err := parallel.Blocks(ctx, docs, docBlock, workers, func(lo, hi int) error {
		mu.Lock()
		var l *lexicon
		if n := len(idle); n > 0 {
			l, idle = idle[n-1], idle[:n-1]
		} else {
			l = &lexicon{interner: newInterner(1 << 13)}
			all = append(all, l)
		}
		mu.Unlock()
		l.buffer = l.buffer[:0]
		for d := lo; d < hi; d++ {
			starts, ends := each(d, &l.tokens)
			l.read(d, starts, ends, stop)
			c.starts[d+1] = len(l.buffer) // within the block, for now
		}
		by[lo/docBlock], c.blocks[lo/docBlock] = l, append(make([]uint32, 0, len(l.buffer)), l.buffer...)
		if len(l.text) > math.MaxUint32/2 || l.len() > maxTerms {
			return errTooLarge
		}
		mu.Lock()
		idle = append(idle, l)
		mu.Unlock()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := c.merge(all); err != nil {
		return nil, err
	}
	total := 0
	for b := range c.blocks {
		for d := b * docBlock; d < min((b+1)*docBlock, docs); d++ {
			c.starts[d+1] += total
		}
		total += len(c.blocks[b])
	}
	if total >= none {
		return nil, errTooLarge
	}
	err = parallel.Blocks(ctx, blocks, 1, workers, func(b, _ int) error {
		global, tokens := by[b].global, c.blocks[b]
		for i, t := range tokens {
			tokens[i] = global[t]
		}
		return nil
	})
	return c, err
}

var errTooLarge = errors.New("learn vocabulary: too many texts or words for one vocabulary; hashing has no such limit")

// merge ranks the words of all workers and adds up their counts.
func (c *corpus) merge(all []*lexicon) error {
	// The words come in the order of their hashes. A table that had to grow
	// meanwhile would be full at its beginning and slow.
	slots := 1 << 10
	for _, l := range all {
		slots = max(slots, len(l.slots))
	}
	joint := newInterner(slots)
	for _, l := range all {
		l.global = make([]uint32, l.len())
		for i := range l.slots {
			w := &l.slots[i]
			if w.number == 0 || w.stop {
				continue
			}
			s, _ := joint.intern(l.at(w.number - 1))
			if uint64(s.tf)+uint64(w.tf) >= none {
				return errTooLarge
			}
			s.tf += w.tf
			s.df += w.df
			l.global[w.number-1] = s.number - 1
		}
		l.slots, l.buffer, l.tokens = nil, nil, tokens{}
	}
	if len(joint.text) > math.MaxUint32/2 {
		return errTooLarge
	}
	order := joint.sorted()
	rank := make([]uint32, len(order))
	c.text, c.ends = make([]byte, 0, len(joint.text)), make([]uint32, len(order))
	c.tf, c.df = make([]uint32, len(order)), make([]uint32, len(order))
	for r, g := range order {
		rank[g] = uint32(r)
		c.text = append(c.text, joint.at(g)...)
		c.ends[r] = uint32(len(c.text))
	}
	for i := range joint.slots {
		if s := &joint.slots[i]; s.number != 0 {
			r := rank[s.number-1]
			c.tf[r], c.df[r] = s.tf, s.df
		}
	}
	for _, l := range all {
		for n, g := range l.global {
			if int(g) < len(rank) { // always, but for a corpus of stop words
				l.global[n] = rank[g]
			}
		}
	}
	return nil
}
