package mlflow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

// tagRequest marks what one request created, so that it can be found when the
// answer was lost.
const tagRequest = "flow.request"

const (
	pageRuns        = 1000
	pageExperiments = 1000
	pageMetrics     = 25_000
	maxPages        = 10_000
)

func (s *Store) post(ctx context.Context, op, path string, body, out any) error {
	return s.call(ctx, request{op: op, endpoint: s.tracking, method: http.MethodPost, path: path, body: body}, out)
}

func (s *Store) get(ctx context.Context, op, path string, query url.Values, out any) error {
	return s.call(ctx, request{op: op, endpoint: s.tracking, method: http.MethodGet, path: path, query: query}, out)
}

type object = map[string]any

// EnsureExperiment implements track.Runs.
func (s *Store) EnsureExperiment(ctx context.Context, name string) (track.Experiment, error) {
	op := "create experiment '" + name + "'"
	if name == "" || len([]rune(name)) > track.MaxExperiment {
		return track.Experiment{}, track.Invalid(op, "the name is empty or has more than %d characters", track.MaxExperiment)
	}
	e, err := s.experiment(ctx, op, name)
	if errors.Is(err, track.ErrNotFound) {
		// Another process may be faster: then it exists, and is found.
		if err = s.post(ctx, op, "experiments/create", object{"name": name}, nil); err == nil || alreadyExists(err) {
			e, err = s.experiment(ctx, op, name)
		}
	}
	if err == nil && e.Deleted {
		return e, &track.Error{Op: op, Err: fmt.Errorf("%w: an experiment of that name was deleted", track.ErrInvalid),
			Advice: "restore it with: mlflow experiments restore -x " + e.ID}
	}
	return e, err
}

func (s *Store) experiment(ctx context.Context, op, name string) (track.Experiment, error) {
	var out struct{ Experiment wireExperiment }
	err := s.get(ctx, op, "experiments/get-by-name", url.Values{"experiment_name": {name}}, &out)
	return out.Experiment.experiment(), err
}

func alreadyExists(err error) bool {
	var status *statusError
	return errors.As(err, &status) && (status.errorCode == "RESOURCE_ALREADY_EXISTS" || status.errorCode == "ALREADY_EXISTS")
}

// pages calls one for each page of a search until there are no more.
func pages(op string, one func(token string) (next string, err error)) error {
	token := ""
	for range maxPages {
		next, err := one(token)
		if err != nil || next == "" {
			return err
		}
		if next == token {
			return &track.Error{Op: op, Err: errors.New("the server answers the same page again and again")}
		}
		token = next
	}
	return &track.Error{Op: op, Err: fmt.Errorf("there are more than %d pages", maxPages)}
}

// Experiments implements track.Runs.
func (s *Store) Experiments(ctx context.Context) ([]track.Experiment, error) {
	const op = "list experiments"
	var list []track.Experiment
	err := pages(op, func(token string) (string, error) {
		var out struct {
			Experiments []wireExperiment
			Next        string `json:"next_page_token"`
		}
		body := object{"max_results": pageExperiments, "view_type": "ACTIVE_ONLY"}
		if token != "" {
			body["page_token"] = token
		}
		err := s.post(ctx, op, "experiments/search", body, &out)
		for _, e := range out.Experiments {
			list = append(list, e.experiment())
		}
		return out.Next, err
	})
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i].ID, list[j].ID
		return len(a) < len(b) || len(a) == len(b) && a < b
	})
	return list, err
}

// CreateRun implements track.Runs.
func (s *Store) CreateRun(ctx context.Context, r track.NewRun) (track.Run, error) {
	op := "create run '" + r.Name + "'"
	tags := append([]track.Pair(nil), r.Tags...)
	unique := track.Pair{Key: tagRequest, Value: strings.ToLower(rand.Text())}
	if r.Key != "" {
		unique = track.Pair{Key: track.TagKey, Value: r.Key}
		if found, ok, err := s.runByTag(ctx, r.ExperimentID, unique); err != nil || ok {
			return found, err
		}
	}
	tags = append(tags, unique)
	if r.Name != "" {
		tags = append(tags, track.Pair{Key: track.TagRunName, Value: r.Name})
	}
	if r.User != "" {
		tags = append(tags, track.Pair{Key: track.TagUser, Value: r.User})
	}
	tags = track.UniqueTags(tags)
	if err := track.CheckBatch(op, track.Batch{Tags: tags}); err != nil {
		return track.Run{}, err
	}
	if r.Start.IsZero() {
		r.Start = time.Now() // the server would take a missing one for 1970
	}
	body := object{"experiment_id": r.ExperimentID, "start_time": r.Start.UnixMilli(), "tags": wirePairs(tags)}
	if r.Name != "" {
		body["run_name"] = r.Name
	}
	if r.User != "" {
		body["user_id"] = r.User
	}
	var out struct{ Run wireRun }
	for n := 0; ; n++ {
		err := s.call(ctx, request{op: op, endpoint: s.tracking, method: http.MethodPost, path: "runs/create", body: body, once: true}, &out)
		if err == nil {
			return out.Run.run(), nil
		}
		if n >= s.options.Retries || !ambiguous(err) {
			return track.Run{}, err
		}
		if perr := pause(ctx, min(s.options.Backoff<<n, maxBackoff)); perr != nil {
			return track.Run{}, fmt.Errorf("%s: %w", op, perr)
		}
		if found, ok, ferr := s.runByTag(ctx, r.ExperimentID, unique); ferr == nil && ok {
			return found, nil
		}
		if n > 0 && isInternal(err) {
			return track.Run{}, err
		}
	}
}

