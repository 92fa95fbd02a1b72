package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowrepro/flow/serve"
	"github.com/flowrepro/flow/stages/model"
)

// registry is a source whose meaning the test changes.
type registry struct {
	mu   sync.Mutex
	v    serve.Version
	dir  string
	away error
}

func (r *registry) set(number, dir string, away error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.v, r.dir, r.away = serve.Version{Identity: number, Name: "sentiment", Number: number, RunID: "run" + number}, dir, away
}

func (r *registry) Resolve(context.Context) (serve.Version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.v, r.away
}

func (r *registry) Fetch(_ context.Context, v serve.Version) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dir, r.away
}

func (r *registry) String() string { return "models:/sentiment@production" }

func TestReload(t *testing.T) {
	s := start(t, nil)
	ask := func(class string) {
		t.Helper()
		s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON).want(t, 200, `{"class":"`+class+`"}`)
	}
	reload := func(want bool, failure string) {
		t.Helper()
		changed, err := s.Reload(context.Background())
		if changed != want || (failure == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), failure) {
			t.Fatalf("reload: %v, %v", changed, err)
		}
	}
	ask("positive")
	reload(false, "")
	write(t, s.dir, -1)
	ask("positive") // nobody has looked yet
	reload(true, "")
	ask("negative")

	// A file that is not what the header says changes nothing.
	weights := filepath.Join(s.dir, "weights.bin")
	data, err := os.ReadFile(weights)
	check(t, err)
	digest := write(t, s.dir, 2)
	good, err := os.ReadFile(weights)
	check(t, err)
	check(t, os.WriteFile(weights, data, 0o666))
	reload(false, "weights.bin")
	ask("negative")
	s.do("GET", "/readyz", "").want(t, 200, "")
	a := s.do("GET", "/api/v1/model", "")
	if !strings.Contains(a.body, `"fault":"open model`) {
		t.Errorf("the fault is not shown: %s", a.body)
	}
	if m := s.do("GET", "/metrics", "").body; !strings.Contains(m, `flow_model_reload_total{result="error"} 1`) || !strings.Contains(m, `flow_model_followed{role="model"} 0`) {
		t.Error("the fault is not counted")
	}
	check(t, os.WriteFile(weights, good, 0o666))
	reload(true, "")
	ask("positive")
	s.do("GET", "/api/v1/model", "").want(t, 200, `{"digest":"`+digest+`"}`)

	// The directory may vanish.
	check(t, os.RemoveAll(s.dir))
	reload(false, "no model in")
	ask("positive")
}

func TestFollow(t *testing.T) {
	s := start(t, func(o *serve.Options) { o.Poll = 5 * time.Millisecond })
	write(t, s.dir, -1)
	for !strings.Contains(s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON).body, "negative") {
		time.Sleep(time.Millisecond)
	}
}

// A server starts from the last good model while its registry is away.
func TestBootWithoutRegistry(t *testing.T) {
	dir, memory := filepath.Join(t.TempDir(), "v3"), filepath.Join(t.TempDir(), "state", "last.json")
	write(t, dir, 1)
	r := &registry{}
	o := serve.Options{Model: r, Remember: memory, Poll: -1}
	away := errors.New("connection refused")

	r.set("", "", away)
	if _, err := serve.New(context.Background(), o); !errors.Is(err, away) {
		t.Fatalf("without anything: %v", err)
	}
	r.set("3", dir, nil)
	_, err := serve.New(context.Background(), o)
	check(t, err)

	r.set("", "", away)
	s := start(t, func(o *serve.Options) { o.Model, o.Remember = r, memory })
	s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON).want(t, 200, `{"class":"positive","model":{"name":"sentiment","version":"3"}}`)
	s.do("GET", "/readyz", "").want(t, 200, "")
	if !strings.Contains(s.do("GET", "/metrics", "").body, `flow_model_followed{role="model"} 0`) {
		t.Error("the registry's absence is not shown")
	}
	other := filepath.Join(t.TempDir(), "v4")
	write(t, other, -1)
	r.set("4", other, nil)
	_, err = s.Reload(context.Background())
	check(t, err)
	s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON).want(t, 200, `{"class":"negative","model":{"version":"4"}}`)

	// What is remembered is not believed when it is another model.
	write(t, other, 1)
	r.set("", "", away)
	if _, err := serve.New(context.Background(), o); !errors.Is(err, away) {
		t.Fatalf("with a changed directory: %v", err)
	}
	for _, content := range []string{"", "{", `{"source":"elsewhere"}`} {
		check(t, os.WriteFile(memory, []byte(content), 0o666))
		if _, err := serve.New(context.Background(), o); !errors.Is(err, away) {
			t.Fatalf("with the memory %q: %v", content, err)
		}
	}
}

