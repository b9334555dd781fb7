// Command webhookserver receives callbacks with the webhook package alone, and
// writes each event to a file as a line of JSON before the sender gets its 200.
//
//	SCRIPTIX_WEBHOOK_SECRET=... go run ./examples/webhookserver -addr 127.0.0.1:8090 -out events.jsonl
//
// While secrets are rotated the variable may hold several, separated by commas.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
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
	addr := flag.String("addr", "127.0.0.1:8090", "`address` to listen at")
	out := flag.String("out", "events.jsonl", "`file` that events are appended to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *out, strings.Split(os.Getenv("SCRIPTIX_WEBHOOK_SECRET"), ",")); err != nil {
		fmt.Fprintln(os.Stderr, "webhookserver:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func run(ctx context.Context, addr, path string, secrets []string) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	q := newQueue(64)
	handler, err := webhook.NewHandler(q.put, secrets, webhook.OnReject(func(r *http.Request, err error) {
		log.WarnContext(r.Context(), "callback rejected", "from", r.RemoteAddr, "reason", err)
	}))
	if err != nil {
		return fmt.Errorf("SCRIPTIX_WEBHOOK_SECRET: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	written := make(chan struct{})
	go func() {
		defer close(written)
		q.write(file)
	}()
	fmt.Printf("receiving callbacks at http://%s, writing to %s\n", listener.Addr(), path)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// Requests under way get their answer, then the queue is written out.
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	err = server.Shutdown(shutdown)
	q.close()
	<-written
	return err
}

// queue hands events to one writer. It is bounded: what does not fit is refused
// with a 503, and the sender tries again.
type queue struct {
	items chan item
	done  chan struct{}
}

type item struct {
	event   webhook.Event
	written chan error
}

func newQueue(size int) *queue {
	return &queue{items: make(chan item, size), done: make(chan struct{})}
}

var errFull = errors.New("the queue is full")

// put returns once the event is written, so that the 200 says no less.
func (q *queue) put(ctx context.Context, e webhook.Event) error {
	it := item{e, make(chan error, 1)}
	select {
	case q.items <- it:
	default:
		return errFull
	}
	select {
	case err := <-it.written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) close() { close(q.done) }

// syncer is a file whose writes can be made durable.
type syncer interface {
	io.Writer
	Sync() error
}

// write appends each event's body as a line, until the queue is closed and
// empty.
func (q *queue) write(file syncer) {
	for {
		select {
		case it := <-q.items:
			it.written <- appendLine(file, it.event)
		case <-q.done:
			select {
			case it := <-q.items:
				it.written <- appendLine(file, it.event)
			default:
				return
			}
		}
	}
}

func appendLine(file syncer, e webhook.Event) error {
	line := strings.NewReplacer("\r", "", "\n", " ").Replace(string(e.Raw)) + "\n"
	if _, err := io.WriteString(file, line); err != nil {
		return err
	}
	return file.Sync()
}
