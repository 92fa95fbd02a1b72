package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/output"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/selection"
)

const (
	selectSection = "model_selection"
	// Prefixes of the parameters that a grid may set.
	vectorizerPrefix = "vectorizer"
	classifierPrefix = "classifier"
)

type selectParams struct {
	// Folds is the number of parts of the cross-validation.
	Folds   int   `param:"folds"`
	Shuffle bool  `param:"shuffle"`
	Seed    int64 `param:"seed"`
	// Scoring are the scores to take, Refit the one to choose by.
	Scoring []string `param:"scoring"`
	Refit   string   `param:"refit"`
	// Search is grid or random; NIter is how many points the latter draws.
	Search string `param:"search"`
	NIter  int    `param:"n_iter"`
	// Grid is a mapping, or a list of them, from parameters to lists of
	// values or, for random search, ranges.
	Grid any `param:"grid,required"`
	// Vectorizer and Classifier are the parameters that are the same for all.
	Vectorizer any `param:"vectorizer"`
	Classifier any `param:"classifier"`
}

// selectModel cross-validates a grid of vectorizers and classifiers and trains
// the best.
func selectModel(ctx context.Context, c *stages.Call) error {
	p := selectParams{
		Folds: 5, Seed: 42, Shuffle: true, Scoring: []string{"f1", "accuracy", "roc_auc", "log_loss"}, Search: "grid", NIter: 20,
	}
	if err := c.Params.Decode(selectSection, &p); err != nil {
		return err
	}
	if p.Refit == "" && len(p.Scoring) > 0 {
		p.Refit = p.Scoring[0]
	}
	search := &selection.Search{Scoring: p.Scoring, Refit: p.Refit}
	var err error
	if search.Candidates, err = p.candidates(); err != nil {
		return err
	}
	interim, err := c.Dep("interim")
	if err != nil {
		return err
	}
	results, err := c.Out("selection")
	if err != nil {
		return err
	}
	cleaning, err := readCleaning(filepath.Join(interim, cleaningFile))
	if err != nil {
		return err
	}
	rows, _, err := readReviews(ctx, c, filepath.Join(interim, trainFile))
	if err != nil {
		return err
	}
	labels := dataset.Labels(rows)
	if search.Folds, err = selection.StratifiedFolds(labels, p.Folds, uint64(p.Seed), p.Shuffle); err != nil {
		return fmt.Errorf("%s: %w", selectSection, err)
	}
	search.Progress = func(done, total int) { c.Progress(int64(done), int64(total), "fits") }
	r, best, err := search.Run(ctx, dataset.Reviews(rows), labels)
	if err != nil {
		return err
	}
	for _, row := range r.Rows {
		if n := len(row.Warnings); n > 0 {
			c.Log.Warn("training stopped before it converged", "candidate", selection.Label(row.Settings), "folds", n, "first", row.Warnings[0])
		}
	}
	if best.Fit != nil && !best.Fit.Converged {
		c.Log.Warn("training stopped before it converged", "candidate", "best, on all reviews", "warning", best.Fit.Warning())
	}
	for name, fill := range map[string]func(w io.Writer) error{
		"results.json": r.WriteJSON, "results.csv": r.WriteCSV, "results.md": r.WriteTable, "plot.json": r.WritePlot,
		"folds.npy": func(w io.Writer) error { return features.WriteLabels(w, search.Folds) },
	} {
		if err := output.File(filepath.Join(results, name), fill); err != nil {
			return err
		}
	}
	if err := writeBest(c, best, &model.Vectorizer{Cleaning: cleaning, Terms: best.Vectorizer}, len(rows)); err != nil {
		return err
	}
	if file, err := c.Out("selection_times.json"); err == nil {
		if err := output.File(file, r.WriteTimes); err != nil {
			return err
		}
	}
	winner := r.Rows[r.Best]
	c.Log.Info("model selected", "candidates", len(r.Rows), "folds", r.Folds, "best", selection.Label(winner.Settings),
		r.Refit, fmt.Sprintf("%.4f", winner.Scores[r.Refit].Mean))
	return nil
}

// writeBest writes the best candidate where the stage declares a vectorizer
// and a model.
func writeBest(c *stages.Call, best *selection.Fitted, v *model.Vectorizer, rows int) error {
	if file, err := c.Out("vectorizer.json"); err == nil {
		if err := output.File(file, v.Write); err != nil {
			return err
		}
	}
	file, err := c.Out("model.json")
	if err != nil {
		return nil //nolint:nilerr // not asked for
	}
	m := &model.Classifier{Classes: classes, Coef: best.Coef, Intercept: best.Intercept, Fit: model.Fit{Rows: rows, Converged: true}}
	if f := best.Fit; f != nil {
		m.Fit.Penalty, m.Fit.C = best.Linear.Penalty, best.Linear.C
		m.Fit.Iterations, m.Fit.Converged, m.Fit.Objective = f.Iterations, f.Converged, f.Objective
	}
	return output.File(file, m.Write)
}

