package linear

import (
	"context"
	"math"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/parallel"
)

// merging says how columns were merged that have their only value in the same
// row, as most n-grams do. With the values xₐ, of length v = ‖x‖, they can
// change that row's decision alone, by Σ wₐxₐ, and of all coefficients that do
// so by the same amount the penalty ½‖w‖² prefers those in proportion to the
// values. One column of the value v stands for them all: for its coefficient u
// they are
//
//	wₐ = u·xₐ/v
//
// which leaves decisions and the penalty as they are. A nil merging is that of
// no columns.
type merging struct {
	// column is, by column of the problem, the one that stands for it, and
	// share what its coefficient is for a 1 there.
	column []int32
	share  []float64
	// peak is the largest share by merged column; those before first are none.
	first int
	peak  []float64
}

// leastMerged is the part of the columns that merging must save to be worth
// it.
const leastMerged = 8

// Squares of values between these bounds are precise.
const leastSquare, mostSquare = 1e-250, 1e250

// merge returns x with the columns merged, or x itself and nil when that saves
// little. The columns that stay are in their order, the merged ones follow in
// the order of the rows.
func merge(ctx context.Context, x *features.CSR, workers int) (*features.CSR, *merging, error) {
	count, err := countColumns(ctx, x, workers)
	if err != nil {
		return nil, nil, err
	}
	// By row, how many columns are merged into one of which length.
	merges := make([]int32, x.Rows)
	length := make([]float64, x.Rows)
	if err := parallel.Blocks(ctx, x.Rows, rowBlock, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			cols, vals := x.Row(i)
			var n int32
			var squares float64
			precise := true
			for k, c := range cols {
				if count[c] == 1 {
					square := float64(vals[k] * vals[k])
					precise = precise && square > leastSquare && square < mostSquare
					squares += square
					n++
				}
			}
			if n > 1 && precise {
				merges[i], length[i] = n, math.Sqrt(squares)
			}
		}
		return nil
	}); err != nil {
		return nil, nil, err
	}
	saved := 0
	for _, n := range merges {
		saved += int(max(0, n-1))
	}
	if saved == 0 || saved < x.Cols/leastMerged {
		return x, nil, nil
	}
	return mergeRows(ctx, x, count, merges, length, saved, workers)
}

// countColumns returns the numbers of values by column.
func countColumns(ctx context.Context, x *features.CSR, workers int) ([]int32, error) {
	parts := min(parallel.Workers(workers), max(1, x.NNZ()/(4*(x.Cols+1))), 8)
	step := max(1, (x.Rows+parts-1)/parts)
	counts := make([][]int32, (x.Rows+step-1)/step)
	err := parallel.Blocks(ctx, x.Rows, step, workers, func(lo, hi int) error {
		count := make([]int32, x.Cols)
		for _, c := range x.Indices[x.Indptr[lo]:x.Indptr[hi]] {
			count[c]++
		}
		counts[lo/step] = count
		return nil
	})
	if err != nil || len(counts) == 0 {
		return make([]int32, x.Cols), err
	}
	for _, more := range counts[1:] {
		for c, n := range more {
			counts[0][c] += n
		}
	}
	return counts[0], nil
}

func mergeRows(ctx context.Context, x *features.CSR, count, merges []int32, length []float64, saved, workers int) (*features.CSR, *merging, error) {
	m := &merging{column: make([]int32, x.Cols), share: make([]float64, x.Cols)}
	out := &features.CSR{Rows: x.Rows, Cols: x.Cols - saved, Indptr: make([]int64, x.Rows+1)}
	out.Indices, out.Data = make([]int32, x.NNZ()-saved), make([]float64, x.NNZ()-saved)
	// Rows own their merged columns: those first, then the columns that stay.
	const gone = -1
	own := make([]int32, x.Rows)
	total := int32(0)
	for i, n := range merges {
		out.Indptr[i+1] = out.Indptr[i] + x.Indptr[i+1] - x.Indptr[i] - int64(max(0, n-1))
		if n > 0 {
			own[i] = total
			total++
		}
	}
	m.first = out.Cols - int(total)
	m.peak = make([]float64, total)
	if err := parallel.Blocks(ctx, x.Rows, rowBlock, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if merges[i] == 0 {
				continue
			}
			cols, vals := x.Row(i)
			var peak float64
			for k, c := range cols {
				if count[c] == 1 {
					m.column[c], m.share[c] = gone, vals[k]/length[i]
					peak = max(peak, math.Abs(m.share[c]))
				}
			}
			m.peak[own[i]] = peak
		}
		return nil
	}); err != nil {
		return nil, nil, err
	}
	next := int32(0)
	for c, at := range m.column {
		if at != gone {
			m.column[c], m.share[c] = next, 1
			next++
		}
	}
	return out, m, parallel.Blocks(ctx, x.Rows, rowBlock, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			cols, vals := x.Row(i)
			at := out.Indptr[i]
			for k, c := range cols {
				if merges[i] > 0 && count[c] == 1 {
					m.column[c] = int32(m.first) + own[i]
					continue
				}
				out.Indices[at], out.Data[at] = m.column[c], vals[k]
				at++
			}
			if merges[i] > 0 {
				out.Indices[at], out.Data[at] = int32(m.first)+own[i], length[i]
			}
		}
		return nil
	})
}

// join sets w, zeros, to what stands for the coefficients from. What of them
// is not in proportion to the values, and so only adds to the penalty, is left
// out.
func (m *merging) join(w, from []float64) {
	if m == nil {
		copy(w, from)
		return
	}
	for c, at := range m.column {
		w[at] += float64(m.share[c] * from[c])
	}
}

// part returns the coefficients that w stands for.
func (m *merging) part(w []float64) []float64 {
	if m == nil {
		return w
	}
	out := make([]float64, len(m.column))
	for c, at := range m.column {
		out[c] = float64(m.share[c] * w[at])
	}
	return out
}

// largest is the largest component of the gradient among the columns that
// column j stands for, whose own is g.
func (m *merging) largest(j int, g float64) float64 {
	if m == nil || j < m.first {
		return math.Abs(g)
	}
	return math.Abs(float64(g * m.peak[j-m.first]))
}
