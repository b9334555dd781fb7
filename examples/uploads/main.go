// Command uploads is a service that transcribes what its own users upload.
//
//	go run ./examples/uploads
//	curl -u demo:demo -F audio=@examples/testdata/meeting.wav http://127.0.0.1:8092/uploads
//
// A browser shows a form and the user's uploads at the same address. An upload is streamed to disk, and answered with 202
// once it is there; a batch takes it from there, so that an upload needs no room in the request budget, and a restart
// loses none. The same user's upload with the same Idempotency-Key, or without one of the same bytes, is one upload and one
// job. Users have quotas and see nothing of each other.
//
// Without SCRIPTIX_API_KEY it starts a fake service. With it, set SCRIPTIX_WEBHOOK_URL to the public address of /scriptix
// here, and SCRIPTIX_WEBHOOK_SECRET; without these jobs are polled. UPLOADS_USERS has the users, as
// "alice:password,bob:password". The directory belongs to one process: for several, see the module fleet.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8092", "`address` to listen at; it speaks HTTP, for a proxy that speaks HTTPS")
	dir := flag.String("dir", "uploads", "`directory` that keeps uploads, transcripts and the ledger")
	open := flag.Int("open", 10, "uploads of a user that may wait for their transcript")
	size := flag.Int64("size", 500<<20, "`bytes` that a recording may have")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *dir, quota{open: *open, bytes: *size})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "uploads:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, dir string, q quota) (err error) {
	users, err := users()
	if err != nil {
		return err
	}
	s, err := open(dir)
	if err != nil {
		return err
	}
	ledger, err := batch.Open(filepath.Join(dir, "ledger.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	client, secrets, closeFake, err := connect(ledger, "http://"+listener.Addr().String()+"/scriptix") //nolint:contextcheck // the budget is kept for as long as the ledger is open
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer closeFake()
	notify := http.NotFoundHandler()
	if len(secrets) > 0 {
		if notify, err = batch.NewHandler(client, ledger, secrets...); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	face := &service{store: s, users: users, quota: q, stall: time.Minute, log: log, notify: notify}
	server := &http.Server{Handler: face.handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	var group sync.WaitGroup
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() { work(working, s, client, ledger, time.Minute, log) })
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("taking uploads at http://%s\n", listener.Addr())
	select {
	case err = <-served:
	case <-ctx.Done():
		shutdown, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		_ = server.Shutdown(shutdown) // an upload that takes longer has had no answer, and comes again
		err = server.Close()
	}
	cancel()
	group.Wait()
	return err
}

// connect makes the client, and says with which secrets callbacks are signed.
func connect(ledger batch.Ledger, here string) (*scriptix.Client, []string, func(), error) {
	budget, err := batch.Budget(ledger, scriptix.PlanFree) // your plan; a restart does not forget the day
	if err != nil {
		return nil, nil, nil, err
	}
	key, url, opts, closeFake := os.Getenv("SCRIPTIX_API_KEY"), os.Getenv("SCRIPTIX_WEBHOOK_URL"), []scriptix.Option{scriptix.WithBudget(budget)}, func() {}
	var secrets []string
	if value := os.Getenv("SCRIPTIX_WEBHOOK_SECRET"); value != "" {
		secrets = strings.Split(value, ",")
	}
	if key == "" {
		fake, err := scriptixtest.Start()
		if err != nil {
			return nil, nil, nil, err
		}
		key, url, secrets, closeFake = fake.APIKey(), here, []string{fake.WebhookSecret()}, fake.Close
		opts = append(opts, scriptix.WithBaseURL(fake.URL()))
	}
	if len(secrets) > 0 {
		opts = append(opts, scriptix.WithWebhook(url, secrets...))
	}
	client, err := scriptix.New(key, opts...)
	if err != nil {
		closeFake()
	}
	return client, secrets, closeFake, err
}

// users are those who may upload.
func users() (map[string]string, error) {
	pairs := os.Getenv("UPLOADS_USERS")
	if pairs == "" && os.Getenv("SCRIPTIX_API_KEY") == "" {
		pairs = "demo:demo" // of a fake service
	}
	list := make(map[string]string)
	for pair := range strings.SplitSeq(pairs, ",") {
		name, password, _ := strings.Cut(pair, ":")
		if name == "" || password == "" {
			return nil, errors.New("UPLOADS_USERS: want name:password, and a comma before the next")
		}
		list[name] = password
	}
	return list, nil
}
