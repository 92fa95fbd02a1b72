package tracktest

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/track"
)

// Options describe the store under test.
type Options struct {
	// Open returns a store; several of one test are of the same content.
	Open func(t *testing.T) track.Store
	Many int // metrics in the large batch; 0 stands for 2500
}

// Run runs the suite.
func Run(t *testing.T, o Options) {
	if o.Many == 0 {
		o.Many = 2500
	}
	for _, c := range []struct {
		name string
		test func(t *testing.T, o Options, s track.Store)
	}{
		{"Experiments", experiments},
		{"RunLife", runLife},
		{"RunKey", runKey},
		{"Search", search},
		{"Params", params},
		{"Metrics", metrics},
		{"SpecialValues", specialValues},
		{"LargeBatch", largeBatch},
		{"Inputs", inputs},
		{"BadNames", badNames},
		{"Artifacts", artifacts},
		{"BadPaths", badPaths},
		{"Models", models},
		{"Versions", versions},
		{"VersionKey", versionKey},
		{"Aliases", aliases},
		{"Stages", stages},
		{"Move", move},
		{"DeleteVersion", deleteVersion},
		{"Missing", missing},
		{"Cancelled", cancelled},
		{"Concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, o, o.Open(t)) })
	}
}

// unique is a name that nothing in the store has.
func unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:12]) }

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want %v", err, kind)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// start creates an experiment and a run in it.
func start(t *testing.T, s track.Store) track.Run {
	t.Helper()
	ctx := t.Context()
	e := must[track.Experiment](t)(s.EnsureExperiment(ctx, unique("experiment")))
	return must[track.Run](t)(s.CreateRun(ctx, track.NewRun{ExperimentID: e.ID, Name: "first", Start: at(0), User: "somebody"}))
}

// at is a time with millisecond resolution.
func at(seconds int) time.Time {
	return time.Date(2026, 5, 4, 3, 2, seconds, 7_000_000, time.UTC)
}

func experiments(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	name := unique("experiment")
	e := must[track.Experiment](t)(s.EnsureExperiment(ctx, name))
	if e.Name != name || e.ID == "" || e.ArtifactRoot == "" || e.Deleted {
		t.Errorf("made %+v", e)
	}
	equal(t, must[track.Experiment](t)(s.EnsureExperiment(ctx, name)), e)
	other := must[track.Experiment](t)(s.EnsureExperiment(ctx, unique("experiment")))
	if other.ID == e.ID {
		t.Error("two experiments have one id")
	}
	found := 0
	for _, have := range must[[]track.Experiment](t)(s.Experiments(ctx)) {
		if have.ID == e.ID || have.ID == other.ID {
			found++
		}
	}
	equal(t, found, 2)
	_, err := s.EnsureExperiment(ctx, "")
	wantError(t, err, track.ErrInvalid)
}

func runLife(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	e := must[track.Experiment](t)(s.EnsureExperiment(ctx, unique("experiment")))
	r := must[track.Run](t)(s.CreateRun(ctx, track.NewRun{
		ExperimentID: e.ID, Name: "the name", Start: at(1), User: "somebody", Tags: []track.Pair{{Key: "a/b", Value: "x\ny"}},
	}))
	if r.Name != "the name" || r.Status != track.Running || !r.Start.Equal(at(1)) || !r.End.IsZero() || r.ExperimentID != e.ID ||
		r.Deleted || len(r.ID) != 32 || !strings.HasSuffix(r.ArtifactURI, r.ID+"/artifacts") {
		t.Errorf("made %+v", r)
	}
	equal(t, r.Tags["a/b"], "x\ny")
	twice := must[track.Run](t)(s.CreateRun(ctx, track.NewRun{
		ExperimentID: e.ID, Name: "name", Start: at(1), User: "somebody",
		Tags: []track.Pair{{Key: "a", Value: "1"}, {Key: track.TagRunName, Value: "other"}, {Key: track.TagUser, Value: "other"}, {Key: "a", Value: "2"}},
	}))
	equal(t, []string{twice.Tags["a"], twice.Name, twice.Tags[track.TagRunName]}, []string{"2", "name", "name"})
	ok(t, s.Log(ctx, twice.ID, track.Batch{Tags: []track.Pair{{Key: "b", Value: "1"}, {Key: "b", Value: "2"}}}))
	equal(t, must[track.Run](t)(s.Run(ctx, twice.ID)).Tags["b"], "2")
	ok(t, s.DeleteRun(ctx, twice.ID))
	ok(t, s.EndRun(ctx, r.ID, track.Failed, at(2)))
	r = must[track.Run](t)(s.Run(ctx, r.ID))
	if r.Status != track.Failed || !r.End.Equal(at(2)) {
		t.Errorf("ended %+v", r)
	}
	ok(t, s.EndRun(ctx, r.ID, track.Finished, at(3)))
	r = must[track.Run](t)(s.Run(ctx, r.ID))
	if r.Status != track.Finished || !r.End.Equal(at(3)) {
		t.Errorf("ended %+v", r)
	}
	wantError(t, s.EndRun(ctx, r.ID, "DONE", at(3)), track.ErrInvalid)
	ok(t, s.DeleteRun(ctx, r.ID))
	if r = must[track.Run](t)(s.Run(ctx, r.ID)); !r.Deleted {
		t.Error("a deleted run says it is not")
	}
	equal(t, len(must[[]track.Run](t)(s.SearchRuns(ctx, track.Query{ExperimentIDs: []string{e.ID}}))), 0)
}

