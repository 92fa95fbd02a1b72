package linear

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/internal/portable"
)

// Calibration turns a decision z into the probability 1/(1+exp(-(Slope·z +
// Offset))) of label 1.
type Calibration struct{ Slope, Offset float64 }

// Identity takes decisions for log-odds, as logistic regression does.
func Identity() Calibration { return Calibration{Slope: 1} }

// Probability returns the probability of label 1.
func (c Calibration) Probability(z float64) float64 {
	return portable.Sigmoid(float64(c.Slope*z) + c.Offset)
}

// Apply returns the classifier whose log-odds are the calibrated ones.
func (c Calibration) Apply(coef []float64, intercept float64) ([]float64, float64) {
	out := make([]float64, len(coef))
	for j, w := range coef {
		out[j] = float64(c.Slope * w)
	}
	return out, float64(c.Slope*intercept) + c.Offset
}

// FitSigmoid finds the slope and the offset that fit the labels best (Platt,
// "Probabilistic Outputs for Support Vector Machines", 1999). As in
// scikit-learn's sigmoid calibration the targets are not quite 0 and 1 but
// 1/(negatives+2) and (positives+1)/(positives+2). Decisions must not come
// from a model that was trained on the same rows: see [OutOfFold].
func FitSigmoid(labels []int, decisions []float64) (Calibration, error) {
	count, scale, err := checkDecisions(labels, decisions)
	if err != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	target := [2]float64{1 / (float64(count[0]) + 2), (float64(count[1]) + 1) / (float64(count[1]) + 2)}
	at := Calibration{Offset: portable.Log((float64(count[1]) + 1) / (float64(count[0]) + 1))}
	at, err = minimizeSigmoid(at, labels, decisions, target, scale, true)
	if err != nil {
		return at, fmt.Errorf("calibrate: %w", err)
	}
	return at, nil
}

// FitTemperature finds the slope alone that fits the labels best; it is
// positive, so no decision changes its side. (Guo and others, "On Calibration
// of Modern Neural Networks", 2017. The temperature is 1/Slope.)
func FitTemperature(labels []int, decisions []float64) (Calibration, error) {
	_, scale, err := checkDecisions(labels, decisions)
	if err != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	at, err := minimizeSigmoid(Calibration{}, labels, decisions, [2]float64{0, 1}, scale, false)
	switch {
	case err != nil:
		return at, fmt.Errorf("calibrate: %w", err)
	case !(at.Slope > 0):
		return at, errors.New("calibrate: the decisions point to the other label")
	}
	return at, nil
}

// checkDecisions returns the number of rows by label and the largest size of a
// decision.
func checkDecisions(labels []int, decisions []float64) (count [2]int, largest float64, err error) {
	if len(labels) != len(decisions) {
		return count, 0, fmt.Errorf("%d labels and %d decisions", len(labels), len(decisions))
	}
	for i, l := range labels {
		if l != 0 && l != 1 {
			return count, 0, fmt.Errorf("label %d of row %d: want 0 or 1", l, i)
		}
		if math.IsNaN(decisions[i]) || math.IsInf(decisions[i], 0) {
			return count, 0, fmt.Errorf("decision of row %d is %v", i, decisions[i])
		}
		count[l]++
		largest = max(largest, math.Abs(decisions[i]))
	}
	switch {
	case count[0] == 0 || count[1] == 0:
		return count, 0, errors.New("all rows have the same label")
	case largest == 0:
		return count, 0, errors.New("all decisions are 0")
	}
	return count, largest, nil
}

