package features

import (
	"context"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// none stands for a term that is too rare to matter.
const none = math.MaxUint32

// level has the terms of one number of tokens. They are numbered in the order
// of their text among those of the level.
type level struct {
	// grams has, for each token of the corpus, the term that starts there: none
	// where a text ends or where the term occurs in too few texts. Level 0 has
	// the corpus itself.
	grams []uint32
	// prefix is the term without its last token, a number of the level before,
	// and last is that token. Level 0 is the tokens and has neither.
	prefix, last []uint32
	tf, df       []uint32
	column       []int32 // -1 when not in the vocabulary; nil when none is
}

// posting is one occurrence of a term.
type posting struct{ prefix, last, at uint32 }

// shardBits returns the number of binary digits of the number of shards that
// postings are dealt to: enough for the table of a shard to stay in the
// processor's cache.
func shardBits(postings int) uint {
	bits := uint(0)
	for bits < 8 && postings>>bits > 1<<15 {
		bits++
	}
	return bits
}

// extender counts the terms of one more token than those of short. A text that
// has a term has its beginning and its last token too, so a term of which one
// occurs in fewer than low texts is not looked at.
type extender struct {
	words   *corpus
	single  *level
	short   *level
	n       int // tokens of a term of short
	low     uint32
	workers int

	bits   uint
	idle   sync.Pool // of *tally
	from   []int     // of shards in postings
	all    []posting
	shards []shard
}

// shard is the terms of one shard that occur in enough texts.
type shard struct {
	prefix, last, tf, df []uint32
	base                 int // of their numbers among all, before sorting
}

// each calls do for the terms of some texts, in two numbers, with their places.
func (e *extender) each(lo, hi int, do func(at int, prefix, last uint32)) {
	singleDF, shortDF, low := e.single.df, e.short.df, e.low
	for d := lo; d < hi; d++ {
		words := e.words.doc(d)
		start := e.words.starts[d]
		prefixes := words
		if e.short.grams != nil {
			prefixes = e.short.grams[start : start+len(words)]
		}
		for i := 0; i+e.n < len(words); i++ {
			prefix, last := prefixes[i], words[i+e.n]
			if prefix != none && shortDF[prefix] >= low && singleDF[last] >= low {
				do(start+i, prefix, last)
			}
		}
	}
}

func (e *extender) shard(prefix, last uint32) uint64 {
	return fold(uint64(prefix)<<32|uint64(last)) >> 1 >> (63 - e.bits)
}

// extend returns the next level. buffer is reused when it is large enough; what
// it has become is returned.
func (e *extender) extend(ctx context.Context, buffer []posting) (*level, []posting, error) {
	e.bits = shardBits(e.words.tokens())
	if err := e.deal(ctx, buffer); err != nil {
		return nil, nil, err
	}
	e.shards = make([]shard, 1<<e.bits)
	err := parallel.Blocks(ctx, len(e.shards), 1, e.workers, func(s, _ int) error {
		e.count(s)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	l, rank, err := e.sort(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.grams = make([]uint32, e.words.tokens())
	for i := range l.grams {
		l.grams[i] = none
	}
	err = parallel.Blocks(ctx, len(e.shards), 1, e.workers, func(s, _ int) error {
		base := e.shards[s].base
		for _, p := range e.all[e.from[s]:e.from[s+1]] {
			if p.prefix != none {
				l.grams[p.at] = rank[base+int(p.prefix)]
			}
		}
		return nil
	})
	return l, e.all, err
}

// deal fills postings, shard by shard, ascending by place within each.
func (e *extender) deal(ctx context.Context, buffer []posting) error {
	docs, shards := e.words.docs(), 1<<e.bits
	blocks := (docs + docBlock - 1) / docBlock
	counts := make([]int, blocks*shards)
	err := parallel.Blocks(ctx, docs, docBlock, e.workers, func(lo, hi int) error {
		mine := counts[lo/docBlock*shards:][:shards]
		e.each(lo, hi, func(_ int, prefix, last uint32) { mine[e.shard(prefix, last)]++ })
		return nil
	})
	if err != nil {
		return err
	}
	e.from = make([]int, shards+1)
	total := 0
	for s := range shards {
		e.from[s] = total
		for b := range blocks {
			total, counts[b*shards+s] = total+counts[b*shards+s], total
		}
	}
	e.from[shards] = total
	if cap(buffer) < total {
		buffer = make([]posting, total)
	}
	e.all = buffer[:total]
	return parallel.Blocks(ctx, docs, docBlock, e.workers, func(lo, hi int) error {
		next := counts[lo/docBlock*shards:][:shards]
		e.each(lo, hi, func(at int, prefix, last uint32) {
			s := e.shard(prefix, last)
			e.all[next[s]] = posting{prefix, last, uint32(at)}
			next[s]++
		})
		return nil
	})
}

// tally is what counting a shard takes; the next one takes it over.
type tally struct {
	slots []uint32 // 1 + number
	all   shard
	seen  []uint32 // 1 + the text a term was last seen in
}

// count numbers the terms of a shard, drops those that occur in too few texts,
// and leaves in the postings' prefix the number of the term within the shard.
func (e *extender) count(s int) {
	postings := e.all[e.from[s]:e.from[s+1]]
	y, _ := e.idle.Get().(*tally)
	if y == nil {
		y = &tally{slots: make([]uint32, 1<<10)}
	}
	defer e.idle.Put(y)
	clear(y.slots)
	slots, shift := y.slots, uint(64-bits.TrailingZeros(uint(len(y.slots))))
	all := shard{prefix: y.all.prefix[:0], last: y.all.last[:0], tf: y.all.tf[:0], df: y.all.df[:0]}
	seen := y.seen[:0]
	d, end := 0, 0
	starts := e.words.starts
	for i := range postings {
		p := &postings[i]
		for int(p.at) >= end {
			d++
			end = starts[d]
		}
		mask := uint64(len(slots) - 1)
		h := fold(uint64(p.prefix)<<32|uint64(p.last)) * hashPrime
		at := h >> shift
		for slots[at] != 0 && (all.prefix[slots[at]-1] != p.prefix || all.last[slots[at]-1] != p.last) {
			at = (at + 1) & mask
		}
		if slots[at] == 0 {
			all.prefix, all.last = append(all.prefix, p.prefix), append(all.last, p.last)
			all.tf, all.df, seen = append(all.tf, 0), append(all.df, 0), append(seen, 0)
			slots[at] = uint32(len(all.prefix))
			if 2*len(all.prefix) > len(slots) {
				shift--
				slots = rehash(all.prefix, all.last, shift)
				for at = h >> shift; slots[at] != uint32(len(all.prefix)); {
					at = (at + 1) & uint64(len(slots)-1)
				}
			}
		}
		n := slots[at] - 1
		all.tf[n]++
		if seen[n] != uint32(d) {
			seen[n] = uint32(d)
			all.df[n]++
		}
		p.prefix = n
	}
	y.slots, y.all, y.seen = slots, all, seen
	kept := 0
	for _, df := range all.df {
		if df >= e.low {
			kept++
		}
	}
	out := shard{
		prefix: make([]uint32, 0, kept), last: make([]uint32, 0, kept),
		tf: make([]uint32, 0, kept), df: make([]uint32, 0, kept),
	}
	number := seen // by number before, the number of those that are kept
	for n, df := range all.df {
		number[n] = none
		if df >= e.low {
			number[n] = uint32(len(out.df))
			out.prefix, out.last = append(out.prefix, all.prefix[n]), append(out.last, all.last[n])
			out.tf, out.df = append(out.tf, all.tf[n]), append(out.df, df)
		}
	}
	for i := range postings {
		postings[i].prefix = number[postings[i].prefix]
	}
	e.shards[s] = out
}

func rehash(prefix, last []uint32, shift uint) []uint32 {
	slots := make([]uint32, 1<<(64-shift))
	mask := uint64(len(slots) - 1)
	for n, p := range prefix {
		at := fold(uint64(p)<<32|uint64(last[n])) * hashPrime >> shift
		for slots[at] != 0 {
			at = (at + 1) & mask
		}
		slots[at] = uint32(n + 1)
	}
	return slots
}

// sort makes one level of the shards, in order, and returns the rank of each
// term by its number before.
func (e *extender) sort(ctx context.Context) (*level, []uint32, error) {
	total := 0
	for i := range e.shards {
		e.shards[i].base = total
		total += len(e.shards[i].df)
	}
	if total > maxTerms {
		return nil, nil, errTooLarge
	}
	// Counted by prefix, then sorted by the last token within a prefix.
	bound := make([]uint32, len(e.short.df)+1)
	for i := range e.shards {
		for _, p := range e.shards[i].prefix {
			bound[p+1]++
		}
	}
	for p := range e.short.df {
		bound[p+1] += bound[p]
	}
	next := slices.Clone(bound)
	order := make([]uint64, total) // last << 32 | number before
	for i := range e.shards {
		s := &e.shards[i]
		for k, p := range s.prefix {
			order[next[p]] = uint64(s.last[k])<<32 | uint64(s.base+k)
			next[p]++
		}
	}
	err := parallel.Blocks(ctx, len(e.short.df), 1024, e.workers, func(lo, hi int) error {
		for p := lo; p < hi; p++ {
			slices.Sort(order[bound[p]:bound[p+1]])
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	l := &level{
		prefix: make([]uint32, total), last: make([]uint32, total),
		tf: make([]uint32, total), df: make([]uint32, total),
	}
	rank := make([]uint32, total)
	for r, o := range order {
		rank[uint32(o)] = uint32(r)
		l.last[r] = uint32(o >> 32)
	}
	err = parallel.Blocks(ctx, len(e.shards), 1, e.workers, func(i, _ int) error {
		s := &e.shards[i]
		for k, p := range s.prefix {
			r := rank[s.base+k]
			l.prefix[r], l.tf[r], l.df[r] = p, s.tf[k], s.df[k]
		}
		base := s.base
		*s = shard{base: base}
		return nil
	})
	return l, rank, err
}
