package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/serve"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

// parts is a model of five terms: "good" is positive by 1, "great" by 1, "not
// good" negative by 2, "bad" and "dull" by 1.
func parts(t testing.TB) model.Parts {
	t.Helper()
	table, err := features.NewTable([]string{"bad", "dull", "good", "great", "not good"})
	check(t, err)
	c := features.DefaultConfig()
	c.NgramRange = [2]int{1, 2}
	v, err := features.New(c, table, nil)
	check(t, err)
	union, err := features.NewUnion(features.Part{Name: "terms", Vectorizer: v})
	check(t, err)
	return model.Parts{
		Features: model.Features{Cleaning: text.Options{Markup: true, Lowercase: true, Punctuation: true}, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: []float64{-1, -1, 1, 1, -2}, Intercept: 0.25, Example: "Not good.",
	}
}

// write writes a model whose weights are those of parts times sign.
func write(t testing.TB, dir string, sign float64) string {
	t.Helper()
	p := parts(t)
	for i := range p.Coef {
		p.Coef[i] *= sign
	}
	m, err := model.New(p)
	check(t, err)
	var texts []string
	for i := range 600 {
		texts = append(texts, strings.Repeat("good ", i%7)+strings.Repeat("dull film ", i%5))
	}
	p.Statistics, err = m.Collect(context.Background(), texts, 1)
	check(t, err)
	digest, err := model.Write(context.Background(), dir, p)
	check(t, err)
	return digest
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type server struct {
	*serve.Server
	t   testing.TB
	url string
	dir string
	log *lockedBuffer
}

// start serves a new model at a free port until the test ends.
func start(t testing.TB, change func(*serve.Options)) *server {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sentiment")
	write(t, dir, 1)
	log := &lockedBuffer{}
	o := serve.Options{
		Model: serve.Directory(dir), Address: "127.0.0.1:0", Poll: -1, Version: "1.2.3", Logger: slog.New(slog.NewJSONHandler(log, nil)),
	}
	if change != nil {
		change(&o)
	}
	s, err := serve.New(context.Background(), o)
	check(t, err)
	check(t, s.Listen(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	public, _ := s.Addr()
	return &server{Server: s, t: t, url: "http://" + public.String(), dir: dir, log: log}
}

type answer struct {
	*http.Response
	body string
}

// do sends a request. Header has "Name: value" entries.
func (s *server) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	check(s.t, err)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return s.send(r)
}

func (s *server) send(r *http.Request) answer {
	s.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Do(r)
	check(s.t, err)
	defer a.Body.Close()
	data, err := io.ReadAll(a.Body)
	check(s.t, err)
	return answer{a, string(data)}
}

const (
	asJSON    = "Content-Type: application/json"
	asCSV     = "Content-Type: text/csv"
	asForm    = "Content-Type: application/x-www-form-urlencoded"
	wantsJSON = "Accept: application/json"
)

// want compares an answer of JSON, of which the wanted object may be a part.
func (a answer) want(t testing.TB, status int, part string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	if part == "" {
		return
	}
	var have, want any
	if err := json.Unmarshal([]byte(a.body), &have); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	check(t, json.Unmarshal([]byte(part), &want))
	if !contains(have, want) {
		t.Fatalf("have %s\nwant %s", a.body, part)
	}
}

// contains reports whether want is a part of have. Numbers are equal to six
// digits.
func contains(have, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		for k, v := range w {
			if !ok || !contains(h[k], v) {
				return false
			}
		}
		return ok
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !contains(h[i], w[i]) {
				return false
			}
		}
		return true
	case float64:
		h, ok := have.(float64)
		return ok && fmt.Sprintf("%.6g", h) == fmt.Sprintf("%.6g", w)
	}
	return have == want
}

func TestPredict(t *testing.T) {
	s := start(t, nil)
	// "good great": 0.25+1+1; sigmoid(2.25) = 0.904650...
	s.do("POST", "/api/v1/predict", `{"text":"Good, great!"}`, asJSON).want(t, 200,
		`{"label":1,"class":"positive","verdict":"Positive","confidence":0.904651,"probability":0.904651,"log_odds":2.25,"model":{"name":"sentiment"}}`)
	a := s.do("POST", "/api/v1/predict", `{"texts":["bad","good",""]}`, asJSON)
	a.want(t, 200, `{"predictions":[{"label":0,"log_odds":-0.75},{"label":1,"log_odds":1.25},{"label":1,"log_odds":0.25,"tokens":0}]}`)
	if got, want := a.Header.Get("Flow-Model"), "sentiment/"; !strings.HasPrefix(got, want) {
		t.Errorf("Flow-Model: %q", got)
	}
	s.do("POST", "/api/v1/predict", `{"texts":[]}`, asJSON).want(t, 200, `{"predictions":[]}`)
	s.do("POST", "/api/v1/predict", `{"text":"a dull film, not bad","explain":1}`, asJSON).want(t, 200,
		`{"label":0,"words":[{"text":"dull","start":2,"end":6,"weight":-1}]}`)
	for body, message := range map[string]string{
		`{"text":"a","texts":["b"]}`: `want {"text": "…"} or {"texts": ["…", …]}`,
		`{}`:                         `want {"text": "…"} or {"texts": ["…", …]}`,
		`{"text":1}`:                 "text: want string, not number",
		`{"text":"a"`:                "the body is not JSON: it ends early",
		``:                           "the body is not JSON: it ends early",
		`{"text":"a"} {}`:            "there is something after the JSON object",
		`{"txt":"a"}`:                `the body is not as it should be: unknown field "txt"`,
		`{"text":"a","explain":-1}`:  "explain: want 0 or more",
	} {
		want, _ := json.Marshal(map[string]string{"error": message})
		s.do("POST", "/api/v1/predict", body, asJSON).want(t, 400, string(want))
	}
	s.do("POST", "/api/v1/predict", `text`, asCSV).want(t, 415, `{"error":"text/csv: want application/json"}`)
	s.do("GET", "/api/v1/predict", ``).want(t, 405, "")
}

func TestExplain(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/api/v1/explain", "/explain"} {
		s.do("POST", path, `{"text":"Not good <b>film</b>"}`, asJSON).want(t, 200, `{"label":0,"intercept":0.25,"log_odds":-0.75,"rest":0,
			"terms":[{"text":"not good","weight":-2,"count":1},{"text":"good","weight":1}],
			"spans":[{"text":"Not","start":0,"end":3,"weight":-1}]}`)
	}
	s.do("POST", "/api/v1/explain", `{"texts":["a"]}`, asJSON).want(t, 400, "")
}

