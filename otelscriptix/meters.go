package otelscriptix

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/observe"
)

// meters are the instruments that events are counted with. What the client itself
// counts is read when metrics are collected.
type meters struct {
	unknown   metric.Int64Counter
	callbacks metric.Int64Counter
	lateness  metric.Float64Histogram
	stop      func()
}

func newMeters(meter metric.Meter, client *scriptix.Client) (*meters, error) {
	var m meters
	var err error
	keep := func(failed error) { err = errors.Join(err, failed) }
	var failed error
	m.unknown, failed = meter.Int64Counter("scriptix.submits.unknown", metric.WithUnit("{submit}"),
		metric.WithDescription("Submits after which nobody knows whether a job exists."))
	keep(failed)
	m.callbacks, failed = meter.Int64Counter("scriptix.callbacks", metric.WithUnit("{callback}"),
		metric.WithDescription("Requests that reached the webhook handler, by what became of them."))
	keep(failed)
	m.lateness, failed = meter.Float64Histogram("scriptix.jobs.lateness", metric.WithUnit("s"),
		metric.WithDescription("From the end of a job to when this client learned of it, by how it did."),
		metric.WithExplicitBucketBoundaries(0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600))
	keep(failed)

	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		instrument, failed := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		keep(failed)
		return instrument
	}
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		instrument, failed := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		keep(failed)
		return instrument
	}
	limit := gauge("scriptix.budget.limit", "{request}", "Requests that a window allows.")
	used := gauge("scriptix.budget.used", "{request}", "Requests that a window holds.")
	left := gauge("scriptix.budget.left", "{request}", "Requests that a window still allows.")
	waiting := gauge("scriptix.jobs.waiting", "{job}", "Jobs that somebody waits for.")
	sent := counter("scriptix.polls.sent", "{request}", "Questions for jobs that may have ended.")
	wasted := counter("scriptix.polls.wasted", "{request}", "Questions that found the job running or failed.")
	duplicates := counter("scriptix.callbacks.duplicates", "{callback}", "Authentic callbacks for jobs that had ended.")
	if err != nil {
		return nil, err
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		budget := client.Budget()
		for window, use := range map[string]scriptix.WindowUse{"minute": budget.Minute, "hour": budget.Hour, "day": budget.Day} {
			if use.Limit == 0 {
				continue // not limited
			}
			of := metric.WithAttributes(attribute.String("window", window))
			o.ObserveInt64(limit, int64(use.Limit), of)
			o.ObserveInt64(used, int64(use.Used), of)
			o.ObserveInt64(left, int64(use.Left), of)
		}
		stats := client.Stats()
		o.ObserveInt64(waiting, int64(stats.Waiting))
		o.ObserveInt64(sent, int64(stats.PollsSent))
		o.ObserveInt64(wasted, int64(stats.PollsWasted))
		o.ObserveInt64(duplicates, int64(stats.Duplicates))
		return nil
	}, limit, used, left, waiting, sent, wasted, duplicates)
	if err != nil {
		return nil, err
	}
	m.stop = func() { _ = registration.Unregister() }
	return &m, nil
}

func bySource(s observe.Source) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("source", string(s)))
}

func byVerdict(v observe.Verdict) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("verdict", string(v)))
}
