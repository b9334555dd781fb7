package blobscriptix_test

import (
	"context"
	"fmt"

	"gocloud.dev/blob/memblob"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/blobscriptix"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// A recording goes from a bucket to the service without touching a disk.
func ExampleOpen() {
	ctx := context.Background()
	fake, err := scriptixtest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()
	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()))
	if err != nil {
		fmt.Println(err)
		return
	}
	bucket := memblob.OpenBucket(nil) // or blob.OpenBucket(ctx, "s3://calls?region=eu-west-1")
	defer func() { _ = bucket.Close() }()
	if err := bucket.WriteAll(ctx, "2026/monday.mp3", []byte("ID3, and some audio"), nil); err != nil {
		fmt.Println(err)
		return
	}

	job, err := client.STT.Submit(ctx, blobscriptix.Open(ctx, bucket, "2026/monday.mp3"), scriptix.SubmitParams{Language: "en"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Status, fake.Jobs()[0].FileName)
	// Output: uploaded monday.mp3
}