func TestForm(t *testing.T) {
	s := start(t, nil)
	page := s.do("GET", "/", "")
	for _, part := range []string{"<title>Sentiment Analysis</title>", `<textarea id="text" name="text"`, "<button ", `action="/predict" method="post"`} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("policy %q", policy)
	}
	a := s.do("POST", "/predict", "text=A+good+%3Cscript%3Ealert(1)%3C%2Fscript%3E+film%2C+dull+good%20%22%3E", asForm, "Accept: text/html,application/json;q=0.5,*/*;q=0.1")
	a.want(t, 200, "")
	for _, part := range []string{`class="verdict positive">Positive</p>`, "77.7% confidence", `<mark class="p l4">good</mark>`, `<mark class="n l4">dull</mark>`, "&lt;script&gt;alert(1)&lt;/script&gt;"} {
		if !strings.Contains(a.body, part) {
			t.Errorf("the answer lacks %s:\n%s", part, a.body)
		}
	}
	if strings.Contains(a.body, "<script>alert") {
		t.Error("the text's tags are tags of the page")
	}
	s.do("POST", "/predict", "text=bad", asForm, wantsJSON).want(t, 200, `{"prediction":"Negative","verdict":"Negative","label":0,"words":[{"text":"bad","weight":-1}]}`)
	multipart := "--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\ngreat film\r\n--x--\r\n"
	s.do("POST", "/predict", multipart, "Content-Type: multipart/form-data; boundary=x", wantsJSON).want(t, 200, `{"prediction":"Positive"}`)
	s.do("POST", "/predict", `{"text":"great"}`, asJSON, wantsJSON).want(t, 200, `{"prediction":"Positive"}`)

	if a := s.do("POST", "/predict", "text=+", asForm); a.StatusCode != 400 || !strings.Contains(a.body, "Write a review first.") {
		t.Errorf("empty text: %d", a.StatusCode)
	}
	if a := s.do("POST", "/predict", "other=1", asForm); a.StatusCode != 400 || !strings.Contains(a.body, "The form has no field text.") {
		t.Errorf("no text: %d %s", a.StatusCode, a.body)
	}
	s.do("POST", "/predict", "text=%zz", asForm, wantsJSON).want(t, 400, "")
	s.do("POST", "/predict", "text", "Content-Type: text/plain", wantsJSON).want(t, 415, "")
	if a := s.do("GET", "/predict", ""); a.StatusCode != 303 || a.Header.Get("Location") != "/" {
		t.Errorf("GET /predict: %d", a.StatusCode)
	}
}

