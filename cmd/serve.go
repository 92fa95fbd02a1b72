package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flowrepro/flow/internal/otlp"
	"github.com/flowrepro/flow/serve"
)

// traceFlush is the time that the last traces have to be exported.
const traceFlush = 5 * time.Second

type serveFlags struct {
	serve.Options
	model, canary, shadow string
	state, log            string
	accessLog             bool
	healthcheck           bool
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve predictions over HTTP",
		Long: `Answer requests for predictions with a trained model: a page with a form at /, an
API at /api/v1, MLflow's /invocations and the Open Inference Protocol at /v2. /docs
describes them all; /metrics is for Prometheus.

The model is a directory that training wrote, or an address in the registry such
as models:/sentiment@production. Without --model it is that address if there is
such a version, else models/sentiment. The server follows it: when the directory
is trained anew or another version is promoted, it loads, verifies and swaps the
model without a pause, at the latest after --poll, or at once on SIGHUP. A model
that cannot be had or is broken changes nothing.

Each flag has an environment variable, such as FLOW_SERVE_ADDRESS for --address.
The server logs to standard error, never a text. With OTEL_EXPORTER_OTLP_ENDPOINT
it exports a trace of each request. The first interrupt lets open
requests end, the second does not.`,
		Example: `  flow serve
  flow serve --model models/sentiment --address 0.0.0.0:5000 --admin-address 127.0.0.1:5001
  flow serve --model models:/sentiment@production --canary models:/sentiment@candidate --canary-share 0.1
  flow serve --healthcheck`,
		Args: cobra.NoArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := environment(c.Flags(), "FLOW_SERVE_"); err != nil {
			return &usageError{c, err}
		}
		if f.healthcheck {
			return a.healthcheck(c.Context(), f.Address)
		}
		return a.serve(c.Context(), &f)
	}
	f.flags(c.Flags())
	return c
}

func (f *serveFlags) flags(fl *pflag.FlagSet) {
	fl.StringVar(&f.model, "model", "", "the `address` of the model: a directory, models:/name@alias, models:/name/3 or s3://bucket/path")
	fl.StringVar(&f.Address, "address", "127.0.0.1:5000", "`host:port` to serve at; port 0 for a free one")
	fl.StringVar(&f.AdminAddress, "admin-address", "", "`host:port` for metrics, profiles and POST /reload; none without it")
	fl.DurationVar(&f.Poll, "poll", 30*time.Second, "how often to look for another model; below 0 for never")
	fl.BoolVar(&f.Wait, "wait", false, "start without a model and wait for one")
	fl.StringVar(&f.state, "state", "", "`directory` for downloaded models; the user's cache without it")
	fl.StringVar(&f.canary, "canary", "", "the `address` of a second model for a share of the requests")
	fl.Float64Var(&f.CanaryShare, "canary-share", 0.1, "the share of requests that the canary answers, from 0 to 1")
	fl.StringVar(&f.shadow, "shadow", "", "the `address` of a second model whose answers are only compared")
	fl.Int64Var(&f.Limits.Body, "max-body", 1<<20, "`bytes` of a request's body")
	fl.IntVar(&f.Limits.Texts, "max-texts", 1000, "texts of a request")
	fl.IntVar(&f.Limits.Text, "max-text", 100_000, "`bytes` of a text")
	fl.IntVar(&f.Limits.Requests, "max-requests", 256, "requests to score at the same time")
	fl.DurationVar(&f.Limits.Request, "timeout", 10*time.Second, "time to score a request")
	fl.IntVar(&f.Drift.Window, "drift-window", 2000, "texts to measure drift over")
	fl.IntVar(&f.Drift.Least, "drift-least", 500, "texts there must be to measure drift")
	fl.DurationVar(&f.DrainDelay, "drain-delay", 0, "time between the end of readiness and that of taking connections")
	fl.DurationVar(&f.DrainTimeout, "drain-timeout", 25*time.Second, "time that open requests have to end")
	fl.StringVar(&f.log, "log", "auto", "json, text, none, or auto: text on a terminal, else json")
	fl.BoolVar(&f.accessLog, "access-log", true, "log requests")
	fl.BoolVar(&f.healthcheck, "healthcheck", false, "ask the server at --address whether it is ready, and exit")
}

// environment sets the flags that were not given from variables: prefix and the
// flag's name in capitals.
func environment(fl *pflag.FlagSet, prefix string) (err error) {
	fl.VisitAll(func(f *pflag.Flag) {
		name := prefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if f.Changed || !ok || err != nil || f.Name == "healthcheck" {
			return
		}
		if e := fl.Set(f.Name, value); e != nil {
			err = fmt.Errorf("%s=%q: %w", name, value, e)
		}
	})
	return err
}

