package mlflow_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/mlflow"
	"github.com/flowrepro/flow/track/tracktest"
)

func TestContract(t *testing.T) {
	s := newServer(t)
	tracktest.Run(t, tracktest.Options{Open: func(t *testing.T) track.Store { return s.client(t) }})
	for _, n := range s.sizes {
		if n > 1_000_000 {
			t.Errorf("a request has %d bytes", n)
		}
	}
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func experiment(t *testing.T, c track.Store) track.Experiment {
	t.Helper()
	e, err := c.EnsureExperiment(t.Context(), "experiment")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// on fails the first n requests of a route in a way.
func (s *server) on(route string, n int, fail func(w http.ResponseWriter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if n == 0 || !strings.HasSuffix(r.URL.Path, route) {
			return false
		}
		n--
		fail(w)
		return true
	}
}

// lose throws away the first n answers of a route.
func (s *server) lose(route string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = func(r *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if n == 0 || r.Method == http.MethodGet || !strings.HasSuffix(r.URL.Path, route) {
			return false
		}
		n--
		return true
	}
}

func status(code int) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

func TestRetries(t *testing.T) {
	s := newServer(t)
	c := s.client(t)
	for _, code := range []int{408, 429, 502, 503, 504} {
		before := s.calls("experiments/search")
		s.on("experiments/search", 2, status(code))
		if _, err := c.Experiments(t.Context()); err != nil {
			t.Errorf("%d: %v", code, err)
		}
		if n := s.calls("experiments/search") - before; n != 3 {
			t.Errorf("%d: %d requests", code, n)
		}
		s.on("experiments/search", 100, status(code))
		if _, err := c.Experiments(t.Context()); !errors.Is(err, track.ErrUnavailable) {
			t.Errorf("%d: %v", code, err)
		}
	}
	// A 500 is mostly for good.
	before := s.calls("experiments/search")
	s.on("experiments/search", 100, status(500))
	if _, err := c.Experiments(t.Context()); err == nil {
		t.Error("500 is no error")
	}
	if n := s.calls("experiments/search") - before; n != 2 {
		t.Errorf("%d requests after 500", n)
	}
	// A mistake is not repeated.
	before = s.calls("experiments/search")
	s.on("experiments/search", 100, func(w http.ResponseWriter) { refuse(w, 400, "INVALID_PARAMETER_VALUE", "no\nway") })
	if _, err := c.Experiments(t.Context()); !errors.Is(err, track.ErrInvalid) || !strings.Contains(err.Error(), "no way") {
		t.Errorf("error %v", err)
	}
	if n := s.calls("experiments/search") - before; n != 1 {
		t.Errorf("%d requests after a mistake", n)
	}
}

func TestRetryAfter(t *testing.T) {
	s := newServer(t)
	c := s.client(t)
	s.on("experiments/search", 1, func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(429)
	})
	start := time.Now()
	if _, err := c.Experiments(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < time.Second {
		t.Errorf("it came back after %v", took)
	}
	s.on("experiments/search", 1, func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(503)
	})
	if _, err := c.Experiments(t.Context()); !errors.Is(err, track.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

// What creates something is not repeated blindly: the answers of the first
// requests are lost, and there is one run and one version all the same.
func TestLostAnswers(t *testing.T) {
	s := newServer(t)
	c := s.client(t)
	ctx := t.Context()
	e := experiment(t, c)
	for _, key := range []string{"", "key"} {
		s.lose("runs/create", 1)
		r, err := c.CreateRun(ctx, track.NewRun{ExperimentID: e.ID, Name: "run" + key, Start: time.Now(), Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if r.Name != "run"+key {
			t.Errorf("got %+v", r)
		}
	}
	runs, err := c.SearchRuns(ctx, track.Query{ExperimentIDs: []string{e.ID}})
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	s.lose("registered-models/create", 1)
	if err := c.EnsureModel(ctx, "m", ""); err != nil {
		t.Fatal(err)
	}
	s.lose("model-versions/create", 1)
	v, err := c.CreateVersion(ctx, track.NewVersion{Name: "m", Source: runs[0].ArtifactURI, RunID: runs[0].ID, Key: "k"})
	if err != nil || v.Version != 1 {
		t.Fatalf("version %d, %v", v.Version, err)
	}
	list, err := c.Versions(ctx, "m")
	if err != nil || len(list) != 1 {
		t.Errorf("%d versions, %v", len(list), err)
	}
	// Without a key there is no telling.
	s.lose("model-versions/create", 1)
	if _, err := c.CreateVersion(ctx, track.NewVersion{Name: "m", Source: runs[0].ArtifactURI}); !errors.Is(err, track.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	// Everything else can be repeated.
	for route, f := range map[string]func() error{
		"log-batch":        func() error { return c.Log(ctx, runs[0].ID, track.Batch{Params: []track.Pair{{Key: "a", Value: "b"}}}) },
		"alias":            func() error { return c.SetAlias(ctx, "m", "champion", 1) },
		"transition-stage": func() error { return c.SetStage(ctx, "m", 1, track.StageStaging) },
		"runs/update":      func() error { return c.EndRun(ctx, runs[0].ID, track.Finished, time.Now()) },
		"file": func() error {
			return c.PutArtifact(ctx, runs[0].ArtifactURI, "file", strings.NewReader("content"), 7)
		},
		"experiments/create": func() error { _, err := c.EnsureExperiment(ctx, "second"); return err },
	} {
		s.lose(route, 2)
		if err := f(); err != nil {
			t.Errorf("%s: %v", route, err)
		}
	}
}

func TestForeignAnswers(t *testing.T) {
	s := newServer(t)
	c := s.client(t)
	ctx := t.Context()
	// Another path: a page of HTML.
	other := s.client(t, func(o *mlflow.Options) { o.TrackingURI = s.URL })
	_, err := other.Experiments(ctx)
	if !errors.Is(err, track.ErrUnsupported) || !strings.Contains(hint(err), "path") || strings.Contains(err.Error(), "html") {
		t.Errorf("error %v, hint %q", err, hint(err))
	}
	s.on("experiments/search", 1, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>Log in</html>") })
	if _, err := c.Experiments(ctx); err == nil || !strings.Contains(err.Error(), "not what MLflow sends") {
		t.Errorf("error %v", err)
	}
	s.on("experiments/search", 1, func(w http.ResponseWriter) {
		w.WriteHeader(403)
		_, _ = io.WriteString(w, "Invalid Host header - possible DNS rebinding attack detected")
	})
	_, err = c.Experiments(ctx)
	if !errors.Is(err, track.ErrDenied) || !strings.Contains(hint(err), "--allowed-hosts '"+strings.TrimPrefix(s.URL, "http://")+"'") {
		t.Errorf("error %v, hint %q", err, hint(err))
	}
	s.on("experiments/search", 1, status(401))
	if _, err = c.Experiments(ctx); !errors.Is(err, track.ErrDenied) || !strings.Contains(hint(err), "MLFLOW_TRACKING_USERNAME") {
		t.Errorf("error %v, hint %q", err, hint(err))
	}
	// Python's bare NaN.
	s.on("runs/get", 1, func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"run": {"info": {"run_id": "a\"NaN"}, "data": {"metrics": [{"key": "NaN", "value": NaN, "step": 0}, {"key": "i", "value": -Infinity}]}}}`)
	})
	r, err := c.Run(ctx, "a")
	if v := r.Metrics["NaN"].Value; err != nil || v == v || r.Metrics["i"].Value > -1e308 || r.ID != `a"NaN` {
		t.Errorf("got %+v, %v", r, err)
	}
	// A page that has itself as the next one.
	s.on("experiments/search", 5, func(w http.ResponseWriter) { reply(w, m{"next_page_token": "again"}) })
	if _, err := c.Experiments(ctx); err == nil {
		t.Error("the same page forever is no error")
	}
	// A state that the server takes without a word, and does not keep.
	e := experiment(t, c)
	run, err := c.CreateRun(ctx, track.NewRun{ExperimentID: e.ID, Name: "r"})
	if err != nil || run.Start.IsZero() {
		t.Fatalf("%+v, %v", run, err)
	}
	s.on("runs/update", 1, func(w http.ResponseWriter) { reply(w, m{"run_info": m{"status": "RUNNING"}}) })
	if err := c.EndRun(ctx, run.ID, track.Finished, time.Now()); err == nil {
		t.Error("a state that was not kept is no error")
	}
	// A listing with a name that leads out of the directory.
	for _, name := range []string{"..", `a\..\b`, "."} {
		s.on("artifacts", 1, func(w http.ResponseWriter) { reply(w, m{"files": []m{{"path": name, "file_size": 1}}}) })
		if _, err := c.ListArtifacts(ctx, "mlflow-artifacts:/1", ""); !errors.Is(err, track.ErrInvalid) {
			t.Errorf("a file named %q: %v", name, err)
		}
	}
	// A server that stores a part only.
	s.on("artifacts", 1, func(w http.ResponseWriter) { reply(w, m{"files": []m{{"path": "f", "file_size": 3}}}) })
	if err := c.PutArtifact(ctx, "mlflow-artifacts:/1/r/artifacts", "f", strings.NewReader("four"), 4); err == nil {
		t.Error("a part of a file is no error")
	}
}

// A server without aliases, or one without stages.
func TestOldAndNewRegistries(t *testing.T) {
	for _, route := range []string{"registered-models/alias", "transition-stage"} {
		s := newServer(t)
		c := s.client(t)
		if err := c.EnsureModel(t.Context(), "m", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := c.CreateVersion(t.Context(), track.NewVersion{Name: "m", Source: "s3://b/m"}); err != nil {
			t.Fatal(err)
		}
		s.on(route, -1, noPage)
		if err := c.Move(t.Context(), "m", 1, track.AliasProduction, track.StageProduction); err != nil {
			t.Errorf("without %s: %v", route, err)
		}
		v, err := track.Production(t.Context(), c, "m")
		if err != nil || v.Version != 1 {
			t.Errorf("without %s: version %d, %v", route, v.Version, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := newServer(t)
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".mlflow"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := "[other]\nmlflow_tracking_username = no\n[mlflow]\n# a comment\nmlflow_tracking_username = file-user\nmlflow_tracking_password = file=pass\n"
	if err := os.WriteFile(filepath.Join(home, ".mlflow", "credentials"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	basic := func(user, password string) string {
		r, _ := http.NewRequest("GET", "http://x", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	inURL := strings.Replace(s.URL, "http://", "http://url-user:url-pass@", 1) + prefix
	for name, c := range map[string]struct {
		env      map[string]string
		variable string
		want     string
	}{
		"none":              {map[string]string{}, "", ""},
		"user and password": {map[string]string{"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "p", "MLFLOW_TRACKING_TOKEN": "t"}, "", basic("u", "p")},
		"bearer":            {map[string]string{"MLFLOW_TRACKING_TOKEN": "t"}, "", "Bearer t"},
		"file":              {map[string]string{"HOME": home, "MLFLOW_TRACKING_TOKEN": "t"}, "", basic("file-user", "file=pass")},
		"file and variable": {map[string]string{"HOME": home, "MLFLOW_TRACKING_USERNAME": "u"}, "", basic("u", "file=pass")},
		"user alone":        {map[string]string{"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_TOKEN": "t"}, "", "Bearer t"},
		"named token":       {map[string]string{"CAPSTONE_TEST": "secret"}, "CAPSTONE_TEST", basic("secret", "secret")},
		"named, not set":    {map[string]string{}, "CAPSTONE_TEST", ""},
		"in the address":    {map[string]string{"MLFLOW_TRACKING_URI": inURL}, "", basic("url-user", "url-pass")},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := mlflow.FromEnvironment(func(key string) string {
				if v, ok := c.env[key]; ok || key != "MLFLOW_TRACKING_URI" && key != "HOME" {
					return v
				}
				return map[string]string{"HOME": t.TempDir(), "MLFLOW_TRACKING_URI": s.URL + prefix}[key]
			}, c.variable)
			if err != nil {
				t.Fatal(err)
			}
			client, err := mlflow.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Experiments(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if got := s.heads[len(s.heads)-1].Get("Authorization"); got != c.want {
				t.Errorf("sent %q, want %q", got, c.want)
			}
			if strings.Contains(client.Location(), "url-pass") {
				t.Errorf("the location %s tells the password", client.Location())
			}
			for _, name := range []string{"Origin", "Referer", "Cookie"} {
				if s.heads[len(s.heads)-1].Get(name) != "" {
					t.Errorf("%s was sent", name)
				}
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"two ways to verify": {"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_SERVER_CERT_PATH": "x"},
		"SigV4":              {"MLFLOW_TRACKING_AWS_SIGV4": "true"},
		"plugin":             {"MLFLOW_TRACKING_AUTH": "own"},
		"retries":            {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "11"},
		"timeout":            {"MLFLOW_HTTP_REQUEST_TIMEOUT": "soon"},
	} {
		env["HOME"] = t.TempDir()
		if _, err := mlflow.FromEnvironment(func(key string) string { return env[key] }, ""); !errors.Is(err, track.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, uri := range []string{"", "ftp://host", "host:5000", "http://", "http://us er:secret@host:x/"} {
		_, err := mlflow.New(mlflow.Options{TrackingURI: uri})
		if !errors.Is(err, track.ErrInvalid) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if mlflow.DefaultTokenVariables["dagshub.com"] != "DAGSHUB_USER_TOKEN" {
		t.Error("the variable of DAGsHub's client is another one")
	}
}

// Credentials stay with their host, wherever the server leads.
func TestOtherHosts(t *testing.T) {
	var leaked []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header.Get("Authorization"); h != "" {
			leaked = append(leaked, r.URL.Path)
		}
		reply(w, m{"files": []m{{"path": "f", "file_size": 1}}})
	}))
	defer other.Close()
	s := newServer(t)
	c := s.client(t, func(o *mlflow.Options) { o.Username, o.Password = "u", "p" })
	ctx := t.Context()
	move := func(w http.ResponseWriter) {
		w.Header().Set("Location", other.URL+"/elsewhere")
		w.WriteHeader(http.StatusFound)
	}
	s.on("runs/get", 1, move)
	if _, err := c.Run(ctx, "r"); err != nil {
		t.Errorf("a read: %v", err)
	}
	// A write would come out as a read.
	s.on("runs/delete", 1, move)
	if err := c.DeleteRun(ctx, "r"); err == nil || !strings.Contains(hint(err), "MLFLOW_TRACKING_URI") {
		t.Errorf("a write: %v", err)
	}
	for _, root := range []string{
		"mlflow-artifacts://" + strings.TrimPrefix(other.URL, "http://") + "/1",
		other.URL + "/api/2.0/mlflow-artifacts/artifacts/1",
	} {
		if _, err := c.ListArtifacts(ctx, root, ""); err != nil {
			t.Error(err)
		}
	}
	if len(leaked) > 0 {
		t.Errorf("credentials went to %q", leaked)
	}
}

func TestUnreachable(t *testing.T) {
	c, err := mlflow.New(mlflow.Options{TrackingURI: "http://127.0.0.1:1", Retries: 5, Backoff: time.Millisecond, Username: "u", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Experiments(t.Context())
	if !errors.Is(err, track.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	ctx := t.Context()
	for _, root := range []string{"s3://bucket/x", "gs://bucket/x", "dbfs:/x", "file://elsewhere/x"} {
		if _, err := c.ListArtifacts(ctx, root, ""); !errors.Is(err, track.ErrUnsupported) {
			t.Errorf("%s: %v", root, err)
		}
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, m{}) }))
	defer s.Close()
	s.Config.ErrorLog = nil
	o := mlflow.Options{TrackingURI: s.URL, Retries: 3, Backoff: time.Hour}
	c, err := mlflow.New(o)
	if err != nil {
		t.Fatal(err)
	}
	// Not repeated: the pause would be an hour.
	if _, err = c.Experiments(t.Context()); err == nil || !strings.Contains(hint(err), "MLFLOW_TRACKING_SERVER_CERT_PATH") {
		t.Errorf("error %v, hint %q", err, hint(err))
	}
	o.Insecure = true
	if c, err = mlflow.New(o); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Experiments(t.Context()); err != nil {
		t.Error(err)
	}
	plain, err := mlflow.New(mlflow.Options{TrackingURI: strings.Replace(s.URL, "https", "http", 1), Backoff: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Experiments(t.Context()); err == nil {
		t.Error("plain HTTP to a TLS server is no error")
	}
}

func TestDiagnose(t *testing.T) {
	s := newServer(t)
	for _, f := range s.client(t).Diagnose(t.Context(), true) {
		if f.OK != nil && !*f.OK {
			t.Errorf("%+v", f)
		}
	}
	s.on("log-batch", -1, status(403))
	verdicts := map[string]bool{}
	for _, f := range s.client(t).Diagnose(t.Context(), true) {
		if f.OK != nil {
			verdicts[f.Name] = *f.OK
		}
	}
	if !verdicts["reachable"] || verdicts["write runs"] {
		t.Errorf("found %v", verdicts)
	}
}
