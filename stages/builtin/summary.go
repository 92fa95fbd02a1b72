package builtin

import (
	"cmp"
	"slices"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
)

// summary is what model.json says of a training. The model's directory has the
// model itself.
type summary struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Classes [2]string `json:"classes"`
	// Model is the digest of the model's directory; the summary inside of it
	// has none.
	Model       string             `json:"model,omitempty"`
	Rows        [2]int             `json:"rows"`
	Params      linear.Params      `json:"params"`
	Fit         summaryFit         `json:"fit"`
	Calibration summaryCalibration `json:"calibration"`
	Threshold   float64            `json:"threshold"`
	// Terms are the most telling ones of each class.
	Terms [2][]summaryTerm `json:"terms"`
}

type summaryFit struct {
	Columns    int     `json:"columns"`
	Nonzero    int     `json:"nonzero"`
	Iterations int     `json:"iterations"`
	Converged  bool    `json:"converged"`
	Objective  float64 `json:"objective"`
	Violation  float64 `json:"violation"`
}

type summaryCalibration struct {
	Method string  `json:"method"`
	Folds  int     `json:"folds,omitempty"`
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
}

type summaryTerm struct {
	Term   string  `json:"term"`
	Weight float64 `json:"weight"`
}

// summaryTerms is how many terms of each class there are.
const summaryTerms = 20

func (t *training) summarize() *summary {
	r := t.result
	s := &summary{
		Format: "flow.training", Version: 1, Classes: classes, Params: t.params.Params,
		Fit: summaryFit{
			Columns: len(r.Coef), Nonzero: r.NonZero, Iterations: r.Iterations, Converged: r.Converged,
			Objective: r.Objective, Violation: r.Violation,
		},
		Calibration: summaryCalibration{t.params.Calibration, t.params.Folds, t.calibration.Slope, t.calibration.Offset},
		Threshold:   t.threshold,
	}
	if t.params.Calibration == calibrateNone {
		s.Calibration.Folds = 0
	}
	for _, l := range t.labels {
		s.Rows[l]++
	}
	low, high := extremes(r.Coef, summaryTerms)
	for l, columns := range [2][]int{low, high} {
		s.Terms[l] = []summaryTerm{}
		for _, c := range columns {
			_, term := t.features.Union.Feature(int32(c))
			s.Terms[l] = append(s.Terms[l], summaryTerm{term, r.Coef[c]})
		}
	}
	return s
}

// extremes returns the columns of the smallest negative and of the largest
// positive coefficients, the most extreme first, and at most n of each.
func extremes(coef []float64, n int) (low, high []int) {
	order := make([]int, len(coef))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(coef[a], coef[b]) })
	for k := range min(n, len(order)) {
		if i := order[k]; coef[i] < 0 {
			low = append(low, i)
		}
		if i := order[len(order)-1-k]; coef[i] > 0 {
			high = append(high, i)
		}
	}
	return low, high
}

// documentFrequencies returns the number of rows that have each column.
func documentFrequencies(x *features.CSR) []int {
	list := make([]int, x.Cols)
	for _, c := range x.Indices {
		list[c]++
	}
	return list
}
