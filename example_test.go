package scriptix_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// startFake starts a fake service that hears two sentences in everything, and a
// client of it.
func startFake() (*scriptixtest.Server, *scriptix.Client) {
	fake, err := scriptixtest.Start()
	if err != nil {
		log.Fatal(err)
	}
	fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{
			Processing: 10 * time.Millisecond, Duration: 4 * time.Second,
			Text: "[0 - 1.5] Speaker 1: Good morning.\n[2 - 4] Speaker 2: Shall we begin?",
		}
	})
	client, err := scriptix.New(fake.APIKey(), scriptix.WithBaseURL(fake.URL()))
	if err != nil {
		log.Fatal(err)
	}
	return fake, client
}

func ExampleSTTService_Transcribe() {
	fake, client := startFake()
	defer fake.Close()

	t, err := client.STT.Transcribe(context.Background(), scriptix.Bytes("meeting.mp3", []byte("ID3")), scriptix.SubmitParams{Language: "en", Diarization: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, seg := range t.Segments {
		fmt.Printf("%v-%v %s: %s\n", seg.Start, seg.End, seg.Speaker, seg.Text)
	}
	// Output:
	// 0s-1.5s Speaker 1: Good morning.
	// 2s-4s Speaker 2: Shall we begin?
}

func ExampleSTTService_Submit() {
	fake, client := startFake()
	defer fake.Close()

	job, err := client.STT.Submit(context.Background(), scriptix.File("examples/testdata/meeting.wav"), scriptix.SubmitParams{Language: "en"})
	if errors.Is(err, scriptix.ErrUnknownOutcome) {
		log.Fatal("sent, but no answer came: look into the account before sending it again")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status, job.Duration)
	// Output: uploaded 4s
}

func ExampleSTTService_Wait() {
	fake, client := startFake()
	defer fake.Close()
	ctx := context.Background()
	job, err := client.STT.Submit(ctx, scriptix.Bytes("a.mp3", []byte("ID3")), scriptix.SubmitParams{Language: "en"})
	if err != nil {
		log.Fatal(err)
	}

	job, err = client.STT.Wait(ctx, job.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status, job.Err())
	// Output: completed <nil>
}

func ExampleSTTService_Watch() {
	fake, client := startFake()
	defer fake.Close()
	ctx := context.Background()
	var ids []string
	for range 3 {
		job, err := client.STT.Submit(ctx, scriptix.Bytes("a.mp3", []byte("ID3")), scriptix.SubmitParams{Language: "en"})
		if err != nil {
			log.Fatal(err)
		}
		ids = append(ids, job.ID)
	}

	ended := 0
	for job, err := range client.STT.Watch(ctx, ids...) {
		if err != nil {
			log.Fatal(err)
		}
		if job.Status.Terminal() {
			ended++
		}
	}
	fmt.Println(ended, "ended")
	// Output: 3 ended
}

func ExampleWithWebhook() {
	client, err := scriptix.New("key", scriptix.WithWebhook("https://jobs.example.com/scriptix", "new secret", "old secret"))
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /scriptix", client.WebhookHandler())
	fmt.Println(client.CallbackURL())
	// Output: https://jobs.example.com/scriptix
}

func ExampleWantTranscript() {
	fake, client := startFake()
	defer fake.Close()
	ctx := context.Background()
	job, err := client.STT.Submit(ctx, scriptix.Bytes("a.mp3", []byte("ID3")), scriptix.SubmitParams{Language: "en"})
	if err != nil {
		log.Fatal(err)
	}

	w := client.STT.NewWatcher(scriptix.WantTranscript())
	w.Add(*job)
	for job, err := range w.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if !job.Status.Succeeded() {
			continue
		}
		t := job.Transcript // the poll that found the end may have brought it along
		if t == nil {
			if t, err = client.STT.Result(ctx, job.ID); err != nil {
				log.Fatal(err)
			}
		}
		fmt.Println(len(t.Segments), "segments")
	}
	// Output: 2 segments
}

func ExampleClient_Waiting() {
	fake, client := startFake()
	defer fake.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _, _ = client.STT.Wait(ctx, "stt_1", scriptix.SubmittedAt(time.Now().Add(-time.Minute))) }()

	for state := range client.Waiting() { // on a ticker, for a status line
		fmt.Printf("%s: %s, asked about at %v", state.JobID, state.Reason, state.Next)
	}
}

func ExampleWithStatusPolls() {
	client, err := scriptix.New("key", scriptix.WithStatusPolls()) // for a service that bills each request for a result
	fmt.Println(client, err)
	// Output: scriptix.Client{https://api.scriptix.io} <nil>
}

func ExampleWatcher_Learn() {
	client, err := scriptix.New("key")
	if err != nil {
		log.Fatal(err)
	}
	w := client.STT.NewWatcher()
	for range 20 { // from what an earlier process stored
		w.Learn(scriptix.JobTime{Took: 11 * time.Minute, Duration: 15 * time.Minute})
	}
	fmt.Println("jobs queue for", client.Stats().QueueTime)
	// Output: jobs queue for 8m0s
}

func ExampleWatcher_Observe() {
	fake, client := startFake()
	defer fake.Close()
	w := client.STT.NewWatcher()
	w.Add(scriptix.Job{ID: "stt_1"})
	// Another process receives the callbacks, and says what they brought.
	w.Observe(scriptix.Job{ID: "stt_1", Status: scriptix.StatusCompleted, Source: scriptix.SourceWebhook}, time.Now())
	for job, err := range w.All(context.Background()) {
		fmt.Println(job.ID, job.Status, err)
	}
	// Output: stt_1 completed <nil>
}

func ExampleNew() {
	_, err := scriptix.New("key\n")
	fmt.Println(err)

	client, err := scriptix.New("key", scriptix.WithLimits(scriptix.PlanSilver), scriptix.WithApplication("nightly", "1.4"))
	fmt.Println(client, err)
	// Output:
	// scriptix: the API key holds a blank or a character that cannot stand in a header; look for a line break at its end
	// scriptix.Client{https://api.scriptix.io} <nil>
}

func ExampleWithBudget() {
	// One key, two clients: they share what the key may send.
	budget, err := scriptix.NewBudget(scriptix.PlanSilver)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"nightly", "interactive"} {
		client, err := scriptix.New("key", scriptix.WithBudget(budget), scriptix.WithApplication(name, "1.0"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, "may send", client.Budget().Day.Left, "requests today")
	}
	// Output:
	// nightly may send 20000 requests today
	// interactive may send 20000 requests today
}

func ExampleClient_Budget() {
	client, err := scriptix.New("key", scriptix.WithLimits(scriptix.PlanSilver))
	if err != nil {
		log.Fatal(err)
	}
	b := client.Budget()
	fmt.Println(b.Minute.Left, b.Hour.Left, b.Day.Left)
	// Output: 60 2000 20000
}