func TestInvocations(t *testing.T) {
	s := start(t, nil)
	two := `{"predictions":[{"label":"positive","probability":0.7772998},{"label":"negative","probability":0.3208213}]}`
	for _, body := range []string{
		`{"inputs":["good","bad"]}`, `{"inputs":{"text":["good","bad"]}}`, `{"inputs":[["good"],["bad"]]}`,
		`{"instances":["good","bad"]}`, `{"instances":[{"text":"good"},{"text":"bad"}]}`, `{"instances":[{"review":"good","id":7},{"review":"bad"}]}`,
		`{"dataframe_split":{"columns":["text"],"data":[["good"],["bad"]]}}`, `{"dataframe_split":{"columns":["id","text"],"index":[3,4],"data":[[1,"good"],[2,"bad"]]}}`,
		`{"dataframe_split":{"data":[["good"],["bad"]]}}`, `{"dataframe_records":[{"text":"good"},{"text":"bad"}],"params":{}}`,
	} {
		s.do("POST", "/invocations", body, "Content-Type: application/json; charset=utf-8").want(t, 200, two)
	}
	s.do("POST", "/invocations", "\uFEFFid,text\n1,good\n2,\"bad\n\"\n", asCSV).want(t, 200, two)
	s.do("POST", "/invocations", `{"inputs":"good"}`, asJSON).want(t, 200, `{"predictions":[{"label":"positive"}]}`)
	s.do("POST", "/invocations", `{"inputs":[]}`, asJSON).want(t, 200, `{"predictions":[]}`)

	for body, code := range map[string]string{
		`{"inputs":["a"],"instances":["b"]}`: "BAD_REQUEST", `{}`: "BAD_REQUEST", `[1]`: "BAD_REQUEST", `{"inputs":`: "BAD_REQUEST",
		`{"inputs":[1]}`: "INVALID_PARAMETER_VALUE", `{"inputs":null}`: "INVALID_PARAMETER_VALUE", `{"inputs":[null]}`: "INVALID_PARAMETER_VALUE",
		`{"inputs":{"x":["a"]}}`: "INVALID_PARAMETER_VALUE", `{"inputs":{"text":{"0":"a"}}}`: "INVALID_PARAMETER_VALUE", `{"inputs":[["a","b"]]}`: "INVALID_PARAMETER_VALUE",
		`{"dataframe_split":{"columns":["x"],"data":[["a"]]}}`: "INVALID_PARAMETER_VALUE", `{"dataframe_split":{"columns":["text"],"data":[["a","b"]]}}`: "INVALID_PARAMETER_VALUE",
		`{"dataframe_records":{"text":["a"]}}`: "INVALID_PARAMETER_VALUE", `{"dataframe_records":["a"]}`: "INVALID_PARAMETER_VALUE", `{"inputs":["a"],"params":1}`: "INVALID_PARAMETER_VALUE",
	} {
		a := s.do("POST", "/invocations", body, asJSON)
		if a.want(t, 400, `{"error_code":"`+code+`"}`); t.Failed() {
			t.Fatal(body)
		}
	}
	s.do("POST", "/invocations", "x\ngood\n", asCSV).want(t, 400, `{"error_code":"INVALID_PARAMETER_VALUE","message":"no column text"}`)
	s.do("POST", "/invocations", "text\n\"good\n", asCSV).want(t, 400, `{"error_code":"BAD_REQUEST"}`)
	s.do("POST", "/invocations", "", asCSV).want(t, 400, `{"error_code":"BAD_REQUEST"}`)
	s.do("POST", "/invocations", `{"inputs":["a"]}`, "Content-Type: text/plain").want(t, 415, `{"error_code":"BAD_REQUEST"}`)
	s.do("POST", "/invocations", `{"inputs":["a"]}`).want(t, 415, "")
	s.do("GET", "/invocations", "").want(t, 405, "")
	for _, path := range []string{"/ping", "/health"} {
		if a := s.do("GET", path, ""); a.StatusCode != 200 || a.body != "\n" {
			t.Errorf("%s: %d %q", path, a.StatusCode, a.body)
		}
	}
	if a := s.do("GET", "/version", ""); a.body != "1.2.3\n" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("version %q", a.body)
	}
}

