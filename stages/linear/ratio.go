package linear

import (
	"fmt"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// LogCountRatio returns, for each column, the logarithm of how much more of
// the column's values lies in rows labelled 1 than in rows labelled 0: with
// p = alpha + the sum over the rows labelled 1 and q the same for 0,
//
//	log((p/‖p‖₁) / (q/‖q‖₁))
//
// (Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic
// Classification", 2012). With binary a value counts as 1. Values must not be
// negative.
func LogCountRatio(x *features.CSR, y []int, alpha float64, binary bool) ([]float64, error) {
	if len(y) != x.Rows {
		return nil, fmt.Errorf("log-count ratio: %d labels for %d rows", len(y), x.Rows)
	}
	if !(alpha > 0) {
		return nil, fmt.Errorf("log-count ratio: alpha %v: want a positive number", alpha)
	}
	signs := make([]float64, len(y))
	for i, l := range y {
		signs[i] = float64(2*l - 1)
	}
	return logCountRatio(x, signs, alpha, binary)
}

func logCountRatio(x *features.CSR, y []float64, alpha float64, binary bool) ([]float64, error) {
	counts := newCounts(x.Cols, alpha)
	if err := counts.add(x, y, binary); err != nil {
		return nil, fmt.Errorf("log-count ratio: %w", err)
	}
	return counts.ratio(), nil
}

// counts are sums of columns by the rows' labels 0 and 1.
type counts [2][]float64

// newCounts returns sums that begin at alpha.
func newCounts(cols int, alpha float64) *counts {
	var c counts
	for l := range c {
		c[l] = make([]float64, cols)
		for j := range c[l] {
			c[l][j] = alpha
		}
	}
	return &c
}

// add adds the rows of x; with binary each value counts as 1.
func (c *counts) add(x *features.CSR, y []float64, binary bool) error {
	for i := range x.Rows {
		count := c[0]
		if y[i] > 0 {
			count = c[1]
		}
		cols, vals := x.Row(i)
		for k, j := range cols {
			v := vals[k]
			if !(v >= 0) {
				return fmt.Errorf("row %d, column %d: value %v is negative", i, j, v)
			}
			if binary && v != 0 {
				v = 1
			}
			count[j] += v
		}
	}
	return nil
}

// ratio turns the sums into log-count ratios.
func (c *counts) ratio() []float64 {
	var total [2]float64
	for l := range c {
		for _, v := range c[l] {
			total[l] += v
		}
	}
	base := portable.Log(total[1]) - portable.Log(total[0])
	out := make([]float64, len(c[0]))
	for j := range out {
		out[j] = portable.Log(c[1][j]) - portable.Log(c[0][j]) - base
	}
	return out
}

// ScaleColumns returns x with each column multiplied by its factor. The
// result shares the places of the values with x.
func ScaleColumns(x *features.CSR, factor []float64) (*features.CSR, error) {
	if len(factor) != x.Cols {
		return nil, fmt.Errorf("scale: %d factors for %d columns", len(factor), x.Cols)
	}
	out := &features.CSR{Rows: x.Rows, Cols: x.Cols, Indptr: x.Indptr, Indices: x.Indices, Data: make([]float64, len(x.Data))}
	for k, c := range x.Indices {
		out.Data[k] = x.Data[k] * factor[c]
	}
	return out, nil
}
