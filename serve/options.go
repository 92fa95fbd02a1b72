package serve

import (
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Options say what a server serves, where and within which limits. The zero
// value of a limit means its default.
type Options struct {
	// Model is where the model comes from. It is followed.
	Model Source
	// Canary, if set, is a second model that answers a share of the requests,
	// CanaryShare of them, from 0 to 1; Shadow one that scores the same texts
	// and whose answers are only compared.
	Canary, Shadow Source
	CanaryShare    float64

	// Address is where requests are served, AdminAddress where metrics,
	// profiles and reloading are, besides; "" for none.
	Address, AdminAddress string
	// Remember is a file that keeps where the last good model lies, "" for none.
	Remember string
	// Wait makes a server start without a model, and become ready once there
	// is one.
	Wait bool
	// Poll is the mean time between questions to the sources, below 0 for never.
	Poll time.Duration

	Limits Limits
	Drift  DriftOptions
	// DrainDelay is the time between the end of readiness and that of
	// accepting connections; DrainTimeout that which open requests then have.
	DrainDelay, DrainTimeout time.Duration

	// Version is that of the program.
	Version string
	// Logger gets an entry for each request and for each change of the model;
	// nil for none. NoAccessLog leaves the requests out.
	Logger      *slog.Logger
	NoAccessLog bool
	// Traces gets a span for each request that is logged; nil for none.
	Traces trace.TracerProvider
}

// Limits bound what a request may cost. What exceeds them is refused.
type Limits struct {
	Body     int64 // bytes of a body
	Buffered int64 // bytes of all bodies at the same time
	Texts    int   // texts of a request
	Text     int   // bytes of a text
	Requests int   // requests that are being scored at the same time
	Headers  int   // bytes of headers

	Request time.Duration // to score a request
	Header  time.Duration // to send the headers
	Read    time.Duration // to send all of a request
	Write   time.Duration // from the headers to the end of the answer
	Idle    time.Duration // between requests of a connection
}

// DriftOptions say over which of the last texts drift is measured, and how
// many there have to be.
type DriftOptions struct {
	Window, Least int
}

func orDefault[T int | int64 | time.Duration](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

func (o *Options) fill() error {
	l := &o.Limits
	orDefault(&l.Body, 1<<20)
	orDefault(&l.Buffered, 64<<20)
	orDefault(&l.Texts, 1000)
	orDefault(&l.Text, 100_000)
	orDefault(&l.Requests, 256)
	orDefault(&l.Headers, 16<<10)
	orDefault(&l.Request, 10*time.Second)
	orDefault(&l.Header, 5*time.Second)
	orDefault(&l.Read, 15*time.Second)
	orDefault(&l.Write, 30*time.Second)
	orDefault(&l.Idle, time.Minute)
	orDefault(&o.Poll, 30*time.Second)
	orDefault(&o.DrainTimeout, 25*time.Second)
	orDefault(&o.Drift.Window, 2000)
	orDefault(&o.Drift.Least, 500)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Model == nil:
		return fmt.Errorf("serve: no model")
	case o.CanaryShare < 0 || o.CanaryShare > 1:
		return fmt.Errorf("serve: canary share %v: want 0 to 1", o.CanaryShare)
	case l.Body < 0 || l.Buffered < 0 || l.Texts < 0 || l.Text < 0 || l.Requests < 0 || l.Headers < 0:
		return fmt.Errorf("serve: a limit below 0")
	case l.Buffered < l.Body:
		return fmt.Errorf("serve: %d bytes for all bodies, less than the %d for one", l.Buffered, l.Body)
	case o.Drift.Window < o.Drift.Least || o.Drift.Least < 1:
		return fmt.Errorf("serve: drift over %d texts of which there must be %d", o.Drift.Window, o.Drift.Least)
	}
	return nil
}
