package selection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/internal/parallel"
	"github.com/flowrepro/flow/stages/linear"
)

// Candidate is a vectorizer and a classifier to try.
type Candidate struct {
	// Settings are what sets the candidate apart, for the tables.
	Settings []Setting
	Features features.Config
	// Bayes, when not nil, is a multinomial naive Bayes; otherwise Linear is a
	// logistic regression.
	Bayes  *linear.MultinomialOptions
	Linear linear.Options
}

// Search is a cross-validation of candidates.
type Search struct {
	Candidates []Candidate
	// Folds has the fold of each text.
	Folds []int
	// Scoring are the scores to take: see [Scorings].
	Scoring []string
	// Refit is the score to choose by, one of Scoring.
	Refit string
	// Workers bounds the goroutines; below 1 means one for each processor.
	Workers int
	// Progress, when not nil, is told of fits done. It is called concurrently.
	Progress func(done, total int)
}

// Fitted is the best candidate, trained on all texts.
type Fitted struct {
	Candidate
	Vectorizer *features.Vectorizer
	Coef       []float64
	Intercept  float64
	// Fit is nil for naive Bayes.
	Fit *linear.Result
}

// Run scores all candidates and fits the best to all texts; labels are 0 and 1.
func (s *Search) Run(ctx context.Context, docs []string, labels []int) (*Results, *Fitted, error) {
	if err := s.check(docs, labels); err != nil {
		return nil, nil, fmt.Errorf("select: %w", err)
	}
	r, err := s.validate(ctx, docs, labels)
	if err != nil {
		return nil, nil, fmt.Errorf("select: %w", err)
	}
	best := s.Candidates[r.Best]
	f := &Fitted{Candidate: best}
	start := time.Now()
	var x *features.CSR
	if f.Vectorizer, x, err = features.Fit(ctx, best.Features, docs, s.Workers, nil); err != nil {
		return nil, nil, fmt.Errorf("select: refit: %w", err)
	}
	p, err := linear.NewProblem(x, labels, s.Workers)
	if err != nil {
		return nil, nil, fmt.Errorf("select: refit: %w", err)
	}
	fits, err := fitAll(ctx, p, x, labels, []Candidate{best})
	if err != nil {
		return nil, nil, fmt.Errorf("select: refit: %w", err)
	}
	f.Coef, f.Intercept, f.Fit = fits[0].coef, fits[0].intercept, fits[0].result
	r.RefitTime = time.Since(start)
	return r, f, nil
}

func (s *Search) check(docs []string, labels []int) error {
	switch {
	case len(s.Candidates) == 0:
		return errors.New("no candidates")
	case len(docs) != len(labels) || len(docs) != len(s.Folds):
		return fmt.Errorf("%d texts, %d labels and %d folds", len(docs), len(labels), len(s.Folds))
	case !slices.Contains(s.Scoring, s.Refit):
		return fmt.Errorf("refit %q: want one of the scores, %v", s.Refit, s.Scoring)
	}
	for _, name := range s.Scoring {
		if _, ok := scorings[name]; !ok {
			return fmt.Errorf("scoring %q: want one of %v", name, Scorings())
		}
	}
	for _, f := range s.Folds {
		if f < 0 || f >= len(docs) {
			return fmt.Errorf("fold %d: want 0 to %d", f, len(docs)-1)
		}
	}
	for _, c := range s.Candidates {
		if err := c.Features.Check(); err != nil {
			return fmt.Errorf("%s: %w", Label(c.Settings), err)
		}
		if c.Bayes == nil {
			if err := c.Linear.Check(); err != nil {
				return fmt.Errorf("%s: %w", Label(c.Settings), err)
			}
		}
	}
	return nil
}