func runKey(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	e := must[track.Experiment](t)(s.EnsureExperiment(ctx, unique("experiment")))
	n := track.NewRun{ExperimentID: e.ID, Name: "keyed", Start: at(0), Key: "k1"}
	r := must[track.Run](t)(s.CreateRun(ctx, n))
	equal(t, r.Tags[track.TagKey], "k1")
	equal(t, must[track.Run](t)(s.CreateRun(ctx, n)).ID, r.ID)
	n.Key = "k2"
	if other := must[track.Run](t)(s.CreateRun(ctx, n)); other.ID == r.ID {
		t.Error("another key, the same run")
	}
	ok(t, s.DeleteRun(ctx, r.ID))
	n.Key = "k1"
	if again := must[track.Run](t)(s.CreateRun(ctx, n)); again.ID == r.ID {
		t.Error("a deleted run came back")
	}
}

func search(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	e := must[track.Experiment](t)(s.EnsureExperiment(ctx, unique("experiment")))
	var ids []string
	for i := range 5 {
		tags := []track.Pair{{Key: "kind of", Value: []string{"even's", "odd"}[i%2]}, {Key: "n", Value: string(rune('0' + i))}}
		ids = append(ids, must[track.Run](t)(s.CreateRun(ctx, track.NewRun{ExperimentID: e.ID, Name: "r", Start: at(i), Tags: tags})).ID)
	}
	find := func(q track.Query) string {
		q.ExperimentIDs = []string{e.ID}
		var found []string
		for _, r := range must[[]track.Run](t)(s.SearchRuns(ctx, q)) {
			for i, id := range ids {
				if r.ID == id {
					found = append(found, string(rune('0'+i)))
				}
			}
		}
		return strings.Join(found, "")
	}
	equal(t, find(track.Query{}), "43210")
	equal(t, find(track.Query{Limit: 2}), "43")
	equal(t, find(track.Query{Tags: map[string]string{"kind of": "even's"}}), "420")
	equal(t, find(track.Query{Tags: map[string]string{"kind of": "even's", "n": "2"}}), "2")
	equal(t, find(track.Query{Tags: map[string]string{"kind of": "neither"}}), "")
	all := must[[]track.Run](t)(s.SearchRuns(ctx, track.Query{Tags: map[string]string{track.TagRunName: "r", "n": "3"}}))
	if len(all) == 0 {
		t.Error("a search of all experiments found nothing")
	}
	equal(t, len(must[[]track.Run](t)(s.SearchRuns(ctx, track.Query{ExperimentIDs: []string{}}))), 0)
}

