// Command observability shows what a client does: it transcribes a recording on a
// fake service, prints the traces as JSON lines, and then the metrics as Prometheus
// reads them.
//
//	cd examples/observability && GOWORK=off go run .
//
// A program of yours sends traces to its collector in place of standard output,
// and serves promhttp.Handler on /metrics.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/otelscriptix"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(w))
	if err != nil {
		return err
	}
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans))
	defer func() { err = errors.Join(err, tracers.Shutdown(ctx)) }()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return err
	}
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	defer func() { err = errors.Join(err, meters.Shutdown(ctx)) }()

	fake, err := scriptixtest.Start()
	if err != nil {
		return err
	}
	defer fake.Close()
	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()))
	if err != nil {
		return err
	}
	stop, err := otelscriptix.Instrument(client, otelscriptix.WithTracerProvider(tracers), otelscriptix.WithMeterProvider(meters))
	if err != nil {
		return err
	}
	defer stop()

	ctx, span := tracers.Tracer("night").Start(ctx, "one recording")
	_, err = client.STT.Transcribe(ctx, scriptix.Bytes("a.mp3", []byte("ID3, and some audio")), scriptix.SubmitParams{Language: "en"})
	span.End()
	if err != nil {
		return err
	}
	if err := tracers.ForceFlush(ctx); err != nil {
		return err
	}
	return printMetrics(ctx, w, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// printMetrics prints what a scrape of the handler would bring of this SDK.
func printMetrics(ctx context.Context, w io.Writer, handler http.Handler) error {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "scriptix_") {
			if _, err := fmt.Fprint(w, line); err != nil {
				return err
			}
		}
	}
	return nil
}
