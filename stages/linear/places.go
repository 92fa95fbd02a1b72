package linear

import (
	"context"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/parallel"
)

// fewColumns have coefficients that the processor keeps at hand in any order.
const fewColumns = 4096

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

// places orders columns by their numbers of values, the largest first; nil
// leaves them as they are.
func places(count []int32, rows int) []int32 {
	if len(count) <= fewColumns {
		return nil
	}
	// A counting sort: next is first the number of columns with so many
	// values, then the place of the next of them.
	next := make([]int32, rows+1)
	at := func(n int32) int { return rows - min(int(n), rows) }
	for _, n := range count {
		next[at(n)]++
	}
	var sum int32
	for k, n := range next {
		next[k] = sum
		sum += n
	}
	place := make([]int32, len(count))
	for c, n := range count {
		k := at(n)
		place[c] = next[k]
		next[k]++
	}
	return place
}

// relabel returns x with places for columns. The values stay in their order,
// so that sums over a row are the same to the last bit.
func relabel(ctx context.Context, x *features.CSR, place []int32, workers int) (*features.CSR, error) {
	if place == nil {
		return x, nil
	}
	out := &features.CSR{Rows: x.Rows, Cols: x.Cols, Indptr: x.Indptr, Indices: make([]int32, len(x.Indices)), Data: x.Data}
	return out, parallel.Blocks(ctx, x.Rows, rowBlock, workers, func(lo, hi int) error {
		for k := x.Indptr[lo]; k < x.Indptr[hi]; k++ {
			out.Indices[k] = place[x.Indices[k]]
		}
		return nil
	})
}

// newRows is newMatrix by rows alone.
func newRows(ctx context.Context, x *features.CSR, workers int) (*matrix, error) {
	m := &matrix{workers: workers}
	count, err := countColumns(ctx, x, workers)
	if err != nil {
		return nil, err
	}
	m.place = places(count, x.Rows)
	m.CSR, err = relabel(ctx, x, m.place, workers)
	return m, err
}

// spread puts the coefficients where products with rows look for them: room,
// or w itself when the columns are in place.
func (m *matrix) spread(ctx context.Context, w, room []float64) ([]float64, error) {
	if m.place == nil {
		return w, nil
	}
	return room, parallel.Blocks(ctx, m.Cols, colWork, m.workers, func(lo, hi int) error {
		for j := lo; j < hi; j++ {
			room[m.place[j]] = w[j]
		}
		return nil
	})
}

// gather takes coefficients from their places.
func (m *matrix) gather(spread []float64) []float64 {
	if m.place == nil {
		return spread
	}
	w := make([]float64, len(spread))
	for j, p := range m.place {
		w[j] = spread[p]
	}
	return w
}
