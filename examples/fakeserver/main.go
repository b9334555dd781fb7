// Command fakeserver is the fake Scriptix service as a program, to try clients
// against: curl, receivers in any language, your own service.
//
//	go run ./examples/fakeserver -processing 5s
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8089", "loopback `address` to listen at")
	key := flag.String("key", "", "API `key` to accept (default: one of its own)")
	secret := flag.String("secret", "", "`secret` that callbacks are signed with (default: one of its own)")
	processing := flag.Duration("processing", 2*time.Second, "how long each job takes")
	fail := flag.Bool("fail", false, "every job fails")
	lose := flag.Bool("lose-callbacks", false, "no callback is sent")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	opts := []scriptixtest.Option{scriptixtest.WithAddr(*addr), scriptixtest.WithProcessing(*processing), scriptixtest.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)))}
	if *key != "" {
		opts = append(opts, scriptixtest.WithAPIKey(*key))
	}
	if *secret != "" {
		opts = append(opts, scriptixtest.WithWebhookSecret(*secret))
	}
	server, err := scriptixtest.Start(opts...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeserver:", err)
		os.Exit(1) //nolint:gocritic // nothing is to be undone yet
	}
	server.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
		var o scriptixtest.Outcome
		if *fail {
			o.Failure = "the fake was started with -fail"
		}
		o.Callback.Lose = *lose
		return o
	})
	fmt.Printf("url     %s\nkey     %s\nsecret  %s\n", server.URL(), server.APIKey(), server.WebhookSecret())
	<-ctx.Done()
	server.Close()
	fmt.Println("ended")
}
