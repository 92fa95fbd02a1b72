//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flowrepro/flow/stages/score"
)

// python is the interpreter that has scikit-learn.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("FLOW_TEST_PYTHON")
	if name == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("FLOW_TEST_PYTHON does not name a Python with scikit-learn")
		}
		t.Skip("FLOW_TEST_PYTHON does not name a Python with scikit-learn")
	}
	return name
}

// measureScript measures samples from its input with the function that made
// the fixtures.
const measureScript = `
import json, sys, warnings
warnings.simplefilter("ignore")
sys.dont_write_bytecode = True
sys.path.insert(0, ".")
import numpy as np
from fixtures import measured
def array(v, kind=float): return None if v is None else np.array(v, dtype=kind)
json.dump([measured(array(s["labels"], int), array(s["probabilities"]), array(s["decisions"]), array(s["weights"]), s["threshold"])
           for s in json.load(sys.stdin)], sys.stdout)
`

type scoreSample struct {
	Labels        []int     `json:"labels"`
	Probabilities []float64 `json:"probabilities"`
	Decisions     []float64 `json:"decisions"`
	Weights       []float64 `json:"weights"`
	Threshold     float64   `json:"threshold"`
}

// TestScoresAreSklearns compares every metric with scikit-learn's on random
// samples: with and without ties, weights and decisions, balanced and not.
func TestScoresAreSklearns(t *testing.T) {
	bin := python(t)
	const seed = 20
	rng := rand.New(rand.NewPCG(seed, seed))
	var samples []scoreSample
	for k := range 24 {
		n := 2 + rng.IntN(60)
		s := scoreSample{Threshold: math.Round(rng.Float64()*100) / 100}
		share, tied, weighed := rng.Float64(), k%3 == 0, k%2 == 0
		for range n {
			label := 0
			if rng.Float64() < share {
				label = 1
			}
			z := 3*rng.NormFloat64() + 2*float64(label) - 1
			if tied {
				z = math.Round(z)
			}
			s.Labels = append(s.Labels, label)
			s.Decisions = append(s.Decisions, z)
			if weighed {
				s.Weights = append(s.Weights, math.Round(rng.ExpFloat64()*100)/100+0.01)
			}
		}
		s.Probabilities = score.FromDecisions(s.Labels, s.Decisions).Probabilities
		if k%4 == 1 {
			s.Decisions = nil
		}
		samples = append(samples, s)
	}
	input, err := json.Marshal(samples)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-c", measureScript)
	cmd.Dir = filepath.Join("..", "stages", "testdata")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		Metrics     map[string]float64
		Confusion   [4]float64
		Calibration map[string][2][]float64
		ROC         [3][]float64 `json:"roc"`
		PR          [3][]float64 `json:"precision_recall"`
		Best        map[string]float64
	}
	if err := json.Unmarshal(output, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(samples) {
		t.Fatalf("%d answers for %d samples", len(want), len(samples))
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-12*(1+math.Abs(want))) {
			t.Errorf("%s is %v, scikit-learn's %v", what, got, want)
		}
	}
	values := 0
	for k, in := range samples {
		s := score.Sample{Labels: in.Labels, Probabilities: in.Probabilities, Decisions: in.Decisions, Weights: in.Weights}
		m, err := score.Measure(s, in.Threshold)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		for name, v := range want[k].Metrics {
			g, _ := got[name].(float64)
			near(fmt.Sprintf("sample %d: %s", k, name), g, v)
			values++
		}
		for name, v := range want[k].Best {
			c, err := score.ParseCriterion(name)
			if err != nil {
				t.Fatal(err)
			}
			choice, err := score.ChooseThreshold(s, c)
			if err != nil {
				t.Errorf("sample %d: %v", k, err)
				continue
			}
			near(fmt.Sprintf("sample %d: best %s", k, name), choice.Value, v)
			values++
		}
		for name, v := range want[k].Calibration {
			var by score.Binning
			var bins int
			if _, err := fmt.Sscanf(name, "%s %d", &by, &bins); err != nil {
				t.Fatal(err)
			}
			list, _, err := score.Calibrate(s, bins, by)
			if err != nil || len(list) != len(v[0]) {
				t.Errorf("sample %d: %s: %d bins, want %d, %v", k, name, len(list), len(v[0]), err)
				continue
			}
			for i, b := range list {
				near(fmt.Sprintf("sample %d: %s: bin %d", k, name, i), b.Actual, v[0][i])
				near(fmt.Sprintf("sample %d: %s: bin %d", k, name, i), b.Predicted, v[1][i])
				values += 2
			}
		}
		if want[k].PR[0] == nil {
			continue
		}
		curve, err := score.PrecisionRecall(s, math.MaxInt32)
		if err != nil || len(curve) != len(want[k].PR[0]) {
			t.Errorf("sample %d: %d points of precision and recall, want %d, %v", k, len(curve), len(want[k].PR[0]), err)
			continue
		}
		for i := range curve {
			p := curve[len(curve)-1-i]
			near(fmt.Sprintf("sample %d: precision %d", k, i), p.Precision, want[k].PR[0][i])
			near(fmt.Sprintf("sample %d: recall %d", k, i), p.Recall, want[k].PR[1][i])
			values += 2
		}
	}
	t.Logf("%d values compared", values)
	if values < 2_000 {
		t.Errorf("only %d values compared", values)
	}
}
