package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// Vectorizer turns texts into rows, by a learned vocabulary and its weights or
// by hashing. It is immutable and safe for concurrent use.
type Vectorizer struct {
	weights    weights
	vocabulary Vocabulary
	analyzer   *analyzer
	hasher     hasher
	// scratch holds *rowScratch.
	scratch sync.Pool
}

// New returns the vectorizer of a stored vocabulary, which is nil for hashing.
// idf has a weight for each term, or is empty when the configuration does not
// use it. It must not be changed afterwards.
func New(c Config, vocabulary Vocabulary, idf []float64) (*Vectorizer, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if len(c.Vocabulary) > 0 {
		return nil, errors.New("vocabulary: given twice, with the configuration and beside it")
	}
	a, err := newAnalyzer(c)
	if err != nil {
		return nil, err
	}
	v := &Vectorizer{weights: weights{c, idf}, vocabulary: vocabulary, analyzer: a}
	v.scratch.New = func() any { return new(rowScratch) }
	if c.Weighting == HashingWeighting {
		if vocabulary != nil || len(idf) > 0 {
			return nil, errors.New("vocabulary: hashing has none")
		}
		v.hasher = hasher{uint32(c.NFeatures), c.AlternateSign}
		return v, nil
	}
	if vocabulary == nil || vocabulary.Len() == 0 {
		return nil, errors.New("vocabulary: empty")
	}
	n := vocabulary.Len()
	if n > maxTerms {
		return nil, errors.New("vocabulary: too large")
	}
	if c.needsIDF() && len(idf) != n || !c.needsIDF() && len(idf) != 0 {
		return nil, fmt.Errorf("vocabulary: %d terms and %d inverse document frequencies", n, len(idf))
	}
	for i, f := range idf {
		if !(math.Abs(f) <= math.MaxFloat64) { // NaN or infinite, told fast: there may be millions
			return nil, fmt.Errorf("vocabulary: term %q: inverse document frequency is %v", vocabulary.Term(int32(i)), f)
		}
	}
	return v, nil
}

// Config returns the configuration.
func (v *Vectorizer) Config() Config { return v.weights.config }

// Vocabulary returns the terms, nil for hashing.
func (v *Vectorizer) Vocabulary() Vocabulary { return v.vocabulary }

// Cols returns the number of columns.
func (v *Vectorizer) Cols() int {
	if v.vocabulary == nil {
		return int(v.hasher.columns)
	}
	return v.vocabulary.Len()
}

// Terms returns the terms by column, each as a string of its own: nil for
// hashing.
func (v *Vectorizer) Terms() []string {
	if v.vocabulary == nil {
		return nil
	}
	terms := make([]string, v.vocabulary.Len())
	for i := range terms {
		terms[i] = v.vocabulary.Term(int32(i))
	}
	return terms
}

// IDF returns the inverse document frequencies by column, nil when unused.
// The caller must not change it.
func (v *Vectorizer) IDF() []float64 { return v.weights.idf }

// Row sets r to the row of a text. It reuses what r has, so that a caller who
// keeps r makes rows without allocating.
func (v *Vectorizer) Row(doc string, r *Row) {
	*r = Row{Indices: r.Indices[:0], Data: r.Data[:0]}
	v.appendRow(doc, r)
}

func (v *Vectorizer) appendRow(doc string, r *Row) {
	s := v.scratch.Get().(*rowScratch)
	s.cols = s.cols[:0]
	v.analyzer.split(doc, &s.tokens, true)
	starts, ends := v.analyzer.terms(&s.tokens)
	text := s.tokens.text
	r.Terms += len(starts)
	if v.vocabulary == nil {
		for i, start := range starts {
			column, negative := v.hasher.column(text[start:ends[i]])
			column <<= 1
			if negative {
				column |= 1
			}
			s.cols = append(s.cols, column)
		}
		v.hasher.row(v.weights.config, s.cols, s.room(), r)
	} else {
		for _, c := range s.lookupAll(v.vocabulary, text, starts, ends) {
			if c >= 0 {
				s.cols = append(s.cols, c)
			}
		}
		r.Unknown += len(starts) - len(s.cols)
		v.weights.weigh(s.cols, s.room(), r)
	}
	v.scratch.Put(s)
}

// Transform returns the matrix of texts. Workers below 1 means one for each
// processor; progress, when not nil, is told how many more texts are done and
// is called concurrently.
func (v *Vectorizer) Transform(ctx context.Context, docs []string, workers int, progress func(n int)) (*CSR, error) {
	return transform(ctx, docs, v.Cols(), workers, progress, v.appendRow)
}

// transform makes a matrix of the rows that add appends.
func transform(ctx context.Context, docs []string, cols, workers int, progress func(n int), add func(doc string, r *Row)) (*CSR, error) {
	type block struct {
		row  Row
		ends []int
	}
	blocks := make([]block, (len(docs)+docBlock-1)/docBlock)
	var pool sync.Pool
	err := parallel.Blocks(ctx, len(docs), docBlock, workers, func(lo, hi int) error {
		r, _ := pool.Get().(*Row)
		if r == nil {
			r = new(Row)
		}
		r.Indices, r.Data = r.Indices[:0], r.Data[:0]
		b := &blocks[lo/docBlock]
		for _, d := range docs[lo:hi] {
			add(d, r)
			b.ends = append(b.ends, len(r.Data))
		}
		b.row.Indices = append(make([]int32, 0, len(r.Indices)), r.Indices...)
		b.row.Data = append(make([]float64, 0, len(r.Data)), r.Data...)
		pool.Put(r)
		if progress != nil {
			progress(hi - lo)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	nnz := 0
	for i := range blocks {
		nnz += len(blocks[i].row.Data)
	}
	m := &CSR{
		Rows: len(docs), Cols: cols,
		Indptr: make([]int64, 1, len(docs)+1), Indices: make([]int32, 0, nnz), Data: make([]float64, 0, nnz),
	}
	for i := range blocks {
		b := &blocks[i]
		base := int64(len(m.Data))
		for _, e := range b.ends {
			m.Indptr = append(m.Indptr, base+int64(e))
		}
		m.Indices = append(m.Indices, b.row.Indices...)
		m.Data = append(m.Data, b.row.Data...)
		*b = block{}
	}
	return m, nil
}
