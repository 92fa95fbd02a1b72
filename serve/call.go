package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/flowrepro/flow/stages/model"
)

// call is a request on its way through a route.
type call struct {
	s     *Server
	w     *recorder
	r     *http.Request
	route *route
	id    string
	// model answers the request, all of it; nil for a route that needs none.
	model *loaded
	role  string
	span  trace.Span // nil while there is no tracing

	buffer      *bytes.Buffer
	held        int64 // bytes that count against Limits.Buffered
	read        bool  // the body has been read to its end, or there is none
	texts, size int   // for the log
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serve answers a request by a route, counts it and logs it.
func (s *Server) serve(rt *route, w *recorder, r *http.Request) {
	start := time.Now()
	c := &call{s: s, w: w, r: r, route: rt, read: r.ContentLength == 0}
	s.metrics.inFlight.Add(1)
	defer func() {
		if v := recover(); v != nil {
			s.metrics.panics.Inc()
			s.log.Error("panic", "endpoint", rt.endpoint(), "fault", fmt.Sprint(v), "stack", string(debug.Stack()))
			if c.w.status == 0 {
				c.fail(errors.New("panic"))
			}
		}
		c.release()
		s.metrics.inFlight.Add(-1)
		s.finish(c, time.Since(start))
	}()
	c.identify()
	c.begin()
	h := c.w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if rt.scores {
		if c.model, c.role = s.choose(r); c.model == nil {
			c.fail(&fault{status: http.StatusServiceUnavailable, code: "TEMPORARILY_UNAVAILABLE", message: "no model is loaded yet", retry: 5})
			return
		}
		h.Set("Flow-Model", c.model.label)
	}
	if err := rt.handle(c); err != nil {
		c.fail(err)
	}
}

// finish counts and logs an answered request.
func (s *Server) finish(c *call, took time.Duration) {
	if c.route.quiet {
		return
	}
	status := c.w.status
	if status == 0 {
		status = http.StatusOK
	}
	c.end(status)
	c.route.observe(s.metrics, c.r.Method, status, took, c.span)
	if c.role != "" && status < 400 {
		s.metrics.canary.WithLabelValues(c.role).Inc()
	}
	if s.options.NoAccessLog {
		return
	}
	attrs := make([]slog.Attr, 0, 11)
	attrs = append(attrs, slog.String("method", c.r.Method), slog.String("endpoint", c.route.endpoint()), slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.Int64("bytes_out", c.w.bytes), slog.String("request_id", c.id))
	if c.texts > 0 {
		attrs = append(attrs, slog.Int("texts", c.texts), slog.Int("text_bytes", c.size))
	}
	if c.model != nil {
		attrs = append(attrs, slog.String("model", c.model.label))
	}
	if c.span != nil {
		sc := c.span.SpanContext()
		attrs = append(attrs, slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	} else if t := traceID(c.r.Header.Get("Traceparent")); t != "" {
		attrs = append(attrs, slog.String("trace_id", t))
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

// identify takes the request's id from its header, if that has one that may
// stand in a log, else makes one.
func (c *call) identify() {
	c.id = c.r.Header.Get("X-Request-Id")
	if c.id == "" || len(c.id) > 64 || strings.ContainsFunc(c.id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.id = strconv.FormatUint(rand.Uint64(), 16) //nolint:gosec // no secret
	}
	c.w.Header().Set("X-Request-Id", c.id)
}

// traceID returns the trace's id of a W3C traceparent, or "".
func traceID(header string) string {
	if len(header) != 55 || header[2] != '-' || header[35] != '-' {
		return ""
	}
	id := header[3:35]
	if strings.Trim(id, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}

// contentType returns the media type of the body, in lower case, with its
// parameters. It is "" if there is none or it is malformed.
func (c *call) contentType() (string, map[string]string) {
	t, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil {
		return "", nil
	}
	return t, params
}

// wantJSON makes sure that the body may be JSON. One without a type, or with that
// which curl gives every body, is believed to be.
func (c *call) wantJSON() error {
	header := c.r.Header.Get("Content-Type")
	switch t, _ := c.contentType(); {
	case header == "", t == "application/json", t == "application/x-www-form-urlencoded", t == "text/plain", strings.HasSuffix(t, "+json"):
		return nil
	}
	return unsupported(header, "application/json")
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// body reads the request's body, which is only valid until the call ends.
func (c *call) body() ([]byte, error) {
	limit := c.s.options.Limits.Body
	if e := c.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, unsupported("content encoding "+e, "none")
	}
	if c.r.ContentLength > limit {
		return nil, tooLarge("body", "the body has %d bytes; the limit is %d", c.r.ContentLength, limit)
	}
	c.buffer = buffers.Get().(*bytes.Buffer) //nolint:errcheck,forcetypeassert // the pool has nothing else
	c.buffer.Reset()
	in := http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, limit)
	for {
		// What arrives is counted before there is room for more of it, so that
		// many slow bodies cannot fill the memory.
		free := c.buffer.AvailableBuffer()
		if cap(free) < 4<<10 {
			c.buffer.Grow(4 << 10)
			free = c.buffer.AvailableBuffer()
		}
		n, err := in.Read(free[:cap(free)])
		c.buffer.Write(free[:n])
		c.held += int64(n)
		if c.s.buffered.Add(int64(n)) > c.s.options.Limits.Buffered {
			return nil, unavailable("memory", "too many large requests at the same time")
		}
		if errors.Is(err, io.EOF) {
			c.read = true
			return c.buffer.Bytes(), nil
		}
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return nil, tooLarge("body", "the body has more than %d bytes, which is the limit", limit)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, bad("the body ends before its length")
		case err != nil && asFault(err).status == http.StatusInternalServerError:
			return nil, bad("the body cannot be read: %v", err)
		case err != nil:
			return nil, err
		}
	}
}

// release gives back what the call holds.
func (c *call) release() {
	c.s.buffered.Add(-c.held)
	c.held = 0
	if c.buffer != nil {
		recycle(c.buffer)
	}
	c.buffer = nil
}

// recycle keeps a buffer for another call, unless it is unusually large.
func recycle(b *bytes.Buffer) {
	if b.Cap() <= 1<<18 {
		buffers.Put(b)
	}
}

// admit checks texts against the limits and takes a place among the requests
// that are being scored. Done gives it back.
func (c *call) admit(texts []string) (ctx context.Context, done func(), err error) {
	l := &c.s.options.Limits
	if len(texts) > l.Texts {
		return nil, nil, tooLarge("texts", "%d texts; the limit is %d a request", len(texts), l.Texts)
	}
	for i, t := range texts {
		if len(t) > l.Text {
			return nil, nil, tooLarge("text", "text %d has %d bytes; the limit is %d", i, len(t), l.Text)
		}
		c.size += len(t)
	}
	c.texts = len(texts)
	select {
	case c.s.places <- struct{}{}:
	default:
		return nil, nil, unavailable("busy", "too many requests at the same time")
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), l.Request)
	return ctx, func() { cancel(); <-c.s.places }, nil
}

// predict scores texts, and counts them.
func (c *call) predict(texts []string) ([]model.Prediction, error) {
	ctx, done, err := c.admit(texts)
	if err != nil {
		return nil, err
	}
	defer done()
	start := time.Now()
	var list []model.Prediction
	if len(texts) == 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list = []model.Prediction{c.model.Predict(texts[0])}
	} else {
		// Few texts are not worth other goroutines.
		workers := min(runtime.GOMAXPROCS(0), 1+len(texts)/32)
		if list, err = c.model.PredictAll(ctx, texts, workers); err != nil {
			return nil, err
		}
	}
	c.count(texts, list, time.Since(start))
	return list, nil
}

// noTerms is the limit of explanations of which only the spans are shown.
const noTerms = -1

// explain scores a text and says why, and counts it.
func (c *call) explain(text string, limit int) (model.Explanation, error) {
	ctx, done, err := c.admit([]string{text})
	if err != nil {
		return model.Explanation{}, err
	}
	defer done()
	if err := ctx.Err(); err != nil {
		return model.Explanation{}, err
	}
	start := time.Now()
	e := c.model.Explain(text, limit)
	c.count([]string{text}, []model.Prediction{e.Prediction}, time.Since(start))
	return e, nil
}

func (c *call) count(texts []string, list []model.Prediction, took time.Duration) {
	c.s.metrics.observe(list, took)
	for i := range list {
		c.model.drift.add(texts[i], list[i])
	}
	c.s.shadow(texts, list)
}
