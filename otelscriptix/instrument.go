package otelscriptix

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/scriptix-io/scriptix-go"
)

// scope names this package to OpenTelemetry.
const scope = "github.com/scriptix-io/scriptix-go/otelscriptix"

// Option changes what [Instrument] does.
type Option func(*config) error

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
}

// WithTracerProvider takes spans to p instead of the global provider.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("otelscriptix: the tracer provider is nil")
		}
		c.tracers = p
		return nil
	}
}

// WithMeterProvider takes metrics to p instead of the global provider.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("otelscriptix: the meter provider is nil")
		}
		c.meters = p
		return nil
	}
}

// Instrument shows what client does to OpenTelemetry until stop is called. It
// takes the place of an observer that the client already has. The error is that of
// an option, or of a metric that the meter refuses.
func Instrument(client *scriptix.Client, opts ...Option) (stop func(), err error) {
	if client == nil {
		return nil, errors.New("otelscriptix: the client is nil")
	}
	c := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("otelscriptix: an option is nil")
		}
		if err := opt(&c); err != nil {
			return nil, err
		}
	}
	meters, err := newMeters(c.meters.Meter(scope, metric.WithInstrumentationVersion(scriptix.Version)), client)
	if err != nil {
		return nil, err
	}
	o := &observer{
		tracer: c.tracers.Tracer(scope, trace.WithInstrumentationVersion(scriptix.Version)),
		meters: meters,
		jobs:   make(map[string]trace.Span),
	}
	unobserve := client.Observe(o)
	return func() {
		unobserve()
		meters.stop()
		o.endAll()
	}, nil
}
