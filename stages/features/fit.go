package features

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// Fit learns the vocabulary of texts and returns it with their matrix.
// Workers below 1 means one for each processor; progress, when not nil, is
// told how many more texts are done and is called concurrently.
func Fit(ctx context.Context, c Config, docs []string, workers int, progress func(n int)) (*Vectorizer, *CSR, error) {
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	if len(docs) == 0 {
		return nil, nil, errors.New("learn vocabulary: no texts")
	}
	if c.Weighting == HashingWeighting || len(c.Vocabulary) > 0 {
		return fitFixed(ctx, c, docs, workers, progress)
	}
	low, high := c.MinDF.Of(len(docs)), c.MaxDF.Of(len(docs))
	if high < low {
		return nil, nil, fmt.Errorf("learn vocabulary: max_df %s is below min_df %s for %d texts", c.MaxDF, c.MinDF, len(docs))
	}
	a, err := newAnalyzer(c)
	if err != nil {
		return nil, nil, err
	}
	all, err := count(ctx, a, docs, uint32(max(1, math.Ceil(low))), workers)
	if err != nil {
		return nil, nil, err
	}
	terms := all.choose(c, low, high)
	if len(terms) == 0 {
		if all.corpus.tokens() == 0 {
			return nil, nil, errors.New("learn vocabulary: the texts have no words")
		}
		return nil, nil, errors.New("learn vocabulary: no term is within min_df and max_df")
	}
	df := make([]uint32, len(terms))
	nnz := 0
	for i, t := range terms {
		df[i] = all.levels[t.level].df[t.id]
		nnz += int(df[i])
	}
	table, err := all.table(ctx, terms, workers)
	if err != nil {
		return nil, nil, err
	}
	var idf []float64
	if c.needsIDF() {
		idf = inverse(df, len(docs), c.SmoothIDF)
	}
	v, err := New(c, table, idf)
	if err != nil {
		return nil, nil, err
	}
	all.forget()
	m, err := all.matrix(ctx, &v.weights, len(terms), nnz, workers, progress)
	if err != nil {
		return nil, nil, err
	}
	return v, m, nil
}

// forget drops what the matrix does not need. The matrix is the largest piece of
// memory and should take the place of what came before it.
func (c *counted) forget() {
	for n := range c.levels {
		l := &c.levels[n]
		l.prefix, l.last, l.tf, l.df = nil, nil, nil, nil
	}
	c.collect()
}

// collect collects garbage when there may be much: what comes next needs large
// pieces of memory.
func (c *counted) collect() {
	if c.corpus.tokens() > 1<<20 {
		runtime.GC()
	}
}

// count counts the terms of texts. Those that occur in fewer than low texts may
// be missing.
func count(ctx context.Context, a *analyzer, docs []string, low uint32, workers int) (*counted, error) {
	if a.kind == CharWBAnalyzer {
		return countPadded(ctx, a, docs, workers)
	}
	words, err := readCorpus(ctx, len(docs), workers, a.stop, func(d int, t *tokens) ([]uint32, []uint32) {
		a.split(docs[d], t, false)
		return t.starts, t.ends
	})
	if err != nil {
		return nil, err
	}
	c := &counted{corpus: words, between: " "}
	if a.kind == CharAnalyzer {
		c.between = ""
	} else if a.greatest > 1 && bytes.IndexByte(words.text, ' ') >= 0 {
		// Words with spaces in them: terms are told apart by their text.
		words, err = readCorpus(ctx, len(docs), workers, nil, func(d int, t *tokens) ([]uint32, []uint32) {
			a.split(docs[d], t, true)
			return a.terms(t)
		})
		if err != nil {
			return nil, err
		}
		c.corpus, c.expand = words, words.each()
		c.levels = []level{{tf: words.tf, df: words.df}}
		return c, nil
	}
	if a.greatest > 1 {
		c.collect()
	}
	c.levels = make([]level, a.greatest)
	c.levels[0] = level{tf: words.tf, df: words.df}
	var buffer []posting
	for n := 1; n < a.greatest; n++ {
		e := &extender{words: words, single: &c.levels[0], short: &c.levels[n-1], n: n, low: low, workers: workers}
		var l *level
		if l, buffer, err = e.extend(ctx, buffer); err != nil {
			return nil, err
		}
		c.levels[n] = *l
	}
	return c, nil
}

