package serve

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
)

// adminMux makes the routes of the admin address, which is not for the public.
func (s *Server) adminMux() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.handler)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if reason := s.readiness(); reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		changed, err := s.Reload(r.Context())
		out := struct {
			Changed bool   `json:"changed"`
			Model   string `json:"model,omitempty"`
			Error   string `json:"error,omitempty"`
		}{Changed: changed}
		if l := s.main.current.Load(); l != nil {
			out.Model = l.label
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			out.Error = err.Error()
			w.WriteHeader(http.StatusBadGateway)
		}
		_ = json.NewEncoder(w).Encode(out) // the client may be gone
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
