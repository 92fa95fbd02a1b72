package linear

import (
	"fmt"
	"strconv"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Params are the options as parameters of a stage, by scikit-learn's names.
type Params struct {
	Penalty          string  `param:"penalty" json:"penalty"`
	Solver           string  `param:"solver" json:"solver"`
	Dual             bool    `param:"dual" json:"dual,omitempty"`
	C                float64 `param:"c" json:"c"`
	L1Ratio          float64 `param:"l1_ratio" json:"l1_ratio,omitempty"`
	FitIntercept     bool    `param:"fit_intercept" json:"fit_intercept"`
	InterceptScaling float64 `param:"intercept_scaling" json:"intercept_scaling"`
	// ClassWeight is nothing, "balanced", or a mapping from labels, or their
	// names, to weights.
	ClassWeight any     `param:"class_weight" json:"-"`
	Tol         float64 `param:"tol" json:"tol"`
	MaxIter     int     `param:"max_iter" json:"max_iter"`
	Seed        int64   `param:"seed" json:"seed,omitempty"`
	// NaiveBayes scales the columns by their log-count ratios.
	NaiveBayes NaiveBayesParams `param:"naive_bayes" json:"naive_bayes"`
}

// NaiveBayesParams are NaiveBayes as parameters.
type NaiveBayesParams struct {
	Enabled bool    `param:"enabled" json:"enabled"`
	Alpha   float64 `param:"alpha" json:"alpha,omitempty"`
	Beta    float64 `param:"beta" json:"beta,omitempty"`
	Binary  bool    `param:"binary" json:"binary,omitempty"`
}

// DefaultParams are those of DefaultOptions.
func DefaultParams() Params {
	o := DefaultOptions()
	return Params{
		Penalty: o.Penalty, Solver: o.Solver, C: o.C, FitIntercept: o.Intercept, InterceptScaling: o.InterceptScaling,
		Tol: o.Tol, MaxIter: o.MaxIter, NaiveBayes: NaiveBayesParams{Alpha: 1, Beta: 1},
	}
}

// Options returns the options; classes name the labels 0 and 1.
func (p Params) Options(classes [2]string) (Options, error) {
	o := Options{
		Penalty: p.Penalty, Solver: p.Solver, Dual: p.Dual, C: p.C, L1Ratio: p.L1Ratio,
		Intercept: p.FitIntercept, InterceptScaling: p.InterceptScaling,
		Tol: p.Tol, MaxIter: p.MaxIter, Seed: uint64(p.Seed),
	}
	var err error
	if o.ClassWeight, err = ParseClassWeight(p.ClassWeight, classes); err != nil {
		return o, err
	}
	if p.NaiveBayes.Enabled {
		o.NaiveBayes = &NaiveBayes{Alpha: p.NaiveBayes.Alpha, Beta: p.NaiveBayes.Beta, Binary: p.NaiveBayes.Binary}
	}
	return o, o.Check()
}

// ParseClassWeight reads a parameter: nothing, "none", "balanced" or a mapping
// from the names of the labels, or 0 and 1, to weights. A label that is not
// named weighs 1.
func ParseClassWeight(v any, classes [2]string) (ClassWeight, error) {
	const want = "want balanced or a mapping from labels to weights"
	switch v := v.(type) {
	case nil:
		return ClassWeight{}, nil
	case string:
		switch v {
		case "", "none":
			return ClassWeight{}, nil
		case "balanced":
			return ClassWeight{Balanced: true}, nil
		}
		return ClassWeight{}, optionError("", "class_weight %q: %s", v, want)
	case *yaml12.Map:
		return mappedWeight(v, classes)
	default:
		return ClassWeight{}, optionError("", "class_weight %v: %s", v, want)
	}
}

func mappedWeight(m *yaml12.Map, classes [2]string) (ClassWeight, error) {
	w := [2]float64{1, 1}
	seen := [2]bool{}
	for _, it := range m.Items {
		name := fmt.Sprint(it.Key)
		label := -1
		for l, c := range classes {
			if name == c || name == strconv.Itoa(l) {
				label = l
			}
		}
		if label < 0 || seen[label] {
			return ClassWeight{}, optionError(fmt.Sprintf("the labels are %s and %s", classes[0], classes[1]),
				"class_weight: label %q unknown or named twice", name)
		}
		seen[label] = true
		switch x := it.Value.(type) {
		case int64:
			w[label] = float64(x)
		case float64:
			w[label] = x
		default:
			return ClassWeight{}, optionError("", "class_weight: weight of %q: want a number", name)
		}
	}
	return ClassWeight{Weights: &w}, nil
}
