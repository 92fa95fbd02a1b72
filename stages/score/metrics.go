package score

import (
	"encoding/json"
	"fmt"
	"math"
)

// Confusion counts rows by label and prediction; with weights it sums them.
type Confusion struct {
	TrueNegative  float64 `json:"true_negative"`
	FalsePositive float64 `json:"false_positive"`
	FalseNegative float64 `json:"false_negative"`
	TruePositive  float64 `json:"true_positive"`
}

// Metrics are the results of an evaluation. The positive class is label 1.
type Metrics struct {
	Accuracy  float64 `json:"accuracy"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	// AUC is the area below the ROC curve; NaN, in JSON null, when only one
	// label occurs.
	AUC float64 `json:"auc"`
	// AveragePrecision is the precision averaged over the steps of recall.
	AveragePrecision float64 `json:"average_precision"`
	// LogLoss is in nats a row.
	LogLoss float64 `json:"log_loss"`
	// Brier is the mean squared error of the probability.
	Brier float64 `json:"brier"`
	// ECE is the expected calibration error of ten equally wide bins.
	ECE              float64 `json:"ece"`
	Specificity      float64 `json:"specificity"`
	BalancedAccuracy float64 `json:"balanced_accuracy"`
	Matthews         float64 `json:"matthews_correlation"`
	// Threshold is the probability above which a row is predicted 1.
	Threshold float64   `json:"threshold"`
	Rows      int       `json:"rows"`
	Confusion Confusion `json:"confusion"`
	// Undefined names the metrics that have no meaning for this sample.
	Undefined []string `json:"undefined,omitempty"`
}

// measures are the metrics that vary between resamples, by their names in
// JSON.
var measures = []struct {
	name string
	of   func(*Metrics) float64
}{
	{"accuracy", func(m *Metrics) float64 { return m.Accuracy }},
	{"precision", func(m *Metrics) float64 { return m.Precision }},
	{"recall", func(m *Metrics) float64 { return m.Recall }},
	{"f1", func(m *Metrics) float64 { return m.F1 }},
	{"auc", func(m *Metrics) float64 { return m.AUC }},
	{"average_precision", func(m *Metrics) float64 { return m.AveragePrecision }},
	{"log_loss", func(m *Metrics) float64 { return m.LogLoss }},
	{"brier", func(m *Metrics) float64 { return m.Brier }},
	{"ece", func(m *Metrics) float64 { return m.ECE }},
	{"specificity", func(m *Metrics) float64 { return m.Specificity }},
	{"balanced_accuracy", func(m *Metrics) float64 { return m.BalancedAccuracy }},
	{"matthews_correlation", func(m *Metrics) float64 { return m.Matthews }},
}

// MarshalJSON writes an undefined AUC as null.
func (m Metrics) MarshalJSON() ([]byte, error) {
	type plain Metrics
	if !math.IsNaN(m.AUC) {
		return json.Marshal(plain(m))
	}
	return json.Marshal(struct {
		plain
		AUC *float64 `json:"auc"`
	}{plain(m), nil})
}

// Measure computes the metrics of a sample.
func Measure(s Sample, threshold float64) (Metrics, error) {
	if err := s.Check(); err != nil {
		return Metrics{}, fmt.Errorf("measure: %w", err)
	}
	if math.IsNaN(threshold) {
		return Metrics{}, fmt.Errorf("measure: threshold is %v", threshold)
	}
	m := rank(s, threshold).measure(nil)
	m.Threshold, m.Rows = threshold, s.Len()
	c := m.Confusion
	for _, u := range []struct {
		name string
		has  float64
	}{
		{"precision", c.TruePositive + c.FalsePositive}, {"recall", c.TruePositive + c.FalseNegative},
		{"f1", 2*c.TruePositive + c.FalsePositive + c.FalseNegative},
		{"average_precision", c.TruePositive + c.FalseNegative},
		{"specificity", c.TrueNegative + c.FalsePositive},
	} {
		if u.has == 0 {
			m.Undefined = append(m.Undefined, u.name)
		}
	}
	if math.IsNaN(m.AUC) {
		m.Undefined = append(m.Undefined, "auc", "balanced_accuracy", "matthews_correlation")
	}
	return m, nil
}

// measure sums one pass over the rows, each as often as times says; nil means
// once. Times are multiplied with the weights of the sample. Without weights
// all counts are exact.
func (r *ranked) measure(times []float64) Metrics {
	var (
		m              Metrics
		c              Confusion
		loss, square   float64
		positives, all float64 // seen so far, from the highest score on
		groupP, groupN float64 // in the group of equal scores
		pairs, steps   float64
		binTrue, binPr [eceBins]float64
	)
	for i := range r.label {
		w := 1.0
		if times != nil {
			w = times[i]
		}
		if r.weight != nil {
			w *= r.weight[i]
		}
		if w != 0 {
			switch {
			case r.label[i] && r.predicted[i]:
				c.TruePositive += w
			case r.label[i]:
				c.FalseNegative += w
			case r.predicted[i]:
				c.FalsePositive += w
			default:
				c.TrueNegative += w
			}
			if r.label[i] {
				groupP += w
				binTrue[r.bin[i]] += w
			} else {
				groupN += w
			}
			loss += float64(w * r.loss[i])
			square += float64(w * r.square[i])
			binPr[r.bin[i]] += float64(w * r.prob[i])
		}
		if r.end[i] && (groupP != 0 || groupN != 0) {
			// Pairs of a positive before a negative, ties counting half.
			pairs += float64(groupN * (positives + groupP/2))
			positives += groupP
			all += groupP + groupN
			if groupP != 0 {
				steps += float64(groupP * (positives / all))
			}
			groupP, groupN = 0, 0
		}
	}
	negatives := all - positives
	if r.weight != nil { // all - positives is not exact then
		negatives = c.TrueNegative + c.FalsePositive
	}
	m.Confusion = c
	m.LogLoss, m.Brier = loss/all, square/all
	m.Accuracy = (c.TruePositive + c.TrueNegative) / all
	m.Precision = ratio(c.TruePositive, c.TruePositive+c.FalsePositive)
	m.Recall = ratio(c.TruePositive, c.TruePositive+c.FalseNegative)
	m.Specificity = ratio(c.TrueNegative, c.TrueNegative+c.FalsePositive)
	m.F1 = ratio(2*c.TruePositive, 2*c.TruePositive+c.FalsePositive+c.FalseNegative)
	m.AveragePrecision = ratio(steps, positives)
	m.AUC = math.NaN()
	switch {
	case positives == 0:
		m.BalancedAccuracy = m.Specificity
	case negatives == 0:
		m.BalancedAccuracy = m.Recall
	default:
		m.AUC = pairs / float64(positives*negatives)
		m.BalancedAccuracy = (m.Recall + m.Specificity) / 2
	}
	m.Matthews = c.matthews()
	for b := range binTrue {
		m.ECE += math.Abs(binTrue[b] - binPr[b])
	}
	m.ECE /= all
	return m
}

// matthews is the correlation of label and prediction, 0 when one of them is
// constant.
func (c Confusion) matthews() float64 {
	positive, negative := c.TruePositive+c.FalseNegative, c.TrueNegative+c.FalsePositive
	yes, no := c.TruePositive+c.FalsePositive, c.TrueNegative+c.FalseNegative
	if positive == 0 || negative == 0 || yes == 0 || no == 0 {
		return 0
	}
	covariance := float64(c.TruePositive*c.TrueNegative) - float64(c.FalsePositive*c.FalseNegative)
	return covariance / float64(math.Sqrt(float64(positive*negative))*math.Sqrt(float64(yes*no)))
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