func TestInference(t *testing.T) {
	s := start(t, nil)
	version := strings.TrimPrefix(s.do("GET", "/v2/models/sentiment", "").Header.Get("Flow-Model"), "sentiment/")
	s.do("GET", "/v2", "").want(t, 200, `{"name":"flow","version":"1.2.3","extensions":[]}`)
	s.do("GET", "/v2/health/live", "").want(t, 200, `{"live":true}`)
	s.do("GET", "/v2/health/ready", "").want(t, 200, `{"ready":true}`)
	for _, base := range []string{"/v2/models/sentiment", "/v2/models/sentiment/versions/" + version} {
		s.do("GET", base, "").want(t, 200, `{"name":"sentiment","versions":["`+version+`"],"platform":"flow","inputs":[{"name":"text","datatype":"BYTES","shape":[-1]}]}`)
		s.do("GET", base+"/ready", "").want(t, 200, `{"name":"sentiment","ready":true}`)
		s.do("POST", base+"/infer", `{"id":"7","inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["good","bad"]}]}`).want(t, 200,
			`{"model_name":"sentiment","model_version":"`+version+`","id":"7","outputs":[{"name":"label","shape":[2],"datatype":"INT64","data":[1,0]},
			{"name":"probability","shape":[2],"datatype":"FP64","data":[0.7772998,0.3208213]},{"name":"class","shape":[2],"datatype":"BYTES","data":["positive","negative"]}]}`)
	}
	const infer = "/v2/models/sentiment/infer"
	s.do("POST", infer, `{"inputs":[{"name":"x","shape":[1,1],"datatype":"BYTES","parameters":{"content_type":"base64"},"data":[["YmFk"]]}],"outputs":[{"name":"label"}]}`).want(t, 200,
		`{"outputs":[{"name":"label","shape":[1,1],"data":[0]}]}`)
	for _, body := range []string{
		`{}`, `{"inputs":[{"name":"text","shape":[1],"datatype":"FP32","data":[1]}]}`, `{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["a"]}]}`,
		`{"inputs":[{"name":"text","shape":[1,2],"datatype":"BYTES","data":["a","b"]}]}`, `{"inputs":[{"name":"text","shape":[-1],"datatype":"BYTES","data":[]}]}`,
		`{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":[1]}]}`, `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":3}}]}`,
		`{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}],"outputs":[{"name":"x"}]}`, `{"inputs":[{"name":"a"},{"name":"b"}]}`, `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES"}]}`,
	} {
		if a := s.do("POST", infer, body); a.StatusCode != 400 || !strings.HasPrefix(a.body, `{"error":"`) {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
	}
	s.do("POST", "/v2/models/other/infer", `{}`).want(t, 404, `{"error":"no model other; there is sentiment"}`)
	s.do("GET", "/v2/models/sentiment/versions/9/ready", "").want(t, 404, "")
	s.do("POST", "/v2/models/sentiment/explain", `{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["bad"]}]}`).want(t, 200, `{"explanation":{"intercept":0.25,"terms":[{"text":"bad","weight":-1}]}}`)
	s.do("POST", "/v2/repository/index", "").want(t, 200, `[{"name":"sentiment","version":"`+version+`","state":"READY"}]`)
	s.do("GET", "/v1/models/sentiment", "").want(t, 200, `{"name":"sentiment","ready":true}`)
	s.do("POST", "/v1/models/sentiment:predict", `{"instances":["good"]}`).want(t, 200, `{"predictions":[{"label":"positive"}]}`)
	s.do("POST", "/v1/models/sentiment", `{"instances":["good"]}`).want(t, 404, "")
}

// Every prediction of the server is the model's own.
func TestSameAsModel(t *testing.T) {
	s := start(t, nil)
	m, err := model.Open(s.dir)
	check(t, err)
	for _, text := range []string{"good", "Not GOOD &amp; great <br/> bad", "\u202egood\x00", strings.Repeat("dull good ", 3000), "né dull"} {
		body, _ := json.Marshal(map[string]string{"text": text})
		want, _ := json.Marshal(map[string]any{"probability": m.Predict(text).Probabilities[1]})
		s.do("POST", "/api/v1/predict", string(body), asJSON).want(t, 200, string(want))
	}
}

func TestRoutesAreDocumented(t *testing.T) {
	s := start(t, nil)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Responses   map[string]any
			RequestBody struct {
				Content map[string]struct{ Example json.RawMessage }
			}
		}
	}
	a := s.do("GET", "/openapi.json", "")
	check(t, json.Unmarshal([]byte(a.body), &doc))
	documented, ids := map[string]bool{}, map[string]bool{}
	page := s.do("GET", "/docs", "").body
	for path, methods := range doc.Paths {
		for method, o := range methods {
			documented[strings.ToUpper(method)+" "+path] = true
			if ids[o.OperationID] || o.OperationID == "" {
				t.Errorf("operation %q twice", o.OperationID)
			}
			ids[o.OperationID] = true
			if !strings.Contains(page, "<code>"+path+"</code>") {
				t.Errorf("the page of the document lacks %s", path)
			}
			// What the document gives as an example works, with a status it names.
			target := strings.NewReplacer("{model}", "sentiment", "{version}", strings.TrimPrefix(s.do("GET", "/v2/models/sentiment", "").Header.Get("Flow-Model"), "sentiment/")).Replace(path)
			if path == "/v1/models/{model}" && method == "post" {
				target += ":predict"
			}
			bodies := map[string]json.RawMessage{"": nil}
			for kind, media := range o.RequestBody.Content {
				if media.Example != nil {
					bodies[kind] = media.Example
					delete(bodies, "")
				}
			}
			for kind, example := range bodies {
				text := string(example)
				_ = json.Unmarshal(example, &text)
				if strings.HasPrefix(string(example), "{") {
					text = string(example)
				}
				header := []string{"X-A: b"}
				if kind != "" {
					header = append(header, "Content-Type: "+kind)
				}
				a := s.do(strings.ToUpper(method), target, text, header...)
				if _, ok := o.Responses[fmt.Sprint(a.StatusCode)]; !ok || a.StatusCode >= 400 {
					t.Errorf("%s %s %s: %d %s", method, path, kind, a.StatusCode, a.body)
				}
			}
		}
	}
	for _, route := range s.Routes() {
		if !documented[route] {
			t.Errorf("not documented: %s", route)
		}
		delete(documented, route)
	}
	for route := range documented {
		t.Errorf("documented and not there: %s", route)
	}
}

