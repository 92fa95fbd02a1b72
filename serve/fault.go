package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
)

// fault is a request that cannot be answered: what the client is told.
type fault struct {
	status  int
	code    string // MLflow's error code
	message string
	retry   int    // seconds, for Retry-After
	reason  string // label of flow_rejected_total, "" if no limit refused it
}

func (f *fault) Error() string { return f.message }

func bad(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "BAD_REQUEST", message: fmt.Sprintf(format, args...)}
}

// schema is a request that is well-formed and has something else in it than
// texts.
func schema(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "INVALID_PARAMETER_VALUE", message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *fault {
	return &fault{status: http.StatusNotFound, code: "NOT_FOUND", message: fmt.Sprintf(format, args...)}
}

func tooLarge(reason, format string, args ...any) *fault {
	return &fault{status: http.StatusRequestEntityTooLarge, code: "BAD_REQUEST", message: fmt.Sprintf(format, args...), reason: reason}
}

func unsupported(have, want string) *fault {
	if have == "" {
		have = "no content type"
	}
	return &fault{status: http.StatusUnsupportedMediaType, code: "BAD_REQUEST", message: fmt.Sprintf("%s: want %s", have, want)}
}

func unavailable(reason, message string) *fault {
	return &fault{status: http.StatusServiceUnavailable, code: "TEMPORARILY_UNAVAILABLE", message: message, retry: 1, reason: reason}
}

// asFault makes a fault of any error.
func asFault(err error) *fault {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &fault{status: http.StatusGatewayTimeout, code: "DEADLINE_EXCEEDED", message: "the texts took too long to score", reason: "deadline"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &fault{status: http.StatusRequestTimeout, code: "BAD_REQUEST", message: "the body came too slowly", reason: "slow"}
	case errors.Is(err, context.Canceled):
		return &fault{status: 499, code: "CANCELLED", message: "the client went away"}
	}
	return &fault{status: http.StatusInternalServerError, code: "INTERNAL_ERROR", message: "a fault of the server"}
}

// dialect writes a fault as the clients of a route expect it.
type dialect func(c *call, f *fault)

// plainFault is {"error": "…"}, which the Open Inference Protocol wants.
func plainFault(c *call, f *fault) {
	c.json(f.status, struct {
		Error string `json:"error"`
	}{f.message})
}

// mlflowFault has MLflow's error code as well.
func mlflowFault(c *call, f *fault) {
	c.json(f.status, struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}{f.code, f.message})
}

func (c *call) fail(err error) {
	f := asFault(err)
	if f.status == http.StatusInternalServerError {
		c.s.log.Error("request failed", "endpoint", c.route.endpoint(), "request_id", c.id, "error", err.Error())
	}
	if f.reason != "" {
		c.s.metrics.rejected.WithLabelValues(f.reason).Inc()
	}
	if c.w.status != 0 {
		return // the answer has begun
	}
	if f.retry > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(f.retry))
	}
	if !c.read {
		// What was not read of the body is not read now.
		c.w.Header().Set("Connection", "close")
	}
	c.route.dialect(c, f)
}

func (c *call) json(status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		c.s.log.Error("answer not encoded", "endpoint", c.route.endpoint(), "error", err.Error())
		http.Error(c.w, "a fault of the server", http.StatusInternalServerError)
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)+1))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(data, '\n')) // the client may be gone
}
