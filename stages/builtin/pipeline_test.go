package builtin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/score"
)

// declared is what a pipeline file says of each stage, with the source and
// the test source as %s.
var declared = []struct {
	stage string
	deps  []string
	outs  []string
}{
	{"data_ingestion", []string{"%s", "%s"}, []string{"data/raw/"}},
	{"data_preprocessing", []string{"data/raw/"}, []string{"data/interim/"}},
	{"feature_engineering", []string{"data/interim/"}, []string{"data/processed/", "models/vectorizer.json"}},
	{"model_building", []string{"data/raw/", "data/processed/", "models/vectorizer.json"}, []string{"models/model.json", "models/sentiment/"}},
	{"model_evaluation", []string{"data/raw/", "data/processed/", "models/sentiment/"}, []string{"reports/metrics.json", "reports/evaluation.json", "reports/report.html", "reports/figures/", "reports/experiment_info.json"}},
	{"model_registration", []string{"models/sentiment/", "reports/experiment_info.json"}, []string{"reports/registration.json"}},
	{"model_selection", []string{"data/interim/"}, []string{"reports/selection/", "selected/model.json", "selected/sentiment/"}},
}

// searched is what the selection tries in the tests.
const searched = `
folds: 3
scoring: [f1, accuracy, roc_auc, log_loss]
vectorizer: {max_features: 200}
grid:
- vectorizer.weighting: [count, tfidf]
  classifier.solver: liblinear
  classifier.penalty: [l1, l2]
  classifier.c: [0.1, 1]
- vectorizer.weighting: [count]
  classifier.type: multinomial_nb
  classifier.alpha: [0.5, 1]
`

// pipeline runs the stages one after the other in a directory of its own.
type pipeline struct {
	t      testing.TB
	dir    string
	params *yaml12.Map
	source [2]string
	log    strings.Builder
}

func newPipeline(t testing.TB, source, testSource string) *pipeline {
	t.Helper()
	p := &pipeline{t: t, dir: t.TempDir(), source: [2]string{source, testSource}}
	data, err := os.ReadFile(filepath.Join("..", "..", "params.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := yaml12.Decode("params.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	p.params = v.(*yaml12.Map)
	if v, err = yaml12.Decode("searched", []byte(searched)); err != nil {
		t.Fatal(err)
	}
	p.params.Set("model_selection", v)
	p.set("data_ingestion", "source", source)
	p.set("data_ingestion", "test_source", testSource)
	return p
}

func (p *pipeline) set(section, key string, value any) {
	m, _ := p.params.Get(section)
	m.(*yaml12.Map).Set(key, value)
}

func (p *pipeline) call(i int) *stages.Call {
	d := declared[i]
	c := &stages.Call{
		Stage:    d.stage,
		Root:     p.dir,
		Log:      slog.New(slog.NewTextHandler(&p.log, nil)),
		Progress: func(int64, int64, string) {},
	}
	for k, name := range d.deps {
		if name == "%s" {
			name = p.source[k]
		}
		c.Deps = append(c.Deps, p.path(name))
	}
	for _, name := range d.outs {
		c.Outs = append(c.Outs, p.path(name))
	}
	section, ok := p.params.Get(d.stage)
	if ok {
		all := new(yaml12.Map)
		all.Set(d.stage, section)
		c.Params = stages.NewParams(all)
	}
	return c
}

func (p *pipeline) path(name string) stages.Path {
	file := filepath.FromSlash(name)
	if !filepath.IsAbs(file) {
		file = filepath.Join(p.dir, file)
	}
	return stages.Path{Name: name, File: file}
}

// run runs the first n stages.
func (p *pipeline) run(ctx context.Context, n int) error {
	for i, d := range declared[:n] {
		s, ok := Stages().Lookup(d.stage)
		if !ok {
			return fmt.Errorf("no stage %s", d.stage)
		}
		if err := s.Run(ctx, p.call(i)); err != nil {
			return fmt.Errorf("%s: %w", d.stage, err)
		}
	}
	return nil
}

func (p *pipeline) metrics() score.Metrics {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, "reports", "metrics.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var m score.Metrics
	if err := json.Unmarshal(data, &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

// digest hashes the outputs of stage i: the paths and contents of all files.
func (p *pipeline) digest(i int) string {
	p.t.Helper()
	h := sha256.New()
	for _, out := range declared[i].outs {
		err := filepath.WalkDir(p.path(out).File, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(p.dir, path)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(rel), len(data))
			h.Write(data)
			return nil
		})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func fixture(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "reviews.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