// minimizeSigmoid minimizes the cross entropy between the targets of the
// labels and the probabilities, by Newton's method with halved steps. The
// problem is convex. Decisions are divided by scale while it works.
func minimizeSigmoid(at Calibration, labels []int, decisions []float64, target [2]float64, scale float64, offset bool) (Calibration, error) {
	a, b := at.Slope*scale, at.Offset
	loss := func(a, b float64) float64 {
		var sum float64
		for i, l := range labels {
			z := float64(a*(decisions[i]/scale)) + b
			// -t·log(p) - (1-t)·log(1-p)
			sum += portable.Log1pExp(z) - float64(target[l]*z)
		}
		return sum
	}
	value := loss(a, b)
	for range 200 {
		var ga, gb, haa, hab, hbb float64
		for i, l := range labels {
			f := decisions[i] / scale
			p := portable.Sigmoid(float64(a*f) + b)
			g, h := p-target[l], float64(p*(1-p))
			ga += float64(g * f)
			gb += g
			haa += float64(h * float64(f*f))
			hab += float64(h * f)
			hbb += h
		}
		if !offset {
			gb, hab, hbb = 0, 0, 1
		}
		const tiny = 1e-12
		if max(math.Abs(ga), math.Abs(gb)) <= tiny*float64(len(labels)) {
			break
		}
		haa += tiny
		hbb += tiny
		det := float64(haa*hbb) - float64(hab*hab)
		da := -(float64(hbb*ga) - float64(hab*gb)) / det
		db := -(float64(haa*gb) - float64(hab*ga)) / det
		moved := false
		for t := 1.0; t > 1e-12; t /= 2 {
			if v := loss(a+float64(t*da), b+float64(t*db)); v < value {
				a, b, value, moved = a+float64(t*da), b+float64(t*db), v, true
				break
			}
		}
		if !moved {
			break
		}
	}
	if math.IsNaN(a) || math.IsNaN(b) {
		return at, errors.New("no minimum found")
	}
	return Calibration{Slope: a / scale, Offset: b}, nil
}

// OutOfFold returns the decision of each row by a model trained on the rows of
// the other folds; folds[i] is the fold of row i, from 0. NaiveBayes ratios
// are learned inside each fold, too. Folds are worked on side by side; Progress
// is then called concurrently.
func OutOfFold(ctx context.Context, x *features.CSR, y, folds []int, o Options) ([]float64, error) {
	if len(folds) != x.Rows || len(y) != x.Rows {
		return nil, fmt.Errorf("out of fold: %d folds and %d labels for %d rows", len(folds), len(y), x.Rows)
	}
	k := 0
	for i, f := range folds {
		if f < 0 || f > x.Rows {
			return nil, fmt.Errorf("out of fold: fold %d of row %d", f, i)
		}
		k = max(k, f+1)
	}
	out := make([]float64, x.Rows)
	err := parallel.Blocks(ctx, k, 1, o.Workers, func(f, _ int) error {
		var train, test []int
		for i := range x.Rows {
			if folds[i] == f {
				test = append(test, i)
			} else {
				train = append(train, i)
			}
		}
		if len(test) == 0 {
			return nil
		}
		r, err := Fit(ctx, SelectRows(x, train), pick(y, train), o)
		if err != nil {
			return fmt.Errorf("out of fold %d: %w", f, err)
		}
		for _, i := range test {
			cols, vals := x.Row(i)
			out[i] = r.Intercept + dotSparse(cols, vals, r.Coef)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// SelectRows returns the matrix of the given rows.
func SelectRows(x *features.CSR, rows []int) *features.CSR {
	out := &features.CSR{Rows: len(rows), Cols: x.Cols, Indptr: make([]int64, 1, len(rows)+1)}
	var n int64
	for _, i := range rows {
		n += x.Indptr[i+1] - x.Indptr[i]
	}
	out.Indices, out.Data = make([]int32, 0, n), make([]float64, 0, n)
	for _, i := range rows {
		cols, vals := x.Row(i)
		out.Indices = append(out.Indices, cols...)
		out.Data = append(out.Data, vals...)
		out.Indptr = append(out.Indptr, int64(len(out.Data)))
	}
	return out
}

func pick(y, rows []int) []int {
	out := make([]int, len(rows))
	for k, i := range rows {
		out[k] = y[i]
	}
	return out
}
