package builtin

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/stages/model"
)

// imdb returns the directory of the real reviews. They are not part of the
// repository; where they must be present, their absence is a failure.
func imdb(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "data", "imdb"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "train.csv.gz")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("IMDB reviews are missing: %v", err)
		}
		t.Skipf("IMDB reviews are missing: %v", err)
	}
	return dir
}

func TestShippedData(t *testing.T) {
	path, err := filepath.Abs(filepath.Join("..", "..", "data", "reviews.csv"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPipeline(t, path, path)
	start := time.Now()
	if err := p.run(context.Background(), len(declared)); err != nil {
		t.Fatal(err)
	}
	m := p.metrics()
	t.Logf("%.2f s, %+v", time.Since(start).Seconds(), m)
	if m.Rows != 300 || m.Accuracy < 0.80 || m.Accuracy > 0.98 {
		t.Errorf("shipped data: %d rows, accuracy %.3f; want 300 rows and a task that is neither hopeless nor trivial", m.Rows, m.Accuracy)
	}
	for _, want := range []string{"reviews read", "reviews cleaned", "features made", "model trained", "model evaluated"} {
		if strings.Count(p.log.String(), want) != 1 {
			t.Errorf("log has no single line %q:\n%s", want, p.log.String())
		}
	}
}

func TestShippedReviews(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "data", "reviews.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	count := map[string]int{}
	for _, r := range records[1:] {
		if seen[r[0]] {
			t.Errorf("review twice: %.60s", r[0])
		}
		seen[r[0]] = true
		count[r[1]]++
		if n := len(strings.Fields(r[0])); n < 20 || n > 250 {
			t.Errorf("review of %d words: %.60s", n, r[0])
		}
	}
	if len(seen) < 1000 || count["positive"] != count["negative"] || len(count) != 2 {
		t.Errorf("%d reviews, %v; want at least 1000, both sentiments alike often", len(seen), count)
	}
}

// sample copies the first rows of a compressed source.
func sample(t *testing.T, path string, rows int) string {
	t.Helper()
	p := newPipeline(t, path, path)
	p.set("data_ingestion", "test_size", int64(rows))
	if err := p.run(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(p.dir, "data", "raw", testFile)
}

func TestRealReviews(t *testing.T) {
	dir := imdb(t)
	train, test := filepath.Join(dir, "train.csv.gz"), filepath.Join(dir, "dev.csv.gz")
	want := 0.918
	if os.Getenv("FLOW_FULL") != "1" {
		// One sample, split by the pipeline: two could share reviews.
		train = sample(t, test, 2000)
		test, want = train, 0.80
	}
	p := newPipeline(t, train, test)
	start := time.Now()
	if err := p.run(context.Background(), len(declared)); err != nil {
		t.Fatal(err)
	}
	m := p.metrics()
	t.Logf("%.2f s, %+v", time.Since(start).Seconds(), m)
	if m.Accuracy < want {
		t.Errorf("accuracy %.4f, want at least %.2f", m.Accuracy, want)
	}
	// What the pipeline scored is what the model says of raw texts.
	loaded, err := model.Open(filepath.Join(p.dir, "models", "sentiment"))
	if err != nil {
		t.Fatal(err)
	}
	if s := loaded.Statistics(); s == nil || s.UnknownShare.Mean < 0.05 || s.UnknownShare.Mean > 0.95 || s.PositiveShare < 0.4 || s.PositiveShare > 0.6 {
		t.Errorf("statistics %+v", s)
	}
	for text, want := range map[string]string{
		"A wonderful, moving film. One of the best I have ever seen!":     "positive",
		"Awful. A boring waste of time, the worst acting in years.<br />": "negative",
	} {
		if got := loaded.Predict(text); got.Class != want {
			t.Errorf("Predict(%q) = %+v, want %s", text, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(p *pipeline)
		want  string
	}{
		{"unknown parameter", func(p *pipeline) { p.set("feature_engineering", "max_feature", int64(5)) }, "feature_engineering.max_feature: unknown"},
		{"wrong type", func(p *pipeline) { p.set("model_building", "c", "ten") }, "model_building.c: want a number"},
		{"bad value", func(p *pipeline) { p.set("model_building", "penalty", "l3") }, `penalty "l3"`},
		{"bad calibration", func(p *pipeline) { p.set("model_building", "calibration", "isotonic") }, "model_building.calibration: want none, sigmoid"},
		{"one fold", func(p *pipeline) { p.set("model_building", "folds", int64(1)) }, "model_building.folds: want 2"},
		{"bad threshold", func(p *pipeline) { p.set("model_building", "threshold", 1.0) }, "model_building.threshold: want a probability"},
		{"bad range", func(p *pipeline) { p.set("feature_engineering", "ngram_range", []any{int64(2), int64(1)}) }, "ngram_range [2, 1]"},
		{"bad bound", func(p *pipeline) { p.set("feature_engineering", "min_df", "two") }, "feature_engineering.min_df: want a number"},
		{"bad stop words", func(p *pipeline) { p.set("data_preprocessing", "stop_words", "latin") }, `stop words "latin"`},
		{"undeclared source", func(p *pipeline) { p.set("data_ingestion", "source", "elsewhere.csv") }, `dependency "elsewhere.csv": not declared`},
		{"bad size", func(p *pipeline) { p.set("data_ingestion", "test_size", 1.5) }, "test size 1.5"},
		{"too many test rows", func(p *pipeline) { p.set("data_ingestion", "test_size", int64(100000)) }, "leaves no training"},
		{"nothing left", func(p *pipeline) { p.set("feature_engineering", "min_df", int64(100000)) }, "max_df 1.0 is below min_df"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPipeline(t, fixture(t), fixture(t))
			tt.setup(p)
			err := p.run(context.Background(), len(declared))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if left, _ := filepath.Glob(filepath.Join(p.dir, "*", "*", ".flow-tmp-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestEmptyTestSourceSplits(t *testing.T) {
	a, b := newPipeline(t, fixture(t), fixture(t)), newPipeline(t, fixture(t), "")
	for _, p := range []*pipeline{a, b} {
		if err := p.run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if a.digest(0) != b.digest(0) {
		t.Error("an empty test source and the source itself split differently")
	}
}

func TestMismatchedParts(t *testing.T) {
	p := newPipeline(t, fixture(t), fixture(t))
	if err := p.run(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	labels := filepath.Join(p.dir, "data", "processed", trainLabels)
	other, err := os.ReadFile(filepath.Join(p.dir, "data", "processed", testLabels))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(labels, other, 0o644); err != nil {
		t.Fatal(err)
	}
	s, _ := Stages().Lookup("model_building")
	if err := s.Run(context.Background(), p.call(3)); err == nil || !strings.Contains(err.Error(), "labels") {
		t.Errorf("labels of another part: error %v", err)
	}
}

// A model of other rows than those that are measured is an error.
func TestSkew(t *testing.T) {
	p := newPipeline(t, fixture(t), fixture(t))
	if err := p.run(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	p.set("data_preprocessing", "stem", false)
	p.set("feature_engineering", "max_features", int64(500))
	other := newPipeline(t, fixture(t), fixture(t))
	other.params = p.params
	if err := other.run(context.Background(), 3); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "data", "processed")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(other.dir, "data", "processed"), filepath.Join(p.dir, "data", "processed")); err != nil {
		t.Fatal(err)
	}
	s, _ := Stages().Lookup("model_evaluation")
	if err := s.Run(context.Background(), p.call(4)); err == nil || !strings.Contains(err.Error(), "columns") {
		t.Errorf("other columns: error %v", err)
	}
	// As many columns, of other values.
	p.set("feature_engineering", "max_features", int64(0))
	p.set("feature_engineering", "use_idf", false)
	p.set("data_preprocessing", "stem", true)
	if err := other.run(context.Background(), 3); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "data", "processed")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(other.dir, "data", "processed"), filepath.Join(p.dir, "data", "processed")); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), p.call(4)); err == nil || !strings.Contains(err.Error(), "the rows were made by other steps") {
		t.Errorf("other values: error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	p := newPipeline(t, fixture(t), fixture(t))
	if err := p.run(context.Background(), len(declared)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for i, d := range declared {
		s, _ := Stages().Lookup(d.stage)
		if err := s.Run(ctx, p.call(i)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v after cancellation", d.stage, err)
		}
	}
}

func TestEveryStageIsDocumented(t *testing.T) {
	for _, s := range Stages().List() {
		if s.Doc == "" || strings.HasSuffix(s.Doc, ".") || strings.Contains(s.Doc, "\n") {
			t.Errorf("%s: doc %q; want one phrase", s.Name, s.Doc)
		}
	}
}
