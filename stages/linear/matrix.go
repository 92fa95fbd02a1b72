package linear

import (
	"context"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/parallel"
)

// matrix is a sparse matrix by rows and, for products with its transpose, by
// columns.
type matrix struct {
	*features.CSR
	// merged, unless nil, says which columns of the problem's matrix those
	// here stand for.
	merged *merging
	starts []int64 // of columns
	rows   []int32
	values []float64
	// blocks are the bounds of runs of columns that are about the same work.
	blocks  []int
	workers int
}

// Rows per step of parallel work, and values with columns per step.
const (
	rowBlock = 512
	colWork  = 1 << 15
)

// newMatrix transposes x. The order inside a column is that of the rows,
// however many workers there are.
func newMatrix(ctx context.Context, x *features.CSR, workers int) (*matrix, error) {
	m := &matrix{
		CSR: x, workers: workers,
		starts: make([]int64, x.Cols+1), rows: make([]int32, x.NNZ()), values: make([]float64, x.NNZ()),
	}
	parts := min(parallel.Workers(workers), max(1, x.NNZ()/(4*(x.Cols+1))), 8)
	step := max(1, (x.Rows+parts-1)/parts)
	// next[p] first counts, then says where part p's next value of a column
	// goes.
	next := make([][]int64, (x.Rows+step-1)/step)
	if err := parallel.Blocks(ctx, x.Rows, step, workers, func(lo, hi int) error {
		count := make([]int64, x.Cols)
		for _, c := range x.Indices[x.Indptr[lo]:x.Indptr[hi]] {
			count[c]++
		}
		next[lo/step] = count
		return nil
	}); err != nil {
		return nil, err
	}
	var at int64
	for c := range x.Cols {
		m.starts[c] = at
		for _, n := range next {
			n[c], at = at, at+n[c]
		}
	}
	m.starts[x.Cols] = at
	if err := parallel.Blocks(ctx, x.Rows, step, workers, func(lo, hi int) error {
		n := next[lo/step]
		for i := lo; i < hi; i++ {
			cols, vals := x.Row(i)
			for k, c := range cols {
				at := n[c]
				n[c]++
				m.rows[at], m.values[at] = int32(i), vals[k]
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	m.blocks = append(m.blocks, 0)
	var work int64
	for c := range x.Cols {
		if work += m.starts[c+1] - m.starts[c] + 1; work >= colWork {
			m.blocks = append(m.blocks, c+1)
			work = 0
		}
	}
	if m.blocks[len(m.blocks)-1] != x.Cols {
		m.blocks = append(m.blocks, x.Cols)
	}
	return m, nil
}

// column returns the rows that have a value in column c, and the values.
func (m *matrix) column(c int) ([]int32, []float64) {
	from, to := m.starts[c], m.starts[c+1]
	return m.rows[from:to], m.values[from:to]
}

// sums are what a pass over rows or columns finds: two totals and a maximum of
// numbers that are not negative.
type sums [3]float64

func (s *sums) add(o sums) {
	s[0] += o[0]
	s[1] += o[1]
	s[2] = max(s[2], o[2])
}

// overRows calls do for blocks of rows in parallel and adds what it returns,
// in the order of the rows.
func (m *matrix) overRows(ctx context.Context, do func(lo, hi int) sums) (total sums, err error) {
	parts := make([]sums, (m.Rows+rowBlock-1)/rowBlock)
	err = parallel.Blocks(ctx, m.Rows, rowBlock, m.workers, func(lo, hi int) error {
		parts[lo/rowBlock] = do(lo, hi)
		return nil
	})
	for _, p := range parts {
		total.add(p)
	}
	return total, err
}

// overColumns is overRows for columns.
func (m *matrix) overColumns(ctx context.Context, do func(lo, hi int) sums) (total sums, err error) {
	parts := make([]sums, len(m.blocks)-1)
	err = parallel.Blocks(ctx, len(parts), 1, m.workers, func(k, _ int) error {
		parts[k] = do(m.blocks[k], m.blocks[k+1])
		return nil
	})
	for _, p := range parts {
		total.add(p)
	}
	return total, err
}

// dotGo is dotSparse. Four sums go side by side, since one would wait for each
// addition.
func dotGo(at []int32, vals, w []float64) float64 {
	var a, b, c, d float64
	vals = vals[:len(at)]
	for len(at) >= 4 && len(vals) >= 4 {
		a += float64(vals[0] * w[at[0]])
		b += float64(vals[1] * w[at[1]])
		c += float64(vals[2] * w[at[2]])
		d += float64(vals[3] * w[at[3]])
		at, vals = at[4:], vals[4:]
	}
	for k, i := range at {
		a += float64(vals[k] * w[i])
	}
	return (a + b) + (c + d)
}

// dotSquares is dotSparse with the values squared.
func dotSquares(at []int32, vals, w []float64) float64 {
	var a, b float64
	vals = vals[:len(at)]
	for len(at) >= 2 && len(vals) >= 2 {
		a += float64(float64(vals[0]*vals[0]) * w[at[0]])
		b += float64(float64(vals[1]*vals[1]) * w[at[1]])
		at, vals = at[2:], vals[2:]
	}
	for k, i := range at {
		a += float64(float64(vals[k]*vals[k]) * w[i])
	}
	return a + b
}

// addGo is addSparse.
func addGo(f float64, at []int32, vals, w []float64) {
	vals = vals[:len(at)]
	for k, i := range at {
		w[i] += float64(f * vals[k])
	}
}

// Decision returns w·x + b of each row of x. Workers below 1 means one for
// each processor.
func Decision(ctx context.Context, x *features.CSR, coef []float64, intercept float64, workers int) ([]float64, error) {
	out := make([]float64, x.Rows)
	return out, parallel.Blocks(ctx, x.Rows, rowBlock, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			cols, vals := x.Row(i)
			out[i] = intercept + dotSparse(cols, vals, coef)
		}
		return nil
	})
}