func TestMetrics(t *testing.T) {
	s := start(t, nil)
	s.do("GET", "/", "")
	s.do("POST", "/predict", "text=good", asForm)
	s.do("POST", "/predict", "text=bad", asForm)
	s.do("GET", "/nowhere/"+strings.Repeat("x", 100), "")
	s.do("BREW", "/", "")
	a := s.do("GET", "/metrics", "")
	for _, line := range []string{
		`app_request_count_total{endpoint="/",method="GET"} 1`, `app_request_count_total{endpoint="/predict",method="POST"} 2`,
		`app_request_count_total{endpoint="other",method="other"} 2`,
		`app_request_latency_seconds_count{endpoint="/predict"} 2`, `app_request_latency_seconds_bucket{endpoint="/predict",le="0.075"}`, `app_request_latency_seconds_bucket{endpoint="/predict",le="7.5"}`,
		`model_prediction_count_total{prediction="0"} 1`, `model_prediction_count_total{prediction="1"} 1`,
		`flow_model_reload_total{result="success"} 1`, `flow_inference_duration_seconds_count 2`, `flow_inference_batch_size_sum 2`,
		`flow_prediction_score_count 2`, `flow_input_tokens_count 2`, `flow_input_oov_ratio_count 2`, `flow_input_empty_total 0`,
		`flow_drift_window_size 2`, `flow_rejected_total{reason="busy"} 0`, `flow_shadow_disagreement_total 0`, `flow_model_info{name="sentiment",role="model"`,
		`flow_model_loaded_timestamp_seconds{role="model"}`, `flow_requests_in_flight 1`, "process_resident_memory_bytes", "go_goroutines",
	} {
		if !strings.Contains(a.body, line) {
			t.Errorf("no %s", line)
		}
	}
	buckets := strings.Count(a.body, `app_request_latency_seconds_bucket{endpoint="/predict",le=`)
	if buckets != 15 {
		t.Errorf("%d buckets, want those of Python's client and +Inf", buckets)
	}
	if strings.Contains(a.body, "xxxx") {
		t.Error("a path is a label")
	}
	if a := s.do("GET", "/metrics", "", "Accept: application/openmetrics-text;version=1.0.0"); !strings.HasSuffix(a.body, "# EOF\n") {
		t.Error("no OpenMetrics")
	}
}

