package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/internal/portable"
	"github.com/flowrepro/flow/stages/text"
)

// Vectorizer is a learned vocabulary with its weights. It is immutable and
// safe for concurrent use.
type Vectorizer struct {
	config Config
	terms  []string
	idf    []float64
	index  map[string]int32
	// scratch holds *rowScratch.
	scratch sync.Pool
}

// rowScratch is what making one row works in.
type rowScratch struct {
	tokens []string
	cols   []int32
	key    []byte
}

// New returns the vectorizer of a stored vocabulary. Terms must ascend in
// code-point order; idf has a weight for each term, or is empty when the
// configuration does not use it. The slices must not be changed afterwards.
func New(c Config, terms []string, idf []float64) (*Vectorizer, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if len(terms) == 0 {
		return nil, errors.New("vocabulary: empty")
	}
	if len(terms) > math.MaxInt32 {
		return nil, errors.New("vocabulary: too large")
	}
	wantIDF := c.Weighting == "tfidf" && c.UseIDF
	if wantIDF && len(idf) != len(terms) || !wantIDF && len(idf) != 0 {
		return nil, fmt.Errorf("vocabulary: %d terms and %d inverse document frequencies", len(terms), len(idf))
	}
	for i, f := range idf {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("vocabulary: term %q: inverse document frequency is %v", terms[i], f)
		}
	}
	v := &Vectorizer{config: c, terms: terms, idf: idf, index: make(map[string]int32, len(terms))}
	for i, t := range terms {
		if t == "" || !utf8.ValidString(t) {
			return nil, fmt.Errorf("vocabulary: term %d: empty or not UTF-8", i)
		}
		if i > 0 && terms[i-1] >= t {
			return nil, fmt.Errorf("vocabulary: term %q: out of order", t)
		}
		v.index[t] = int32(i)
	}
	v.scratch.New = func() any { return new(rowScratch) }
	return v, nil
}

// Config returns the configuration.
func (v *Vectorizer) Config() Config { return v.config }

// Terms returns the vocabulary by column. The caller must not change it.
func (v *Vectorizer) Terms() []string { return v.terms }

// IDF returns the inverse document frequencies by column, nil when unused.
// The caller must not change it.
func (v *Vectorizer) IDF() []float64 { return v.idf }

// Row returns the columns, ascending, and values of one text.
func (v *Vectorizer) Row(doc string) ([]int32, []float64) {
	s := v.scratch.Get().(*rowScratch)
	defer v.scratch.Put(s)
	return v.appendRow(s, doc, nil, nil)
}

func (v *Vectorizer) appendRow(s *rowScratch, doc string, indices []int32, data []float64) ([]int32, []float64) {
	if v.config.Lowercase {
		doc = text.Lower(doc)
	}
	s.tokens, s.cols = s.tokens[:0], s.cols[:0]
	Tokens(doc, func(t string) { s.tokens = append(s.tokens, t) })
	for i := range s.tokens {
		s.key = s.key[:0]
		for n := 1; n <= v.config.NgramMax && i+n <= len(s.tokens); n++ {
			if n > 1 {
				s.key = append(s.key, ' ')
			}
			s.key = append(s.key, s.tokens[i+n-1]...)
			if n < v.config.NgramMin {
				continue
			}
			if c, ok := v.index[string(s.key)]; ok {
				s.cols = append(s.cols, c)
			}
		}
	}
	return v.weigh(s.cols, indices, data)
}

// weigh appends the row of the given occurrences, sorting them in place.
func (v *Vectorizer) weigh(cols, indices []int32, data []float64) ([]int32, []float64) {
	slices.Sort(cols)
	start := len(data)
	for i := 0; i < len(cols); {
		j := i + 1
		for j < len(cols) && cols[j] == cols[i] {
			j++
		}
		count := j - i
		if v.config.Binary {
			count = 1
		}
		x := float64(count)
		if v.config.Weighting == "tfidf" {
			if v.config.SublinearTF {
				x = logCount(count) + 1
			}
			if v.config.UseIDF {
				x *= v.idf[cols[i]]
			}
		}
		indices = append(indices, cols[i])
		data = append(data, x)
		i = j
	}
	if v.config.Weighting == "tfidf" {
		normalize(data[start:], v.config.Norm)
	}
	return indices, data
}

// logs are the logarithms of small counts.
var logs = sync.OnceValue(func() *[64]float64 {
	t := new([64]float64)
	for i := 1; i < len(t); i++ {
		t[i] = portable.Log(float64(i))
	}
	return t
})

func logCount(n int) float64 {
	if t := logs(); n < len(t) {
		return t[n]
	}
	return portable.Log(float64(n))
}

// normalize scales a row to length 1, in the order of its values.
func normalize(row []float64, norm string) {
	var sum float64
	switch norm {
	case "l2":
		for _, x := range row {
			sum += float64(x * x)
		}
		sum = math.Sqrt(sum)
	case "l1":
		for _, x := range row {
			sum += math.Abs(x)
		}
	default:
		return
	}
	if sum == 0 {
		return
	}
	for i := range row {
		row[i] /= sum
	}
}

// blockRows is how many texts one step of work takes.
const blockRows = 256

// Transform returns the matrix of texts. Workers below 1 means one for each
// processor; progress, when not nil, is told how many more texts are done and
// is called concurrently.
func (v *Vectorizer) Transform(ctx context.Context, docs []string, workers int, progress func(n int)) (*CSR, error) {
	return assemble(ctx, len(docs), len(v.terms), workers, func(lo, hi int, b *block) {
		s := v.scratch.Get().(*rowScratch)
		defer v.scratch.Put(s)
		for _, d := range docs[lo:hi] {
			b.indices, b.data = v.appendRow(s, d, b.indices, b.data)
			b.ends = append(b.ends, len(b.data))
		}
		if progress != nil {
			progress(hi - lo)
		}
	})
}

// block holds some rows until all are known.
type block struct {
	indices []int32
	data    []float64
	ends    []int
}

// assemble makes a matrix from blocks of rows that are filled in parallel.
func assemble(ctx context.Context, rows, cols, workers int, fill func(lo, hi int, b *block)) (*CSR, error) {
	blocks := make([]block, (rows+blockRows-1)/blockRows)
	err := parallel.Blocks(ctx, rows, blockRows, workers, func(lo, hi int) error {
		fill(lo, hi, &blocks[lo/blockRows])
		return nil
	})
	if err != nil {
		return nil, err
	}
	nnz := 0
	for i := range blocks {
		nnz += len(blocks[i].data)
	}
	m := &CSR{
		Rows: rows, Cols: cols,
		Indptr: make([]int64, 1, rows+1), Indices: make([]int32, 0, nnz), Data: make([]float64, 0, nnz),
	}
	for i := range blocks {
		b := &blocks[i]
		base := int64(len(m.Data))
		for _, e := range b.ends {
			m.Indptr = append(m.Indptr, base+int64(e))
		}
		m.Indices = append(m.Indices, b.indices...)
		m.Data = append(m.Data, b.data...)
		*b = block{}
	}
	return m, nil
}
