package serve

import (
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope names this package as the source of spans.
const scope = "github.com/flowrepro/flow/serve"

// begin starts the span of a request, below the client's if that names one by a
// traceparent, and names it to the client in turn. Its attributes are those of
// OpenTelemetry's conventions for servers and the model's; neither the text nor
// the address as it came is among them. Without tracing span is nil.
func (c *call) begin() {
	if c.s.tracer == nil || c.route.quiet {
		return
	}
	ctx := propagation.TraceContext{}.Extract(c.r.Context(), propagation.HeaderCarrier(c.r.Header))
	ctx, c.span = c.s.tracer.Start(ctx, c.r.Method+" "+c.route.endpoint(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", c.r.Method), attribute.String("http.route", c.route.endpoint()), attribute.String("url.scheme", "http")))
	c.r = c.r.WithContext(ctx)
	sc := c.span.SpanContext()
	c.w.Header().Set("Traceresponse", "00-"+sc.TraceID().String()+"-"+sc.SpanID().String()+"-"+sc.TraceFlags().String())
}

// end ends the span of an answered request.
func (c *call) end(status int) {
	if c.span == nil {
		return
	}
	defer c.span.End()
	if !c.span.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{
		attribute.Int("http.response.status_code", status), attribute.Int64("http.response.body.size", c.w.bytes), attribute.String("flow.request_id", c.id),
	}
	if c.texts > 0 {
		attributes = append(attributes, attribute.Int("flow.texts", c.texts), attribute.Int("flow.text_bytes", c.size))
	}
	if c.model != nil {
		attributes = append(attributes, attribute.String("flow.model.name", c.model.Name), attribute.String("flow.model.version", c.model.shown()),
			attribute.String("flow.model.digest", c.model.Digest()), attribute.String("flow.model.role", c.role))
	}
	if status >= 500 {
		c.span.SetStatus(codes.Error, http.StatusText(status))
		attributes = append(attributes, attribute.String("error.type", strconv.Itoa(status)))
	}
	c.span.SetAttributes(attributes...)
}
