package selection

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
)

func TestFoldsAreSklearns(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "folds.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Cases []struct {
			Labels, Folds []int
			K             int
		}
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		got, err := StratifiedFolds(c.Labels, c.K, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Folds, got); diff != "" {
			t.Errorf("%d rows, %d folds:\n%s", len(c.Labels), c.K, diff)
		}
	}
}

// Folds are as even as whole rows allow, of each label and of all.
func TestFoldsAreEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 8).Draw(t, "k")
		labels := rapid.SliceOfN(rapid.IntRange(0, 1), 4*k, 200).Draw(t, "labels")
		for l := range 2 {
			for range k {
				labels = append(labels, l)
			}
		}
		seed := rapid.Uint64().Draw(t, "seed")
		folds, err := StratifiedFolds(labels, k, seed, true)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := StratifiedFolds(labels, k, seed, true)
		if !cmp.Equal(folds, again) {
			t.Fatal("the same seed, other folds")
		}
		count := make([][3]int, k)
		for i, f := range folds {
			count[f][labels[i]]++
			count[f][2]++
		}
		for what := range 3 {
			lo, hi := len(labels), 0
			for _, c := range count {
				lo, hi = min(lo, c[what]), max(hi, c[what])
			}
			if hi-lo > 1 {
				t.Fatalf("folds of %d to %d rows of kind %d", lo, hi, what)
			}
		}
	})
}

func TestFoldFaults(t *testing.T) {
	for _, tt := range []struct {
		labels []int
		k      int
		want   string
	}{
		{[]int{0, 1}, 1, "at least 2"},
		{[]int{0, 0, 0}, 2, "same label"},
		{[]int{0, 0, 0, 1}, 2, "1 rows with label 1"},
	} {
		if _, err := StratifiedFolds(tt.labels, tt.k, 0, false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: error %v, want %q", tt.labels, err, tt.want)
		}
	}
}

func TestGrid(t *testing.T) {
	g := Grid{{Name: "a", Values: []any{1, 2}}, {Name: "b", Values: []any{"x", "y", "z"}}}
	points, err := g.Points()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range points {
		got = append(got, Label(p))
	}
	if diff := cmp.Diff([]string{"a=1, b=x", "a=1, b=y", "a=1, b=z", "a=2, b=x", "a=2, b=y", "a=2, b=z"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (Grid{{Name: "a", Range: &Range{}}}).Points(); err == nil {
		t.Error("range in a grid: no error")
	}
	if _, err := (Grid{{Name: "a"}}).Points(); err == nil {
		t.Error("no values: no error")
	}
	var huge Grid
	for range 20 {
		huge = append(huge, Axis{Name: "a", Values: []any{1, 2, 3, 4}})
	}
	if _, err := huge.Points(); err == nil {
		t.Error("a million million points: no error")
	}
}

func TestDraw(t *testing.T) {
	grids := []Grid{
		{{Name: "c", Range: &Range{Low: 0.01, High: 100, Log: true}}, {Name: "n", Range: &Range{Low: 1, High: 4, Integer: true}}},
		{{Name: "p", Values: []any{"l1", "l2"}}},
	}
	points, err := Draw(grids, 40, 7)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Draw(grids, 40, 7)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(points, again) {
		t.Error("the same seed, other points")
	}
	if len(points) != 40 {
		t.Fatalf("%d points, want 40", len(points))
	}
	low := 0
	for _, p := range points {
		if p[0].Name != "c" {
			continue
		}
		c := p[0].Value.(float64)
		if c < 0.01 || c > 100 {
			t.Errorf("c=%v", c)
		}
		if c < 1 {
			low++
		}
		if n := p[1].Value.(int64); n < 1 || n > 4 {
			t.Errorf("n=%v", n)
		}
	}
	if low < 8 || low > 32 {
		t.Errorf("%d of 38 values below the middle of a logarithmic range", low)
	}
	// There are two points.
	if points, err = Draw(grids[1:], 10, 1); err != nil || len(points) != 2 {
		t.Errorf("%v, error %v, want both points", points, err)
	}
	for _, r := range []Range{{Low: 2, High: 1}, {Low: 0, High: 1, Log: true}, {Low: 1, High: math.Inf(1)}, {Low: math.NaN(), High: 1}} {
		if _, err := Draw([]Grid{{{Name: "c", Range: &r}}}, 3, 0); err == nil {
			t.Errorf("range %+v: no error", r)
		}
	}
}

// reviews are texts whose words tell the label more or less.
func reviews(n int) (docs []string, labels []int) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		l := i % 2
		var words []string
		for range 12 {
			k := rng.IntN(40)
			if rng.IntN(3) == 0 {
				k = 40 + 10*l + rng.IntN(14)
			}
			words = append(words, fmt.Sprintf("w%d", k))
		}
		docs, labels = append(docs, strings.Join(words, " ")), append(labels, l)
	}
	return docs, labels
}

