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
	starts  []int64 // of columns
	rows    []int32
	values  []float64
	workers int
}

// Rows and columns per step of parallel work.
const (
	rowBlock = 1024
	colBlock = 4096
)

func newMatrix(x *features.CSR, workers int) *matrix {
	m := &matrix{
		CSR: x, workers: workers,
		starts: make([]int64, x.Cols+1), rows: make([]int32, x.NNZ()), values: make([]float64, x.NNZ()),
	}
	for _, c := range x.Indices {
		m.starts[c+1]++
	}
	for c := range x.Cols {
		m.starts[c+1] += m.starts[c]
	}
	next := append([]int64(nil), m.starts[:x.Cols]...)
	for i := range x.Rows {
		cols, vals := x.Row(i)
		for k, c := range cols {
			at := next[c]
			next[c]++
			m.rows[at], m.values[at] = int32(i), vals[k]
		}
	}
	return m
}

// times sets out to X·w + b.
func (m *matrix) times(ctx context.Context, w []float64, b float64, out []float64) error {
	return parallel.Blocks(ctx, m.Rows, rowBlock, m.workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			cols, vals := m.Row(i)
			out[i] = b + dotRow(cols, vals, w)
		}
		return nil
	})
}

// columns calls do for each column in parallel. The slices are the rows with
// a value and the values.
func (m *matrix) columns(ctx context.Context, do func(c int, rows []int32, values []float64)) error {
	return parallel.Blocks(ctx, m.Cols, colBlock, m.workers, func(lo, hi int) error {
		for c := lo; c < hi; c++ {
			from, to := m.starts[c], m.starts[c+1]
			do(c, m.rows[from:to], m.values[from:to])
		}
		return nil
	})
}

// dotRow is the product of a sparse row and a dense vector.
func dotRow(cols []int32, vals, w []float64) float64 {
	var sum float64
	for k, c := range cols {
		sum += float64(vals[k] * w[c])
	}
	return sum
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += float64(x * b[i])
	}
	return sum
}

// Decision returns w·x + b of each row of x. Workers below 1 means one for
// each processor.
func Decision(ctx context.Context, x *features.CSR, coef []float64, intercept float64, workers int) ([]float64, error) {
	out := make([]float64, x.Rows)
	m := &matrix{CSR: x, workers: workers}
	if err := m.times(ctx, coef, intercept, out); err != nil {
		return nil, err
	}
	return out, nil
}
