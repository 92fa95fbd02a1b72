package selection

import (
	"maps"
	"slices"

	"github.com/flowrepro/flow/stages/score"
)

// scorings are the scores by name.
var scorings = map[string]struct {
	of func(m score.Metrics) float64
	// lower says that less is better.
	lower bool
}{
	"accuracy":  {of: func(m score.Metrics) float64 { return m.Accuracy }},
	"precision": {of: func(m score.Metrics) float64 { return m.Precision }},
	"recall":    {of: func(m score.Metrics) float64 { return m.Recall }},
	"f1":        {of: func(m score.Metrics) float64 { return m.F1 }},
	"roc_auc":   {of: func(m score.Metrics) float64 { return m.AUC }},
	"log_loss":  {of: func(m score.Metrics) float64 { return m.LogLoss }, lower: true},
}

// Scorings returns the names of the scores.
func Scorings() []string { return slices.Sorted(maps.Keys(scorings)) }

// measure takes the named scores of decisions, the log-odds of label 1.
func measure(labels []int, decisions []float64, names []string) (map[string]float64, error) {
	m, err := score.Measure(labels, decisions)
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(names))
	for _, n := range names {
		out[n] = scorings[n].of(m)
	}
	return out, nil
}