// isInternal reports a status 500, which mostly comes again.
func isInternal(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == http.StatusInternalServerError
}

func (s *Store) runByTag(ctx context.Context, experiment string, tag track.Pair) (track.Run, bool, error) {
	list, err := s.SearchRuns(ctx, track.Query{
		ExperimentIDs: []string{experiment}, Tags: map[string]string{tag.Key: tag.Value}, Limit: 1,
	})
	if err != nil || len(list) == 0 {
		return track.Run{}, false, err
	}
	return list[0], true, nil
}

func (s *Store) wireRun(ctx context.Context, id string) (*wireRun, error) {
	var out struct{ Run wireRun }
	err := s.get(ctx, "get run '"+id+"'", "runs/get", url.Values{"run_id": {id}}, &out)
	return &out.Run, err
}

// Run implements track.Runs.
func (s *Store) Run(ctx context.Context, id string) (track.Run, error) {
	w, err := s.wireRun(ctx, id)
	if err != nil {
		return track.Run{}, err
	}
	return w.run(), nil
}

// SearchRuns implements track.Runs.
func (s *Store) SearchRuns(ctx context.Context, q track.Query) ([]track.Run, error) {
	const op = "search runs"
	ids := q.ExperimentIDs
	if ids == nil {
		all, err := s.Experiments(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var list []track.Run
	err := pages(op, func(token string) (string, error) {
		var out struct {
			Runs []wireRun
			Next string `json:"next_page_token"`
		}
		body := object{
			"experiment_ids": ids, "filter": filter(q.Tags), "run_view_type": "ACTIVE_ONLY",
			"max_results": pageRuns, "order_by": []string{"attributes.start_time DESC"},
		}
		if q.Limit > 0 && q.Limit < pageRuns {
			body["max_results"] = q.Limit
		}
		if token != "" {
			body["page_token"] = token
		}
		err := s.post(ctx, op, "runs/search", body, &out)
		for i := range out.Runs {
			if r := out.Runs[i].run(); hasTags(r.Tags, q.Tags) {
				list = append(list, r)
			}
		}
		if q.Limit > 0 && len(list) >= q.Limit {
			list, out.Next = list[:q.Limit], ""
		}
		return out.Next, err
	})
	return list, err
}

func hasTags(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// filter writes a condition on tags. Values that its grammar cannot hold are
// left to the caller, who compares anyhow.
func filter(tags map[string]string) string {
	var parts []string
	for k, v := range tags {
		quote := "'"
		if strings.Contains(v, quote) {
			quote = `"`
		}
		if !strings.Contains(v, quote) && !strings.ContainsAny(v, "\\\n") {
			parts = append(parts, "tags.`"+k+"` = "+quote+v+quote)
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, " AND ")
}

// EndRun implements track.Runs. A server takes an unknown state without a word,
// so that what it says afterwards is compared.
func (s *Store) EndRun(ctx context.Context, id string, status track.Status, at time.Time) error {
	op := "end run '" + id + "'"
	if !status.Valid() {
		return track.Invalid(op, "'%s' is not a state of a run", status)
	}
	body := object{"run_id": id, "run_uuid": id, "status": string(status)}
	if status != track.Running && status != track.Scheduled {
		body["end_time"] = at.UnixMilli()
	}
	var out struct {
		Info wireRunInfo `json:"run_info"`
	}
	if err := s.post(ctx, op, "runs/update", body, &out); err != nil {
		return err
	}
	if out.Info.Status != "" && out.Info.Status != string(status) {
		return &track.Error{Op: op, Err: fmt.Errorf("the server keeps the state %s", oneLine(out.Info.Status))}
	}
	return nil
}

// DeleteRun implements track.Runs.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.post(ctx, "delete run '"+id+"'", "runs/delete", object{"run_id": id}, nil)
}

// MetricHistory implements track.Runs.
func (s *Store) MetricHistory(ctx context.Context, id, key string) ([]track.Metric, error) {
	op := "get history of metric '" + key + "'"
	var list []track.Metric
	err := pages(op, func(token string) (string, error) {
		var out struct {
			Metrics []wireMetric
			Next    string `json:"next_page_token"`
		}
		query := url.Values{"run_id": {id}, "run_uuid": {id}, "metric_key": {key}, "max_results": {fmt.Sprint(pageMetrics)}}
		if token != "" {
			query.Set("page_token", token)
		}
		err := s.get(ctx, op, "metrics/get-history", query, &out)
		for _, m := range out.Metrics {
			list = append(list, m.metric())
		}
		return out.Next, err
	})
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if !a.Time.Equal(b.Time) {
			return a.Time.Before(b.Time)
		}
		if a.Step != b.Step {
			return a.Step < b.Step
		}
		return a.Value < b.Value
	})
	return list, err
}
