package otelscriptix_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/otelscriptix"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const receiver = "https://jobs.example.com/hook?token=hidden"

var wav = append([]byte("RIFF\x24\x00\x00\x00WAVEfmt "), make([]byte, 28)...)

// watched is a client that is shown to OpenTelemetry, with what came of it.
type watched struct {
	client *scriptix.Client
	fake   *scriptixtest.Server
	spans  *tracetest.SpanRecorder
	reader *metric.ManualReader
	tracer *trace.TracerProvider
	stop   func()
}

func watch(t *testing.T, opts ...scriptix.Option) watched {
	t.Helper()
	w := watched{fake: scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithWebhookSecret("whsec_of_the_test")), spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	w.tracer = trace.NewTracerProvider(trace.WithSpanProcessor(w.spans))
	base := []scriptix.Option{scriptix.WithBaseURL(w.fake.URL()), scriptix.WithHTTPClient(w.fake.HTTPClient())}
	var err error
	w.client, err = scriptix.New(w.fake.APIKey(), append(base, opts...)...)
	require.NoError(t, err)
	w.stop, err = otelscriptix.Instrument(w.client, otelscriptix.WithTracerProvider(w.tracer),
		otelscriptix.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(w.reader))))
	require.NoError(t, err)
	t.Cleanup(w.stop)
	return w
}

// metrics are all points by "name attribute=value".
func (w watched) metrics(t *testing.T) map[string]int64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, w.reader.Collect(t.Context(), &collected))
	points := make(map[string]int64)
	add := func(name string, set attribute.Set, value int64) {
		for _, kv := range set.ToSlice() {
			name += " " + string(kv.Key) + "=" + kv.Value.String()
		}
		points[name] = value
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, int64(p.Count))
				}
			}
		}
	}
	return points
}

func named[S trace.ReadOnlySpan](spans []S, name string) []S {
	var found []S
	for _, span := range spans {
		if span.Name() == name {
			found = append(found, span)
		}
	}
	return found
}

func attributes(span trace.ReadOnlySpan) map[string]string {
	all := make(map[string]string)
	for _, kv := range span.Attributes() {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

func TestACallAndAJobAreSpansAndTheJobIsLinkedToItsCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, scriptix.WithWebhook(receiver, "whsec_of_the_test"))
		// The receiver is traced as a program would have it: the callback arrives in a span.
		w.fake.Handle(receiver, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			ctx, span := w.tracer.Tracer("receiver").Start(r.Context(), "POST /hook")
			defer span.End()
			w.client.WebhookHandler().ServeHTTP(rw, r.WithContext(ctx))
		}))
		ctx, night := w.tracer.Tracer("test").Start(t.Context(), "night")
		job, err := w.client.STT.Submit(ctx, scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		_, err = w.client.STT.WaitResult(ctx, job.ID)
		require.NoError(t, err)
		night.End()
		synctest.Wait()

		submit := named(w.spans.Ended(), "POST /api/v3/stt")
		require.Len(t, submit, 1)
		have := attributes(submit[0])
		assert.Equal(t, "POST", have["http.request.method"])
		assert.Equal(t, "201", have["http.response.status_code"])
		assert.Equal(t, "/api/v3/stt", have["url.template"])
		assert.Equal(t, "stt.submit", have["scriptix.operation"])
		assert.NotEmpty(t, have["server.address"])
		assert.Equal(t, night.SpanContext().SpanID(), submit[0].Parent().SpanID())
		require.Len(t, named(w.spans.Ended(), "GET /api/v3/stt/{id}/result"), 1)

		jobs := named(w.spans.Ended(), "scriptix job")
		require.Len(t, jobs, 1)
		assert.Equal(t, job.ID, attributes(jobs[0])["scriptix.job.id"])
		assert.Equal(t, "callback", attributes(jobs[0])["scriptix.end.source"])
		require.Len(t, jobs[0].Links(), 1)
		received := named(w.spans.Ended(), "POST /hook")
		require.Len(t, received, 1)
		assert.Equal(t, received[0].SpanContext().SpanID(), jobs[0].Links()[0].SpanContext.SpanID())

		points := w.metrics(t)
		assert.EqualValues(t, 1, points["scriptix.callbacks verdict=accepted"])
		assert.EqualValues(t, 1, points["scriptix.jobs.lateness source=callback"])
		assert.EqualValues(t, 60, points["scriptix.budget.limit window=minute"])
		assert.EqualValues(t, 2, points["scriptix.budget.used window=minute"])
		assert.EqualValues(t, 0, points["scriptix.jobs.waiting"])
		assert.NotContains(t, points, "scriptix.budget.limit window=day", "what is not limited is not shown")
	})
}

