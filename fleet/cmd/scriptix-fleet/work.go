package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/fleet"
)

type migrateCmd struct{ database }

// Help shows how it is used.
func (*migrateCmd) Help() string {
	return `Examples:
  scriptix-fleet migrate
  scriptix-fleet migrate --schema transcripts`
}

// Run makes the tables.
func (c *migrateCmd) Run(ctx context.Context, e *env) error {
	pool, err := c.pool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := fleet.Migrate(ctx, pool, c.Schema); err != nil {
		return err
	}
	return e.printf("schema %s is up to date", c.Schema)
}

// workCmd is a worker.
type workCmd struct {
	database
	plan
	BaseURL       string        `name:"base-url" env:"SCRIPTIX_BASE_URL" default:"https://api.scriptix.io" placeholder:"URL" help:"Address of the service (${default})."`
	Dialect       string        `enum:"stt,session" default:"stt" env:"SCRIPTIX_DIALECT" placeholder:"DIALECT" help:"API of the service: stt or session (${default}); scriptix doctor tells which. The same for all workers of an account."`
	WebhookURL    string        `name:"webhook-url" env:"SCRIPTIX_WEBHOOK_URL" placeholder:"URL" help:"Where the service sends callbacks: the public address of scriptix-fleet serve."`
	Root          string        `placeholder:"DIR" help:"Directory that file: locators are relative to, and below which they stay."`
	AllowPrivate  bool          `name:"allow-private" help:"Let https: locators lead to private addresses."`
	Concurrency   int           `default:"4" help:"Recordings that are uploaded at once (${default})."`
	Lease         time.Duration `default:"20s" help:"How long the others wait for a worker that is not heard of (${default})."`
	UnknownAfter  time.Duration `name:"unknown-after" placeholder:"TIME" help:"How long an unknown outcome waits for its callback (30m; in the session dialect, where none can tell, not at all)."`
	ResubmitAfter time.Duration `name:"resubmit-after" placeholder:"TIME" help:"Send an unknown outcome again after that time; it may be billed twice."`
	Erase         bool          `help:"Erase each job at the service once its transcript is stored (session dialect): one request more for each recording."`
	Transcripts   time.Duration `name:"keep-transcripts" placeholder:"TIME" help:"Erase transcripts so long after they were stored."`
	Sources       time.Duration `name:"keep-sources" placeholder:"TIME" help:"Erase locators, parameters, names and meta so long after the end."`
	Records       time.Duration `name:"keep-records" placeholder:"TIME" help:"Erase records so long after the end; the same key is then paid for again."`
	Metrics       string        `placeholder:"ADDR" help:"Serve metrics for Prometheus on this address."`
	Drain         time.Duration `default:"5m" help:"How long uploads may go on after SIGTERM (${default})."`
}

// Help shows how it is used.
func (*workCmd) Help() string {
	return `Examples:
  scriptix-fleet work --plan gold --root /srv/calls --webhook-url https://hooks.example.com/scriptix
  scriptix-fleet work --plan silver --root /srv/calls --metrics 127.0.0.1:9090
  scriptix-fleet work --plan gold --root /srv/calls --dialect session --erase`
}

// Run works until it is told to stop, and then drains.
func (c *workCmd) Run(ctx context.Context, e *env) error {
	key, err := e.apiKey()
	if err != nil {
		return err
	}
	opts := []scriptix.Option{scriptix.WithBaseURL(c.BaseURL), scriptix.WithApplication("scriptix-fleet", scriptix.Version)}
	if c.Dialect == "session" {
		opts = append(opts, scriptix.WithDialect(scriptix.DialectSession))
	}
	if c.WebhookURL != "" {
		secrets, err := e.webhookSecrets()
		if err != nil {
			return err
		}
		opts = append(opts, scriptix.WithWebhook(c.WebhookURL, secrets...))
	}
	client := func(b scriptix.Budget) (*scriptix.Client, error) {
		return scriptix.New(key, append(slices.Clip(opts), scriptix.WithBudget(b))...)
	}
	// What the client refuses is an error in the call, and not one of the fleet's.
	speaks, err := scriptix.New(key, opts...)
	if err == nil && c.Erase && errors.Is(speaks.STT.Delete(ctx, ""), scriptix.ErrUnsupported) { // sends nothing
		err = fmt.Errorf("--erase: the %s API cannot erase jobs; session can (--dialect session)", c.Dialect)
	}
	if err != nil {
		return usageError{err}
	}
	f, done, err := c.open(ctx, e, fleet.Options{
		Client: client, Limits: c.limits(), Root: c.Root, AllowPrivate: c.AllowPrivate, Concurrency: c.Concurrency, Lease: c.Lease,
		UnknownAfter: c.UnknownAfter, ResubmitAfter: c.ResubmitAfter, Erase: c.Erase,
		Retention: fleet.Retention{Transcripts: c.Transcripts, Sources: c.Sources, Records: c.Records},
	})
	if err != nil {
		return err
	}
	defer done()
	if err := f.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := e.printf("working"); err != nil {
		return err
	}
	metricsErr := waitWithMetrics(ctx, e, c.Metrics, f)
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Drain)
	defer cancel()
	if err := f.Stop(draining); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(metricsErr, err)
	}
	return metricsErr
}

// waitWithMetrics waits for the end of ctx, and serves metrics meanwhile.
func waitWithMetrics(ctx context.Context, e *env, address string, f *fleet.Fleet) error {
	if address == "" {
		<-ctx.Done()
		return nil
	}
	return listenOn(ctx, address, f.Metrics(), func(on net.Addr) { _ = e.printf("metrics on %v", on) })
}

// serveCmd is a receiver.
type serveCmd struct {
	database
	Listen  string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to receive callbacks on (${default}). TLS is the load balancer's."`
	Dialect string `enum:"stt,session" default:"stt" env:"SCRIPTIX_DIALECT" placeholder:"DIALECT" help:"API that the workers speak: the callbacks of stt are signed and tell of ends, those of session have jobs asked for sooner (${default})."`
	Metrics string `placeholder:"ADDR" help:"Serve metrics for Prometheus on this address."`
}

// Help shows how it is used.
func (*serveCmd) Help() string {
	return `Examples:
  scriptix-fleet serve --listen 0.0.0.0:8080
  scriptix-fleet serve --listen 0.0.0.0:8080 --dialect session
  scriptix-fleet serve --listen 127.0.0.1:8080 --metrics 127.0.0.1:9091`
}

// Run receives callbacks until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, e *env) error {
	secrets, err := e.webhookSecrets()
	if err != nil {
		return err
	}
	f, done, err := c.open(ctx, e, fleet.Options{})
	if err != nil {
		return err
	}
	defer done()
	receive := f.Handler
	if c.Dialect == "session" {
		receive = f.HintHandler
	}
	handler, err := receive(secrets...)
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2)
	both := 1
	serve := func(address string, h http.Handler, what string) {
		defer cancel() // one without the other is not what was asked for
		failed <- listenOn(ctx, address, h, func(on net.Addr) { _ = e.printf("%s on %v", what, on) })
	}
	go serve(c.Listen, handler, "callbacks")
	if c.Metrics != "" {
		both++
		go serve(c.Metrics, f.Metrics(), "metrics")
	}
	for range both {
		err = errors.Join(err, <-failed)
	}
	return err
}
