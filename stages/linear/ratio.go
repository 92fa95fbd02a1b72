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
	counts, err := countByLabel(x, y, alpha, binary)
	if err != nil {
		return nil, fmt.Errorf("log-count ratio: %w", err)
	}
	var total [2]float64
	for l, c := range counts {
		for _, v := range c {
			total[l] += v
		}
	}
	base := portable.Log(total[1]) - portable.Log(total[0])
	ratio := counts[1]
	for j, q := range counts[0] {
		ratio[j] = portable.Log(ratio[j]) - portable.Log(q) - base
	}
	return ratio, nil
}

// countByLabel returns alpha plus the sums of the columns over the rows with
// labels 0 and 1.
func countByLabel(x *features.CSR, y []float64, alpha float64, binary bool) (counts [2][]float64, err error) {
	for l := range counts {
		counts[l] = make([]float64, x.Cols)
		for j := range counts[l] {
			counts[l][j] = alpha
		}
	}
	for i := range x.Rows {
		count := counts[0]
		if y[i] > 0 {
			count = counts[1]
		}
		cols, vals := x.Row(i)
		for k, c := range cols {
			v := vals[k]
			if !(v >= 0) {
				return counts, fmt.Errorf("row %d, column %d: value %v is negative", i, c, v)
			}
			if binary && v != 0 {
				v = 1
			}
			count[c] += v
		}
	}
	return counts, nil
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