func search(t *testing.T, labels []int) *Search {
	t.Helper()
	folds, err := StratifiedFolds(labels, 4, 3, true)
	if err != nil {
		t.Fatal(err)
	}
	s := &Search{Folds: folds, Scoring: []string{"f1", "log_loss"}, Refit: "f1"}
	for _, weighting := range []string{"count", "tfidf"} {
		f := features.DefaultConfig()
		f.Weighting = weighting
		for _, c := range []float64{10, 0.01, 1} {
			o := linear.DefaultOptions()
			o.Solver, o.C = linear.Liblinear, c
			s.Candidates = append(s.Candidates, Candidate{
				Settings: []Setting{{"vectorizer.weighting", weighting}, {"classifier.c", c}}, Features: f, Linear: o,
			})
		}
		b := linear.DefaultMultinomialOptions()
		s.Candidates = append(s.Candidates, Candidate{
			Settings: []Setting{{"vectorizer.weighting", weighting}, {"classifier.type", "multinomial_nb"}}, Features: f, Bayes: &b,
		})
	}
	return s
}

// Each score must be that of a model trained by hand on the other folds.
func TestSearchScoresByHand(t *testing.T) {
	docs, labels := reviews(240)
	s := search(t, labels)
	for i := range s.Candidates {
		s.Candidates[i].Linear.Tol = 1e-9
	}
	r, best, err := s.Run(context.Background(), docs, labels)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for i, c := range s.Candidates {
		for fold := range 4 {
			var train, test []string
			var trainY, testY []int
			for k, f := range s.Folds {
				if f == fold {
					test, testY = append(test, docs[k]), append(testY, labels[k])
				} else {
					train, trainY = append(train, docs[k]), append(trainY, labels[k])
				}
			}
			v, x, err := features.Fit(ctx, c.Features, train, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			var coef []float64
			var b float64
			if c.Bayes != nil {
				m, err := linear.FitMultinomial(ctx, x, trainY, *c.Bayes)
				if err != nil {
					t.Fatal(err)
				}
				coef, b = m.Linear()
			} else {
				m, err := linear.Fit(ctx, x, trainY, c.Linear)
				if err != nil {
					t.Fatal(err)
				}
				coef, b = m.Coef, m.Intercept
			}
			other, err := v.Transform(ctx, test, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			z, err := linear.Decision(ctx, other, coef, b, 0)
			if err != nil {
				t.Fatal(err)
			}
			want, err := measure(testY, z, s.Scoring)
			if err != nil {
				t.Fatal(err)
			}
			for name, w := range want {
				if got := r.Rows[i].Scores[name].Folds[fold]; math.Abs(got-w) > 1e-6 {
					t.Errorf("%s, fold %d: %s %v, want %v", Label(c.Settings), fold, name, got, w)
				}
			}
		}
	}
	if r.Rows[r.Best].Scores["f1"].Rank != 1 || Label(best.Settings) != Label(s.Candidates[r.Best].Settings) {
		t.Errorf("best is %s with rank %d", Label(best.Settings), r.Rows[r.Best].Scores["f1"].Rank)
	}
	// Of the losses the lowest is best.
	for _, row := range r.Rows {
		if row.Scores["log_loss"].Rank == 1 {
			for _, o := range r.Rows {
				if o.Scores["log_loss"].Mean < row.Scores["log_loss"].Mean {
					t.Error("a lower loss ranks behind")
				}
			}
		}
	}
	if len(best.Coef) != len(best.Vectorizer.Terms()) {
		t.Errorf("%d coefficients for %d terms", len(best.Coef), len(best.Vectorizer.Terms()))
	}
}

// A word that only the left-out fold has must not be in its vocabulary. Then
// changing the texts of one fold moves no model that is scored on it.
func TestNothingLeaksFromTheFold(t *testing.T) {
	docs, labels := reviews(120)
	s := search(t, labels)
	s.Scoring = []string{"f1"}
	s.Candidates = s.Candidates[:1]
	// Unknown words alone: what a model says is its intercept.
	changed := append([]string(nil), docs...)
	for i, f := range s.Folds {
		if f == 2 {
			changed[i] = "unheard of"
		}
	}
	r, _, err := s.Run(context.Background(), changed, labels)
	if err != nil {
		t.Fatal(err)
	}
	// All rows of the fold get one label, so F1 is 0 or that of always 1.
	if f1 := r.Rows[0].Scores["f1"].Folds[2]; f1 != 0 && math.Abs(f1-2./3) > 1e-9 {
		t.Errorf("F1 %v on words that no other fold has", f1)
	}
}

func TestWorkersDoNotMatter(t *testing.T) {
	docs, labels := reviews(160)
	var first bytes.Buffer
	for i, workers := range []int{1, 2, 7} {
		s := search(t, labels)
		s.Workers = workers
		r, _, err := s.Run(context.Background(), docs, labels)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for _, write := range []func(*bytes.Buffer) error{
			func(b *bytes.Buffer) error { return r.WriteJSON(b) }, func(b *bytes.Buffer) error { return r.WriteCSV(b) },
			func(b *bytes.Buffer) error { return r.WritePlot(b) },
		} {
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			first = out
		} else if diff := cmp.Diff(first.String(), out.String()); diff != "" {
			t.Fatalf("%d workers:\n%s", workers, diff)
		}
	}
}

func TestTables(t *testing.T) {
	docs, labels := reviews(120)
	s := search(t, labels)
	r, _, err := s.Run(context.Background(), docs, labels)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"param_vectorizer.weighting", "param_classifier.c", "param_classifier.type", "mean_test_f1", "std_test_f1", "rank_test_f1", "split0_test_f1"}
	if diff := cmp.Diff(want, lines[0][:len(want)]); diff != "" {
		t.Error(diff)
	}
	if len(lines) != 9 || lines[4][1] != "" || lines[4][2] != "multinomial_nb" || lines[2][1] != "0.01" {
		t.Errorf("%d lines: %v", len(lines), lines)
	}
	out.Reset()
	if err := r.WritePlot(&out); err != nil {
		t.Fatal(err)
	}
	var points []map[string]any
	if err := json.Unmarshal(out.Bytes(), &points); err != nil {
		t.Fatal(err)
	}
	if len(points) != 32 || points[0]["c"] != 10.0 || points[0]["weighting"] != "count" || points[1]["fold"] != 1.0 {
		t.Errorf("%d points: %v", len(points), points[0])
	}
	out.Reset()
	if err := r.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	table := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(table) != 10 || !strings.HasPrefix(table[2], "|    1 | ") || len(table[1]) != len([]rune(table[5])) {
		t.Errorf("table:\n%s", out.String())
	}
	out.Reset()
	if err := r.WriteTimes(&out); err != nil || !strings.Contains(out.String(), "mean_fit_time") {
		t.Errorf("times: %v\n%s", err, out.String())
	}
}

func TestSearchFaults(t *testing.T) {
	docs, labels := reviews(40)
	for name, change := range map[string]func(s *Search){
		"no candidates":               func(s *Search) { s.Candidates = nil },
		"40 texts, 40 labels and 39":  func(s *Search) { s.Folds = s.Folds[1:] },
		`refit "auc"`:                 func(s *Search) { s.Refit = "auc" },
		`scoring "auc"`:               func(s *Search) { s.Scoring = []string{"f1", "auc"} },
		"fold -1":                     func(s *Search) { s.Folds[3] = -1 },
		"supports the penalties l2":   func(s *Search) { s.Candidates[1].Linear = linear.Options{Penalty: "l1", Solver: "lbfgs"} },
		`weighting "bm25"`:            func(s *Search) { s.Candidates[1].Features.Weighting = "bm25" },
		"fold 3 is empty":             func(s *Search) { s.Folds = gap(s.Folds) },
		"c=0.01: fit naive Bayes: al": func(s *Search) { s.Candidates[1].Bayes = &linear.MultinomialOptions{} },
	} {
		s := search(t, labels)
		change(s)
		if _, _, err := s.Run(context.Background(), docs, labels); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := search(t, labels)
	s.Progress = func(int, int) { cancel() }
	if _, _, err := s.Run(ctx, docs, labels); err == nil {
		t.Error("cancelled: no error")
	}
}

// gap leaves fold 3 without rows.
func gap(folds []int) []int {
	out := append([]int(nil), folds...)
	for i, f := range out {
		if f == 3 {
			out[i] = 4
		}
	}
	return out
}
