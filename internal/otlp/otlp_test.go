package otlp

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receiver takes what an exporter sends as a collector does.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	got      []*collector.ExportTraceServiceRequest
	// answers are the statuses of the first requests; the others succeed.
	answers []int
}

func receive(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests = append(r.requests, q)
		if n := len(r.requests); n <= len(r.answers) && r.answers[n-1] != http.StatusOK {
			if r.answers[n-1]/100 == 3 {
				w.Header().Set("Location", "/elsewhere")
			}
			http.Error(w, "not\nnow", r.answers[n-1])
			return
		}
		var in io.Reader = q.Body
		if q.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(q.Body)
			if err != nil {
				t.Error(err)
				return
			}
			in = z
		}
		body, err := io.ReadAll(in)
		var m collector.ExportTraceServiceRequest
		if err = errors.Join(err, proto.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(body, &m)); err != nil || len(m.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("not a request to export: %v", err)
		}
		r.got = append(r.got, &m)
	}))
	t.Cleanup(r.Close)
	return r
}

func set(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

func never(t *testing.T) func(error) {
	return func(err error) { t.Errorf("a complaint: %v", err) }
}

func TestExport(t *testing.T) {
	r := receive(t)
	set(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL + "/base/", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20secret, x-team=a",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
	})
	p, err := Start(t.Context(), "flow", "v1", never(t))
	check(t, err)
	_, span := p.Tracer("tests").Start(t.Context(), "GET /", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.Int("n", 7)))
	span.End()
	check(t, p.Shutdown(t.Context()))

	if len(r.requests) != 1 || len(r.got) != 1 {
		t.Fatalf("%d requests, %d of spans", len(r.requests), len(r.got))
	}
	q := r.requests[0]
	if q.Method != http.MethodPost || q.URL.Path != "/base/v1/traces" || q.Header.Get("Authorization") != "Bearer secret" || q.Header.Get("X-Team") != "a" ||
		q.Header.Get("Content-Type") != "application/x-protobuf" || q.Header.Get("User-Agent") != "flow/v1" {
		t.Errorf("%s %s %v", q.Method, q.URL.Path, q.Header)
	}
	resource := r.got[0].GetResourceSpans()[0]
	attributes := map[string]string{}
	for _, a := range resource.GetResource().GetAttributes() {
		attributes[a.GetKey()] = a.GetValue().GetStringValue()
	}
	if attributes["service.name"] != "flow" || attributes["service.version"] != "v1" || attributes["deployment.environment.name"] != "test" {
		t.Errorf("resource %v", attributes)
	}
	s := resource.GetScopeSpans()[0].GetSpans()[0]
	id := span.SpanContext().TraceID()
	if s.GetName() != "GET /" || s.GetKind().String() != "SPAN_KIND_SERVER" || string(s.GetTraceId()) != string(id[:]) ||
		s.GetAttributes()[0].GetValue().GetIntValue() != 7 || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
		t.Errorf("span %v", s)
	}
}

func TestServiceNameOfTheEnvironment(t *testing.T) {
	r := receive(t)
	set(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": r.URL + "/exactly", "OTEL_SERVICE_NAME": "reviews"})
	p, err := Start(t.Context(), "flow", "v1", never(t))
	check(t, err)
	_, span := p.Tracer("tests").Start(t.Context(), "a")
	span.End()
	check(t, p.Shutdown(t.Context()))
	if r.requests[0].URL.Path != "/exactly" || !strings.Contains(r.got[0].String(), `"reviews"`) {
		t.Errorf("%s: %v", r.requests[0].URL.Path, r.got)
	}
}

func TestSampler(t *testing.T) {
	r := receive(t)
	set(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"})
	p, err := Start(t.Context(), "flow", "v1", never(t))
	check(t, err)
	_, span := p.Tracer("tests").Start(t.Context(), "dropped")
	span.End()
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true})
	_, span = p.Tracer("tests").Start(trace.ContextWithSpanContext(t.Context(), parent), "kept")
	span.End()
	check(t, p.Shutdown(t.Context()))
	if len(r.got) != 1 || !strings.Contains(r.got[0].String(), "kept") || strings.Contains(r.got[0].String(), "dropped") {
		t.Errorf("%v", r.got)
	}
}

func TestOff(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"nothing":  {},
		"disabled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
		"none":     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
	} {
		set(t, variables)
		if p, err := Start(t.Context(), "flow", "v1", never(t)); p != nil || err != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		for v := range variables {
			t.Setenv(v, "")
		}
	}
}

// Passing faults are repeated, others are not, and nobody is led elsewhere.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		answers  []int
		requests int
		fault    string
	}{
		{[]int{503, 429, 200}, 3, ""},
		{[]int{400}, 1, "400 Bad Request: notnow"},
		{[]int{401}, 1, "401"},
		{[]int{302}, 1, "302"},
	} {
		r := receive(t, c.answers...)
		s, err := environment(func(name string) string { return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL}[name] }).settings()
		check(t, err)
		err = newClient(s, "test").UploadTraces(t.Context(), nil)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) || len(r.requests) != c.requests {
			t.Errorf("%v: %d requests, %v", c.answers, len(r.requests), err)
		}
	}
}

// A collector that is away costs no more than the time it is given.
func TestAway(t *testing.T) {
	set(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@127.0.0.1:1"})
	var mu sync.Mutex
	var complaints []error
	complain := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, err)
	}
	p, err := Start(t.Context(), "flow", "v1", complain)
	check(t, err)
	_, span := p.Tracer("tests").Start(t.Context(), "lost")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = p.Shutdown(ctx)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("%s", took)
	}
	for range 3 {
		otel.Handle(errors.New("again"))
	}
	mu.Lock()
	defer mu.Unlock()
	if all := errors.Join(append(complaints, err)...); all == nil || strings.Contains(all.Error(), "secret") {
		t.Errorf("faults: %v", all)
	}
	if len(complaints) != 1 {
		t.Errorf("%d complaints in a minute: %v", len(complaints), complaints)
	}
}

func TestFaultySettings(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "want an address such as http://collector:4318"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://user:secret@host/", "want an address"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"},
		{"OTEL_TRACES_EXPORTER", "zipkin", "only otlp and none"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "want milliseconds"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "want gzip or none"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "secret", "want name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0d%0ab", "want name=value"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere", "/nowhere"},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere", "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
	} {
		get := environment(func(name string) string {
			switch name {
			case c.name:
				return c.value
			case "OTEL_EXPORTER_OTLP_ENDPOINT":
				return "http://127.0.0.1:4318"
			}
			return ""
		})
		if _, err := get.settings(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
}
