package otelscriptix_test

import (
	"fmt"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/otelscriptix"
)

// With OpenTelemetry's providers in place, one line shows what a client does.
func ExampleInstrument() {
	client, err := scriptix.New("sk_live_...")
	if err != nil {
		fmt.Println(err)
		return
	}
	stop, err := otelscriptix.Instrument(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	fmt.Println("calls are spans, jobs are spans, and the budget is a metric")
	// Output: calls are spans, jobs are spans, and the budget is a metric
}
