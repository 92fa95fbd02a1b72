package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// AuthorizationVariable names the environment variable whose value is sent as
// the Authorization header to http and https sources: "Bearer TOKEN".
const AuthorizationVariable = "FLOW_SOURCE_AUTHORIZATION"

// httpObject is a file behind http or https.
type httpObject struct {
	source Source
	url    *url.URL
}

func (o *httpObject) open(ctx context.Context, offset int64, tag string) (io.ReadCloser, int64, version, error) {
	none := version{Size: -1}
	resp, err := o.ask(ctx, http.MethodGet, offset, tag)
	if err != nil {
		return nil, 0, none, err
	}
	v := version{Tag: strongTag(resp.Header), Size: resp.ContentLength}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, 0, v, nil
	case http.StatusPartialContent:
		start, size, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || offset == 0 {
			break
		}
		v.Size = size
		return resp.Body, start, v, nil
	case http.StatusRequestedRangeNotSatisfiable:
		if offset > 0 {
			_ = resp.Body.Close()
			return o.open(ctx, 0, "")
		}
	}
	_ = resp.Body.Close()
	return nil, 0, none, o.refusal(resp)
}

// ask sends a request.
func (o *httpObject) ask(ctx context.Context, method string, offset int64, tag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, o.url.String(), nil)
	if err != nil {
		return nil, &permanentError{err}
	}
	// A compression of the transfer would make offsets meaningless.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "flow")
	if value := os.Getenv(AuthorizationVariable); value != "" {
		req.Header.Set("Authorization", value)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		req.Header.Set("If-Range", tag)
	}
	resp, err := client().Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			u.URL = redact(u.URL)
			if errors.Is(u.Err, errDowngrade) {
				return nil, &permanentError{err}
			}
		}
		return nil, err
	}
	return resp, nil
}

func (o *httpObject) refusal(resp *http.Response) error {
	code := resp.StatusCode
	if code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500 {
		return fmt.Errorf("server says %s", resp.Status)
	}
	help := "see whether the URL is right"
	if code == http.StatusUnauthorized || code == http.StatusForbidden {
		help = "set " + AuthorizationVariable + " to the value of the Authorization header"
	}
	return &permanentError{o.source.fail(help, "server says %s", resp.Status)}
}

// strongTag returns the entity tag, if it stands for the very bytes.
func strongTag(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return ""
}

// contentRange reads "bytes 5-9/10" or "bytes 5-9/*".
func contentRange(s string) (start, size int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, total, _ := strings.Cut(rest, "/")
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil || start < 0 {
		return 0, 0, false
	}
	if total == "*" {
		return start, -1, true
	}
	size, err = strconv.ParseInt(total, 10, 64)
	return start, size, err == nil && size > start
}

var errDowngrade = errors.New("redirected from https to http")

// client never follows a redirection out of https.
func client() *http.Client {
	return &http.Client{
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("redirected ten times")
			}
			if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return errDowngrade
			}
			return nil
		},
	}
}