func TestWait(t *testing.T) {
	r := &registry{}
	r.set("", "", serve.ErrNotFound)
	s := start(t, func(o *serve.Options) { o.Model, o.Wait = r, true })
	s.do("GET", "/livez", "").want(t, 200, "")
	s.do("GET", "/readyz", "").want(t, 503, "")
	s.do("GET", "/ping", "").want(t, 404, "")
	s.do("GET", "/v2/health/ready", "").want(t, 503, `{"ready":false}`)
	a := s.do("POST", "/invocations", `{"inputs":["good"]}`, asJSON)
	a.want(t, 503, `{"error_code":"TEMPORARILY_UNAVAILABLE"}`)
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if page := s.do("GET", "/", "").body; !strings.Contains(page, "No model is loaded yet") {
		t.Error(page)
	}
	dir := filepath.Join(t.TempDir(), "v1")
	write(t, dir, 1)
	r.set("1", dir, nil)
	_, err := s.Reload(context.Background())
	check(t, err)
	s.do("GET", "/readyz", "").want(t, 200, "")
}

func TestCanary(t *testing.T) {
	second := filepath.Join(t.TempDir(), "second")
	write(t, second, -1)
	canary := &registry{}
	canary.set("", "", serve.ErrNotFound)
	s := start(t, func(o *serve.Options) { o.Canary, o.CanaryShare = canary, 0.3 })
	count := func() (n int) {
		for i := range 400 {
			key := fmt.Sprintf("Flow-Canary-Key: user-%d", i)
			a := s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON, key)
			if strings.Contains(a.body, `"class":"negative"`) {
				n++
				if a.Header.Get("Flow-Model") != "sentiment/9" {
					t.Fatalf("answer of %s", a.Header.Get("Flow-Model"))
				}
				if b := s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON, key); b.Header.Get("Flow-Model") != a.Header.Get("Flow-Model") {
					t.Fatal("the same key has another model")
				}
			}
		}
		return n
	}
	if n := count(); n != 0 {
		t.Errorf("%d answers of no canary", n)
	}
	canary.set("9", second, nil)
	_, err := s.Reload(context.Background())
	check(t, err)
	if n := count(); n < 80 || n > 160 {
		t.Errorf("%d of 400 answers, want about 120", n)
	}
	canary.set("", "", serve.ErrNotFound)
	_, err = s.Reload(context.Background())
	check(t, err)
	if n := count(); n != 0 {
		t.Errorf("%d answers of a withdrawn canary", n)
	}
}

func TestShadow(t *testing.T) {
	second := filepath.Join(t.TempDir(), "second")
	write(t, second, -1)
	shadow := &registry{}
	shadow.set("9", second, nil)
	s := start(t, func(o *serve.Options) { o.Shadow = shadow })
	s.do("POST", "/api/v1/predict", `{"texts":["good","bad","nothing"]}`, asJSON).want(t, 200, `{"predictions":[{"label":1},{"label":0},{"label":1}]}`)
	for !strings.Contains(s.do("GET", "/metrics", "").body, "flow_shadow_predictions_total 3") {
		time.Sleep(time.Millisecond)
	}
	if !strings.Contains(s.do("GET", "/metrics", "").body, "flow_shadow_disagreement_total 2") {
		t.Error("want two disagreements")
	}
}

// While models are exchanged under load, no request fails, every answer is of
// the model that it names, and nothing is left over.
func TestReloadUnderLoad(t *testing.T) {
	var dirs [2]string
	var models [2]*model.Model
	for i := range dirs {
		dirs[i] = filepath.Join(t.TempDir(), "m")
		write(t, dirs[i], 1+float64(i))
		var err error
		models[i], err = model.Open(dirs[i])
		check(t, err)
	}
	r := &registry{}
	r.set("0", dirs[0], nil)
	s := start(t, func(o *serve.Options) { o.Model, o.NoAccessLog = r, true })
	texts := []string{"good", "a great film", "not good, dull", "bad"}
	want := map[string][]string{}
	for i, m := range models {
		for _, text := range texts {
			p, err := json.Marshal(m.Predict(text).Probabilities[1])
			check(t, err)
			want[m.Digest()] = append(want[m.Digest()], string(p))
		}
		_ = i
	}
	before := runtime.NumGoroutine()
	var asked atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	for range 4 {
		wg.Go(func() {
			client := http.Client{Transport: transport}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				k := i % len(texts)
				body, _ := json.Marshal(map[string]any{"texts": []string{texts[k], texts[k]}})
				a, err := client.Post(s.url+"/api/v1/predict", "application/json", strings.NewReader(string(body)))
				if err != nil {
					t.Error(err)
					return
				}
				var got struct {
					Predictions []struct{ Probability json.Number }
					Model       struct{ Version, Digest string }
				}
				err = json.NewDecoder(a.Body).Decode(&got)
				a.Body.Close()
				if err != nil || a.StatusCode != 200 || len(got.Predictions) != 2 {
					t.Errorf("status %d: %v", a.StatusCode, err)
					return
				}
				for _, p := range got.Predictions {
					if w := want[got.Model.Digest]; w == nil || string(p.Probability) != w[k] {
						t.Errorf("%s of model %s, want %v", p.Probability, got.Model.Digest, w)
						return
					}
				}
				if a.Header.Get("Flow-Model") != "sentiment/"+got.Model.Version {
					t.Errorf("header %s, body %s", a.Header.Get("Flow-Model"), got.Model.Version)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := 1; i <= 20; i++ {
		r.set(fmt.Sprint(i), dirs[i%2], nil)
		changed, err := s.Reload(context.Background())
		check(t, err)
		if !changed {
			t.Fatal("nothing loaded")
		}
	}
	for asked.Load() < 200 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
	transport.CloseIdleConnections()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+4; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}
