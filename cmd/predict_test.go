package cmd_test

import (
	"context"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

// scriptModel writes a model whose weights are easy to add: a bad word is -1, a
// good one +1, "not good" -2, and the intercept 0.25.
func scriptModel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: model directory")
	}
	table, err := features.NewTable([]string{"bad", "dull", "good", "great", "not good"})
	ts.Check(err)
	c := features.DefaultConfig()
	c.NgramRange = [2]int{1, 2}
	v, err := features.New(c, table, nil)
	ts.Check(err)
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v})
	ts.Check(err)
	_, err = model.Write(context.Background(), ts.MkAbs(args[0]), model.Parts{
		Features: model.Features{Cleaning: text.Options{Markup: true, Lowercase: true, Punctuation: true}, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: []float64{-1, -1, 1, 1, -2}, Intercept: 0.25, Example: "Not good.",
	})
	ts.Check(err)
}