// countPadded counts character n-grams inside of words. A word is taken apart
// once, however often it occurs.
func countPadded(ctx context.Context, a *analyzer, docs []string, workers int) (*counted, error) {
	words, err := readCorpus(ctx, len(docs), workers, nil, func(d int, t *tokens) ([]uint32, []uint32) {
		a.split(docs[d], t, false)
		return t.wholeWords()
	})
	if err != nil {
		return nil, err
	}
	expand, err := readCorpus(ctx, len(words.ends), workers, nil, func(w int, t *tokens) ([]uint32, []uint32) {
		t.starts, t.ends, t.text = t.starts[:0], t.ends[:0], t.text[:0]
		for _, r := range string(words.word(uint32(w))) {
			t.put(r)
		}
		t.bounds = append(t.bounds[:0], uint32(len(t.starts)))
		return a.terms(t)
	})
	if err != nil {
		return nil, err
	}
	c := &counted{corpus: words, expand: expand}
	c.levels = []level{{tf: make([]uint32, len(expand.ends)), df: make([]uint32, len(expand.ends))}}
	return c, c.countExpanded(ctx, workers)
}

// countExpanded fills the counts of the only level.
func (c *counted) countExpanded(ctx context.Context, workers int) error {
	l := &c.levels[0]
	// Each worker has the texts of some blocks and counts of its own.
	const size = 256
	type counts struct{ tf, df, last []uint32 }
	idle := make(chan *counts, (c.corpus.docs()+size-1)/size)
	var all []*counts
	err := parallel.Blocks(ctx, c.corpus.docs(), size, workers, func(lo, hi int) error {
		var k *counts
		select {
		case k = <-idle:
		default:
			n := len(l.df)
			k = &counts{make([]uint32, n), make([]uint32, n), make([]uint32, n)}
		}
		for d := lo; d < hi; d++ {
			for _, w := range c.corpus.doc(d) {
				for _, t := range c.expand.doc(int(w)) {
					k.tf[t]++
					if k.last[t] != uint32(d)+1 {
						k.last[t] = uint32(d) + 1
						k.df[t]++
					}
				}
			}
		}
		idle <- k
		return nil
	})
	if err != nil {
		return err
	}
	close(idle)
	for k := range idle {
		all = append(all, k)
	}
	for _, k := range all {
		for t := range l.df {
			l.tf[t] += k.tf[t]
			l.df[t] += k.df[t]
		}
	}
	return nil
}

// each returns a corpus in which text w is the word w alone.
func (c *corpus) each() *corpus {
	e := &corpus{text: c.text, ends: c.ends, starts: make([]int, len(c.ends)+1)}
	for w := range c.ends {
		if w%docBlock == 0 {
			e.blocks = append(e.blocks, make([]uint32, 0, docBlock))
		}
		last := &e.blocks[w/docBlock]
		*last = append(*last, uint32(w))
		e.starts[w+1] = w + 1
	}
	return e
}

// fitFixed makes the matrix of texts with columns that are known beforehand.
func fitFixed(ctx context.Context, c Config, docs []string, workers int, progress func(n int)) (*Vectorizer, *CSR, error) {
	terms := c.Vocabulary
	c.Vocabulary = nil
	if c.Weighting == HashingWeighting {
		v, err := New(c, nil, nil)
		if err != nil {
			return nil, nil, err
		}
		m, err := v.Transform(ctx, docs, workers, progress)
		return v, m, err
	}
	table, err := NewTable(terms)
	if err != nil {
		return nil, nil, err
	}
	counts := c
	counts.Weighting = CountWeighting
	v, err := New(counts, table, nil)
	if err != nil {
		return nil, nil, err
	}
	m, err := v.Transform(ctx, docs, workers, progress)
	if err != nil || c.Weighting == CountWeighting {
		return v, m, err
	}
	var idf []float64
	if c.UseIDF {
		df := make([]uint32, len(terms))
		for _, col := range m.Indices {
			df[col]++
		}
		if at := indexOf(df, 0); at >= 0 && !c.SmoothIDF {
			return nil, nil, fmt.Errorf("learn vocabulary: term %q is in no text, and smooth_idf is off", terms[at])
		}
		idf = inverse(df, len(docs), c.SmoothIDF)
	}
	if v, err = New(c, table, idf); err != nil {
		return nil, nil, err
	}
	for i := range m.Rows {
		cols, values := m.Row(i)
		v.weights.scale(cols, values)
	}
	return v, m, nil
}

func indexOf(all []uint32, x uint32) int {
	for i, y := range all {
		if y == x {
			return i
		}
	}
	return -1
}

// inverse returns inverse document frequencies for document frequencies.
func inverse(df []uint32, docs int, smooth bool) []float64 {
	idf := make([]float64, len(df))
	n := float64(docs)
	if smooth {
		n++
	}
	// Most terms share their document frequency with others.
	known := map[uint32]float64{}
	for i, k := range df {
		x, ok := known[k]
		if !ok {
			f := float64(k)
			if smooth {
				f++
			}
			x = portable.Log(n/f) + 1
			known[k] = x
		}
		idf[i] = x
	}
	return idf
}