func params(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	r := start(t, s)
	long := strings.Repeat("ü", track.MaxParam)
	b := track.Batch{Params: []track.Pair{{Key: "c", Value: "10"}, {Key: "empty", Value: ""}, {Key: "a.b/c d-e", Value: "ä\n\"'"}, {Key: "long", Value: long}}}
	ok(t, s.Log(ctx, r.ID, b))
	ok(t, s.Log(ctx, r.ID, b))
	wantError(t, s.Log(ctx, r.ID, track.Batch{Params: []track.Pair{{Key: "c", Value: "11"}}}), track.ErrInvalid)
	wantError(t, s.Log(ctx, r.ID, track.Batch{Params: []track.Pair{{Key: "x", Value: long + "x"}}}), track.ErrInvalid)
	wantError(t, s.Log(ctx, r.ID, track.Batch{Params: []track.Pair{{Key: "y", Value: "1"}, {Key: "y", Value: "2"}}}), track.ErrInvalid)
	equal(t, must[track.Run](t)(s.Run(ctx, r.ID)).Params,
		map[string]string{"c": "10", "empty": "", "a.b/c d-e": "ä\n\"'", "long": long})
	ok(t, s.Log(ctx, r.ID, track.Batch{Tags: []track.Pair{{Key: "t", Value: "1"}}}))
	ok(t, s.Log(ctx, r.ID, track.Batch{Tags: []track.Pair{{Key: "t", Value: "2"}, {Key: track.TagRunName, Value: "renamed"}}}))
	r = must[track.Run](t)(s.Run(ctx, r.ID))
	equal(t, r.Tags["t"], "2")
	equal(t, r.Name, "renamed")
}

func metrics(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	r := start(t, s)
	list := []track.Metric{
		{Key: "loss", Value: 0.1, Time: at(5), Step: 2},
		{Key: "loss", Value: 0.5, Time: at(9), Step: 0},
		{Key: "loss", Value: 0.3, Time: at(4), Step: 1},
		{Key: "acc", Value: 0.875, Time: at(1)},
	}
	ok(t, s.Log(ctx, r.ID, track.Batch{Metrics: list}))
	ok(t, s.Log(ctx, r.ID, track.Batch{Metrics: list[:2]}))
	r = must[track.Run](t)(s.Run(ctx, r.ID))
	equal(t, r.Metrics, map[string]track.Metric{"loss": list[0], "acc": list[3]})
	h := must[[]track.Metric](t)(s.MetricHistory(ctx, r.ID, "loss"))
	equal(t, h, []track.Metric{list[2], list[0], list[1]})
	equal(t, len(must[[]track.Metric](t)(s.MetricHistory(ctx, r.ID, "unknown"))), 0)
	wantError(t, s.Log(ctx, r.ID, track.Batch{Metrics: []track.Metric{{Key: "timeless", Value: 1}}}), track.ErrInvalid)
}

func specialValues(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	r := start(t, s)
	ok(t, s.Log(ctx, r.ID, track.Batch{Metrics: []track.Metric{
		{Key: "nan", Value: math.NaN(), Time: at(0)}, {Key: "up", Value: math.Inf(1), Time: at(0)},
		{Key: "down", Value: math.Inf(-1), Time: at(0)}, {Key: "tiny", Value: 5e-324, Time: at(0)},
		{Key: "third", Value: 1.0 / 3, Time: at(0)}, {Key: "negative", Value: -1e300, Time: at(0)},
	}}))
	m := must[track.Run](t)(s.Run(ctx, r.ID)).Metrics
	if len(m) != 6 || !math.IsNaN(m["nan"].Value) || m["up"].Value < math.MaxFloat64 || m["down"].Value > -math.MaxFloat64 ||
		m["tiny"].Value != 5e-324 || m["third"].Value != 1.0/3 || m["negative"].Value != -1e300 {
		t.Errorf("got %v", m)
	}
	for key := range m {
		if !m[key].Time.Equal(at(0)) {
			t.Errorf("the time of %s is %v", key, m[key].Time)
		}
	}
}

func largeBatch(t *testing.T, o Options, s track.Store) {
	ctx := t.Context()
	r := start(t, s)
	var b track.Batch
	for i := range o.Many {
		b.Metrics = append(b.Metrics, track.Metric{Key: "m", Value: float64(i), Time: at(i % 60), Step: int64(i)})
	}
	for i := range 250 {
		key := "k" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		b.Params = append(b.Params, track.Pair{Key: key, Value: strings.Repeat("v", 100)})
		b.Tags = append(b.Tags, track.Pair{Key: key, Value: strings.Repeat("w", 4000)})
	}
	ok(t, s.Log(ctx, r.ID, b))
	r = must[track.Run](t)(s.Run(ctx, r.ID))
	if len(r.Params) != 250 || len(r.Tags) < 250 || r.Metrics["m"].Step != int64(o.Many-1) {
		t.Errorf("%d parameters, %d tags, last step %d", len(r.Params), len(r.Tags), r.Metrics["m"].Step)
	}
	equal(t, len(must[[]track.Metric](t)(s.MetricHistory(ctx, r.ID, "m"))), o.Many)
}

