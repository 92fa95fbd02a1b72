package serve

import (
	"io"
	"net/http"
)

func (c *call) plain(status int, text string) {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, text) // the client may be gone
}

// readiness returns what keeps the server from answering, or "".
func (s *Server) readiness() string {
	switch {
	case s.draining.Load():
		return "draining"
	case s.main.current.Load() == nil:
		return "no model"
	}
	return ""
}

// live is about the process alone.
func (c *call) live() error {
	c.plain(http.StatusOK, "ok\n")
	return nil
}

func (c *call) ready() error {
	if reason := c.s.readiness(); reason != "" {
		c.plain(http.StatusServiceUnavailable, reason+"\n")
		return nil
	}
	c.plain(http.StatusOK, "ok\n")
	return nil
}

// ping answers as MLflow does: a newline if the model answers.
func (c *call) ping() error {
	status := http.StatusOK
	if c.s.main.current.Load() == nil {
		status = http.StatusNotFound
	}
	c.plain(status, "\n")
	return nil
}

func (c *call) version() error {
	c.plain(http.StatusOK, c.s.options.Version+"\n")
	return nil
}

func (c *call) inferenceLive() error {
	c.json(http.StatusOK, struct {
		Live bool `json:"live"`
	}{true})
	return nil
}

func (c *call) inferenceReady() error {
	ready, status := c.s.readiness() == "", http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	c.json(status, struct {
		Ready bool `json:"ready"`
	}{ready})
	return nil
}

func (c *call) serveMetrics() error {
	c.s.metrics.handler.ServeHTTP(c.w, c.r)
	return nil
}
