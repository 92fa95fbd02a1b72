package score

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Criterion says what makes a threshold the best.
type Criterion struct {
	// Name is f1, accuracy, youden (recall + specificity - 1), precision or
	// recall.
	Name string
	// Target is the least precision or recall; the best threshold is then
	// that of the highest recall or precision.
	Target float64
}

// ParseCriterion reads "f1", "accuracy", "youden", "precision>=0.95" or
// "recall>=0.95".
func ParseCriterion(text string) (Criterion, error) {
	name, target, wished := strings.Cut(strings.ReplaceAll(text, " ", ""), ">=")
	c := Criterion{Name: name}
	switch {
	case !wished && (name == "f1" || name == "accuracy" || name == "youden"):
		return c, nil
	case wished && (name == "precision" || name == "recall"):
		var err error
		if c.Target, err = strconv.ParseFloat(target, 64); err == nil && c.Target > 0 && c.Target <= 1 {
			return c, nil
		}
	}
	return Criterion{}, fmt.Errorf("threshold criterion %q: want f1, accuracy, youden, precision>=X or recall>=X with X above 0 and at most 1", text)
}

func (c Criterion) String() string {
	if c.Target > 0 {
		return c.Name + ">=" + strconv.FormatFloat(c.Target, 'g', -1, 64)
	}
	return c.Name
}

// UnreachableError says that no threshold fulfils a criterion.
type UnreachableError struct {
	Criterion Criterion
	// Best is the highest value there is.
	Best float64
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no threshold reaches %s: the highest %s is %.4f", e.Criterion, e.Criterion.Name, e.Best)
}

// Choice is a threshold with the metrics it gives on the sample that it was
// chosen on.
type Choice struct {
	Criterion string  `json:"criterion"`
	Threshold float64 `json:"threshold"`
	// Value is that of f1, accuracy or youden, or of what is maximized under
	// a target.
	Value   float64 `json:"value"`
	Metrics Metrics `json:"metrics"`
}

// ChooseThreshold returns the best threshold for a sample, which must be
// validation data: rows that the classifier was not trained on and that are not
// the test data. Thresholds lie halfway between probabilities, so that small
// differences of rounding do not count; of equally good ones the nearest to
// one half is taken. The decisions of the sample play no role.
func ChooseThreshold(s Sample, c Criterion) (Choice, error) {
	if err := s.Check(); err != nil {
		return Choice{}, fmt.Errorf("choose threshold: %w", err)
	}
	if _, err := ParseCriterion(c.String()); err != nil {
		return Choice{}, fmt.Errorf("choose threshold: %w", err)
	}
	s.Decisions = nil
	all := rank(s, 0).steps()
	end := all[len(all)-1]
	if err := both("choose threshold", end); err != nil {
		return Choice{}, err
	}
	best := Choice{Criterion: c.String(), Value: math.Inf(-1)}
	reached := 0.0
	for i, k := range all {
		t, ok := between(all, i)
		if !ok {
			continue
		}
		value, met := c.value(k, end)
		reached = max(reached, met)
		if met < c.Target {
			continue
		}
		if value > best.Value || value == best.Value && math.Abs(t-0.5) < math.Abs(best.Threshold-0.5) {
			best.Value, best.Threshold = value, t
		}
	}
	if math.IsInf(best.Value, -1) {
		return Choice{}, fmt.Errorf("choose threshold: %w", &UnreachableError{c, reached})
	}
	var err error
	best.Metrics, err = Measure(s, best.Threshold)
	return best, err
}

// between returns a threshold that makes exactly the rows of step i and those
// above it positive. There is none below a probability of 0.
func between(all []step, i int) (float64, bool) {
	switch {
	case i == 0: // nothing is positive
		return all[1].score, true
	case i+1 == len(all):
		return all[i].score / 2, all[i].score > 0
	}
	above, below := all[i].score, all[i+1].score
	if t := below + (above-below)/2; t < above {
		return t, true
	}
	return below, true
}

// value is what c maximizes, and what its target is compared with.
func (c Criterion) value(k, end step) (value, met float64) {
	precision, recall := ratio(k.tp, k.tp+k.fp), k.tp/end.tp
	switch c.Name {
	case "accuracy":
		return (k.tp + end.fp - k.fp) / (end.tp + end.fp), 0
	case "youden":
		return recall - k.fp/end.fp, 0
	case "precision":
		return recall, precision
	case "recall":
		return precision, recall
	}
	return ratio(2*k.tp, k.tp+k.fp+end.tp), 0
}

// ThresholdPoint has the metrics that depend on the threshold.
type ThresholdPoint struct {
	Threshold float64 `json:"threshold"`
	Accuracy  float64 `json:"accuracy"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// ThresholdCurve returns the metrics at 0, 1/parts, … 1, parts being 1 to 999.
// Precision is 1 where nothing is predicted positive.
func ThresholdCurve(s Sample, parts int) ([]ThresholdPoint, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("threshold curve: %w", err)
	}
	if parts < 1 || parts > 999 {
		return nil, fmt.Errorf("threshold curve: %d parts: want 1 to 999", parts)
	}
	s.Decisions = nil
	all := rank(s, 0).steps()
	end := all[len(all)-1]
	points := make([]ThresholdPoint, parts+1)
	at := len(all) - 1
	for i, t := range uniformEdges(parts) {
		// The last step whose score is above t.
		for at > 0 && all[at].score <= t {
			at--
		}
		k := all[at]
		if at == 0 {
			k = step{}
		}
		p := ThresholdPoint{
			Threshold: t, Precision: 1, Recall: ratio(k.tp, end.tp),
			Accuracy: (k.tp + end.fp - k.fp) / (end.tp + end.fp),
			F1:       ratio(2*k.tp, k.tp+k.fp+end.tp),
		}
		if k.tp+k.fp > 0 {
			p.Precision = k.tp / (k.tp + k.fp)
		}
		points[i] = p
	}
	return points, nil
}
