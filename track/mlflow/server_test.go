package mlflow_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/mlflow"
	"github.com/flowrepro/flow/track/sqlite"
)

// server speaks MLflow's API in front of an embedded store, with the quirks of
// the real one: errors by code, an empty answer for what is not there, strings
// for numbers. Requests pass a handler that may fail them first.
type server struct {
	t     *testing.T
	store *sqlite.Store
	*httptest.Server

	mu sync.Mutex
	// before may answer a request itself, by returning true; after is called
	// once a request was carried out, and may throw its answer away.
	before func(w http.ResponseWriter, r *http.Request) bool
	after  func(r *http.Request) bool
	seen   []string
	heads  []http.Header
	sizes  []int
}

const prefix = "/some/prefix.mlflow"

func newServer(t *testing.T) *server {
	t.Helper()
	store, err := sqlite.Open(sqlite.Options{File: filepath.Join(t.TempDir(), sqlite.FileName)})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, store: store}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		_ = store.Close()
	})
	return s
}

func (s *server) client(t *testing.T, change ...func(o *mlflow.Options)) *mlflow.Store {
	t.Helper()
	o := mlflow.Options{TrackingURI: s.URL + prefix, Retries: 3, Backoff: time.Millisecond, Timeout: 10 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := mlflow.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before, after := s.before, s.after
	s.seen = append(s.seen, r.Method+" "+strings.TrimPrefix(r.URL.Path, prefix))
	s.heads = append(s.heads, r.Header.Clone())
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	rec := httptest.NewRecorder()
	s.route(rec, r)
	if after != nil && after(r) {
		panic(http.ErrAbortHandler) // the connection breaks after the work was done
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// calls counts the requests of a route.
func (s *server) calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, seen := range s.seen {
		if strings.HasSuffix(seen, route) {
			n++
		}
	}
	return n
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error_code": code, "message": message})
}

func noPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>")
}

func answer(w http.ResponseWriter, v any, err error) {
	switch {
	case err == nil:
		reply(w, v)
	case errors.Is(err, track.ErrNotFound):
		refuse(w, 404, "RESOURCE_DOES_NOT_EXIST", err.Error())
	case errors.Is(err, track.ErrInvalid):
		refuse(w, 400, "INVALID_PARAMETER_VALUE", err.Error())
	default:
		refuse(w, 500, "INTERNAL_ERROR", err.Error())
	}
}

type m = map[string]any

func (s *server) route(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok {
		noPage(w)
		return
	}
	if rest == "/version" {
		_, _ = io.WriteString(w, "2.99.0")
		return
	}
	if name, ok := strings.CutPrefix(rest, "/api/2.0/mlflow-artifacts/artifacts"); ok {
		s.artifact(w, r, strings.TrimPrefix(name, "/"))
		return
	}
	rest, ok = strings.CutPrefix(rest, "/api/2.0/mlflow/")
	if !ok {
		noPage(w)
		return
	}
	in := m{}
	if r.Method == http.MethodGet {
		for k, v := range r.URL.Query() {
			in[k] = v[0]
		}
	} else {
		data, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.sizes = append(s.sizes, len(data))
		s.mu.Unlock()
		if r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(data, &in) != nil {
			refuse(w, 400, "INVALID_PARAMETER_VALUE", "not JSON: "+string(data))
			return
		}
	}
	s.call(w, r, rest, in)
}

func str(in m, key string) string {
	v, _ := in[key].(string)
	return v
}

func millis(in m, key string) time.Time {
	v, _ := in[key].(float64)
	return time.UnixMilli(int64(v))
}

func pairs(v any) []track.Pair {
	var list []track.Pair
	items, _ := v.([]any)
	for _, it := range items {
		list = append(list, track.Pair{Key: str(it.(m), "key"), Value: str(it.(m), "value")})
	}
	return list
}

func (s *server) call(w http.ResponseWriter, r *http.Request, route string, in m) {
	ctx := r.Context()
	name := str(in, "name")
	version, _ := strconv.Atoi(str(in, "version"))
	switch r.Method + " " + route {
	case "GET experiments/get-by-name":
		list, err := s.store.Experiments(ctx)
		for _, e := range list {
			if e.Name == str(in, "experiment_name") {
				reply(w, m{"experiment": wireExperiment(e)})
				return
			}
		}
		answer(w, nil, errors.Join(err, track.NotFound("experiment")))
	case "POST experiments/create":
		_, err := s.store.EnsureExperiment(ctx, name)
		answer(w, m{}, err)
	case "POST experiments/search":
		list, err := s.store.Experiments(ctx)
		var out []m
		for _, e := range list {
			out = append(out, wireExperiment(e))
		}
		answer(w, m{"experiments": out}, err)
	case "POST runs/create":
		start := time.Time{}
		if in["start_time"] != nil {
			start = millis(in, "start_time")
		}
		run, err := s.store.CreateRun(ctx, track.NewRun{
			ExperimentID: str(in, "experiment_id"), Name: str(in, "run_name"), Start: start, User: str(in, "user_id"), Tags: pairs(in["tags"]),
		})
		answer(w, m{"run": wireRun(run)}, err)
	case "GET runs/get":
		run, err := s.store.Run(ctx, str(in, "run_id"))
		answer(w, m{"run": wireRun(run)}, err)
	case "POST runs/update":
		status := track.Status(str(in, "status"))
		if !status.Valid() {
			run, err := s.store.Run(ctx, str(in, "run_id")) // 200 and no change
			answer(w, m{"run_info": wireRun(run)["info"]}, err)
			return
		}
		err := s.store.EndRun(ctx, str(in, "run_id"), status, millis(in, "end_time"))
		run, _ := s.store.Run(ctx, str(in, "run_id"))
		answer(w, m{"run_info": wireRun(run)["info"]}, err)
	case "POST runs/delete":
		answer(w, m{}, s.store.DeleteRun(ctx, str(in, "run_id")))
	case "POST runs/log-batch":
		s.logBatch(w, r, in)
	case "POST runs/log-inputs":
		var list []track.Dataset
		for _, d := range in["datasets"].([]any) {
			set := d.(m)["dataset"].(m)
			one := track.Dataset{Name: str(set, "name"), Digest: str(set, "digest"), SourceType: str(set, "source_type"), Source: str(set, "source")}
			for _, p := range pairs(d.(m)["tags"]) {
				one.Context = p.Value
			}
			list = append(list, one)
		}
		answer(w, m{}, s.store.LogInputs(ctx, str(in, "run_id"), list))
	case "POST runs/search":
		s.searchRuns(w, r, in)
	case "GET metrics/get-history":
		list, err := s.store.MetricHistory(ctx, str(in, "run_id"), str(in, "metric_key"))
		// In pages of 1000.
		from, _ := strconv.Atoi(str(in, "page_token"))
		out := m{}
		if from+1000 < len(list) {
			out["next_page_token"] = strconv.Itoa(from + 1000)
		}
		if page := list[min(from, len(list)):min(from+1000, len(list))]; len(page) > 0 {
			out["metrics"] = wireMetrics(page)
		}
		answer(w, out, err)
	case "POST registered-models/create":
		if _, err := s.store.Model(ctx, name); err == nil {
			refuse(w, 400, "RESOURCE_ALREADY_EXISTS", "(sqlite3.IntegrityError) UNIQUE constraint failed [SQL: INSERT …]")
			return
		}
		answer(w, m{}, s.store.EnsureModel(ctx, name, str(in, "description")))
	case "GET registered-models/get":
		model, err := s.store.Model(ctx, name)
		answer(w, m{"registered_model": wireModel(model)}, err)
	case "GET registered-models/search":
		list, err := s.store.Models(ctx)
		var out []m
		for _, model := range list {
			out = append(out, wireModel(model))
		}
		answer(w, m{"registered_models": out}, err)
	case "POST registered-models/set-tag":
		answer(w, m{}, s.store.SetModelTag(ctx, name, track.Pair{Key: str(in, "key"), Value: str(in, "value")}))
	case "POST registered-models/alias":
		answer(w, m{}, s.store.SetAlias(ctx, name, str(in, "alias"), version))
	case "DELETE registered-models/alias":
		answer(w, m{}, s.store.DeleteAlias(ctx, name, str(in, "alias")))
	case "GET registered-models/alias":
		v, err := s.store.VersionByAlias(ctx, name, str(in, "alias"))
		if _, merr := s.store.Model(ctx, name); merr == nil && errors.Is(err, track.ErrNotFound) {
			refuse(w, 400, "INVALID_PARAMETER_VALUE", "Registered model alias "+str(in, "alias")+" not found.")
			return
		}
		answer(w, m{"model_version": wireVersion(v)}, err)
	case "POST model-versions/create":
		v, err := s.store.CreateVersion(ctx, track.NewVersion{
			Name: name, Source: str(in, "source"), RunID: str(in, "run_id"), Description: str(in, "description"), Tags: pairs(in["tags"]),
		})
		answer(w, m{"model_version": wireVersion(v)}, err)
	case "GET model-versions/get":
		v, err := s.store.Version(ctx, name, version)
		answer(w, m{"model_version": wireVersion(v)}, err)
	case "GET model-versions/search":
		list, err := s.store.Versions(ctx, strings.Trim(strings.TrimPrefix(str(in, "filter"), "name="), "'"))
		var out []m
		for _, v := range list {
			out = append(out, wireVersion(v))
		}
		answer(w, m{"model_versions": out}, err)
	case "GET model-versions/get-download-uri":
		v, err := s.store.Version(ctx, name, version)
		answer(w, m{"artifact_uri": v.Source}, err)
	case "POST model-versions/transition-stage":
		stage := str(in, "stage")
		if in["archive_existing_versions"] == true {
			list, _ := s.store.Versions(ctx, name)
			for _, v := range list {
				if v.Stage == stage && v.Version != version {
					_ = s.store.SetStage(ctx, name, v.Version, track.StageArchived)
				}
			}
		}
		answer(w, m{}, s.store.SetStage(ctx, name, version, stage))
	case "POST model-versions/set-tag":
		answer(w, m{}, s.store.SetVersionTag(ctx, name, version, track.Pair{Key: str(in, "key"), Value: str(in, "value")}))
	case "DELETE model-versions/delete":
		answer(w, m{}, s.store.DeleteVersion(ctx, name, version))
	default:
		noPage(w)
	}
}

func (s *server) logBatch(w http.ResponseWriter, r *http.Request, in m) {
	metrics, _ := in["metrics"].([]any)
	b := track.Batch{Params: pairs(in["params"]), Tags: pairs(in["tags"])}
	if len(metrics) > 1000 || len(b.Params) > 100 || len(b.Tags) > 100 || len(metrics)+len(b.Params)+len(b.Tags) > 1000 {
		refuse(w, 400, "INVALID_PARAMETER_VALUE", "too many")
		return
	}
	for _, it := range metrics {
		e := it.(m)
		v, isNumber := e["value"].(float64)
		if !isNumber {
			v, _ = strconv.ParseFloat(str(e, "value"), 64)
		}
		step, _ := e["step"].(float64)
		b.Metrics = append(b.Metrics, track.Metric{Key: str(e, "key"), Value: v, Time: millis(e, "timestamp"), Step: int64(step)})
	}
	answer(w, m{}, s.store.Log(r.Context(), str(in, "run_id"), b))
}

var condition = regexp.MustCompile("tags\\.`([^`]*)` = ('[^']*'|\"[^\"]*\")")

func (s *server) searchRuns(w http.ResponseWriter, r *http.Request, in m) {
	q := track.Query{ExperimentIDs: []string{}, Tags: map[string]string{}}
	for _, id := range in["experiment_ids"].([]any) {
		q.ExperimentIDs = append(q.ExperimentIDs, id.(string))
	}
	for _, c := range condition.FindAllStringSubmatch(str(in, "filter"), -1) {
		q.Tags[c[1]] = c[2][1 : len(c[2])-1]
	}
	limit, _ := in["max_results"].(float64)
	from, _ := strconv.Atoi(str(in, "page_token"))
	list, err := s.store.SearchRuns(r.Context(), q)
	out := m{}
	if page := list[min(from, len(list)):min(from+int(limit), len(list))]; len(page) > 0 {
		var runs []m
		for _, run := range page {
			runs = append(runs, wireRun(run))
		}
		out["runs"] = runs
		if from+len(page) < len(list) {
			out["next_page_token"] = strconv.Itoa(from + len(page))
		}
	}
	answer(w, out, err)
}

func wireExperiment(e track.Experiment) m {
	return m{"experiment_id": e.ID, "name": e.Name, "artifact_location": "mlflow-artifacts:/" + e.ID, "lifecycle_stage": "active"}
}

func wireMetrics(list []track.Metric) []m {
	var out []m
	for _, v := range list {
		var value any = v.Value
		if math.IsNaN(v.Value) {
			value = "NaN"
		}
		out = append(out, m{"key": v.Key, "value": value, "timestamp": strconv.FormatInt(v.Time.UnixMilli(), 10), "step": v.Step})
	}
	return out
}

func wirePairs(tags map[string]string) []m {
	var out []m
	for k, v := range tags {
		out = append(out, m{"key": k, "value": v})
	}
	return out
}

func wireRun(r track.Run) m {
	stage := map[bool]string{true: "deleted", false: "active"}[r.Deleted]
	info := m{
		"run_id": r.ID, "run_uuid": r.ID, "run_name": r.Name, "experiment_id": r.ExperimentID, "user_id": r.User, "status": r.Status,
		"start_time": r.Start.UnixMilli(), "lifecycle_stage": stage, "artifact_uri": strings.Replace(r.ArtifactURI, "mlruns", "mlflow-artifacts:", 1),
	}
	if !r.End.IsZero() {
		info["end_time"] = r.End.UnixMilli()
	}
	data := m{"params": wirePairs(r.Params), "tags": wirePairs(r.Tags)}
	var latest []track.Metric
	for _, v := range r.Metrics {
		latest = append(latest, v)
	}
	data["metrics"] = wireMetrics(latest)
	var inputs []m
	for _, d := range r.Inputs {
		inputs = append(inputs, m{
			"tags":    []m{{"key": track.DatasetContext, "value": d.Context}},
			"dataset": m{"name": d.Name, "digest": d.Digest, "source_type": d.SourceType, "source": d.Source},
		})
	}
	return m{"info": info, "data": data, "inputs": m{"dataset_inputs": inputs}}
}

func wireModel(v track.Model) m {
	var aliases []m
	for a, n := range v.Aliases {
		aliases = append(aliases, m{"alias": a, "version": strconv.Itoa(n)})
	}
	return m{"name": v.Name, "description": v.Description, "creation_timestamp": v.Created.UnixMilli(), "tags": wirePairs(v.Tags), "aliases": aliases}
}

func wireVersion(v track.Version) m {
	return m{
		"name": v.Name, "version": strconv.Itoa(v.Version), "creation_timestamp": v.Created.UnixMilli(), "description": v.Description,
		"current_stage": v.Stage, "source": v.Source, "run_id": v.RunID, "status": v.Status, "tags": wirePairs(v.Tags), "aliases": v.Aliases,
	}
}

// artifact keeps files under the embedded store's directory.
func (s *server) artifact(w http.ResponseWriter, r *http.Request, name string) {
	ctx := r.Context()
	switch {
	case r.Method == http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if err == nil {
			err = s.store.PutArtifact(ctx, "mlruns", name, strings.NewReader(string(data)), int64(len(data)))
		}
		answer(w, m{}, err)
	case r.Method == http.MethodDelete:
		answer(w, m{}, s.store.DeleteArtifact(ctx, "mlruns", name))
	case name == "":
		list, err := s.store.ListArtifacts(ctx, "mlruns", r.URL.Query().Get("path"))
		var files []m
		for _, f := range list {
			files = append(files, m{"path": path.Base(f.Path), "is_dir": f.Dir, "file_size": f.Size})
		}
		answer(w, m{"files": files}, err)
	default:
		in, err := s.store.OpenArtifact(ctx, "mlruns", name)
		if err != nil {
			refuse(w, 500, "INTERNAL_ERROR", "An internal error has occurred") // as the real one
			return
		}
		defer in.Close()
		_, _ = io.Copy(w, in)
	}
}
