// Command batch transcribes a folder: WAV recordings in, JSON transcripts out.
//
//	go run ./examples/batch -out /tmp/out examples/testdata
//
// Run again it goes on where it stopped. Without SCRIPTIX_API_KEY it starts a fake service.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func main() {
	out := flag.String("out", "transcripts", "`folder` for the transcripts and the ledger")
	flag.Parse()
	if err := run(flag.Arg(0), *out); err != nil {
		log.Fatal(err)
	}
}

func run(in, out string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	files, err := filepath.Glob(filepath.Join(in, "*.wav"))
	if err = errors.Join(err, os.MkdirAll(out, 0o750)); err != nil {
		return err
	}
	ledger, err := batch.Open(filepath.Join(out, "ledger.db"))
	if err != nil {
		return err
	}
	defer func() { _ = ledger.Close() }()
	budget, err := batch.Budget(ledger, scriptix.PlanFree) // a restart does not forget the day
	if err != nil {
		return err
	}
	key, opts := os.Getenv("SCRIPTIX_API_KEY"), []scriptix.Option{scriptix.WithBudget(budget)}
	if key == "" {
		fake, err := scriptixtest.Start()
		if err != nil {
			return err
		}
		defer fake.Close()
		key, opts = fake.APIKey(), append(opts, scriptix.WithBaseURL(fake.URL()))
	}
	client, err := scriptix.New(key, opts...)
	if err != nil {
		return err
	}
	inputs := func(yield func(batch.Input) bool) {
		for _, file := range files {
			if !yield(batch.Input{Audio: scriptix.File(file), Params: scriptix.SubmitParams{Language: "en", Diarization: true}}) {
				return
			}
		}
	}
	save := func(_ context.Context, o batch.Outcome) error {
		name := filepath.Join(out, o.Input.Audio.Name()+".json")
		data, err := json.MarshalIndent(o.Transcript, "", "  ")
		return errors.Join(err, os.WriteFile(name, data, 0o600)) // what is cut short here is written again
	}
	for o := range batch.Run(ctx, client, inputs, batch.Options{Ledger: ledger, Sink: save}) {
		fmt.Println(o.State, o.Input.Audio.Name(), o.JobID)
		err = errors.Join(err, o.Err)
	}
	return err
}
