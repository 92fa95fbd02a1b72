package score

import "fmt"

// Point is a point of a ROC curve.
type Point struct {
	FPR float64 `json:"fpr"`
	TPR float64 `json:"tpr"`
	// Threshold is the lowest score that counts as positive.
	Threshold float64 `json:"threshold"`
}

// step is the sum of weights at and above a score.
type step struct{ tp, fp, score float64 }

// steps returns one step for each distinct score of rows that weigh something,
// highest first, after a step above all of them.
func (r *ranked) steps() []step {
	all := []step{{}}
	var tp, fp float64
	for i, positive := range r.label {
		w := 1.0
		if r.weight != nil {
			w = r.weight[i]
		}
		if positive {
			tp += w
		} else {
			fp += w
		}
		if last := all[len(all)-1]; r.end[i] && (tp != last.tp || fp != last.fp) {
			all = append(all, step{tp, fp, r.score[i]})
		}
	}
	all[0].score = all[1].score + 1
	return all
}

// thin keeps at most limit of a list, 3 or more: the ends, and elements evenly
// spread between them.
func thin[T any](all []T, limit int) []T {
	limit = max(limit, 3)
	if len(all) <= limit {
		return all
	}
	out := make([]T, 0, limit)
	for i := range all {
		// Keep those where the scaled index steps up.
		if i == 0 || i*(limit-1)/(len(all)-1) != (i-1)*(limit-1)/(len(all)-1) {
			out = append(out, all[i])
		}
	}
	return out
}

// OneClassError says that a curve needs rows of both labels.
type OneClassError struct {
	Curve string
	// Label is the only one there is.
	Label int
}

func (e *OneClassError) Error() string {
	return fmt.Sprintf("%s: all rows have the label %d; want rows of both labels", e.Curve, e.Label)
}

// both fails for a sample whose rows of one label weigh nothing.
func both(curve string, end step) error {
	switch {
	case end.tp == 0:
		return &OneClassError{curve, 0}
	case end.fp == 0:
		return &OneClassError{curve, 1}
	}
	return nil
}

// ROC returns the curve from (0,0) to (1,1) with at most limit points, limit
// being 3 or more. The first point's threshold is one above the highest score.
// Points inside a straight edge are left out.
func ROC(s Sample, limit int) ([]Point, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("ROC curve: %w", err)
	}
	all := rank(s, 0).steps()
	end := all[len(all)-1]
	if err := both("ROC curve", end); err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, next := range all {
		if n := len(kept); n >= 2 {
			a, b := kept[n-2], kept[n-1]
			if float64((b.fp-a.fp)*(next.tp-b.tp)) == float64((b.tp-a.tp)*(next.fp-b.fp)) {
				kept = kept[:n-1]
			}
		}
		kept = append(kept, next)
	}
	kept = thin(kept, limit)
	points := make([]Point, len(kept))
	for i, k := range kept {
		points[i] = Point{FPR: k.fp / end.fp, TPR: k.tp / end.tp, Threshold: k.score}
	}
	return points, nil
}

// PrecisionPoint is a point of a precision–recall curve.
type PrecisionPoint struct {
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
	// Threshold is the lowest score that counts as positive.
	Threshold float64 `json:"threshold"`
}

// PrecisionRecall returns the curve from recall 0 to 1 with at most limit
// points, limit being 3 or more. The first point, precision 1 at recall 0, is
// by convention; its threshold is one above the highest score.
func PrecisionRecall(s Sample, limit int) ([]PrecisionPoint, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("precision–recall curve: %w", err)
	}
	all := rank(s, 0).steps()
	end := all[len(all)-1]
	if err := both("precision–recall curve", end); err != nil {
		return nil, err
	}
	all = thin(all, limit)
	points := make([]PrecisionPoint, len(all))
	for i, k := range all {
		points[i] = PrecisionPoint{Recall: k.tp / end.tp, Precision: 1, Threshold: k.score}
		if k.tp+k.fp > 0 {
			points[i].Precision = k.tp / (k.tp + k.fp)
		}
	}
	return points, nil
}

// HistogramBin counts rows by label in a range of probabilities.
type HistogramBin struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Probability is the middle, for tools that plot points.
	Probability float64 `json:"probability"`
	Negative    int     `json:"negative"`
	Positive    int     `json:"positive"`
}

// Histogram counts the rows of each label in equally wide bins.
func Histogram(s Sample, bins int) ([]HistogramBin, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	if bins < 1 || bins > 1000 {
		return nil, fmt.Errorf("histogram: %d bins: want 1 to 1000", bins)
	}
	edges := uniformEdges(bins)
	list := make([]HistogramBin, bins)
	for i := range list {
		list[i].Low, list[i].High = edges[i], edges[i+1]
		list[i].Probability = (edges[i] + edges[i+1]) / 2
	}
	for i, p := range s.Probabilities {
		b := &list[binOf(edges, p)]
		if s.Labels[i] == 1 {
			b.Positive++
		} else {
			b.Negative++
		}
	}
	return list, nil
}
