package builtin

import (
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/linear"
)

// The ways to calibrate probabilities.
const (
	calibrateNone        = "none"
	calibrateSigmoid     = "sigmoid"
	calibrateTemperature = "temperature"
)

type buildParams struct {
	linear.Params
	// Calibration is how decisions become probabilities.
	Calibration string `param:"calibration"`
	// Folds is the number of parts for decisions of models that did not see
	// the rows, which calibration and statistics need.
	Folds int    `param:"folds"`
	Split uint64 `param:"folds_seed"`
	// Threshold is the probability of the second class above which it is
	// predicted.
	Threshold float64 `param:"threshold"`
}

func defaultBuildParams() buildParams {
	return buildParams{
		Params: linear.DefaultParams(), Calibration: calibrateSigmoid, Folds: 3, Split: 42, Threshold: 0.5,
	}
}

func (p buildParams) check() error {
	switch {
	case p.Calibration != calibrateNone && p.Calibration != calibrateSigmoid && p.Calibration != calibrateTemperature:
		return &stages.ParamError{Key: "model_building.calibration", Msg: "want none, sigmoid or temperature"}
	case p.Calibration != calibrateNone && (p.Folds < 2 || p.Folds > 100):
		return &stages.ParamError{Key: "model_building.folds", Msg: "want 2 to 100"}
	case !(p.Threshold > 0 && p.Threshold < 1):
		return &stages.ParamError{Key: "model_building.threshold", Msg: "want a probability between 0 and 1"}
	}
	return nil
}
