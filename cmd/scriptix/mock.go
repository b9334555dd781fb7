package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

type mockCmd struct {
	Addr          string        `default:"127.0.0.1:8089" placeholder:"ADDR" help:"Loopback address to listen at (${default}); port 0 takes a free one."`
	Key           string        `placeholder:"KEY" help:"API key that the fake accepts; a random one without. Not your key: it is printed."`
	Secret        string        `placeholder:"SECRET" help:"Secret that the fake signs callbacks with; a random one without. Not yours: it is printed."`
	Plan          string        `enum:",free,bronze,silver,gold" default:"" placeholder:"PLAN" help:"Enforce the limits of a plan: free, bronze, silver or gold."`
	Dialect       string        `enum:"stt,session,session-legacy,session-current,both" default:"stt" placeholder:"DIALECT" help:"API to speak: stt, session (current), session-legacy, session-current or both (${default})."`
	Processing    time.Duration `default:"2s" placeholder:"DURATION" help:"How long each job is processed (${default})."`
	Queue         time.Duration `placeholder:"DURATION" help:"How long each job is queued before."`
	Transcript    string        `placeholder:"FILE" help:"What is said in every recording: lines as '[0.0 - 2.5] Speaker 1: Good morning.', times and speakers optional."`
	Fail          bool          `help:"Every job fails."`
	LoseCallbacks bool          `name:"lose-callbacks" help:"No callback is sent."`
	Fault         []string      `placeholder:"LIST" help:"What goes wrong: cut (an upload arrives, its answer does not), 429, 5xx, and callbacks that are lost, late (30 s) or repeated; each always, so many times or for a share, as cut=1,429=2,5xx=10%,lost."`
	EnvFile       string        `name:"env-file" placeholder:"FILE" help:"Write SCRIPTIX_BASE_URL, SCRIPTIX_API_KEY and SCRIPTIX_WEBHOOK_SECRET to a file, to be sourced."`
	Verbose       bool          `short:"v" help:"Log every request and callback to standard error."`
}

// Help shows how it is used.
func (*mockCmd) Help() string {
	return `It speaks as the service does, on this machine alone, and bills nothing.

Examples:
  scriptix mock --env-file mock.env
  scriptix mock --plan silver --processing 10s --verbose
  scriptix mock --fault cut=1,lost`
}

// Run serves until it is interrupted, which is its usual end.
func (c *mockCmd) Run(ctx context.Context, e *env) error {
	said := ""
	if c.Transcript != "" {
		data, err := os.ReadFile(c.Transcript)
		if err != nil {
			return usage("--transcript: %w", err)
		}
		said = string(data)
	}
	faults, err := parseFaults(c.Fault)
	if err != nil {
		return err
	}
	server, err := scriptixtest.Start(c.options(e)...)
	if err != nil {
		return usage("%s", mockFlags.Replace(err.Error()))
	}
	defer server.Close()
	faults.put(server)
	server.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		o := scriptixtest.Outcome{Callback: faults.callback()}
		if c.LoseCallbacks {
			o.Callback.Lose = true
		}
		if c.Fail {
			o.Failure = "the fake was started with --fail"
		}
		if said != "" {
			o.Segments = scriptixtest.Sidecar(said, u.Duration)
		}
		return o
	})
	if c.EnvFile != "" {
		err := writeFile(c.EnvFile, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "export SCRIPTIX_BASE_URL=%s\nexport %s=%s\nexport %s=%s\n",
				server.URL(), keyVariable, server.APIKey(), secretVariable, server.WebhookSecret())
			return err
		})
		if err != nil {
			return fmt.Errorf("--env-file %w", err)
		}
	}
	if err := e.printf("url     %s\nkey     %s\nsecret  %s", server.URL(), server.APIKey(), server.WebhookSecret()); err != nil {
		return err
	}
	<-ctx.Done()
	s := server.Stats()
	return e.printf("%d jobs, %d requests, %d of them refused by the plan, %d callbacks", s.Jobs, s.Requests, s.Refused, s.Deliveries)
}

var mockDialects = map[string]scriptixtest.Option{
	"stt":             scriptixtest.WithDialect(scriptixtest.STT),
	"session":         scriptixtest.WithDialect(scriptixtest.Session),
	"session-legacy":  scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Legacy),
	"session-current": scriptixtest.WithDialect(scriptixtest.Session, scriptixtest.Current),
	"both":            scriptixtest.WithDialect(scriptixtest.DialectBoth),
}

// mockFlags names flags where the fake names its options.
var mockFlags = strings.NewReplacer("WithAddr:", "--addr:", "WithAPIKey:", "--key:", "WithWebhookSecret:", "--secret:", "WithProcessing:", "--processing:", "WithQueue:", "--queue:")

func (c *mockCmd) options(e *env) []scriptixtest.Option {
	opts := []scriptixtest.Option{
		scriptixtest.WithAddr(c.Addr), scriptixtest.WithProcessing(c.Processing), scriptixtest.WithQueue(c.Queue), scriptixtest.WithHistory(1000),
	}
	opts = append(opts, mockDialects[c.Dialect])
	if c.Key != "" {
		opts = append(opts, scriptixtest.WithAPIKey(c.Key))
	}
	if c.Secret != "" {
		opts = append(opts, scriptixtest.WithWebhookSecret(c.Secret))
	}
	if c.Plan != "" {
		l := plans[c.Plan]
		opts = append(opts, scriptixtest.WithPlan(scriptixtest.Limits{PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay, Concurrent: l.Concurrent}))
	}
	if c.Verbose {
		opts = append(opts, scriptixtest.WithLogger(slog.New(slog.NewTextHandler(lineWriter{e}, nil))))
	}
	return opts
}