func TestAnUnknownOutcomeIsCountedAndNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody})
		_, err := w.client.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.ErrorIs(t, err, scriptix.ErrUnknownOutcome)
		submit := named(w.spans.Ended(), "POST /api/v3/stt")
		require.Len(t, submit, 1)
		assert.Equal(t, codes.Error, submit[0].Status().Code)
		assert.Equal(t, "unknown_outcome", attributes(submit[0])["error.type"])
		assert.EqualValues(t, 1, w.metrics(t)["scriptix.submits.unknown"])
	})
}

func TestPollsAreCountedAndAJobThatNobodyEndsIsEndedByStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		w.fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
			return scriptixtest.Outcome{Queue: -1, Processing: 30 * time.Second}
		})
		first, err := w.client.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		_, err = w.client.STT.Submit(t.Context(), scriptix.Bytes("b.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.NoError(t, err)
		_, err = w.client.STT.Wait(t.Context(), first.ID)
		require.NoError(t, err)
		points := w.metrics(t)
		assert.Positive(t, points["scriptix.polls.sent"])
		assert.Equal(t, points["scriptix.polls.sent"], points["scriptix.polls.wasted"]+1)
		assert.EqualValues(t, 1, points["scriptix.jobs.lateness source=poll"])
		require.Len(t, named(w.spans.Ended(), "scriptix job"), 1)
		w.stop()
		assert.Len(t, named(w.spans.Ended(), "scriptix job"), 2, "the other one is not left open")
	})
}

func TestAnUploadThatIsTakenUpAfterItsEndOpensNoSecondSpan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		var token string
		created := scriptix.OnUploadCreated(func(_ context.Context, upload string) error {
			token = upload
			return nil
		})
		audio, p := scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"}
		job, err := w.client.STT.Submit(t.Context(), audio, p, scriptix.Resumable(), created)
		require.NoError(t, err)
		again, err := w.client.STT.Submit(t.Context(), audio, p, scriptix.ResumeUpload(token))
		require.NoError(t, err)
		require.Equal(t, job.ID, again.ID)
		w.stop()
		assert.Len(t, named(w.spans.Started(), "scriptix job"), 1)
		assert.Len(t, named(w.spans.Ended(), "scriptix job"), 1)
	})
}

func TestNoSpanHoldsKeySecretOrQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, scriptix.WithWebhook(receiver, "whsec_of_the_test"))
		w.fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Status: http.StatusInternalServerError})
		_, err := w.client.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en"})
		require.Error(t, err)
		for _, span := range w.spans.Ended() {
			text := span.Name() + span.Status().Description
			for _, value := range attributes(span) {
				text += " " + value
			}
			for _, secret := range []string{w.fake.APIKey(), "whsec_of_the_test", "hidden"} {
				assert.NotContains(t, strings.ToLower(text), strings.ToLower(secret))
			}
		}
	})
}

func TestWhatCannotBeInstrumentedIsAnError(t *testing.T) {
	t.Parallel()
	_, err := otelscriptix.Instrument(nil)
	require.ErrorContains(t, err, "client is nil")
	client, err := scriptix.New("key")
	require.NoError(t, err)
	for _, opt := range []otelscriptix.Option{nil, otelscriptix.WithTracerProvider(nil), otelscriptix.WithMeterProvider(nil)} {
		_, err = otelscriptix.Instrument(client, opt)
		require.Error(t, err)
	}
}
