package linear

import (
	"fmt"
	"math"
)

// The penalties.
const (
	L2         = "l2"
	L1         = "l1"
	ElasticNet = "elasticnet"
	None       = "none"
)

// The solvers, by scikit-learn's names. The name decides what is penalized and
// when the fit is done; see the package's documentation.
const (
	LBFGS          = "lbfgs"
	Liblinear      = "liblinear"
	NewtonCG       = "newton-cg"
	NewtonCholesky = "newton-cholesky"
	Sag            = "sag"
	Saga           = "saga"
)

// ClassWeight multiplies C by the label of a row. The zero value is 1 for both.
type ClassWeight struct {
	// Balanced weighs a label by rows / (2 · rows with the label).
	Balanced bool
	// Weights, when not nil, are the weights of the labels 0 and 1.
	Weights *[2]float64
}

// NaiveBayes scales each column by its log-count ratio, learned from the
// labels (Wang and Manning, "Baselines and Bigrams", 2012).
type NaiveBayes struct {
	// Alpha smooths the counts.
	Alpha float64
	// Beta draws the coefficients towards the mean of their sizes: 1 leaves
	// them, 0 is naive Bayes up to a factor.
	Beta float64
	// Binary takes the ratio from the presence of terms, not from the values,
	// which may be weights.
	Binary bool
}

// Options of Fit.
type Options struct {
	// Penalty is L2, L1, ElasticNet or None.
	Penalty string
	// Solver is one of the solvers above; not all fit every penalty.
	Solver string
	// Dual chooses liblinear's dual coordinate descent for L2: the quicker one
	// for rows of similar length, such as TF-IDF's, and few of them.
	Dual bool
	// C weighs the data against the penalty. Infinity is no penalty.
	C float64
	// L1Ratio is the share of the L1 norm in ElasticNet's penalty.
	L1Ratio float64
	// Intercept fits b; otherwise it is 0.
	Intercept bool
	// InterceptScaling is the value of the column whose coefficient liblinear
	// takes for the intercept: the larger, the less it is penalized.
	InterceptScaling float64
	// ClassWeight multiplies C by label.
	ClassWeight ClassWeight
	// NaiveBayes, when not nil, scales the columns. The result's coefficients
	// have the scale in them, so that they apply to the columns as they are.
	NaiveBayes *NaiveBayes
	// Tol bounds what is left of the optimality conditions, measured as
	// scikit-learn does for the solver.
	Tol float64
	// MaxIter bounds the outer iterations.
	MaxIter int
	// Seed orders the coordinates where they are visited in random order.
	Seed uint64
	// Workers bounds the goroutines; below 1 means one for each processor.
	Workers int
	// Start, when not nil, is where the fit begins, instead of at 0.
	Start *Result
	// Progress, when not nil, is told of each outer iteration.
	Progress func(iteration int)
}

// DefaultOptions are L2, C 1, with an intercept that is not penalized.
func DefaultOptions() Options {
	return Options{
		Penalty: L2, Solver: LBFGS, C: 1, Intercept: true, InterceptScaling: 1,
		Tol: 1e-4, MaxIter: 1000,
	}
}

// OptionError reports an option that makes no sense, or not with the others.
type OptionError struct{ msg, hint string }

func (e *OptionError) Error() string { return e.msg }

// Hint says what to choose instead.
func (e *OptionError) Hint() string { return e.hint }

func optionError(hint, format string, args ...any) error {
	return &OptionError{msg: fmt.Sprintf(format, args...), hint: hint}
}

// Check reports the first option that makes no sense. It refuses the
// combinations that scikit-learn refuses.
func (o Options) Check() error {
	if err := o.checkSolver(); err != nil {
		return err
	}
	switch {
	case !(o.C > 0):
		return optionError("", "C %v: want a positive number", o.C)
	case o.Penalty == ElasticNet && !(o.L1Ratio >= 0 && o.L1Ratio <= 1):
		return optionError("", "l1_ratio %v: want a number from 0 to 1", o.L1Ratio)
	case !(o.Tol > 0) || math.IsInf(o.Tol, 1):
		return optionError("", "tol %v: want a positive number", o.Tol)
	case o.MaxIter < 1:
		return optionError("", "max_iter %d: want at least 1", o.MaxIter)
	case o.Solver == Liblinear && o.Intercept && !(o.InterceptScaling > 0 && o.InterceptScaling < math.Inf(1)):
		return optionError("", "intercept_scaling %v: want a positive number", o.InterceptScaling)
	}
	if w := o.ClassWeight.Weights; w != nil {
		for _, x := range w {
			if !(x > 0) || math.IsInf(x, 1) {
				return optionError("", "class_weight %v: want a positive number for each label", *w)
			}
		}
	}
	if nb := o.NaiveBayes; nb != nil {
		switch {
		case !(nb.Alpha > 0) || math.IsInf(nb.Alpha, 1):
			return optionError("", "naive Bayes alpha %v: want a positive number", nb.Alpha)
		case !(nb.Beta >= 0 && nb.Beta <= 1):
			return optionError("", "naive Bayes beta %v: want a number from 0 to 1", nb.Beta)
		}
	}
	return nil
}

func (o Options) checkSolver() error {
	switch o.Penalty {
	case L1, L2, ElasticNet, None:
	default:
		return optionError("", "penalty %q: want l1, l2, elasticnet or none", o.Penalty)
	}
	none := o.Penalty == None || o.Penalty == L2 && math.IsInf(o.C, 1)
	switch o.Solver {
	case LBFGS, NewtonCG, NewtonCholesky, Sag:
		if o.Penalty != L2 && o.Penalty != None {
			hint := "for l1 choose the solver liblinear or saga"
			if o.Penalty == ElasticNet {
				hint = "for elasticnet choose the solver saga"
			}
			return optionError(hint, "solver %s: supports the penalties l2 and none, not %s", o.Solver, o.Penalty)
		}
	case Saga:
	case Liblinear:
		switch {
		case o.Penalty == ElasticNet:
			return optionError("for elasticnet choose the solver saga", "solver liblinear: does not support the penalty elasticnet")
		case none:
			return optionError("without a penalty choose the solver lbfgs", "solver liblinear: needs a penalty, l1 or l2")
		case o.Dual && o.Penalty != L2:
			return optionError("", "dual: supports the penalty l2, not %s", o.Penalty)
		}
	default:
		return optionError("", "solver %q: want lbfgs, liblinear, newton-cg, newton-cholesky, sag or saga", o.Solver)
	}
	if o.Dual && o.Solver != Liblinear {
		return optionError("dual is a way of the solver liblinear", "solver %s: does not support dual", o.Solver)
	}
	return nil
}