func inputs(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	r := start(t, s)
	list := []track.Dataset{
		{Name: "data/test", Digest: "0123456789abcdef0123456789abcdef", SourceType: "local", Source: `{"uri": "data/test"}`, Context: "testing"},
		{Name: "data/train", Digest: "d1", SourceType: "local", Source: `{"uri": "data/train"}`, Context: "training"},
	}
	ok(t, s.LogInputs(ctx, r.ID, list))
	ok(t, s.LogInputs(ctx, r.ID, list[:1]))
	have := must[track.Run](t)(s.Run(ctx, r.ID)).Inputs
	sort.Slice(have, func(i, j int) bool { return have[i].Name < have[j].Name })
	equal(t, have, list)
	list[0].Digest = strings.Repeat("0", 64)
	wantError(t, s.LogInputs(ctx, r.ID, list), track.ErrInvalid)
	list[0].Digest = track.DatasetDigest(list[0].Digest)
	ok(t, s.LogInputs(ctx, r.ID, list))
}

func badNames(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	r := start(t, s)
	for _, name := range []string{"", "/a", "a//b", "../a", "a/../b", ".", "..", "a\x00", "a:b", "ä€", strings.Repeat("x", 251)} {
		wantError(t, s.Log(ctx, r.ID, track.Batch{Params: []track.Pair{{Key: name, Value: "1"}}}), track.ErrInvalid)
		wantError(t, s.Log(ctx, r.ID, track.Batch{Tags: []track.Pair{{Key: name, Value: "1"}}}), track.ErrInvalid)
		wantError(t, s.Log(ctx, r.ID, track.Batch{Metrics: []track.Metric{{Key: name, Time: at(0)}}}), track.ErrInvalid)
	}
	if r = must[track.Run](t)(s.Run(ctx, r.ID)); len(r.Params)+len(r.Metrics) > 0 {
		t.Errorf("logged %v, %v", r.Params, r.Metrics)
	}
}

func cancelled(t *testing.T, _ Options, s track.Store) {
	r := start(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, s.Log(ctx, r.ID, track.Batch{Tags: []track.Pair{{Key: "a", Value: "b"}}}), context.Canceled)
	_, err := s.Run(ctx, r.ID)
	wantError(t, err, context.Canceled)
}

func missing(t *testing.T, _ Options, s track.Store) {
	ctx := t.Context()
	none := strings.Repeat("0", 32)
	_, err := s.Run(ctx, none)
	wantError(t, err, track.ErrNotFound)
	wantError(t, s.Log(ctx, none, track.Batch{Tags: []track.Pair{{Key: "a", Value: "b"}}}), track.ErrNotFound)
	wantError(t, s.EndRun(ctx, none, track.Finished, at(0)), track.ErrNotFound)
	wantError(t, s.DeleteRun(ctx, none), track.ErrNotFound)
	wantError(t, s.LogInputs(ctx, none, []track.Dataset{{Name: "n", Digest: "d", SourceType: "local", Source: "s"}}), track.ErrNotFound)
	_, err = s.CreateRun(ctx, track.NewRun{ExperimentID: "987654321", Name: "r", Start: at(0)})
	wantError(t, err, track.ErrNotFound)
}

// concurrent writes through two stores of the same content.
func concurrent(t *testing.T, o Options, s track.Store) {
	ctx := t.Context()
	stores := []track.Store{s, o.Open(t)}
	r := start(t, s)
	name := unique("model")
	ok(t, s.EnsureModel(ctx, name, ""))
	var wg sync.WaitGroup
	numbers := make([]int, 8)
	for i := range numbers {
		wg.Go(func() {
			s := stores[i%2]
			for step := range 5 {
				m := track.Metric{Key: "m", Value: float64(i), Time: at(step), Step: int64(step)}
				if err := s.Log(ctx, r.ID, track.Batch{Metrics: []track.Metric{m}}); err != nil {
					t.Error(err)
				}
			}
			v, err := s.CreateVersion(ctx, track.NewVersion{Name: name, Source: r.ArtifactURI + "/model", RunID: r.ID})
			if err != nil {
				t.Error(err)
			}
			numbers[i] = v.Version
		})
	}
	wg.Wait()
	equal(t, len(must[[]track.Metric](t)(s.MetricHistory(ctx, r.ID, "m"))), 40)
	sort.Ints(numbers)
	equal(t, numbers, []int{1, 2, 3, 4, 5, 6, 7, 8})
}