func TestDrift(t *testing.T) {
	s := start(t, func(o *serve.Options) { o.Drift = serve.DriftOptions{Window: 600, Least: 500} })
	send := func(n int, text func(i int) string) {
		t.Helper()
		var texts []string
		for i := range n {
			texts = append(texts, text(i))
		}
		body, _ := json.Marshal(map[string]any{"texts": texts})
		s.do("POST", "/api/v1/predict", string(body), asJSON).want(t, 200, "")
	}
	alike := func(i int) string { return strings.Repeat("good ", i%7) + strings.Repeat("dull film ", i%5) }
	send(499, alike)
	s.do("GET", "/api/v1/drift", "").want(t, 200, `{"size":499,"least":500,"features":[]}`)
	if strings.Contains(s.do("GET", "/metrics", "").body, "flow_drift_psi") {
		t.Error("drift of too few texts")
	}
	psi := func() map[string]float64 {
		var r serve.DriftReport
		check(t, json.Unmarshal([]byte(s.do("GET", "/api/v1/drift", "").body), &r))
		m := map[string]float64{}
		for _, f := range r.Features {
			m[f.Name] = f.PSI
		}
		return m
	}
	send(101, alike)
	for name, x := range psi() {
		if x > 0.15 { // few scores are distinct, so that deciles fall on them
			t.Errorf("%s of the same texts: %v", name, x)
		}
	}
	send(600, func(int) string { return strings.Repeat("unheard of words ", 40) + "bad bad bad" })
	m := psi()
	for _, name := range []string{"score", "length", "tokens", "unknown_share"} {
		if m[name] < 0.25 {
			t.Errorf("%s of other texts: %v", name, m[name])
		}
	}
	if !strings.Contains(s.do("GET", "/metrics", "").body, `flow_drift_psi{feature="unknown_share"}`) {
		t.Error("no metric of drift")
	}
	send(600, alike)
	for name, x := range psi() {
		if x > 0.15 {
			t.Errorf("%s after a window of the same texts: %v", name, x)
		}
	}
}

