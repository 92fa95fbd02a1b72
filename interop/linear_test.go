//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/selection"
)

// sklearnPython returns a Python that has scikit-learn.
func sklearnPython(t *testing.T) string {
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

// runSklearn runs a script with arguments and decodes what it prints.
func runSklearn(t *testing.T, script string, into any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sklearnPython(t), append([]string{"-c", script}, args...)...)
	// Threads of the linear algebra library cost more than they bring here.
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// linearScript vectorizes reviews, fits the cases named in its second argument
// and leaves the matrices for us.
const linearScript = `
import csv, gzip, json, sys, warnings
import numpy as np, scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
warnings.simplefilter("ignore")
imdb, out, cases = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
def read(name):
    with gzip.open(imdb + "/" + name + ".csv.gz", "rt", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return [r["review"] for r in rows], np.array([int(r["sentiment"] == "positive") for r in rows])
(train, y), (dev, z) = read("train"), read("dev")
matrices = {
    "count": CountVectorizer(max_features=3000),
    "tfidf": TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=100000, ngram_range=(1, 2)),
}
for name, v in matrices.items():
    v = v.fit(train)
    for part, texts in (("train", train), ("dev", dev)):
        m = v.transform(texts).astype(np.float64).tocsr()
        m.sort_indices()
        sp.save_npz("%s/%s-%s.npz" % (out, name, part), m, compressed=False)
np.save(out + "/train.npy", y.astype(np.int64)); np.save(out + "/dev.npy", z.astype(np.int64))
answers = []
for c in cases:
    x = sp.load_npz("%s/%s-train.npz" % (out, c["data"]))
    m = LogisticRegression(
        C=c["C"], l1_ratio={"l1": 1.0, "l2": 0.0}[c["penalty"]], solver=c["solver"], dual=c["dual"], tol=c["tol"],
        max_iter=2000, random_state=0).fit(x, y)
    other = sp.load_npz("%s/%s-dev.npz" % (out, c["data"]))
    answers.append({"coef": m.coef_[0].tolist(), "intercept": float(m.intercept_[0]), "predictions": m.predict(other).tolist()})
json.dump(answers, sys.stdout)
`

type linearCase struct {
	Data    string  `json:"data"`
	Penalty string  `json:"penalty"`
	Solver  string  `json:"solver"`
	Dual    bool    `json:"dual"`
	C       float64 `json:"C"`
	// Tol is scikit-learn's. Above 1e-6 the accuracies alone are compared.
	Tol float64 `json:"tol"`
}

// TestLogisticRegressionIsSklearns fits both to the same matrices of 25,000
// reviews: at a tight tolerance the objective is no worse, coefficients agree
// to 1e-4 and 9,999 of 10,000 predictions on unseen reviews are the same. At
// looser ones, the default for liblinear, accuracies agree to 0.0005.
func TestLogisticRegressionIsSklearns(t *testing.T) {
	sklearnPython(t)
	imdb, err := filepath.Abs(filepath.Join("..", "..", "shared", "data", "imdb"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(imdb, "train.csv.gz")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cases := []linearCase{
		{"tfidf", "l2", "liblinear", false, 1, 1e-9},
		{"tfidf", "l2", "liblinear", true, 1, 1e-7},
		{"tfidf", "l2", "newton-cg", false, 3, 1e-10},
		{"tfidf", "l1", "liblinear", false, 3, 1e-8},
		{"count", "l2", "liblinear", false, 0.5, 1e-9},
		{"count", "l2", "newton-cholesky", false, 0.5, 1e-10},
		{"count", "l1", "liblinear", false, 0.2, 1e-8},
		{"tfidf", "l2", "liblinear", false, 10, 1e-4},
		// At its default tolerance scikit-learn's lbfgs stops well short of the
		// minimum of such small weights, up to 4 % above it, where accuracy is
		// a matter of chance; ours goes on.
		{"tfidf", "l2", "lbfgs", false, 1, 1e-5},
		{"count", "l2", "lbfgs", false, 1, 1e-5},
		{"tfidf", "l1", "liblinear", false, 1, 1e-4},
		{"count", "l2", "liblinear", false, 1, 1e-4},
		{"count", "l1", "liblinear", false, 1, 1e-4},
	}
	dir := t.TempDir()
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		Coef        []float64
		Intercept   float64
		Predictions []int
	}
	runSklearn(t, linearScript, &answers, imdb, dir, string(input))
	y, other := readLabels(t, filepath.Join(dir, "train.npy")), readLabels(t, filepath.Join(dir, "dev.npy"))
	matrices := map[string]*features.CSR{}
	for _, name := range []string{"tfidf-train", "tfidf-dev", "count-train", "count-dev"} {
		if matrices[name], err = features.OpenNPZ(filepath.Join(dir, name+".npz")); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range cases {
		want := answers[i]
		t.Run(fmt.Sprintf("%s %s %s dual=%t C=%g tol=%g", c.Data, c.Penalty, c.Solver, c.Dual, c.C, c.Tol), func(t *testing.T) {
			x := matrices[c.Data+"-train"]
			o := linear.DefaultOptions()
			o.Penalty, o.Solver, o.Dual, o.C, o.Tol = c.Penalty, c.Solver, c.Dual, c.C, c.Tol
			r, err := linear.Fit(t.Context(), x, y, o)
			if err != nil {
				t.Fatal(err)
			}
			if w := r.Warning(); w != "" {
				t.Error(w)
			}
			z, err := linear.Decision(t.Context(), matrices[c.Data+"-dev"], r.Coef, r.Intercept, 0)
			if err != nil {
				t.Fatal(err)
			}
			differ, right, theirs := 0, 0, 0
			for k, v := range z {
				label := 0
				if v > 0 {
					label = 1
				}
				if label != want.Predictions[k] {
					differ++
				}
				if label == other[k] {
					right++
				}
				if want.Predictions[k] == other[k] {
					theirs++
				}
			}
			value := objectiveOf(t, x, y, want.Coef, want.Intercept, c)
			ours := objectiveOf(t, x, y, r.Coef, r.Intercept, c)
			var apart float64
			for j, w := range want.Coef {
				apart = max(apart, math.Abs(w-r.Coef[j]))
			}
			n := float64(len(z))
			t.Logf("objective %.10g, scikit-learn %.10g (%+.1e); coefficients apart %.1e; %d predictions of %d differ; accuracy %.5f and %.5f",
				ours, value, ours/value-1, apart, differ, len(z), float64(right)/n, float64(theirs)/n)
			if math.Abs(float64(right-theirs)) > 0.0005*n {
				t.Errorf("accuracy %.5f, scikit-learn's %.5f", float64(right)/n, float64(theirs)/n)
			}
			if c.Tol > 1e-6 {
				return
			}
			if ours > value*(1+1e-8) {
				t.Errorf("objective %.12g, scikit-learn reaches %.12g", ours, value)
			}
			if apart > 1e-4 {
				t.Errorf("coefficients apart by %g", apart)
			}
			if float64(differ) > 1e-4*n {
				t.Errorf("%d of %d predictions differ", differ, len(z))
			}
		})
	}
}

func readLabels(t *testing.T, path string) []int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	y, err := features.ReadLabels(f)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// objectiveOf is computed apart from the solvers, with the standard library.
func objectiveOf(t *testing.T, x *features.CSR, y []int, coef []float64, b float64, c linearCase) float64 {
	t.Helper()
	z, err := linear.Decision(context.Background(), x, coef, b, 0)
	if err != nil {
		t.Fatal(err)
	}
	var loss, penalty float64
	for i, v := range z {
		if y[i] == 1 {
			v = -v
		}
		loss += max(v, 0) + math.Log1p(math.Exp(-math.Abs(v)))
	}
	if c.Solver == "liblinear" {
		coef = append(append([]float64(nil), coef...), b)
	}
	for _, w := range coef {
		if c.Penalty == "l1" {
			penalty += math.Abs(w)
		} else {
			penalty += w * w / 2
		}
	}
	return c.C*loss + penalty
}

// searchScript runs GridSearchCV on given folds.
const searchScript = `
import json, sys, warnings
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline
warnings.simplefilter("ignore")
d = json.load(open(sys.argv[1], encoding="utf-8"))
lr = LogisticRegression(solver="liblinear", tol=1e-8, max_iter=5000, random_state=0)
count, tfidf = CountVectorizer(min_df=3), TfidfVectorizer(min_df=3)
grids = {
    "exp2": [
        {"vectorizer": [count, tfidf], "classifier": [lr], "classifier__l1_ratio": [1.0, 0.0]},
        {"vectorizer": [count, tfidf], "classifier": [MultinomialNB()]},
    ],
    "exp3": [{"vectorizer": [TfidfVectorizer()], "classifier": [lr], "classifier__C": [0.1, 1, 10], "classifier__l1_ratio": [1.0, 0.0]}],
}
texts, labels, folds = np.array(d["texts"], dtype=object), np.array(d["labels"]), np.array(d["folds"])

# Words that occur in the same texts leave L1 more than one minimum, which judge
# other texts differently: what scikit-learn gives for other orders of the columns.
def minima(p, fold):
    train = folds != fold
    vectorizer = clone(p["vectorizer"]).fit(texts[train])
    x, other = vectorizer.transform(texts[train]), vectorizer.transform(texts[~train])
    for seed in range(12):
        order = np.random.RandomState(seed).permutation(x.shape[1])
        m = clone(p["classifier"]).set_params(C=p.get("classifier__C", 1), l1_ratio=1.0, random_state=seed).fit(x[:, order], labels[train])
        found, decided = m.predict(other[:, order]), m.decision_function(other[:, order])
        yield {"f1": f1_score(labels[~train], found), "accuracy": accuracy_score(labels[~train], found), "roc_auc": roc_auc_score(labels[~train], decided)}

out = {}
for name, grid in grids.items():
    g = GridSearchCV(Pipeline([("vectorizer", count), ("classifier", lr)]), grid, scoring=["f1", "accuracy", "roc_auc"], refit="f1",
                     cv=PredefinedSplit(d["folds"])).fit(d["texts"], d["labels"])
    rows = []
    for i, p in enumerate(g.cv_results_["params"]):
        l1 = p.get("classifier__l1_ratio", 0) == 1
        scores = {s: [[float(g.cv_results_["split%d_test_%s" % (k, s)][i])] for k in range(max(d["folds"]) + 1)]
                  for s in ("f1", "accuracy", "roc_auc")}
        for k in range(max(d["folds"]) + 1 if l1 else 0):
            for m in minima(p, k):
                for s, v in m.items():
                    scores[s][k].append(float(v))
        rows.append({
            "weighting": "tfidf" if isinstance(p["vectorizer"], TfidfVectorizer) else "count",
            "type": type(p["classifier"]).__name__, "c": p.get("classifier__C", 1), "l1": l1, "scores": scores,
            "rank": int(g.cv_results_["rank_test_f1"][i])})
    out[name] = rows
json.dump(out, sys.stdout)
`

// TestSearchIsGridSearchCV runs the two examples' grids on the shipped reviews
// with the folds that scikit-learn's GridSearchCV is given.
func TestSearchIsGridSearchCV(t *testing.T) {
	texts, labels := shippedReviews(t)
	folds, err := selection.StratifiedFolds(labels, 5, 42, true)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"texts": texts, "labels": labels, "folds": folds})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "search.json")
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
	var want map[string][]struct {
		Weighting, Type string
		C               float64
		L1              bool
		Scores          map[string][][]float64 // of a fold the one, with L1 those of several minima
		Rank            int
	}
	runSklearn(t, searchScript, &want, file)
	for _, name := range []string{"exp2", "exp3"} {
		s := &selection.Search{Folds: folds, Scoring: []string{"f1", "accuracy", "roc_auc"}, Refit: "f1"}
		for _, w := range want[name] {
			c := selection.Candidate{Features: features.DefaultConfig(), Linear: linear.DefaultOptions()}
			c.Features.Weighting = w.Weighting
			if name == "exp2" {
				c.Features.MinDF = features.Count(3)
			}
			c.Linear.Solver, c.Linear.C, c.Linear.Tol = linear.Liblinear, w.C, 1e-8
			if w.L1 {
				c.Linear.Penalty = linear.L1
			}
			if w.Type == "MultinomialNB" {
				b := linear.DefaultMultinomialOptions()
				c.Bayes = &b
			}
			c.Settings = []selection.Setting{{Name: "weighting", Value: w.Weighting}, {Name: "type", Value: w.Type}, {Name: "c", Value: w.C}, {Name: "l1", Value: w.L1}}
			s.Candidates = append(s.Candidates, c)
		}
		if len(s.Candidates) != 6 {
			t.Fatalf("%s: %d candidates, want 6", name, len(s.Candidates))
		}
		r, _, err := s.Run(t.Context(), texts, labels)
		if err != nil {
			t.Fatal(err)
		}
		spread := 0.0
		for i, w := range want[name] {
			for score, values := range w.Scores {
				for fold, v := range values {
					low, high := slices.Min(v), slices.Max(v)
					if got := r.Rows[i].Scores[score].Folds[fold]; got < low-1e-9 || got > high+1e-9 {
						t.Errorf("%s: %s, fold %d: %s %.6f, GridSearchCV %.6f to %.6f", name, selection.Label(r.Rows[i].Settings), fold, score, got, low, high)
					}
					spread = max(spread, high-low)
				}
			}
		}
		t.Logf("%s: the scores of several minima differ by at most %.6f", name, spread)
		best := want[name][r.Best]
		t.Logf("%s: best %s: F1 %.4f; GridSearchCV ranks it %d", name, selection.Label(r.Rows[r.Best].Settings), r.Rows[r.Best].Scores["f1"].Mean, best.Rank)
		if best.Rank != 1 {
			t.Errorf("%s: our best has rank %d", name, best.Rank)
		}
	}
}

func shippedReviews(t *testing.T) (texts []string, labels []int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "data", "reviews.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range parseCSV(t, string(data))[1:] {
		label := 0
		if strings.HasPrefix(row[1], "pos") {
			label = 1
		}
		texts, labels = append(texts, row[0]), append(labels, label)
	}
	return texts, labels
}

func parseCSV(t *testing.T, s string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(s)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
