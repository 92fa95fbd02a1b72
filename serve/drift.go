package serve

import (
	"math"
	"sort"
	"sync"

	"github.com/flowrepro/flow/stages/model"
)

// drift compares the last texts of a model with those of its statistics, bin by
// bin, by the population stability index: the sum of (a-e)*ln(a/e) over the
// shares a of the window and e of the reference. By custom less than 0.1 is
// none and more than 0.25 is much. It is safe for concurrent use. A nil drift,
// of a model without statistics, does nothing.
type drift struct {
	least     int
	reference *model.Statistics
	features  [4]binning

	mu    sync.Mutex
	ring  []sample // the window
	n     int      // samples in it
	next  int      // where the next one goes
	count [4][]int // by feature and bin
	// Predictions of label 1, and of probabilities from 0.4 to 0.6.
	positive, low int
}

// binning cuts a feature into bins: edges as those of model.Histogram, and the
// share of the reference in each.
type binning struct {
	name     string
	edges    model.Histogram
	expected []float64 // counts or tenths; their sum is what they are shares of
}

// sample is the bin of each feature of a text.
type sample struct {
	bins          [4]uint8
	positive, low bool
}

// maxBins is what sample has room for.
const maxBins = 255

func newDrift(s *model.Statistics, o DriftOptions) *drift {
	if s == nil || s.Rows == 0 {
		return nil
	}
	d := &drift{least: o.Least, reference: s, ring: make([]sample, o.Window)}
	d.features = [4]binning{
		decileBins("score", s.ScoreDeciles, s.Rows), countBins("length", s.Length),
		countBins("tokens", s.Tokens), countBins("unknown_share", s.UnknownShare),
	}
	for i, f := range d.features {
		if len(f.expected) > maxBins {
			return nil
		}
		d.count[i] = make([]int, len(f.expected))
	}
	return d
}

// decileBins has a bin between each two deciles. Deciles that are equal are one
// edge: what is below it is below the first of them.
func decileBins(name string, deciles []float64, rows int) binning {
	b := binning{name: name}
	last := 0
	for i, d := range deciles {
		if n := len(b.edges.Edges); n > 0 && b.edges.Edges[n-1] == d {
			continue
		}
		b.edges.Edges = append(b.edges.Edges, d)
		b.expected = append(b.expected, float64(rows)*float64(i+1-last)/10)
		last = i + 1
	}
	b.expected = append(b.expected, float64(rows)*float64(10-last)/10)
	return b
}

func countBins(name string, h model.Histogram) binning {
	b := binning{name: name, edges: h}
	for _, c := range h.Counts {
		b.expected = append(b.expected, float64(c))
	}
	return b
}

func (d *drift) add(text string, p model.Prediction) {
	if d == nil {
		return
	}
	values := [4]float64{p.Probabilities[1], float64(len(text)), float64(p.Tokens), p.UnknownShare()}
	s := sample{positive: p.Label == 1, low: p.Probabilities[1] >= 0.4 && p.Probabilities[1] <= 0.6}
	for i, x := range values {
		s.bins[i] = uint8(d.features[i].edges.Bin(x)) //nolint:gosec // newDrift checks the number of bins
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == len(d.ring) {
		d.change(d.ring[d.next], -1)
	} else {
		d.n++
	}
	d.ring[d.next] = s
	d.change(s, 1)
	d.next = (d.next + 1) % len(d.ring)
}

func (d *drift) change(s sample, by int) {
	for i, bin := range s.bins {
		d.count[i][bin] += by
	}
	if s.positive {
		d.positive += by
	}
	if s.low {
		d.low += by
	}
}

// DriftReport is how the last texts differ from those the model was made for.
type DriftReport struct {
	// Size is the number of texts it is about, Least that from which on there
	// are Features, the most changed one first.
	Size     int            `json:"size"`
	Least    int            `json:"least"`
	Features []FeatureDrift `json:"features"`
	// Shares of label 1, and of probabilities from 0.4 to 0.6.
	PositiveShare          float64 `json:"positive_share"`
	ReferencePositiveShare float64 `json:"reference_positive_share"`
	LowConfidence          float64 `json:"low_confidence"`
	ReferenceLowConfidence float64 `json:"reference_low_confidence"`
}

// FeatureDrift is the population stability index of a feature.
type FeatureDrift struct {
	Name string  `json:"name"`
	PSI  float64 `json:"psi"`
}

func (d *drift) report() DriftReport {
	if d == nil {
		return DriftReport{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := DriftReport{
		Size: d.n, Least: d.least, Features: []FeatureDrift{},
		ReferencePositiveShare: d.reference.PositiveShare, ReferenceLowConfidence: d.reference.LowConfidence,
	}
	if d.n > 0 {
		r.PositiveShare, r.LowConfidence = float64(d.positive)/float64(d.n), float64(d.low)/float64(d.n)
	}
	if d.n < d.least {
		return r
	}
	for i, f := range d.features {
		r.Features = append(r.Features, FeatureDrift{f.name, psi(d.count[i], f.expected)})
	}
	sort.SliceStable(r.Features, func(i, j int) bool { return r.Features[i].PSI > r.Features[j].PSI })
	return r
}

// psi returns the population stability index. Each bin of both has half a text
// more than it has, so that an empty one does not make it infinite.
func psi(count []int, expected []float64) float64 {
	const half = 0.5
	var n, m float64
	for i, c := range count {
		n += float64(c) + half
		m += expected[i] + half
	}
	var sum float64
	for i, c := range count {
		a, e := (float64(c)+half)/n, (expected[i]+half)/m
		sum += (a - e) * math.Log(a/e)
	}
	return sum
}
