package features

import (
	"context"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// Row is the columns, ascending, and the values of one text.
type Row struct {
	Indices []int32
	Data    []float64
	// Terms is the number of terms of the text, each as often as it occurs,
	// and Unknown the number of those that are not in the vocabulary. Of a
	// union they are the sums over its parts.
	Terms, Unknown int
}

// weights turns the occurrences of a text's terms into a row.
type weights struct {
	config Config
	idf    []float64
}

// weigh appends the row of the given occurrences to r. cols is sorted in place,
// spare is scratch of the same length.
func (w *weights) weigh(cols, spare []int32, r *Row) {
	sortColumns(cols, spare)
	start := len(r.Data)
	for i := 0; i < len(cols); {
		j := i + 1
		for j < len(cols) && cols[j] == cols[i] {
			j++
		}
		x := 1.0
		if !w.config.Binary {
			x = float64(j - i)
		}
		r.Indices, r.Data = append(r.Indices, cols[i]), append(r.Data, x)
		i = j
	}
	w.scale(r.Indices[start:], r.Data[start:])
}

// scale turns the counts of a row into weights.
func (w *weights) scale(cols []int32, values []float64) {
	if w.config.Weighting != TfidfWeighting {
		return
	}
	if w.config.SublinearTF {
		for i, x := range values {
			values[i] = logCount(int(x)) + 1
		}
	}
	if w.config.UseIDF {
		for i, c := range cols {
			values[i] *= w.idf[c]
		}
	}
	normalize(values, w.config.Norm)
}

// sortColumns sorts by eight binary digits at a time, the lowest first.
func sortColumns(cols, spare []int32) {
	if len(cols) < 64 {
		slices.Sort(cols)
		return
	}
	all := int32(0)
	for _, c := range cols {
		all |= c
	}
	from, to := cols, spare[:len(cols)]
	passes := (bits.Len32(uint32(all)) + 7) / 8
	for p := range passes {
		shift := 8 * p
		var next [256]uint32
		for _, c := range from {
			next[uint8(c>>shift)]++
		}
		sum := uint32(0)
		for i, n := range next {
			next[i] = sum
			sum += n
		}
		for _, c := range from {
			d := uint8(c >> shift)
			to[next[d]] = c
			next[d]++
		}
		from, to = to, from
	}
	if passes%2 == 1 {
		copy(cols, spare)
	}
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

// rowScratch is what making rows works in.
type rowScratch struct {
	tokens      tokens
	cols, spare []int32
	found       []int32 // see lookupAll
	row         Row
	ends        []int
	owners      []int32
}

func (s *rowScratch) room() []int32 {
	if cap(s.spare) < len(s.cols) {
		s.spare = make([]int32, 2*len(s.cols))
	}
	return s.spare[:len(s.cols)]
}

// matrix makes the matrix of the texts that were counted, which has nnz values.
// A block of rows is made in scratch and copied when those before it have their
// places, so that there is one matrix in memory and not two.
func (c *counted) matrix(ctx context.Context, w *weights, cols, nnz, workers int, progress func(n int)) (*CSR, error) {
	rows := c.corpus.docs()
	m := &CSR{
		Rows: rows, Cols: cols,
		Indptr: make([]int64, rows+1), Indices: make([]int32, nnz), Data: make([]float64, nnz),
	}
	var mu sync.Mutex
	turn := sync.NewCond(&mu)
	block, place := 0, 0
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		turn.Broadcast()
	})
	defer stop()
	var pool sync.Pool
	err := parallel.Blocks(ctx, rows, docBlock, workers, func(lo, hi int) error {
		s, _ := pool.Get().(*rowScratch)
		if s == nil {
			s = new(rowScratch)
		}
		defer pool.Put(s)
		s.row.Indices, s.row.Data, s.ends = s.row.Indices[:0], s.row.Data[:0], s.ends[:0]
		for d := lo; d < hi; d++ {
			c.columns(d, s)
			w.weigh(s.cols, s.room(), &s.row)
			s.ends = append(s.ends, len(s.row.Data))
		}
		mu.Lock()
		// Blocks are begun in order, so the one whose turn it is is being worked at.
		for block != lo/docBlock && ctx.Err() == nil {
			turn.Wait()
		}
		if err := ctx.Err(); err != nil {
			mu.Unlock()
			return err
		}
		base := place
		place += len(s.row.Data)
		block++
		turn.Broadcast()
		mu.Unlock()
		copy(m.Indices[base:], s.row.Indices)
		copy(m.Data[base:], s.row.Data)
		for i, e := range s.ends {
			m.Indptr[lo+i+1] = int64(base + e)
		}
		if progress != nil {
			progress(hi - lo)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// columns fills s.cols with the columns of a text, once for each occurrence.
func (c *counted) columns(d int, s *rowScratch) {
	s.cols = s.cols[:0]
	if c.expand != nil {
		column := c.levels[0].column
		for _, w := range c.corpus.doc(d) {
			for _, t := range c.expand.doc(int(w)) {
				if column[t] >= 0 {
					s.cols = append(s.cols, column[t])
				}
			}
		}
		return
	}
	for n := range c.levels {
		l := &c.levels[n]
		if l.column == nil {
			continue
		}
		grams := c.corpus.doc(d)
		if l.grams != nil {
			grams = l.grams[c.corpus.starts[d]:c.corpus.starts[d+1]]
		}
		for _, id := range grams {
			if id != none && l.column[id] >= 0 {
				s.cols = append(s.cols, l.column[id])
			}
		}
	}
}
