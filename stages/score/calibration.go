package score

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// eceBins is the number of bins of [Metrics.ECE].
const eceBins = 10

// Binning says how probabilities are put into bins.
type Binning string

// The ways of binning: bins of equal width, or of about as many rows.
const (
	Uniform  Binning = "uniform"
	Quantile Binning = "quantile"
)

// Bin is a bin of a calibration curve that holds rows.
type Bin struct {
	// Low and High are its edges; a probability that is an edge belongs to
	// the bin below.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Predicted is the mean probability, Actual the share of rows with
	// label 1, as in scikit-learn's calibration_curve.
	Predicted float64 `json:"predicted"`
	Actual    float64 `json:"actual"`
	Rows      int     `json:"rows"`
}

// Calibrate compares probabilities with how often they came true, in bins. It
// returns the bins that hold rows and the expected calibration error: the
// distance of Predicted and Actual, weighted by rows. Weights play no role.
func Calibrate(s Sample, bins int, by Binning) ([]Bin, float64, error) {
	if err := s.Check(); err != nil {
		return nil, 0, fmt.Errorf("calibrate: %w", err)
	}
	if bins < 1 || bins > 1000 {
		return nil, 0, fmt.Errorf("calibrate: %d bins: want 1 to 1000", bins)
	}
	var edges []float64
	switch by {
	case Uniform:
		edges = uniformEdges(bins)
	case Quantile:
		sorted := slices.Clone(s.Probabilities)
		slices.Sort(sorted)
		for _, q := range uniformEdges(bins) {
			// numpy.percentile is given hundredths: the detour rounds.
			edges = append(edges, percentile(sorted, float64(q*100)/100))
		}
	default:
		return nil, 0, fmt.Errorf("calibrate: unknown binning %q: want uniform or quantile", by)
	}
	all := make([]Bin, bins)
	for i, p := range s.Probabilities {
		b := &all[binOf(edges, p)]
		b.Rows++
		b.Predicted += p
		b.Actual += float64(s.Labels[i])
	}
	var list []Bin
	var ece float64
	for i, b := range all {
		if b.Rows == 0 {
			continue
		}
		n := float64(b.Rows)
		ece += math.Abs(b.Actual - b.Predicted)
		b.Low, b.High = edges[i], edges[i+1]
		b.Predicted /= n
		b.Actual /= n
		list = append(list, b)
	}
	return list, ece / float64(s.Len()), nil
}

// uniformEdges divide [0, 1], rounded as numpy.linspace rounds.
func uniformEdges(bins int) []float64 {
	edges := make([]float64, bins+1)
	step := 1 / float64(bins)
	for i := range edges {
		edges[i] = float64(float64(i) * step)
	}
	edges[bins] = 1
	return edges
}

// binOf finds the bin of a probability by the inner edges.
func binOf(edges []float64, p float64) int {
	inner := edges[1 : len(edges)-1]
	return sort.SearchFloat64s(inner, p)
}

// percentile interpolates linearly between the sorted values around the
// fraction q of them, with numpy.percentile's rounding.
func percentile(sorted []float64, q float64) float64 {
	at := float64(q * float64(len(sorted)-1))
	i := int(math.Floor(at))
	if i >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	a, b, t := sorted[i], sorted[i+1], at-float64(i)
	if t >= 0.5 {
		return b - float64((b-a)*(1-t))
	}
	return a + float64((b-a)*t)
}
