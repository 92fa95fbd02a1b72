package score

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/flowrepro/flow/stages/internal/portable"
)

// Confusion counts predictions by label and outcome.
type Confusion struct {
	TrueNegative  int `json:"true_negative"`
	FalsePositive int `json:"false_positive"`
	FalseNegative int `json:"false_negative"`
	TruePositive  int `json:"true_positive"`
}

// Metrics are the results of an evaluation. A ratio without cases is 0.
type Metrics struct {
	Accuracy  float64   `json:"accuracy"`
	Precision float64   `json:"precision"`
	Recall    float64   `json:"recall"`
	F1        float64   `json:"f1"`
	AUC       float64   `json:"auc"`
	LogLoss   float64   `json:"log_loss"`
	Rows      int       `json:"rows"`
	Confusion Confusion `json:"confusion"`
}

// Measure compares labels, 0 or 1, with decisions: the log-odds of label 1.
// A row is predicted 1 when its decision is above 0. Both labels must occur.
func Measure(labels []int, decisions []float64) (Metrics, error) {
	if err := check(labels, decisions); err != nil {
		return Metrics{}, fmt.Errorf("measure: %w", err)
	}
	m := Metrics{Rows: len(labels)}
	for i, l := range labels {
		positive := decisions[i] > 0
		switch {
		case l == 1 && positive:
			m.Confusion.TruePositive++
		case l == 1:
			m.Confusion.FalseNegative++
		case positive:
			m.Confusion.FalsePositive++
		default:
			m.Confusion.TrueNegative++
		}
		margin := decisions[i]
		if l == 0 {
			margin = -margin
		}
		m.LogLoss += portable.Log1pExp(-margin)
	}
	c := m.Confusion
	m.LogLoss /= float64(len(labels))
	m.Accuracy = ratio(c.TruePositive+c.TrueNegative, len(labels))
	m.Precision = ratio(c.TruePositive, c.TruePositive+c.FalsePositive)
	m.Recall = ratio(c.TruePositive, c.TruePositive+c.FalseNegative)
	m.F1 = ratio(2*c.TruePositive, 2*c.TruePositive+c.FalsePositive+c.FalseNegative)
	m.AUC = auc(labels, decisions)
	return m, nil
}

func check(labels []int, decisions []float64) error {
	if len(labels) != len(decisions) {
		return fmt.Errorf("%d labels and %d decisions", len(labels), len(decisions))
	}
	var count [2]int
	for i, l := range labels {
		if l != 0 && l != 1 {
			return fmt.Errorf("label %d of row %d: want 0 or 1", l, i)
		}
		if math.IsNaN(decisions[i]) || math.IsInf(decisions[i], 0) {
			return fmt.Errorf("decision of row %d is %v", i, decisions[i])
		}
		count[l]++
	}
	if count[0] == 0 || count[1] == 0 {
		return errors.New("want rows of both labels")
	}
	return nil
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// byDecision returns the rows from the highest decision to the lowest, ties
// in order.
func byDecision(decisions []float64) []int {
	order := make([]int, len(decisions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case decisions[a] > decisions[b]:
			return -1
		case decisions[a] < decisions[b]:
			return 1
		}
		return 0
	})
	return order
}

// auc is the share of pairs of a positive and a negative row that are in the
// right order, ties counting half. Sums are of integers and so exact.
func auc(labels []int, decisions []float64) float64 {
	var positives, negatives, twice int64
	order := byDecision(decisions)
	for i := 0; i < len(order); {
		var p, n int64
		j := i
		for ; j < len(order) && decisions[order[j]] == decisions[order[i]]; j++ {
			if labels[order[j]] == 1 {
				p++
			} else {
				n++
			}
		}
		twice += n * (2*positives + p)
		positives += p
		negatives += n
		i = j
	}
	return float64(twice) / (2 * float64(positives) * float64(negatives))
}

// Point is a point of a ROC curve.
type Point struct {
	FPR       float64 `json:"fpr"`
	TPR       float64 `json:"tpr"`
	Threshold float64 `json:"threshold"`
}

// ROC returns the curve from (0,0) to (1,1) with at most limit points, limit
// being 3 or more. The first point's threshold is one above the highest
// decision. Thinning keeps the ends and points evenly spread along the curve.
func ROC(labels []int, decisions []float64, limit int) ([]Point, error) {
	if err := check(labels, decisions); err != nil {
		return nil, fmt.Errorf("ROC curve: %w", err)
	}
	limit = max(limit, 3)
	order := byDecision(decisions)
	type count struct {
		tp, fp    int
		threshold float64
	}
	all := []count{{threshold: decisions[order[0]] + 1}}
	var tp, fp int
	for i, row := range order {
		tp += labels[row]
		fp += 1 - labels[row]
		if i+1 < len(order) && decisions[order[i+1]] == decisions[row] {
			continue
		}
		next := count{tp, fp, decisions[row]}
		// The middle one of three points on one straight edge says nothing.
		if n := len(all); n >= 2 {
			a, b := all[n-2], all[n-1]
			if (b.fp-a.fp)*(next.tp-b.tp) == (b.tp-a.tp)*(next.fp-b.fp) {
				all = all[:n-1]
			}
		}
		all = append(all, next)
	}
	var points []Point
	for i := range all {
		if len(all) > limit {
			// Of n points keep those where the scaled index steps up.
			k := i * (limit - 1) / (len(all) - 1)
			if i > 0 && k == (i-1)*(limit-1)/(len(all)-1) {
				continue
			}
		}
		c := all[i]
		points = append(points, Point{FPR: ratio(c.fp, fp), TPR: ratio(c.tp, tp), Threshold: c.threshold})
	}
	return points, nil
}
