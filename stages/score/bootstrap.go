package score

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// BootstrapOptions say how confidence intervals are estimated.
type BootstrapOptions struct {
	// Samples is the number of resamples, 1 to 100,000.
	Samples int
	// Confidence is the share of resamples inside the interval, such as 0.95.
	Confidence float64
	Seed       uint64
	// Stratify keeps the number of rows of each label.
	Stratify bool
	// Workers below 1 means one for each processor. The result does not
	// depend on it.
	Workers int
}

// DefaultBootstrap returns 1,000 stratified resamples at 95 %.
func DefaultBootstrap() BootstrapOptions {
	return BootstrapOptions{Samples: 1000, Confidence: 0.95, Seed: 42, Stratify: true}
}

// Check reports options out of range.
func (o BootstrapOptions) Check() error {
	switch {
	case o.Samples < 1 || o.Samples > 100_000:
		return fmt.Errorf("%d bootstrap samples: want 1 to 100000", o.Samples)
	case !(o.Confidence > 0 && o.Confidence < 1):
		return fmt.Errorf("confidence %v: want more than 0 and less than 1", o.Confidence)
	}
	return nil
}

// Interval is a metric with its confidence interval.
type Interval struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Samples is the number of resamples for which the metric is defined.
	Samples int `json:"samples"`
}

// Bootstrap estimates percentile intervals (Efron 1979) of all metrics by
// drawing rows with replacement. Each resample has a random generator of its own,
// seeded by its number, so that the workers don't matter. A metric that is
// undefined for the sample is left out.
func Bootstrap(ctx context.Context, s Sample, threshold float64, o BootstrapOptions) ([]Interval, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	r := rank(s, threshold)
	whole := r.measure(nil)
	strata := r.strata(o.Stratify)
	values := make([][]float64, len(measures))
	for k := range values {
		values[k] = make([]float64, o.Samples)
	}
	const block = 16
	err := parallel.Blocks(ctx, o.Samples, block, o.Workers, func(lo, hi int) error {
		times := make([]float64, len(r.label))
		for b := lo; b < hi; b++ {
			clear(times)
			rng := rand.NewPCG(o.Seed, uint64(b)) //nolint:gosec // b is positive
			for _, rows := range strata {
				n := uint64(len(rows))
				for range rows {
					// The high word of a product with n is uniform below n
					// but for one part in 2^64/n.
					i, _ := bits.Mul64(rng.Uint64(), n)
					times[rows[i]]++
				}
			}
			m := r.measure(times)
			for k := range measures {
				values[k][b] = measures[k].of(&m)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []Interval
	for k := range measures {
		value := measures[k].of(&whole)
		if math.IsNaN(value) {
			continue
		}
		v := slices.DeleteFunc(values[k], math.IsNaN)
		if len(v) == 0 {
			continue
		}
		slices.Sort(v)
		tail := (1 - o.Confidence) / 2
		list = append(list, Interval{
			Metric: measures[k].name, Value: value, Samples: len(v),
			Low: percentile(v, tail), High: percentile(v, 1-tail),
		})
	}
	return list, nil
}

// strata are the rows that are drawn from together.
func (r *ranked) strata(byLabel bool) [][]int32 {
	var list [2][]int32
	for i, positive := range r.label {
		k := 0
		if byLabel && positive {
			k = 1
		}
		list[k] = append(list[k], int32(i)) //nolint:gosec // rows fit into memory
	}
	return slices.DeleteFunc(list[:], func(rows []int32) bool { return len(rows) == 0 })
}
