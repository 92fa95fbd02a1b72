package builtin

import (
	"context"
	"fmt"

	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/selection"
)

// calibrate finds how decisions become probabilities, from decisions for rows
// that the deciding model did not see.
func (t *training) calibrate(ctx context.Context) error {
	t.calibration, t.threshold = linear.Identity(), t.params.Threshold
	if t.params.Calibration == calibrateNone {
		return nil
	}
	folds, err := selection.StratifiedFolds(t.labels, t.params.Folds, t.params.Split, true)
	if err != nil {
		return err
	}
	if t.held, err = linear.OutOfFold(ctx, t.x, t.labels, folds, t.options); err != nil {
		return err
	}
	fit := linear.FitSigmoid
	if t.params.Calibration == calibrateTemperature {
		fit = linear.FitTemperature
	}
	if t.calibration, err = fit(t.labels, t.held); err != nil {
		return err
	}
	t.call.Log.Info("probabilities calibrated", "slope", fmt.Sprintf("%.4f", t.calibration.Slope), "offset", fmt.Sprintf("%.4f", t.calibration.Offset))
	return nil
}

// described is the number of reviews that the statistics are made of. So many
// put the population stability index of ten parts off by (10-1)/2000 = 0.0045 on
// average, far below the 0.1 from which on it means anything.
const described = 2000

// statistics describes the training reviews as new ones would look to the
// model, so that a server can tell when what it sees is different. A model
// knows the texts that it was trained on too well: their scores are those of
// models that did not see them, and a term that only owes its place in the
// vocabulary to the text itself counts as unknown.
func (t *training) statistics(ctx context.Context, parts model.Parts) (*model.Statistics, error) {
	m, err := model.New(parts)
	if err != nil {
		return nil, err
	}
	step := max(1, len(t.reviews)/described)
	var texts []string
	var rows []int
	for i := 0; i < len(t.reviews); i += step {
		texts, rows = append(texts, t.reviews[i]), append(rows, i)
	}
	list := make([]model.Prediction, len(texts))
	least := t.leastFrequency()
	frequency := documentFrequencies(t.x)
	known := func(column int32) bool { return float64(frequency[column]-1) >= least }
	err = parallel.Blocks(ctx, len(texts), 16, 0, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			list[i] = m.PredictKnowing(texts[i], known)
			if t.held != nil {
				list[i] = m.Decide(list[i], t.held[rows[i]])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return model.Summarize(texts, list)
}

// leastFrequency is the number of texts that a term must be in to be known.
func (t *training) leastFrequency() float64 {
	c := t.features.Union.Parts()[0].Config()
	if len(c.Vocabulary) > 0 || t.features.Union.Parts()[0].Vocabulary() == nil {
		return 0
	}
	return c.MinDF.Of(t.x.Rows)
}
