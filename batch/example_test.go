package batch_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// A batch that remembers nothing, on a fake service.
func ExampleRun() {
	fake, err := scriptixtest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()
	fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Text: "Hello from " + u.FileName}
	})
	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()))
	if err != nil {
		log.Fatal(err)
	}
	inputs := slices.Values([]batch.Input{
		{Audio: scriptix.Bytes("a.wav", makeWAV(1, 8000)), Params: scriptix.SubmitParams{Language: "en"}},
		{Audio: scriptix.File("missing.wav"), Params: scriptix.SubmitParams{Language: "en"}},
	})
	for o := range batch.Run(context.Background(), client, inputs, batch.Options{}) {
		switch o.State {
		case batch.StateDone:
			fmt.Println(o.Transcript.Text)
		default:
			fmt.Println(o.Input.Audio.Name(), "is", o.State)
		}
	}
	// Unordered output:
	// Hello from a.wav
	// missing.wav is rejected
}

// A batch that survives its own end: run again, it goes on where it stopped. The
// callbacks go to the ledger between two runs too, and the request budget lives there.
func ExampleOpen() {
	ctx, secret := context.Background(), os.Getenv("SCRIPTIX_WEBHOOK_SECRET")
	ledger, err := batch.Open("night.db")
	if err != nil {
		log.Fatal(err) // ErrLocked: another process has it
	}
	defer func() { _ = ledger.Close() }()
	budget, err := batch.Budget(ledger, scriptix.PlanSilver)
	if err != nil {
		log.Print(err)
		return
	}
	client, err := scriptix.New(os.Getenv("SCRIPTIX_API_KEY"), scriptix.WithBudget(budget),
		scriptix.WithWebhook("https://jobs.example.com/scriptix", secret))
	if err != nil {
		log.Print(err)
		return
	}
	callbacks, err := batch.NewHandler(client, ledger, secret)
	if err != nil {
		log.Print(err)
		return
	}
	http.Handle("/scriptix", callbacks)
	inputs := func(yield func(batch.Input) bool) {
		for _, path := range os.Args[1:] {
			if !yield(batch.Input{Audio: scriptix.File(path), Params: scriptix.SubmitParams{Language: "en"}}) {
				return
			}
		}
	}
	store := func(_ context.Context, o batch.Outcome) error {
		return os.WriteFile(o.Key+".txt", []byte(o.Transcript.Text), 0o600)
	}
	for o := range batch.Run(ctx, client, inputs, batch.Options{Ledger: ledger, Sink: store}) {
		log.Printf("%s: %s %v", o.Input.Audio.Name(), o.State, o.Err)
	}
}

// How far a batch is, asked by another process while it runs.
func ExampleReadSnapshot() {
	s, err := batch.ReadSnapshot("night.db")
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(s.Counts[batch.Done], "of", s.Total())
}

// What the ledger knows, once the batch has ended.
func ExampleExport() {
	ledger := batch.Memory()
	defer func() { _ = ledger.Close() }()
	var lines bytes.Buffer
	if err := batch.Export(context.Background(), ledger, &lines); err != nil {
		log.Print(err)
	}
	fmt.Print(lines.String())
	// Output:
}

// The operator decides about an unknown outcome, one by one.
func ExampleResubmit() {
	ctx, ledger := context.Background(), batch.Memory()
	defer func() { _ = ledger.Close() }()
	for r, err := range ledger.Records(ctx) {
		if err != nil {
			log.Print(err)
			return
		}
		if r.Phase == batch.Unknown {
			// The account shows no job for it: sent again by the next run.
			if err := batch.Resubmit(ctx, ledger, r.Key); err != nil {
				log.Print(err)
			}
		}
	}
}
