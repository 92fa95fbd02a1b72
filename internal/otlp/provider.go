package otlp

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// complainEvery is the least time between two reports of faults.
const complainEvery = time.Minute

// Start makes a provider of tracers that exports what they record as the
// environment says, in the background; nil if the environment names no
// endpoint. Name and version are the service's, unless the environment names
// it. Faults of the export are given to complain, once a minute at most, and
// fail nothing else. The caller shuts the provider down, which exports what is
// left.
func Start(ctx context.Context, name, version string, complain func(error)) (*sdk.TracerProvider, error) {
	return start(ctx, os.Getenv, name, version, complain)
}

func start(ctx context.Context, get environment, name, version string, complain func(error)) (*sdk.TracerProvider, error) {
	if !get.wanted() {
		return nil, nil
	}
	s, err := get.settings()
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(&sparing{complain: complain})
	exporter, err := otlptrace.New(ctx, newClient(s, name+"/"+version))
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	// Later ones win: the environment's.
	r, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", name), attribute.String("service.version", version)), resource.WithFromEnv())
	if r == nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	if err != nil {
		complain(err)
	}
	return sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(r)), nil
}

// sparing reports faults now and then.
type sparing struct {
	complain func(error)
	mu       sync.Mutex
	last     time.Time
}

// Handle implements otel.ErrorHandler.
func (s *sparing) Handle(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.last.IsZero() || now.Sub(s.last) >= complainEvery {
		s.last = now
		s.complain(err)
	}
}
