package features

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// corpus is texts as numbers: text d is tokens[starts[d]:starts[d+1]]. A number
// is the rank of a word among all in the order of bytes, so that it depends on
// the texts alone.
type corpus struct {
	tokens []uint32
	starts []int
	// words by number, word i being text[ends[i-1]:ends[i]], the number of
	// their occurrences and of the texts they occur in.
	text   []byte
	ends   []uint32
	tf, df []uint32
}

func (c *corpus) docs() int { return len(c.starts) - 1 }

func (c *corpus) doc(d int) []uint32 { return c.tokens[c.starts[d]:c.starts[d+1]] }

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
	tf, df []uint32
	last   []uint32 // 1 + the text a word was last seen in
	stop   []bool
	global []uint32 // by number, the number in the corpus
	tokens tokens
	buffer []uint32
}

// count adds an occurrence of a word in text d and returns its number. It
// returns false for a stop word.
func (l *lexicon) count(word []byte, d uint32, stop func([]byte) bool) (uint32, bool) {
	n, fresh := l.intern(word)
	if fresh {
		l.tf, l.df, l.last = append(l.tf, 0), append(l.df, 0), append(l.last, 0)
		l.stop = append(l.stop, stop != nil && stop(word))
	}
	if l.stop[n] {
		return 0, false
	}
	l.tf[n]++
	if l.last[n] != d+1 {
		l.last[n] = d + 1
		l.df[n]++
	}
	return n, true
}

// readCorpus numbers the words of docs texts. Each calls word for the words of
// a text, in order; what it is given it may use for scratch. Workers number
// words on their own, and once all are known they get their ranks.
func readCorpus(ctx context.Context, docs, workers int, stop func([]byte) bool,
	each func(d int, scratch *tokens, word func(b []byte)),
) (*corpus, error) {
	if docs >= math.MaxUint32 {
		return nil, errTooLarge
	}
	const size = 256
	type part struct {
		by     *lexicon
		tokens []uint32
		ends   []int
	}
	parts := make([]part, (docs+size-1)/size)
	var mu sync.Mutex
	var idle, all []*lexicon
	err := parallel.Blocks(ctx, docs, size, workers, func(lo, hi int) error {
		mu.Lock()
		var l *lexicon
		if n := len(idle); n > 0 {
			l, idle = idle[n-1], idle[:n-1]
		} else {
			l = &lexicon{interner: newInterner()}
			all = append(all, l)
		}
		mu.Unlock()
		p := &parts[lo/size]
		p.by, p.ends = l, make([]int, 0, hi-lo)
		out := l.buffer[:0]
		var d uint32
		word := func(b []byte) {
			if n, ok := l.count(b, d, stop); ok {
				out = append(out, n)
			}
		}
		for i := lo; i < hi; i++ {
			d = uint32(i)
			each(i, &l.tokens, word)
			p.ends = append(p.ends, len(out))
		}
		p.tokens, l.buffer = append([]uint32(nil), out...), out
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
	c, err := merge(all)
	if err != nil {
		return nil, err
	}
	total := 0
	bases := make([]int, len(parts))
	for i := range parts {
		bases[i] = total
		total += len(parts[i].tokens)
	}
	if total >= none {
		return nil, errTooLarge
	}
	c.tokens, c.starts = make([]uint32, total), make([]int, docs+1)
	err = parallel.Blocks(ctx, len(parts), 1, workers, func(i, _ int) error {
		p := &parts[i]
		to := c.tokens[bases[i]:]
		for k, t := range p.tokens {
			to[k] = p.by.global[t]
		}
		for k, e := range p.ends {
			c.starts[i*size+k+1] = bases[i] + e
		}
		*p = part{}
		return nil
	})
	return c, err
}

var errTooLarge = errors.New("learn vocabulary: too many texts or words for one vocabulary; hashing has no such limit")

// merge ranks the words of all workers and adds up their counts.
func merge(all []*lexicon) (*corpus, error) {
	joint := newInterner()
	var tf, df []uint32
	for _, l := range all {
		l.global = make([]uint32, l.len())
		for n := range l.global {
			if l.stop[n] {
				continue
			}
			g, fresh := joint.intern(l.at(uint32(n)))
			if fresh {
				tf, df = append(tf, 0), append(df, 0)
			}
			l.global[n] = g
			if uint64(tf[g])+uint64(l.tf[n]) >= none {
				return nil, errTooLarge
			}
			tf[g] += l.tf[n]
			df[g] += l.df[n]
		}
		l.slots, l.tf, l.df, l.last, l.buffer = nil, nil, nil, nil, nil
	}
	if len(joint.text) > math.MaxUint32/2 {
		return nil, errTooLarge
	}
	order := joint.sorted()
	rank := make([]uint32, len(order))
	c := &corpus{
		text: make([]byte, 0, len(joint.text)), ends: make([]uint32, len(order)),
		tf: make([]uint32, len(order)), df: make([]uint32, len(order)),
	}
	for r, g := range order {
		rank[g] = uint32(r)
		c.text = append(c.text, joint.at(g)...)
		c.ends[r] = uint32(len(c.text))
		c.tf[r], c.df[r] = tf[g], df[g]
	}
	for _, l := range all {
		for n, g := range l.global {
			if !l.stop[n] {
				l.global[n] = rank[g]
			}
		}
	}
	return c, nil
}
