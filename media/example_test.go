package media_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/media"
)

func ExampleExtract() {
	ctx := context.Background()
	client, err := scriptix.New("your API key")
	if err != nil {
		log.Fatal(err)
	}
	audio := scriptix.File("interview.mp4")
	extract, err := media.Extract(ctx, "interview.mp4", media.Options{})
	switch {
	case err == nil:
		defer func() { _ = extract.Close() }() // the job has it by then
		audio = extract.Audio()
	case errors.Is(err, media.ErrNoAudio):
		log.Fatal(err) // it would be billed for nothing
	default:
		log.Print("sent as it is: ", err)
	}
	job, err := client.STT.Submit(ctx, audio, scriptix.SubmitParams{Language: "nl"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.ID)
}

func ExampleProbe() {
	info, err := media.Probe(context.Background(), "interview.mp4")
	if err != nil {
		log.Fatal(err)
	}
	for _, track := range info.Tracks {
		fmt.Println(track.Number, track.Codec, track.Channels, track.Language)
	}
}
