package serve_test

import (
	"fmt"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/flowrepro/flow/serve"
)

// A request is a span below the client's, with the route, the model and never
// the text; probes are none.
func TestTraces(t *testing.T) {
	memory := tracetest.NewInMemoryExporter()
	s := start(t, func(o *serve.Options) { o.Traces = sdk.NewTracerProvider(sdk.WithSyncer(memory)) })
	_, digest, _ := s.Model()
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	a := s.do("POST", "/predict?q=secretquery", "text=secretword+good", asForm, wantsJSON, "Traceparent: 00-"+traceID+"-"+parent+"-01", "X-Request-Id: secretless")
	s.do("POST", "/v2/models/nosuchmodel/infer", "{}", asJSON)
	s.do("POST", "/api/v1/predict", `{"text":"x"}`, asJSON, "Traceparent: 00-"+traceID+"-"+parent+"-00") // the client does not sample
	s.do("GET", "/livez", "")
	s.do("GET", "/metrics", "")
	s.do("GET", "/nowhere", "")

	list := memory.GetSpans()
	if len(list) != 2 {
		t.Fatalf("%d spans: %v", len(list), list)
	}
	span := list[0]
	if span.Name != "POST /predict" || span.SpanKind != trace.SpanKindServer || span.SpanContext.TraceID().String() != traceID || span.Parent.SpanID().String() != parent {
		t.Errorf("span %v", span)
	}
	if want := "00-" + traceID + "-" + span.SpanContext.SpanID().String() + "-01"; a.Header.Get("Traceresponse") != want {
		t.Errorf("Traceresponse %q, want %q", a.Header.Get("Traceresponse"), want)
	}
	have := map[string]string{}
	for _, a := range span.Attributes {
		have[string(a.Key)] = a.Value.String()
	}
	for key, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/predict", "http.response.status_code": "200", "flow.texts": "1", "flow.text_bytes": "15",
		"flow.model.name": "sentiment", "flow.model.version": digest[:12], "flow.model.role": "model", "flow.request_id": "secretless",
	} {
		if have[key] != want {
			t.Errorf("%s is %q, want %q", key, have[key], want)
		}
	}
	if list[1].Name != "POST /v2/models/{model}/infer" || !strings.Contains(fmt.Sprint(list[1].Attributes), "404") {
		t.Errorf("span %v", list[1])
	}
	if all := fmt.Sprint(list); strings.Contains(all, "secretword") || strings.Contains(all, "secretquery") {
		t.Errorf("a text is in a span: %s", all)
	}
	// Exemplars are OpenMetrics'.
	exposed := s.do("GET", "/metrics", "", "Accept: application/openmetrics-text; version=1.0.0").body
	if !strings.Contains(exposed, `# {trace_id="`+traceID+`"}`) {
		t.Errorf("no exemplar in the metrics")
	}
	if log := s.log.String(); !strings.Contains(log, `"trace_id":"`+traceID+`","span_id":"`+span.SpanContext.SpanID().String()+`"`) {
		t.Errorf("log: %s", log)
	}
}
