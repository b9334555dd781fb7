// Command transcribe is the main job: it uploads recordings, hears of their end
// through a signed callback or by polling, and prints the transcripts.
//
//	go run ./examples/transcribe
//
// needs nothing: it starts the fake service on loopback and transcribes
// examples/testdata/meeting.wav. With a key it talks to the service:
//
//	SCRIPTIX_API_KEY=... go run ./examples/transcribe -language nl talk.mp3
//
// SCRIPTIX_BASE_URL names another service. With SCRIPTIX_WEBHOOK_URL and
// SCRIPTIX_WEBHOOK_SECRET it receives callbacks at -listen; without, it polls.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const (
	recording = "examples/testdata/meeting.wav"
	sidecar   = "examples/testdata/meeting.txt"
)

func main() {
	language := flag.String("language", "en", "language `code` of the recordings, or auto")
	jobID := flag.String("job", "", "come back to the job with this `id` instead of uploading")
	listen := flag.String("listen", "127.0.0.1:8090", "`address` at which callbacks for SCRIPTIX_WEBHOOK_URL arrive")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *language, *jobID, *listen, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "transcribe:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func run(ctx context.Context, language, jobID, listen string, files []string) error {
	s := settings{
		key: os.Getenv("SCRIPTIX_API_KEY"), baseURL: os.Getenv("SCRIPTIX_BASE_URL"),
		webhookURL: os.Getenv("SCRIPTIX_WEBHOOK_URL"), secret: os.Getenv("SCRIPTIX_WEBHOOK_SECRET"),
	}
	if s.key == "" {
		if len(files) > 0 || jobID != "" {
			return errors.New("set SCRIPTIX_API_KEY to transcribe your own recordings; without arguments this runs against a fake service")
		}
		fake, err := startFake()
		if err != nil {
			return err
		}
		defer fake.Close()
		files, listen = []string{recording}, "127.0.0.1:0"
		s = settings{key: fake.APIKey(), baseURL: fake.URL(), secret: fake.WebhookSecret(), fake: true}
	}
	client, closeReceiver, err := s.connect(ctx, listen)
	if err != nil {
		return err
	}
	defer closeReceiver()
	if jobID != "" {
		t, err := client.STT.WaitResult(ctx, jobID)
		return s.show(t, err)
	}
	if len(files) == 0 {
		return errors.New("name the recordings to transcribe")
	}
	for _, file := range files {
		fmt.Printf("uploading %s\n", file)
		job, err := client.STT.Submit(ctx, scriptix.File(file), scriptix.SubmitParams{Language: language, Diarization: true})
		if err != nil {
			return err
		}
		fmt.Printf("job %s runs; waiting for its end\n", job.ID)
		t, err := client.STT.WaitResult(ctx, job.ID)
		if err := s.show(t, err); err != nil {
			return err
		}
	}
	return nil
}

// startFake starts the fake service, which knows what is said in the recording
// from the text beside it.
func startFake() (*scriptixtest.Server, error) {
	said, err := os.ReadFile(sidecar)
	if err != nil {
		return nil, fmt.Errorf("%w (run this in the project's root)", err)
	}
	fake, err := scriptixtest.Start()
	if err != nil {
		return nil, err
	}
	fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Processing: 500 * time.Millisecond, Segments: scriptixtest.Sidecar(string(said), u.Duration)}
	})
	fmt.Printf("SCRIPTIX_API_KEY is not set: using a fake service at %s\n", fake.URL())
	return fake, nil
}

type settings struct {
	key, baseURL, webhookURL, secret string
	fake                             bool
}

// connect makes the client and, where callbacks are to be had, the server that
// receives them.
func (s *settings) connect(ctx context.Context, listen string) (*scriptix.Client, func(), error) {
	opts := []scriptix.Option{scriptix.WithApplication("transcribe-example", scriptix.Version)}
	if s.baseURL != "" {
		opts = append(opts, scriptix.WithBaseURL(s.baseURL))
	}
	if s.secret == "" {
		fmt.Println("no webhook secret: polling")
		client, err := scriptix.New(s.key, opts...)
		return client, func() {}, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, nil, err
	}
	if s.webhookURL == "" {
		s.webhookURL = "http://" + listener.Addr().String() + "/callback"
	}
	client, err := scriptix.New(s.key, append(opts, scriptix.WithWebhook(s.webhookURL, s.secret))...)
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: client.WebhookHandler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	fmt.Printf("receiving callbacks at %s\n", s.webhookURL)
	return client, func() { _ = server.Close() }, nil
}

// show prints a transcript with times and speakers, or says how to come back.
func (s *settings) show(t *scriptix.Transcript, err error) error {
	if ended, ok := errors.AsType[*scriptix.WaitError](err); ok {
		if s.fake {
			return fmt.Errorf("interrupted; job %s ends with the fake service", ended.JobID)
		}
		return fmt.Errorf("interrupted; job %s goes on. Come back to it with: go run ./examples/transcribe -job %[1]s", ended.JobID)
	}
	if err != nil {
		return err
	}
	fmt.Printf("\n%s, %s, %v\n\n", t.JobID, t.Language, t.Duration.Round(time.Millisecond))
	for _, seg := range t.Segments {
		fmt.Printf("%s - %s  %-10s %s\n", clock(seg.Start), clock(seg.End), seg.Speaker, strings.TrimSpace(seg.Text))
	}
	return nil
}

// clock is a time as minutes, seconds and hundredths.
func clock(d time.Duration) string {
	d = d.Round(10 * time.Millisecond)
	return fmt.Sprintf("%02d:%05.2f", int(d.Minutes()), (d % time.Minute).Seconds())
}