// validate scores the candidates by fold.
func (s *Search) validate(ctx context.Context, docs []string, labels []int) (*Results, error) {
	folds := 1 + slices.Max(s.Folds)
	r := newResults(s, folds)
	groups, err := s.groups()
	if err != nil {
		return nil, err
	}
	workers := parallel.Workers(s.Workers)
	tasks := folds * len(groups)
	inside := max(1, workers/tasks)
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for fold := range folds {
		for _, members := range groups {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return s.one(ctx, docs, labels, fold, members, inside, func(c int, o outcome) {
					mu.Lock()
					defer mu.Unlock()
					r.put(c, fold, o)
					if done++; s.Progress != nil {
						s.Progress(done, folds*len(s.Candidates))
					}
				})
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r.finish()
	return r, nil
}

// groups returns the candidates, by number, that have the same vectorizer.
func (s *Search) groups() ([][]int, error) {
	at := map[string]int{}
	var groups [][]int
	for i, c := range s.Candidates {
		key, err := json.Marshal(c.Features)
		if err != nil {
			return nil, err
		}
		k, ok := at[string(key)]
		if !ok {
			k = len(groups)
			at[string(key)] = k
			groups = append(groups, nil)
		}
		groups[k] = append(groups[k], i)
	}
	return groups, nil
}

// outcome is a candidate's part in one fold.
type outcome struct {
	scores    map[string]float64
	warning   string
	vectorize time.Duration
	fit       time.Duration
}

// one trains the candidates of one vectorizer on all folds but one and scores
// them on that.
func (s *Search) one(ctx context.Context, docs []string, labels []int, fold int, members []int, workers int, put func(c int, o outcome)) error {
	var train, test []string
	var trainLabels, testLabels []int
	for i, f := range s.Folds {
		if f == fold {
			test, testLabels = append(test, docs[i]), append(testLabels, labels[i])
		} else {
			train, trainLabels = append(train, docs[i]), append(trainLabels, labels[i])
		}
	}
	if len(test) == 0 {
		return fmt.Errorf("fold %d is empty", fold)
	}
	start := time.Now()
	v, x, err := features.Fit(ctx, s.Candidates[members[0]].Features, train, workers, nil)
	if err != nil {
		return fmt.Errorf("fold %d: %w", fold, err)
	}
	other, err := v.Transform(ctx, test, workers, nil)
	if err != nil {
		return fmt.Errorf("fold %d: %w", fold, err)
	}
	vectorize := time.Since(start)
	p, err := linear.NewProblem(x, trainLabels, workers)
	if err != nil {
		return fmt.Errorf("fold %d: %w", fold, err)
	}
	for _, chain := range s.chains(members) {
		list := make([]Candidate, len(chain))
		for k, c := range chain {
			list[k] = s.Candidates[c]
		}
		fits, err := fitAll(ctx, p, x, trainLabels, list)
		if err != nil {
			return fmt.Errorf("fold %d: %w", fold, err)
		}
		for k, c := range chain {
			z, err := linear.Decision(ctx, other, fits[k].coef, fits[k].intercept, workers)
			if err != nil {
				return err
			}
			scores, err := measure(testLabels, z, s.Scoring)
			if err != nil {
				return fmt.Errorf("fold %d: %w", fold, err)
			}
			put(c, outcome{scores: scores, warning: fits[k].warning(), vectorize: vectorize, fit: fits[k].time})
		}
	}
	return nil
}

// chains splits candidates into runs that differ in C alone, by ascending C.
func (s *Search) chains(members []int) [][]int {
	var chains [][]int
next:
	for _, c := range members {
		for k, chain := range chains {
			if differInC(s.Candidates[chain[0]], s.Candidates[c]) {
				chains[k] = append(chain, c)
				continue next
			}
		}
		chains = append(chains, []int{c})
	}
	for _, chain := range chains {
		slices.SortStableFunc(chain, func(a, b int) int {
			switch ca, cb := s.Candidates[a].Linear.C, s.Candidates[b].Linear.C; {
			case ca < cb:
				return -1
			case ca > cb:
				return 1
			}
			return 0
		})
	}
	return chains
}

func differInC(a, b Candidate) bool {
	if a.Bayes != nil || b.Bayes != nil {
		return false
	}
	a.Linear.C, b.Linear.C = 0, 0
	return reflect.DeepEqual(a.Linear, b.Linear)
}

// fit is a trained candidate.
type fit struct {
	coef      []float64
	intercept float64
	result    *linear.Result
	time      time.Duration
}

func (f fit) warning() string {
	if f.result == nil {
		return ""
	}
	return f.result.Warning()
}

// fitAll trains the candidates of a chain, each from where the last ended.
func fitAll(ctx context.Context, p *linear.Problem, x *features.CSR, labels []int, list []Candidate) ([]fit, error) {
	out := make([]fit, len(list))
	var last *linear.Result
	for k, c := range list {
		start := time.Now()
		if c.Bayes != nil {
			m, err := linear.FitMultinomial(ctx, x, labels, *c.Bayes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", Label(c.Settings), err)
			}
			out[k].coef, out[k].intercept = m.Linear()
		} else {
			o := c.Linear
			o.Start = last
			r, err := p.Fit(ctx, o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", Label(c.Settings), err)
			}
			last = r
			out[k].coef, out[k].intercept, out[k].result = r.Coef, r.Intercept, r
		}
		out[k].time = time.Since(start)
	}
	return out, nil
}