func TestLogsHaveNoTexts(t *testing.T) {
	s := start(t, nil)
	s.do("POST", "/predict?q=secretquery", "text=secretword+good", asForm, "X-Request-Id: abc-1", "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	s.do("POST", "/api/v1/predict", `{"text":"secretword"`, asJSON)
	log := s.log.String()
	if strings.Contains(log, "secret") {
		t.Errorf("a text is in the log: %s", log)
	}
	for _, part := range []string{`"request_id":"abc-1"`, `"texts":1`, `"text_bytes":15`, `"status":200`, `"endpoint":"/predict"`, `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`, `"status":400`} {
		if !strings.Contains(log, part) {
			t.Errorf("no %s in %s", part, log)
		}
	}
	if a := s.do("GET", "/", "", "X-Request-Id: "+strings.Repeat("x", 65)); len(a.Header.Get("X-Request-Id")) > 16 {
		t.Error("an overlong id is kept")
	}
}

func TestShutdown(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sentiment")
	write(t, dir, 1)
	s, err := serve.New(context.Background(), serve.Options{Model: serve.Directory(dir), Address: "127.0.0.1:0", AdminAddress: "127.0.0.1:0", Poll: -1, DrainDelay: 300 * time.Millisecond})
	check(t, err)
	check(t, s.Listen(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, nil) }()
	public, admin := s.Addr()
	get := func(addr net.Addr, path string) int {
		a, err := http.Get("http://" + addr.String() + path)
		if err != nil {
			return 0
		}
		a.Body.Close()
		return a.StatusCode
	}
	// A request whose body is not there yet is under way.
	slow, err := net.Dial("tcp", public.String())
	check(t, err)
	defer slow.Close()
	fmt.Fprintf(slow, "POST /api/v1/predict HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n{\"text\":")
	for get(public, "/readyz") != 200 || get(admin, "/readyz") != 200 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for get(admin, "/readyz") == 200 {
		time.Sleep(time.Millisecond)
	}
	if code := get(public, "/livez"); code != 200 {
		t.Errorf("livez while draining: %d", code)
	}
	if code := get(public, "/"); code != 200 {
		t.Errorf("requests while draining: %d", code)
	}
	fmt.Fprint(slow, `"good"}`)
	var answer bytes.Buffer
	_, _ = io.Copy(&answer, slow)
	if !strings.Contains(answer.String(), "200 OK") {
		t.Errorf("request under way: %s", answer.String())
	}
	check(t, <-done)
	if code := get(public, "/"); code != 0 {
		t.Errorf("after the end: %d", code)
	}
}

func TestAdmin(t *testing.T) {
	s := start(t, nil)
	admin := httptest.NewServer(s.AdminHandler())
	defer admin.Close()
	a := &server{Server: s.Server, t: t, url: admin.URL}
	a.do("POST", "/reload", "").want(t, 200, `{"changed":false}`)
	write(t, s.dir, -1)
	a.do("POST", "/reload", "").want(t, 200, `{"changed":true}`)
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap"} {
		a.do("GET", path, "").want(t, 200, "")
		if path != "/metrics" && path != "/livez" && path != "/readyz" {
			s.do("GET", path, "").want(t, 404, "")
		}
	}
	s.do("POST", "/reload", "").want(t, 404, "")
}