func (a *app) serve(ctx context.Context, f *serveFlags) (err error) {
	if err := f.check(); err != nil {
		return &exitError{exitUsage, err}
	}
	sources := a.sources(f.state)
	defer func() { err = errors.Join(err, sources.close()) }()
	if f.Model, err = sources.model(ctx, f.model); err != nil {
		return &exitError{exitFailed, err}
	}
	for _, second := range []struct {
		address string
		source  *serve.Source
	}{{f.canary, &f.Canary}, {f.shadow, &f.Shadow}} {
		if second.address == "" {
			continue
		}
		if *second.source, err = sources.open(second.address); err != nil {
			return &exitError{exitFailed, err}
		}
	}
	f.Remember = sources.memory(f.Model)
	version, _, _ := buildInfo()
	var flush func()
	f.Logger, flush = a.logger(f.log)
	defer flush()
	f.Version, f.NoAccessLog = version, !f.accessLog
	defer a.trace(ctx, f)()

	s, err := serve.New(ctx, f.Options)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	if os.Getenv("GOGC") == "" {
		defer keepHeadroom()()
	}
	if err := s.Listen(ctx); err != nil {
		return &exitError{exitFailed, err}
	}
	hang := make(chan os.Signal, 1)
	signal.Notify(hang, syscall.SIGHUP)
	defer signal.Stop(hang)
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		for {
			select {
			case <-hang:
				_, _ = s.Reload(ctx) // logged
			case <-stopped:
				return
			}
		}
	}()
	public, admin := s.Addr()
	what := "no model yet"
	if v, digest, ok := s.Model(); ok {
		what = v.Name + " " + digest[:12]
		if v.Number != "" {
			what = v.Name + " version " + v.Number
		}
	}
	a.print("Serving %s of %s at http://%s\n", what, f.Model, public)
	if admin != nil {
		a.print("Metrics, profiles and reloading at http://%s\n", admin)
	}
	return s.Serve(ctx, a.interrupted)
}

// trace sets the traces of requests up as the environment says. Done exports
// those that are left. A fault costs traces, not the service.
func (*app) trace(ctx context.Context, f *serveFlags) (done func()) {
	complain := func(err error) { f.Logger.Warn("traces are not exported", "error", err.Error()) }
	provider, err := otlp.Start(ctx, "flow", f.Version, complain)
	if err != nil {
		complain(err)
	}
	if provider == nil {
		return func() {}
	}
	f.Traces = provider
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlush)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			complain(err)
		}
	}
}

func (f *serveFlags) check() error {
	switch f.log {
	case "auto", "json", "text", "none":
	default:
		return fmt.Errorf("--log %q: want auto, json, text or none", f.log)
	}
	for _, address := range []struct{ flag, value string }{{"address", f.Address}, {"admin-address", f.AdminAddress}} {
		if _, _, err := net.SplitHostPort(address.value); err != nil && (address.value != "" || address.flag == "address") {
			return fmt.Errorf("--%s %q: want host:port, such as 127.0.0.1:5000", address.flag, address.value)
		}
	}
	if !(f.CanaryShare >= 0 && f.CanaryShare <= 1) {
		return fmt.Errorf("--canary-share %v: want 0 to 1", f.CanaryShare)
	}
	return nil
}

// logger returns the server's log in a format, and what writes lines that wait.
func (a *app) logger(format string) (log *slog.Logger, flush func()) {
	if _, ok := terminal(a.stderr); ok {
		if format == "auto" {
			format = "text"
		}
		if format == "text" {
			return slog.New(slog.NewTextHandler(a.stderr, nil)), func() {}
		}
	}
	return serverLog(format, a.stderr)
}

// serverLog is a log whose lines go to w together.
func serverLog(format string, w io.Writer) (log *slog.Logger, flush func()) {
	g := &gatheredLog{w: w}
	switch format {
	case "none":
		return slog.New(slog.DiscardHandler), g.flush
	case "text":
		return slog.New(promptly{slog.NewTextHandler(g, nil), g.flush}), g.flush
	}
	return slog.New(promptly{slog.NewJSONHandler(g, nil), g.flush}), g.flush
}

// healthcheck asks a server on this machine whether it is ready, for containers
// that have no other program.
func (a *app) healthcheck(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--address %q: want host:port, such as 127.0.0.1:5000", address)}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--address %q: %w", address, err)}
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("not ready: %w", err)}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return &exitError{exitFailed, fmt.Errorf("not ready: %s", answer.Status)}
	}
	a.print("ready\n")
	return nil
}
