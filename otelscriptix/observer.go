package otelscriptix

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/observe"
)

// mostJobs bounds the spans of jobs that nobody waits for, which may never end.
const mostJobs = 100_000

// observer makes spans and counts.
type observer struct {
	tracer trace.Tracer
	meters *meters

	mu   sync.Mutex
	jobs map[string]trace.Span // that have not ended, by id
}

// Call begins a client span.
func (o *observer) Call(ctx context.Context, c observe.Call) (context.Context, func(observe.Answer)) {
	ctx, span := o.tracer.Start(ctx, c.Method+" "+c.Route, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(callAttributes(c)...))
	return ctx, func(a observe.Answer) {
		if a.StatusCode > 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", a.StatusCode))
		}
		if a.Attempts > 1 {
			span.SetAttributes(attribute.Int("http.request.resend_count", a.Attempts-1))
		}
		if a.RequestID != "" {
			span.SetAttributes(attribute.String("scriptix.request.id", a.RequestID))
		}
		if a.Unknown {
			o.meters.unknown.Add(ctx, 1)
			span.SetAttributes(attribute.Bool("scriptix.outcome.unknown", true))
		}
		if a.Err != nil {
			span.SetAttributes(attribute.String("error.type", errorType(a)))
			span.SetStatus(codes.Error, a.Err.Error())
		}
		span.End()
	}
}

// callAttributes are those of the HTTP semantic conventions that are known before
// the answer, and what the SDK calls it.
func callAttributes(c observe.Call) []attribute.KeyValue {
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", c.Method),
		attribute.String("url.template", c.Route),
		attribute.String("url.scheme", c.Scheme),
		attribute.String("scriptix.operation", c.Op),
	}
	host, port := c.Host, map[string]int{"http": 80, "https": 443}[c.Scheme]
	if name, given, err := net.SplitHostPort(c.Host); err == nil {
		host = name
		if number, err := strconv.Atoi(given); err == nil {
			port = number
		}
	}
	attributes = append(attributes, attribute.String("server.address", host), attribute.Int("server.port", port))
	if c.JobID != "" {
		attributes = append(attributes, attribute.String("scriptix.job.id", c.JobID))
	}
	return attributes
}

// errorType is the status of a refusal, else the SDK's name of the failure.
func errorType(a observe.Answer) string {
	for _, known := range []struct {
		err  error
		name string
	}{
		{scriptix.ErrUnknownOutcome, "unknown_outcome"},
		{scriptix.ErrBadAnswer, "bad_answer"},
		{scriptix.ErrAudio, "audio"},
		{scriptix.ErrBudget, "budget"},
		{context.DeadlineExceeded, "timeout"},
		{context.Canceled, "canceled"},
	} {
		if errors.Is(a.Err, known.err) {
			return known.name
		}
	}
	if a.StatusCode > 0 {
		return strconv.Itoa(a.StatusCode)
	}
	return "_OTHER"
}

// Submitted begins the span of a job, unless an upload was only taken up again.
// Its parent is the span that the recording was submitted in.
func (o *observer) Submitted(ctx context.Context, s observe.Submitted) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.jobs[s.JobID]; known {
		return
	}
	_, span := o.tracer.Start(ctx, "scriptix job", trace.WithTimestamp(s.At), trace.WithAttributes(attribute.String("scriptix.job.id", s.JobID)))
	if len(o.jobs) >= mostJobs {
		span.AddEvent("not followed: too many jobs are open")
		span.End()
		return
	}
	o.jobs[s.JobID] = span
}

// Ended ends the span of a job. One that another process submitted gets its span
// now.
func (o *observer) Ended(e observe.Ended) {
	ctx := context.Background()
	o.meters.lateness.Record(ctx, e.Late.Seconds(), bySource(e.Source))
	o.mu.Lock()
	span, known := o.jobs[e.JobID]
	delete(o.jobs, e.JobID)
	o.mu.Unlock()
	if !known {
		begin := e.Submitted
		if begin.IsZero() {
			begin = e.At
		}
		_, span = o.tracer.Start(ctx, "scriptix job", trace.WithTimestamp(begin), trace.WithAttributes(attribute.String("scriptix.job.id", e.JobID)))
	}
	span.SetAttributes(
		attribute.String("scriptix.end.source", string(e.Source)),
		attribute.Float64("scriptix.end.late_seconds", e.Late.Seconds()),
	)
	if !e.Succeeded {
		span.SetStatus(codes.Error, "the service could not transcribe the recording")
	}
	span.End(trace.WithTimestamp(e.At))
}

// Callback counts a callback and links the job's span to the one in which it was
// received.
func (o *observer) Callback(ctx context.Context, c observe.Callback) {
	o.meters.callbacks.Add(ctx, 1, byVerdict(c.Verdict))
	received := trace.SpanContextFromContext(ctx)
	if c.Verdict != observe.Accepted || !received.IsValid() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if span, known := o.jobs[c.JobID]; known {
		span.AddLink(trace.Link{SpanContext: received, Attributes: []attribute.KeyValue{attribute.String("scriptix.event", c.Event)}})
	}
}

// endAll ends the spans of jobs whose end this process will not learn of.
func (o *observer) endAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, span := range o.jobs {
		span.AddEvent("no longer observed")
		span.End()
		delete(o.jobs, id)
	}
}
