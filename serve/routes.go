package serve

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// route is a method and a pattern of http.ServeMux, and what answers it.
type route struct {
	method, pattern string
	handle          func(c *call) error
	dialect         dialect
	// scores: it needs a model. quiet: it is neither counted nor logged.
	scores, quiet bool

	counters sync.Map // of seen{method, status}
}

func (s *Server) routeTable() []*route {
	const get, post = http.MethodGet, http.MethodPost
	return []*route{
		{method: get, pattern: "/{$}", handle: (*call).index, dialect: pageFault},
		{method: post, pattern: "/predict", handle: (*call).form, dialect: pageFault, scores: true},
		{method: get, pattern: "/predict", handle: (*call).backToIndex, dialect: pageFault},

		{method: post, pattern: "/api/v1/predict", handle: (*call).apiPredict, dialect: plainFault, scores: true},
		{method: post, pattern: "/api/v1/explain", handle: (*call).apiExplain, dialect: plainFault, scores: true},
		{method: post, pattern: "/explain", handle: (*call).apiExplain, dialect: plainFault, scores: true},
		{method: get, pattern: "/api/v1/model", handle: (*call).apiModel, dialect: plainFault, scores: true},
		{method: get, pattern: "/api/v1/drift", handle: (*call).apiDrift, dialect: plainFault, scores: true},

		{method: post, pattern: "/invocations", handle: (*call).invocations, dialect: mlflowFault, scores: true},
		{method: get, pattern: "/ping", handle: (*call).ping, dialect: mlflowFault, quiet: true},
		{method: get, pattern: "/health", handle: (*call).ping, dialect: mlflowFault, quiet: true},
		{method: get, pattern: "/version", handle: (*call).version, dialect: mlflowFault, quiet: true},

		{method: get, pattern: "/v2", handle: (*call).serverMetadata, dialect: plainFault},
		{method: get, pattern: "/v2/health/live", handle: (*call).inferenceLive, dialect: plainFault, quiet: true},
		{method: get, pattern: "/v2/health/ready", handle: (*call).inferenceReady, dialect: plainFault, quiet: true},
		{method: get, pattern: "/v2/models/{model}", handle: (*call).modelMetadata, dialect: plainFault, scores: true},
		{method: get, pattern: "/v2/models/{model}/ready", handle: (*call).modelReady, dialect: plainFault, scores: true, quiet: true},
		{method: post, pattern: "/v2/models/{model}/infer", handle: (*call).infer, dialect: plainFault, scores: true},
		{method: post, pattern: "/v2/models/{model}/explain", handle: (*call).inferenceExplain, dialect: plainFault, scores: true},
		{method: get, pattern: "/v2/models/{model}/versions/{version}", handle: (*call).modelMetadata, dialect: plainFault, scores: true},
		{method: get, pattern: "/v2/models/{model}/versions/{version}/ready", handle: (*call).modelReady, dialect: plainFault, scores: true, quiet: true},
		{method: post, pattern: "/v2/models/{model}/versions/{version}/infer", handle: (*call).infer, dialect: plainFault, scores: true},
		{method: post, pattern: "/v2/repository/index", handle: (*call).repositoryIndex, dialect: plainFault},
		{method: get, pattern: "/v1/models/{model}", handle: (*call).kserveReady, dialect: plainFault, scores: true, quiet: true},
		{method: post, pattern: "/v1/models/{model}", handle: (*call).kservePredict, dialect: plainFault, scores: true},

		{method: get, pattern: "/livez", handle: (*call).live, dialect: plainFault, quiet: true},
		{method: get, pattern: "/readyz", handle: (*call).ready, dialect: plainFault, quiet: true},
		{method: get, pattern: "/healthz", handle: (*call).ready, dialect: plainFault, quiet: true},
		{method: get, pattern: "/metrics", handle: (*call).serveMetrics, dialect: plainFault, quiet: true},
		{method: get, pattern: "/openapi.json", handle: (*call).openAPI, dialect: plainFault},
		{method: get, pattern: "/docs", handle: (*call).docs, dialect: pageFault},
	}
}

// endpoint is the route's pattern as metrics and logs have it.
func (rt *route) endpoint() string { return strings.TrimSuffix(rt.pattern, "{$}") }

type seen struct {
	method string
	status int
}

type counters struct {
	requests, responses prometheus.Counter
	latency             prometheus.Observer
}

// observe counts a request. It looks the counters up once for each method and
// status. The trace that was recorded of it, if any, is the latency's exemplar.
func (rt *route) observe(m *metrics, method string, status int, took time.Duration, span trace.Span) {
	v, ok := rt.counters.Load(seen{method, status})
	if !ok {
		v = counters{
			m.requests.WithLabelValues(method, rt.endpoint()),
			m.responses.WithLabelValues(rt.endpoint(), strconv.Itoa(status)),
			m.latency.WithLabelValues(rt.endpoint()),
		}
		rt.counters.Store(seen{method, status}, v)
	}
	p := v.(counters) //nolint:errcheck,forcetypeassert // the map has nothing else
	p.requests.Inc()
	p.responses.Inc()
	if o, ok := p.latency.(prometheus.ExemplarObserver); ok && span != nil && span.SpanContext().IsSampled() {
		o.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": span.SpanContext().TraceID().String()})
		return
	}
	p.latency.Observe(took.Seconds())
}

// mux makes the routes of the public address.
func (s *Server) mux() (http.Handler, []*route) {
	mux := http.NewServeMux()
	table := s.routeTable()
	for _, rt := range table {
		mux.HandleFunc(rt.method+" "+rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			s.serve(rt, w.(*recorder), r) //nolint:errcheck,forcetypeassert // made below
		})
	}
	// What no route answers, the multiplexer does: 404, 405 with Allow, or a
	// redirection to the clean path. It is counted without its path.
	other := &route{pattern: "other"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		start := time.Now()
		mux.ServeHTTP(rec, r)
		if r.Pattern == "" {
			other.observe(s.metrics, "other", rec.status, time.Since(start), nil)
		}
	}), table
}
