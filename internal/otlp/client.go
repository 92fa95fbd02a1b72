package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	firstWait = 500 * time.Millisecond
	maxWait   = 10 * time.Second
	maxAnswer = 4 << 10 // of an explanation that is read
)

// client sends spans; it implements otlptrace.Client. It may be used by
// goroutines.
type client struct {
	*settings
	http *http.Client
	// agent is the User-Agent.
	agent string
}

func newClient(s *settings, agent string) *client {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // the standard library's
	t.TLSClientConfig = s.tls
	return &client{settings: s, agent: agent, http: &http.Client{
		Transport: t,
		// Headers with a secret are for the address that was configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. What may have been a passing fault
// is repeated until ctx is done.
func (c *client) UploadTraces(ctx context.Context, spans []*trace.ResourceSpans) error {
	// A request to export has the same bytes as TracesData: spans as field 1.
	body, err := proto.Marshal(&trace.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("export traces: %w", err)
	}
	if c.gzip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err = w.Write(body)
		if err = errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("export traces: %w", err)
		}
		body = b.Bytes()
	}
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		after, err := c.post(ctx, body)
		var refused *refusedError
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil {
			return err
		}
		pause := max(after, wait+time.Duration(rand.Float64()*float64(wait)/2)) //nolint:gosec // no secret
		if end, ok := ctx.Deadline(); ok && time.Until(end) < pause {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// refusedError is an answer after which nothing is sent again.
type refusedError struct{ status, said string }

func (e *refusedError) Error() string {
	if e.said == "" {
		return "export traces: " + e.status
	}
	return fmt.Sprintf("export traces: %s: %s", e.status, e.said)
}

// post sends spans once. After is how long the server wants to be left alone.
func (c *client) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return 0, &refusedError{status: err.Error()}
	}
	r.Header = c.headers.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", c.agent)
	if c.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which may have a password in it
		}
		return 0, fmt.Errorf("export traces: %w", err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what there is of it
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second, fmt.Errorf("export traces: %s", answer.Status)
	}
	if answer.StatusCode/100 != 2 {
		return 0, &refusedError{answer.Status, printable(said)}
	}
	return 0, nil
}

// printable returns an explanation as far as it may stand in a log.
func printable(said []byte) string {
	text := bytes.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, said)
	return string(text[:min(len(text), 200)])
}
