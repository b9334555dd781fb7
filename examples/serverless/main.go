// Command serverless receives callbacks where no process lives long: it checks the signature with the webhook package
// alone, puts the event on a queue, and answers 200 once the queue has it.
//
//	SCRIPTIX_WEBHOOK_SECRET=... PORT=8080 go run ./examples/serverless
//
// While secrets are rotated the variable may hold several, separated by commas.
//
// Replace newQueue with a queue of your platform. The rest fits as it is:
//
//   - Google Cloud Run, AWS App Runner, Azure Container Apps and any other that runs a container and names a port: this
//     program.
//   - Google Cloud Run functions: functions.HTTP("callback", handler.ServeHTTP).
//   - AWS Lambda with a function URL, or behind an HTTP API: lambda.Start(function(handler)).
//   - Azure Functions: this program as a custom handler, with enableForwardingHttpRequest.
//
// Whoever takes a message off the queue fetches the transcript with the API key, which is not needed here:
//
//	event, err := webhook.Parse(message.Body)
//	event.Target = message.Target
//	err = client.Deliver(ctx, event)                     // where a process waits for the job, or
//	transcript, err := client.STT.Result(ctx, event.Data.ID) // where none does
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, net.JoinHostPort(os.Getenv("HOST"), port()), newQueue(ctx), secrets())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "serverless:", err)
		os.Exit(1)
	}
}

// newQueue is the place for your own. This one prints what it gets, so that the example does something.
func newQueue(ctx context.Context) Queue {
	queue := make(memory, 64)
	go func() {
		for {
			select {
			case m := <-queue:
				fmt.Println(m.ID)
			case <-ctx.Done():
				return
			}
		}
	}()
	return queue
}

// newHandler makes what answers callbacks. It is made once for all calls of an instance.
func newHandler(queue Queue, secrets []string) (*webhook.Handler, error) {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	put := func(ctx context.Context, e webhook.Event) error {
		return queue.Put(ctx, Message{ID: string(e.Type) + "/" + e.Data.ID, Body: e.Raw, Target: e.Target})
	}
	handler, err := webhook.NewHandler(put, secrets, webhook.OnReject(func(r *http.Request, err error) {
		log.WarnContext(r.Context(), "callback rejected", "from", r.RemoteAddr, "reason", err)
	}))
	if err != nil {
		return nil, fmt.Errorf("SCRIPTIX_WEBHOOK_SECRET: %w", err)
	}
	return handler, nil
}

// run serves callbacks until ctx ends. Those that are being taken in then get their answer.
func run(ctx context.Context, addr string, queue Queue, secrets []string) error {
	handler, err := newHandler(queue, secrets)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("receiving callbacks at http://%s\n", listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	const grace = 9 * time.Second // platforms end a container ten seconds after they asked it to end
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(server.Shutdown(shutdown), server.Close())
}

func secrets() []string { return strings.Split(os.Getenv("SCRIPTIX_WEBHOOK_SECRET"), ",") }

// port is the one that the platform names.
func port() string {
	for _, name := range []string{"PORT", "FUNCTIONS_CUSTOMHANDLER_PORT"} {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return "8080"
}
