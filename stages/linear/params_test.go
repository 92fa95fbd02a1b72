package linear

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/stages"
)

func TestParams(t *testing.T) {
	for _, tt := range []struct {
		yaml, err string
		want      func(o *Options)
	}{
		{"{}", "", func(*Options) {}},
		{"{penalty: l1, solver: saga, c: 2, tol: 1e-3, max_iter: 7, fit_intercept: false, seed: 3}", "", func(o *Options) {
			o.Penalty, o.Solver, o.C, o.Tol, o.MaxIter, o.Intercept, o.Seed = L1, Saga, 2, 1e-3, 7, false, 3
		}},
		{"{class_weight: balanced}", "", func(o *Options) { o.ClassWeight.Balanced = true }},
		{"{class_weight: none}", "", func(*Options) {}},
		{"{class_weight: {positive: 2}}", "", func(o *Options) { o.ClassWeight.Weights = &[2]float64{1, 2} }},
		{"{class_weight: {0: 0.5, 1: 3}}", "", func(o *Options) { o.ClassWeight.Weights = &[2]float64{0.5, 3} }},
		{"{naive_bayes: {enabled: true, binary: true}}", "", func(o *Options) { o.NaiveBayes = &NaiveBayes{Alpha: 1, Beta: 1, Exponent: 1, Binary: true} }},
		{"{class_weight: heavy}", `class_weight "heavy"`, nil},
		{"{class_weight: [1, 2]}", "class_weight", nil},
		{"{class_weight: {good: 2}}", `label "good" unknown`, nil},
		{"{class_weight: {positive: 2, 1: 3}}", `named twice`, nil},
		{"{class_weight: {positive: much}}", `want a number`, nil},
		{"{class_weight: {positive: -1}}", `class_weight`, nil},
		{"{penalty: l1}", "solver lbfgs: supports the penalties l2 and none, not l1", nil},
		{"{penalty: elasticnet, solver: liblinear}", "does not support the penalty elasticnet", nil},
	} {
		v, err := yaml12.Decode("p.yaml", []byte("model_building: "+tt.yaml))
		if err != nil {
			t.Fatal(err)
		}
		p := DefaultParams()
		if err := stages.NewParams(v.(*yaml12.Map)).Decode("model_building", &p); err != nil {
			t.Fatal(err)
		}
		o, err := p.Options([2]string{"negative", "positive"})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: error %v, want %q", tt.yaml, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.yaml, err)
			continue
		}
		want := DefaultOptions()
		tt.want(&want)
		if diff := cmp.Diff(want, o); diff != "" {
			t.Errorf("%s:\n%s", tt.yaml, diff)
		}
	}
}
