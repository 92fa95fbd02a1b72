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
	Params      any                `json:"params"`
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

// newSummary is the summary of a model without calibration; fit is nil for a
// classifier that is not found by iterations.
func newSummary(labels []int, params any, union *features.Union, coef []float64, fit *linear.Result) *summary {
	s := &summary{
		Format: "flow.training", Version: 1, Classes: classes, Params: params,
		Fit:         summaryFit{Columns: len(coef), Converged: true},
		Calibration: summaryCalibration{Method: calibrateNone, Slope: 1}, Threshold: 0.5,
	}
	if fit != nil {
		s.Fit = summaryFit{
			Columns: len(coef), Nonzero: fit.NonZero, Iterations: fit.Iterations,
			Converged: fit.Converged, Objective: fit.Objective, Violation: fit.Violation,
		}
	}
	for _, l := range labels {
		s.Rows[l]++
	}
	low, high := extremes(coef, summaryTerms)
	for l, columns := range [2][]int{low, high} {
		s.Terms[l] = []summaryTerm{}
		for _, c := range columns {
			_, term := union.Feature(int32(c))
			s.Terms[l] = append(s.Terms[l], summaryTerm{term, coef[c]})
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