// candidates are the points of the grids, over the parameters that all share.
func (p selectParams) candidates() ([]selection.Candidate, error) {
	grids, err := p.grids()
	if err != nil {
		return nil, err
	}
	var points [][]selection.Setting
	switch p.Search {
	case "grid":
		for _, g := range grids {
			list, err := g.Points()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", selectSection, err)
			}
			points = append(points, list...)
		}
	case "random":
		if points, err = selection.Draw(grids, p.NIter, uint64(p.Seed)); err != nil {
			return nil, fmt.Errorf("%s: %w", selectSection, err)
		}
	default:
		return nil, &stages.ParamError{Key: selectSection + ".search", Msg: "want grid or random, have " + p.Search}
	}
	out := make([]selection.Candidate, len(points))
	for i, point := range points {
		if out[i], err = p.candidate(point); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", selectSection, selection.Label(point), err)
		}
	}
	return out, nil
}

// grids reads the grid parameter.
func (p selectParams) grids() ([]selection.Grid, error) {
	list, ok := p.Grid.([]any)
	if !ok {
		list = []any{p.Grid}
	}
	var grids []selection.Grid
	for _, v := range list {
		m, ok := v.(*yaml12.Map)
		if !ok {
			return nil, &stages.ParamError{Key: selectSection + ".grid", Msg: "want a mapping from parameters to lists of values, or a list of such mappings"}
		}
		var g selection.Grid
		for _, it := range m.Items {
			a := selection.Axis{Name: fmt.Sprint(it.Key)}
			key := selectSection + ".grid." + a.Name
			if !strings.HasPrefix(a.Name, vectorizerPrefix+".") && !strings.HasPrefix(a.Name, classifierPrefix+".") {
				return nil, &stages.ParamError{Key: key, Msg: "want a name that begins with vectorizer. or classifier."}
			}
			switch v := it.Value.(type) {
			case []any:
				a.Values = v
			case *yaml12.Map:
				r := struct {
					Low     float64 `param:"low,required"`
					High    float64 `param:"high,required"`
					Log     bool    `param:"log"`
					Integer bool    `param:"integer"`
				}{}
				if err := stages.NewParams(v).Decode("", &r); err != nil {
					return nil, fmt.Errorf("%s: %w", key, err)
				}
				a.Range = &selection.Range{Low: r.Low, High: r.High, Log: r.Log, Integer: r.Integer}
			default:
				a.Values = []any{v}
			}
			g = append(g, a)
		}
		grids = append(grids, g)
	}
	return grids, nil
}

// candidate sets a point over the shared parameters.
func (p selectParams) candidate(point []selection.Setting) (selection.Candidate, error) {
	c := selection.Candidate{Settings: point}
	all := new(yaml12.Map)
	for name, v := range map[string]any{vectorizerPrefix: p.Vectorizer, classifierPrefix: p.Classifier} {
		switch v.(type) {
		case nil:
		case *yaml12.Map:
			all.Set(name, v)
		default:
			return c, &stages.ParamError{Key: name, Msg: "want a mapping"}
		}
	}
	kind := "logistic_regression"
	if m, ok := p.Classifier.(*yaml12.Map); ok {
		// The type is read apart: it says what the other parameters are.
		shared := new(yaml12.Map)
		for _, it := range m.Items {
			if it.Key != "type" {
				shared.Items = append(shared.Items, it)
			} else if s, ok := it.Value.(string); ok {
				kind = s
			} else {
				return c, &stages.ParamError{Key: "classifier.type", Msg: "want a string"}
			}
		}
		all.Set(classifierPrefix, shared)
	}
	for _, s := range point {
		if s.Name == classifierPrefix+".type" {
			v, ok := s.Value.(string)
			if !ok {
				return c, &stages.ParamError{Key: s.Name, Msg: "want a string"}
			}
			kind = v
			continue
		}
		all.Set(s.Name, s.Value)
	}
	params := stages.NewParams(all)
	v := engineerParams{
		Weighting: "count", NgramRange: []int{1, 1}, MinDF: int64(1), MaxDF: 1.0,
		UseIDF: true, SmoothIDF: true, Norm: "l2",
	}
	if err := params.Decode(vectorizerPrefix, &v); err != nil {
		return c, err
	}
	var err error
	if c.Features, err = v.config(); err != nil {
		return c, err
	}
	switch kind {
	case "logistic_regression":
		l := linear.DefaultParams()
		if err := params.Decode(classifierPrefix, &l); err != nil {
			return c, err
		}
		c.Linear, err = l.Options(classes)
		return c, err
	case "multinomial_nb":
		o := linear.DefaultMultinomialOptions()
		b := struct {
			Alpha    float64 `param:"alpha"`
			FitPrior bool    `param:"fit_prior"`
		}{o.Alpha, o.FitPrior}
		if err := params.Decode(classifierPrefix, &b); err != nil {
			return c, err
		}
		if !(b.Alpha > 0) {
			return c, errors.New("alpha: want a positive number")
		}
		c.Bayes = &linear.MultinomialOptions{Alpha: b.Alpha, FitPrior: b.FitPrior}
		return c, nil
	}
	return c, &stages.ParamError{Key: "classifier.type", Msg: "want logistic_regression or multinomial_nb, have " + kind}
}
