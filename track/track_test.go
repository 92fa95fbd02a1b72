package track_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/sqlite"
)

// newStore is an embedded store whose clock goes a second further each time it
// is looked at.
func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, err := sqlite.Open(sqlite.Options{File: filepath.Join(t.TempDir(), sqlite.FileName), Now: func() time.Time {
		now = now.Add(time.Second)
		return now
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// dir makes a directory of files.
func dir(t *testing.T, files ...string) string {
	t.Helper()
	d := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		p := filepath.Join(d, filepath.FromSlash(files[i]))
		fatal(t, os.MkdirAll(filepath.Dir(p), 0o777))
		fatal(t, os.WriteFile(p, []byte(files[i+1]), 0o666))
	}
	return d
}

func evaluation(t *testing.T, weights string, accuracy float64) track.Evaluation {
	t.Helper()
	return track.Evaluation{
		Experiment: "sentiment", Name: "pipeline", Params: map[string]string{"c": "10", "long": strings.Repeat("x", 7000)},
		Metrics:    map[string]float64{"accuracy": accuracy, "ece": 0.02, "odd": math.NaN()},
		Inputs:     []track.Dataset{{Name: "data/raw", Digest: strings.Repeat("0", 64), Source: "data/raw", Context: "testing"}},
		DataDigest: "sha256:data", ModelDir: dir(t, "model.flow", weights, "code/a.py", "pass"),
		Files:  map[string]string{"figures/roc.svg": filepath.Join(dir(t, "roc.svg", "<svg/>"), "roc.svg")},
		Stages: []track.StageRun{{Name: "train", Params: map[string]string{"c": "10"}}, {Name: "clean"}},
		Start:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestLogEvaluation(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	e := evaluation(t, "w1", 0.9)
	info, err := track.LogEvaluation(ctx, s, e)
	fatal(t, err)
	r, err := s.Run(ctx, info.RunID)
	fatal(t, err)
	if r.Status != track.Finished || r.Metrics["accuracy"].Value != 0.9 || r.Params["c"] != "10" || len(r.Params["long"]) > track.MaxParam+10 ||
		!strings.Contains(r.Params["long"], "sha256:") || r.Tags[track.TagModelDigest] != info.ModelDigest || len(r.Inputs) != 1 {
		t.Errorf("logged %+v", r)
	}
	if !math.IsNaN(r.Metrics["odd"].Value) {
		t.Error("a NaN was logged as a number")
	}
	files, err := track.WalkArtifacts(ctx, s, r.ArtifactURI, "")
	fatal(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	same(t, len(names), 4)
	children, err := s.SearchRuns(ctx, track.Query{Tags: map[string]string{track.TagParent: r.ID}})
	fatal(t, err)
	same(t, len(children), 2)

	// The same again, at another time, is the same run.
	e.Start = time.Time{}
	e.ModelDir = dir(t, "code/a.py", "pass", "model.flow", "w1")
	again, err := track.LogEvaluation(ctx, s, e)
	fatal(t, err)
	same(t, again, info)
	all, err := s.SearchRuns(ctx, track.Query{})
	fatal(t, err)
	same(t, len(all), 3)

	// In another store, the file comes out the same.
	other, err := track.LogEvaluation(ctx, newStore(t), e)
	fatal(t, err)
	var a, b bytes.Buffer
	fatal(t, info.Write(&a))
	fatal(t, other.Write(&b))
	same(t, b.String(), a.String())

	// Whatever differs is another run.
	for name, change := range map[string]func(e *track.Evaluation){
		"metric": func(e *track.Evaluation) { e.Metrics = map[string]float64{"accuracy": 0.91} },
		"param":  func(e *track.Evaluation) { e.Params = map[string]string{"c": "11"} },
		"model":  func(e *track.Evaluation) { e.ModelDir = dir(t, "model.flow", "w2") },
		"data":   func(e *track.Evaluation) { e.DataDigest = "sha256:other" },
		"input":  func(e *track.Evaluation) { e.Inputs = nil },
	} {
		changed := evaluation(t, "w1", 0.9)
		change(&changed)
		got, err := track.LogEvaluation(ctx, s, changed)
		fatal(t, err)
		if got.RunID == info.RunID {
			t.Errorf("another %s, the same run", name)
		}
	}
}

// failing fails artifacts a number of times.
type failing struct {
	track.Store
	left int
}

var errBroken = errors.New("broken on purpose")

func (f *failing) EndRun(ctx context.Context, id string, s track.Status, at time.Time) error {
	if f.left--; f.left >= 0 && s == track.Finished {
		return errBroken
	}
	return f.Store.EndRun(ctx, id, s, at)
}

func TestInterruptedLogging(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	e := evaluation(t, "w1", 0.9)
	e.Stages = nil
	if _, err := track.LogEvaluation(ctx, &failing{s, 1}, e); !errors.Is(err, errBroken) {
		t.Fatalf("error %v", err)
	}
	runs, err := s.SearchRuns(ctx, track.Query{})
	fatal(t, err)
	if len(runs) != 1 || runs[0].Status != track.Failed {
		t.Fatalf("left %+v", runs)
	}
	e.Start = time.Now() // later than the first time
	info, err := track.LogEvaluation(ctx, s, e)
	fatal(t, err)
	same(t, info.RunID, runs[0].ID)
	r, err := s.Run(ctx, info.RunID)
	fatal(t, err)
	same(t, r.Status, track.Finished)
	h, err := s.MetricHistory(ctx, r.ID, "accuracy")
	fatal(t, err)
	same(t, len(h), 1)
}

func TestInfo(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	e := evaluation(t, "w1", 0.9)
	delete(e.Metrics, "odd")
	info, err := track.LogEvaluation(ctx, s, e)
	fatal(t, err)
	name := filepath.Join(t.TempDir(), "experiment_info.json")
	var b bytes.Buffer
	fatal(t, info.Write(&b))
	fatal(t, os.WriteFile(name, b.Bytes(), 0o666))
	back, err := track.ReadInfo(name)
	fatal(t, err)
	same(t, back, info)

	// The file and the model are enough to log the run in a store without it.
	fresh := newStore(t)
	again, err := track.Relog(ctx, fresh, back, e.ModelDir)
	fatal(t, err)
	same(t, again, info)
	r, err := fresh.Run(ctx, info.RunID)
	fatal(t, err)
	same(t, r.Metrics["accuracy"].Value, 0.9)
	if _, err := track.Relog(ctx, newStore(t), back, dir(t, "model.flow", "other")); !errors.Is(err, track.ErrInvalid) {
		t.Errorf("another model: %v", err)
	}
	if _, err := track.Relog(ctx, newStore(t), track.Info{RunID: "x", ModelPath: "model"}, ""); !errors.Is(err, track.ErrNotFound) {
		t.Errorf("nothing but an id: %v", err)
	}
	for _, text := range []string{"", "[]", "{}", `{"run_id": "a"}`, `{"run_id": "a", "model_path": "../b"}`, `{"run_id": 1, "model_path": "b"}`} {
		fatal(t, os.WriteFile(name, []byte(text), 0o666))
		if _, err := track.ReadInfo(name); !errors.Is(err, track.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	// The predecessor's file.
	fatal(t, os.WriteFile(name, []byte(`{"run_id": "a", "model_path": "model"}`), 0o666))
	if _, err := track.ReadInfo(name); err != nil {
		t.Error(err)
	}
}

// publish logs and registers a model.
func publish(t *testing.T, s track.Store, weights string, accuracy float64) track.Version {
	t.Helper()
	e := evaluation(t, weights, accuracy)
	info, err := track.LogEvaluation(t.Context(), s, e)
	fatal(t, err)
	v, err := track.Register(t.Context(), s, track.Registration{Name: "sentiment", Info: info, ModelDir: e.ModelDir})
	fatal(t, err)
	return v
}

func TestRegister(t *testing.T) {
	s := newStore(t)
	v := publish(t, s, "w1", 0.9)
	same(t, []any{v.Version, v.Stage, v.Aliases}, []any{1, track.StageStaging, []string{track.AliasStaging}})
	same(t, publish(t, s, "w1", 0.9), v)
	second := publish(t, s, "w2", 0.91)
	same(t, []any{second.Version, second.Stage}, []any{2, track.StageStaging})
	v, err := s.Version(t.Context(), "sentiment", 1)
	fatal(t, err)
	same(t, []any{v.Stage, len(v.Aliases)}, []any{track.StageArchived, 0})
	// What was moved on stays where it is.
	fatal(t, s.Move(t.Context(), "sentiment", 2, track.AliasProduction, track.StageProduction))
	second = publish(t, s, "w2", 0.91)
	same(t, []any{second.Version, second.Stage}, []any{2, track.StageProduction})
}

func promote(t *testing.T, p *track.Promoter, v track.Version) track.Event {
	t.Helper()
	d, err := p.Plan(t.Context(), v, track.AliasProduction)
	fatal(t, err)
	e, err := p.Promote(t.Context(), d, false, "")
	fatal(t, err)
	return e
}

func inProduction(t *testing.T, s track.Store) string {
	t.Helper()
	v, err := track.Production(t.Context(), s, "sentiment")
	fatal(t, err)
	list, err := s.Versions(t.Context(), "sentiment")
	fatal(t, err)
	text := fmt.Sprint(v.Version)
	for _, v := range list {
		text += " " + v.Stage[:1]
	}
	return text
}

func TestPromotionAndRollback(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	p := &track.Promoter{Store: s, By: "somebody", GitCommit: "c0ffee"}
	for i := range 3 {
		promote(t, p, publish(t, s, fmt.Sprint("w", i), 0.9))
	}
	same(t, inProduction(t, s), "3 P A A")
	v, err := s.Version(ctx, "sentiment", 3)
	fatal(t, err)
	if v.Tags["flow.promoted_by"] != "somebody" || v.Tags["flow.git_commit"] != "c0ffee" || v.Tags["flow.metrics.accuracy"] != "0.9" || v.HasAlias(track.AliasStaging) {
		t.Errorf("promoted %+v", v)
	}
	e, err := p.Rollback(ctx, "sentiment", "it was bad", true)
	fatal(t, err)
	same(t, []int{e.Version, e.Previous}, []int{2, 3})
	same(t, inProduction(t, s), "3 P A A")
	_, err = p.Rollback(ctx, "sentiment", "it was bad", false)
	fatal(t, err)
	same(t, inProduction(t, s), "2 A P A")
	_, err = p.Rollback(ctx, "sentiment", "", false)
	fatal(t, err)
	same(t, inProduction(t, s), "1 A A P")
	if _, err = p.Rollback(ctx, "sentiment", "", false); !errors.Is(err, track.ErrNotFound) {
		t.Errorf("rolled back from the first: %v", err)
	}
	v, err = s.Version(ctx, "sentiment", 3)
	fatal(t, err)
	promote(t, p, v)
	_, err = p.Rollback(ctx, "sentiment", "", false)
	fatal(t, err)
	same(t, inProduction(t, s), "1 A A P")

	list, err := track.History(ctx, s, "sentiment")
	fatal(t, err)
	var texts []string
	for _, e := range list {
		texts = append(texts, fmt.Sprintf("%s %d→%d", e.Action, e.Previous, e.Version))
	}
	same(t, texts, []string{
		"promote 0→1", "promote 1→2", "promote 2→3", "rollback 3→2", "rollback 2→1", "promote 1→3", "rollback 3→1",
	})
	same(t, list[3].Reason, "it was bad")
}

// Without a history, as others promote, the version archived last is meant.
func TestRollbackWithoutHistory(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	for i := range 3 {
		v := publish(t, s, fmt.Sprint("w", i), 0.9)
		fatal(t, s.Move(ctx, "sentiment", v.Version, track.AliasProduction, track.StageProduction))
	}
	p := &track.Promoter{Store: s}
	_, err := p.Rollback(ctx, "sentiment", "", false)
	fatal(t, err)
	same(t, inProduction(t, s), "2 A P A")
}

// A clock that goes back does not reorder the history.
func TestHistoryOrder(t *testing.T) {
	s := newStore(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &track.Promoter{Store: s, Now: func() time.Time { now = now.Add(-time.Hour); return now }}
	for i := range 3 {
		promote(t, p, publish(t, s, fmt.Sprint("w", i), 0.9))
	}
	list, err := track.History(t.Context(), s, "sentiment")
	fatal(t, err)
	for i, e := range list {
		same(t, e.Version, i+1)
	}
}

func TestGatesRefuse(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	p := &track.Promoter{Store: s, Gates: track.Gates{
		Minimum: map[string]float64{"accuracy": 0.8}, Maximum: map[string]float64{"ece": 0.05}, Margin: map[string]float64{"accuracy": 0.01},
	}}
	promote(t, p, publish(t, s, "good", 0.9))
	v := publish(t, s, "bad", 0.88)
	d, err := p.Plan(ctx, v, track.AliasProduction)
	fatal(t, err)
	same(t, d.Passed, false)
	_, err = p.Promote(ctx, d, false, "")
	var refused *track.RefusedError
	if !errors.As(err, &refused) || len(refused.Failed) != 1 || !strings.Contains(refused.Failed[0], "margin accuracy") {
		t.Errorf("error %v", err)
	}
	same(t, inProduction(t, s), "1 S P")
	e, err := p.Promote(ctx, d, true, "it is urgent")
	fatal(t, err)
	same(t, []string{e.Gate, e.Reason}, []string{"forced", "it is urgent"})
	same(t, inProduction(t, s), "2 P A")

	// What nobody measured does not pass, until somebody does.
	p.Gates.Maximum["latency_p99_ms"] = 5
	v = publish(t, s, "fast", 0.95)
	d, err = p.Plan(ctx, v, track.AliasProduction)
	fatal(t, err)
	same(t, d.Passed, false)
	p.Measure = func(_ context.Context, v track.Version, names []string) (track.Measured, error) {
		same(t, names, []string{"latency_p99_ms"})
		return track.Measured{Metrics: map[string]float64{"latency_p99_ms": 3}}, nil
	}
	d, err = p.Plan(ctx, v, track.AliasProduction)
	fatal(t, err)
	same(t, d.Passed, true)
}

func TestOtherData(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	p := &track.Promoter{Store: s, Gates: track.Gates{Margin: map[string]float64{"accuracy": 0.01, "ece": 0.01}}}
	promote(t, p, publish(t, s, "old", 0.9))
	e := evaluation(t, "new", 0.95)
	e.DataDigest = "sha256:new data"
	info, err := track.LogEvaluation(ctx, s, e)
	fatal(t, err)
	v, err := track.Register(ctx, s, track.Registration{Name: "sentiment", Info: info})
	fatal(t, err)
	plan := func() track.Promotion {
		d, err := p.Plan(ctx, v, track.AliasProduction)
		fatal(t, err)
		return d
	}
	d := plan()
	if d.Passed || d.Checks[len(d.Checks)-1].Gate != "same data" {
		t.Errorf("compared apples with pears: %+v", d.Checks)
	}
	p.Gates.OtherData = true
	same(t, plan().Passed, true)
	p.Gates.OtherData = false
	// Production is measured again, on the new data, on which it is better.
	p.Measure = func(context.Context, track.Version, []string) (track.Measured, error) {
		return track.Measured{Metrics: map[string]float64{"accuracy": 0.99, "ece": 0.02}, Data: "sha256:new data"}, nil
	}
	d = plan()
	same(t, d.Passed, false)
	for _, c := range d.Checks {
		same(t, c.OK, c.Metric != "accuracy")
	}
}

func TestEvaluate(t *testing.T) {
	g := track.Gates{Minimum: map[string]float64{"a": 0.5, "b": 1, "c": 0}, Maximum: map[string]float64{"log_loss": 0.3}, Margin: map[string]float64{"a": 0.1, "log_loss": 0.1, "new": 0}}
	have := track.Measured{Data: "d", Metrics: map[string]float64{"a": 0.5, "b": math.NaN(), "log_loss": 0.3, "new": 1}}
	now := track.Measured{Data: "d", Metrics: map[string]float64{"a": 0.6, "log_loss": 0.15}}
	var texts []string
	for _, c := range g.Evaluate(have, &now) {
		texts = append(texts, c.String())
	}
	same(t, texts, []string{
		"minimum a: 0.5 passes (0.5)", "minimum b: it is not a number", "minimum c: it was not measured", "maximum log_loss: 0.3 passes (0.3)",
		"same data: ok", "margin a: 0.5 passes (0.5, production has 0.6)", "margin log_loss: 0.3 fails (0.25, production has 0.15)",
		"margin new: it was not measured in production",
	})
	var none track.Gates
	if list := none.Evaluate(have, &now); !none.Empty() || !track.Passed(list) || len(list) != 0 {
		t.Errorf("no gates: %v", list)
	}
	if unknown := g.Evaluate(track.Measured{}, &track.Measured{}); track.Passed(unknown) {
		t.Error("unknown data is taken for the same")
	}
}
