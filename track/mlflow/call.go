package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

const (
	apiPath      = "/api/2.0/mlflow/"
	maxResponse  = 256 << 20
	maxErrorBody = 64 << 10
	maxWait      = 2 * time.Minute // that a Retry-After may ask for
)

// request is a call of the API.
type request struct {
	op       string
	endpoint *endpoint
	method   string
	path     string // below api/2.0/mlflow/
	query    url.Values
	body     any
	// once forbids repetitions after failures that leave open whether the
	// server carried the request out.
	once bool
}

// call sends a request, repeats it as far as that is allowed and decodes the
// answer into out, which may be nil.
func (s *Store) call(ctx context.Context, r request, out any) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return &track.Error{Op: r.op, Err: err}
		}
	}
	u := *r.endpoint.base
	u.Path += apiPath + r.path
	u.RawQuery = r.query.Encode()
	data, err := s.repeat(ctx, r.op, r.once, func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := s.send(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		data, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
		switch {
		case err != nil:
			return nil, &transferError{err}
		case len(data) > maxResponse:
			return nil, fmt.Errorf("the answer has more than %d bytes", maxResponse)
		}
		return data, nil
	})
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if err := decode(data, out); err != nil {
		return &track.Error{Op: r.op, Err: fmt.Errorf("the answer of '%s' is not what MLflow sends: %w", r.endpoint.base, err),
			Advice: "is that the address of an MLflow server, with its path?"}
	}
	return nil
}

// send sends one request with its credentials. Statuses other than 2xx are
// errors of the type *statusError.
func (s *Store) send(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", s.options.UserAgent)
	if e := s.endpointOf(req.URL); e != nil {
		e.authorize(req)
		if s.options.Workspace != "" {
			req.Header.Set("X-MLFLOW-WORKSPACE", s.options.Workspace)
		}
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, &transferError{err}
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody)) // what there is of the explanation
	return nil, newStatusError(req, res, body)
}

// transferError is a failure of the network.
type transferError struct{ err error }

func (e *transferError) Error() string { return networkText(e.err) }
func (e *transferError) Unwrap() error { return e.err }

// networkText leaves out the method and address that net/http puts in front.
func networkText(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// repeat calls f until it succeeds, fails for good or has been tried often
// enough.
func (s *Store) repeat(ctx context.Context, op string, once bool, f func(context.Context) ([]byte, error)) ([]byte, error) {
	for n := 0; ; n++ {
		data, err := f(ctx)
		if err == nil {
			return data, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", op, ctx.Err())
		}
		again, wait := s.again(err, n, once)
		if !again {
			return nil, s.explain(op, err)
		}
		if err := pause(ctx, wait); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
	}
}

// again decides whether a request that failed n+1 times is repeated.
func (s *Store) again(err error, n int, once bool) (bool, time.Duration) {
	var status *statusError
	var transfer *transferError
	limit := s.options.Retries
	wait := min(s.options.Backoff<<n, maxBackoff)
	wait += time.Duration(rand.Float64() * float64(wait) / 2) //nolint:gosec // no secret
	switch {
	case errors.As(err, &status):
		switch status.code {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			// The request was turned away.
			if status.after > maxWait {
				return false, 0
			}
			wait = max(wait, status.after)
		case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout:
			if once {
				return false, 0
			}
		case http.StatusInternalServerError:
			if limit = min(limit, 1); once {
				return false, 0
			}
		default:
			return false, 0
		}
	case errors.As(err, &transfer):
		var op *net.OpError
		dial := errors.As(err, &op) && op.Op == "dial"
		if once && !dial || final(err) {
			return false, 0
		}
		if dial {
			limit = min(limit, 2)
		}
	default:
		return false, 0
	}
	return n < limit, wait
}

// ambiguous reports whether a failed request may have been carried out.
func ambiguous(err error) bool {
	var status *statusError
	var transfer *transferError
	var op *net.OpError
	switch {
	case errors.As(err, &status):
		return status.code >= 500 || status.code == http.StatusRequestTimeout
	case errors.As(err, &op) && op.Op == "dial":
		return false
	}
	return errors.As(err, &transfer) && !final(err)
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return min(time.Duration(n), 24*3600) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
