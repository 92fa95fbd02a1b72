package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/score"
)

// evaluateWhole runs the pipeline up to the evaluation, and that with other
// parameters.
func evaluateWhole(t *testing.T, params map[string]any) (*pipeline, error) {
	t.Helper()
	p := newPipeline(t, fixture(t), fixture(t))
	if err := p.run(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	return p, p.evaluate(params)
}

// evaluate runs the evaluation after the other stages.
func (p *pipeline) evaluate(params map[string]any) error {
	c := p.call(4)
	all, section := new(yaml12.Map), new(yaml12.Map)
	// The report lists parameters in the order of the file.
	for _, k := range slices.Sorted(maps.Keys(params)) {
		section.Set(k, params[k])
	}
	all.Set("model_evaluation", section)
	building, _ := p.params.Get("model_building")
	all.Set("model_building", building)
	c.Params = stages.NewParams(all)
	return evaluate(context.Background(), c)
}

func (p *pipeline) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(name)))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func TestEvaluationWhole(t *testing.T) {
	params := map[string]any{"bootstrap": int64(100), "slice_columns": []any{"sentiment"}, "length_edges": []any{int64(60), int64(70)}}
	p, err := evaluateWhole(t, params)
	if err != nil {
		t.Fatal(err)
	}
	var found evaluation
	if err := json.Unmarshal([]byte(p.read("reports/evaluation.json")), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Intervals) != 12 || found.Resamples != 100 || len(found.CalibrationQuantile) == 0 {
		t.Errorf("%+v", found)
	}
	rows := map[string]int{}
	for _, s := range found.Slices {
		rows[s.Column] += s.Metrics.Rows
	}
	if m := p.metrics(); rows["words"] != m.Rows || rows["sentiment"] != m.Rows || m.Rows == 0 {
		t.Errorf("slices have %v rows of %d", rows, m.Rows)
	}
	page := p.read("reports/report.html")
	for _, want := range []string{"Worst mistakes", "Most telling words", "sha256:", "model_building.penalty", "words: up to 59", "sentiment: 1", "<mark class=\"t"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the report", want)
		}
	}
	for _, name := range []string{"roc", "precision_recall", "calibration", "scores", "thresholds", "confusion"} {
		var table []map[string]any
		if err := json.Unmarshal([]byte(p.read("reports/figures/"+name+".json")), &table); err != nil || len(table) < 2 {
			t.Errorf("%s.json has %d rows, %v", name, len(table), err)
		}
		if svg, png := p.read("reports/figures/"+name+".svg"), p.read("reports/figures/"+name+".png"); !strings.HasPrefix(svg, "<?xml") || !strings.HasPrefix(png, "\x89PNG") {
			t.Errorf("%s is not drawn", name)
		}
	}
	// The same bytes for any number of workers.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	again, err := evaluateWhole(t, params)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"metrics.json", "evaluation.json", "report.html", "figures/roc.png", "figures/scores.svg"} {
		if first, second := p.read("reports/"+name), again.read("reports/"+name); first != second {
			at := 0
			for at < min(len(first), len(second)) && first[at] == second[at] {
				at++
			}
			context := func(text string) string { return text[max(0, at-80):min(len(text), at+80)] }
			t.Errorf("two runs wrote different bytes to %s at %d:\n%q\n%q", name, at, context(first), context(second))
		}
	}
}

func TestEvaluationFaults(t *testing.T) {
	p, err := evaluateWhole(t, map[string]any{"bootstrap": int64(1)})
	if err != nil {
		t.Fatal(err)
	}
	for name, params := range map[string]map[string]any{
		"bootstrap": {"bootstrap": int64(0)}, "confidence": {"confidence": 2.0},
		"bins": {"bins": int64(0)}, "slices": {"length_slices": int64(0)}, "edges": {"length_edges": []any{int64(3), int64(3)}},
		"column": {"slice_columns": []any{"absent"}}, "words": {"words": int64(-1)},
		"mistakes": {"mistakes": int64(-1)}, "unknown": {"treshold": 0.5},
	} {
		if err := p.evaluate(params); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The model's threshold is used everywhere.
func TestEvaluationThreshold(t *testing.T) {
	p := newPipeline(t, fixture(t), fixture(t))
	p.set("model_building", "threshold", 0.999999999)
	if err := p.run(context.Background(), 5); err != nil {
		t.Fatal(err)
	}
	if m := p.metrics(); m.Recall != 0 || m.Specificity != 1 || m.Threshold != 0.999999999 {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(p.log.String(), "metrics without meaning") {
		t.Errorf("no warning of the precision:\n%s", p.log.String())
	}
	var one *score.OneClassError
	if _, err := score.ROC(score.FromDecisions([]int{1, 1}, []float64{0, 1}), 10); !errors.As(err, &one) {
		t.Error(err)
	}
}
