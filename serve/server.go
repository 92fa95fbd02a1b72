package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Server answers requests. Make one by New, then Listen and Serve.
type Server struct {
	options  Options
	log      *slog.Logger
	metrics  *metrics
	tracer   trace.Tracer // nil for none
	main     *holder
	canary   *holder // nil for none
	holders  []*holder
	shadows  *shadows // nil for none
	page     *page
	routes   []*route
	handler  http.Handler
	admin    http.Handler
	places   chan struct{}
	buffered atomic.Int64
	draining atomic.Bool

	listener, adminListener net.Listener
}

// The roles of models.
const (
	roleModel  = "model"
	roleCanary = "canary"
	roleShadow = "shadow"
)

// New makes a server and loads its model. Without a model, here or remembered,
// it fails unless Options.Wait is set.
func New(ctx context.Context, o Options) (*Server, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &Server{options: o, log: o.Logger, metrics: newMetrics(), places: make(chan struct{}, o.Limits.Requests)}
	if o.Traces != nil {
		s.tracer = o.Traces.Tracer(scope, trace.WithInstrumentationVersion(o.Version))
	}
	hold := func(role string, source Source) *holder {
		h := &holder{role: role, source: source, drift: o.Drift, log: s.log, metrics: s.metrics}
		s.holders = append(s.holders, h)
		return h
	}
	s.main = hold(roleModel, o.Model)
	s.main.remember = o.Remember
	if o.Canary != nil {
		s.canary = hold(roleCanary, o.Canary)
	}
	if o.Shadow != nil {
		s.shadows = newShadows(hold(roleShadow, o.Shadow), s.metrics)
	}
	for _, h := range s.holders {
		err := h.boot(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if h == s.main && h.current.Load() == nil && !o.Wait {
			return nil, err
		}
	}
	s.metrics.registry.MustRegister(snapshot{s})
	var err error
	if s.page, err = newPage(); err != nil {
		return nil, err
	}
	s.handler, s.routes = s.mux()
	s.admin = s.adminMux()
	return s, nil
}

// Handler answers the requests of the public address.
func (s *Server) Handler() http.Handler { return s.handler }

// AdminHandler answers those of the admin address.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// Listen opens the addresses.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	var err error
	if s.listener, err = lc.Listen(ctx, "tcp", s.options.Address); err != nil {
		return &listenError{err}
	}
	if s.options.AdminAddress == "" {
		return nil
	}
	if s.adminListener, err = lc.Listen(ctx, "tcp", s.options.AdminAddress); err != nil {
		_ = s.listener.Close()
		return &listenError{err}
	}
	return nil
}

type listenError struct{ err error }

func (e *listenError) Error() string { return fmt.Sprintf("serve: %v", e.err) }
func (e *listenError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *listenError) Hint() string {
	return "another program may have the port; --address 127.0.0.1:0 takes a free one"
}

// Addr returns where the server listens: public, and admin or nil.
func (s *Server) Addr() (public, admin net.Addr) {
	if s.adminListener != nil {
		admin = s.adminListener.Addr()
	}
	return s.listener.Addr(), admin
}

// Reload looks at all sources at once.
func (s *Server) Reload(ctx context.Context) (changed bool, err error) {
	for _, h := range s.holders {
		c, e := h.refresh(ctx)
		changed, err = changed || c, errors.Join(err, e)
	}
	return changed, err
}

// Model describes the model that answers; ok is false while there is none.
func (s *Server) Model() (v Version, digest string, ok bool) {
	l := s.main.current.Load()
	if l == nil {
		return Version{}, "", false
	}
	return l.Version, l.Digest(), true
}

// Serve answers requests and follows the sources until ctx is done. Then it
// ceases to be ready, waits Options.DrainDelay, takes no more connections, and
// returns once the requests have been answered or Options.DrainTimeout is over.
// When now is closed it does not wait.
func (s *Server) Serve(ctx context.Context, now <-chan struct{}) error {
	l := &s.options.Limits
	public := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: l.Header, ReadTimeout: l.Read, WriteTimeout: l.Write, IdleTimeout: l.Idle,
		MaxHeaderBytes: l.Headers, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	public.ConnContext = withConn
	servers, listeners := []*http.Server{public}, []net.Listener{gatherer{s.listener}}
	if s.adminListener != nil {
		servers = append(servers, &http.Server{Handler: s.admin, ReadHeaderTimeout: l.Header, IdleTimeout: l.Idle, MaxHeaderBytes: l.Headers,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)})
		listeners = append(listeners, s.adminListener)
	}
	background, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for _, h := range s.holders {
		wg.Go(func() { h.follow(background, s.options.Poll) })
	}
	if s.shadows != nil {
		wg.Go(func() { s.shadows.run(background) })
	}
	failed := make(chan error, len(servers))
	for i, server := range servers {
		wg.Go(func() {
			if err := server.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve: %w", err)
			}
		})
	}
	var fault error
	select {
	case fault = <-failed:
	case <-ctx.Done():
		s.draining.Store(true)
		s.log.Info("draining", "delay", s.options.DrainDelay.String())
		select {
		case <-time.After(s.options.DrainDelay):
		case <-now:
		}
	}
	end, cancel := context.WithTimeout(context.Background(), s.options.DrainTimeout)
	defer cancel()
	go func() {
		select {
		case <-now:
			cancel()
		case <-end.Done():
		}
	}()
	for _, server := range servers {
		if err := server.Shutdown(end); err != nil {
			s.log.Warn("requests cut off", "error", err.Error())
			_ = server.Close()
		}
	}
	return fault
}

// Routes lists the routes of the public address, as "GET /path".
func (s *Server) Routes() []string {
	list := make([]string, len(s.routes))
	for i, rt := range s.routes {
		list[i] = rt.method + " " + rt.endpoint()
	}
	return list
}
