// Command bucketbatch transcribes what lies in a bucket: recordings in, JSON transcripts out.
//
//	cd examples/bucketbatch
//	GOWORK=off go run . -in 's3://calls?region=eu-west-1&prefix=2026/' -out 's3://transcripts?region=eu-west-1' -ledger night.db
//	GOWORK=off go run . -in "file://$PWD/../testdata" -out file:///tmp/transcripts?create_dir=true -ledger /tmp/night.db
//
// Run again it goes on where it stopped; an object that was replaced is a new recording. The credentials of the store
// come from where its own tools take them. Without SCRIPTIX_API_KEY it starts a fake service.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path"
	"slices"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/s3blob"   // s3://; gcsblob and azureblob are as easily linked

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/blobscriptix"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// recordings are the endings of what is sent.
var recordings = []string{".mp3", ".wav", ".flac", ".m4a", ".aac", ".ogg", ".opus", ".mp4", ".mov", ".mkv", ".webm"}

func main() {
	in := flag.String("in", "", "`URL` of the bucket with the recordings")
	out := flag.String("out", "", "`URL` of the bucket for the transcripts")
	ledger := flag.String("ledger", "bucketbatch.db", "`file` that remembers what was sent: keep it")
	language := flag.String("language", "en", "spoken in the recordings")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *in, *out, *ledger, *language); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, in, out, ledgerPath, language string) error {
	source, err := blob.OpenBucket(ctx, in)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := blob.OpenBucket(ctx, out)
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	ledger, err := batch.Open(ledgerPath)
	if err != nil {
		return err
	}
	defer func() { _ = ledger.Close() }()
	client, closeFake, err := newClient(ledger) //nolint:contextcheck // the budget is kept for as long as the ledger is open
	if err != nil {
		return err
	}
	defer closeFake()

	var listing error
	inputs := func(yield func(batch.Input) bool) {
		listing = eachRecording(ctx, source, func(name string) (bool, error) {
			params := scriptix.SubmitParams{Language: language, Diarization: true}
			key, err := blobscriptix.Key(ctx, source, name, params)
			if err != nil {
				return false, err
			}
			return yield(batch.Input{Audio: blobscriptix.Open(ctx, source, name), Params: params, Key: key}), nil
		})
	}
	store := func(ctx context.Context, o batch.Outcome) error {
		data, err := json.MarshalIndent(o.Transcript, "", "  ")
		if err != nil {
			return err
		}
		// The name holds the key, because two folders may hold recordings of one name.
		return target.WriteAll(ctx, o.Input.Audio.Name()+"."+o.Key[:8]+".json", data, nil)
	}
	for o := range batch.Run(ctx, client, inputs, batch.Options{Ledger: ledger, Sink: store}) {
		fmt.Println(o.State, o.Input.Audio.Name(), o.JobID)
		err = errors.Join(err, o.Err)
	}
	return errors.Join(err, listing)
}

// newClient is a client whose budget survives restarts, and what ends the fake service if it needed one.
func newClient(ledger batch.Ledger) (client *scriptix.Client, closeFake func(), err error) {
	budget, err := batch.Budget(ledger, scriptix.PlanFree)
	if err != nil {
		return nil, nil, err
	}
	key, opts, closeFake := os.Getenv("SCRIPTIX_API_KEY"), []scriptix.Option{scriptix.WithBudget(budget)}, func() {}
	if key == "" {
		fake, err := scriptixtest.Start()
		if err != nil {
			return nil, nil, err
		}
		key, opts, closeFake = fake.APIKey(), append(opts, scriptix.WithBaseURL(fake.URL())), fake.Close
	}
	client, err = scriptix.New(key, opts...)
	return client, closeFake, err
}

// eachRecording calls visit for each recording in the bucket, until one is refused or not wanted any more.
func eachRecording(ctx context.Context, bucket *blob.Bucket, visit func(name string) (more bool, err error)) error {
	list := bucket.List(nil)
	for {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if object.Size == 0 || !slices.Contains(recordings, strings.ToLower(path.Ext(object.Key))) {
			continue
		}
		more, err := visit(object.Key)
		if err != nil || !more {
			return err
		}
	}
}
