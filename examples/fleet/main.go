// Command fleet shows a whole fleet on one machine, in one command:
//
//	go run -C examples/fleet . ../testdata
//
// It starts a temporary PostgreSQL from the installed binaries, the fake
// service, two receivers of callbacks behind a load balancer, and three workers,
// each a process of scriptix-fleet. It enqueues the folder and prints what became
// of each recording. All of it listens on loopback alone, and is gone at the end.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func main() {
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: go run -C examples/fleet . FOLDER") }
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, flag.Arg(0))
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// stage is what the processes share.
type stage struct {
	program string // scriptix-fleet
	root    string
	env     []string
	url     string // of the service
}

func run(ctx context.Context, out io.Writer, folder string) (err error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	program, err := exec.CommandContext(ctx, "go", "tool", "-n", "scriptix-fleet").Output() // built, if it is not
	if err != nil {
		return fmt.Errorf("building scriptix-fleet: %w", err)
	}
	cluster, err := fleettest.Start() //nolint:contextcheck // it ends by Close
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	fake, err := scriptixtest.Start()
	if err != nil {
		return err
	}
	defer fake.Close()
	s := &stage{program: strings.TrimSpace(string(program)), root: root, url: fake.URL(), env: append(os.Environ(),
		"DATABASE_URL="+cluster.URL(""), "SCRIPTIX_API_KEY="+fake.APIKey(), "SCRIPTIX_WEBHOOK_SECRET="+fake.WebhookSecret())}
	if err := s.call(ctx, out, "migrate"); err != nil {
		return err
	}
	return s.play(ctx, out)
}

// play starts the processes, enqueues the folder and follows the outcomes.
func (s *stage) play(ctx context.Context, out io.Writer) error {
	var receivers []*url.URL
	for range 2 {
		line, stop, err := s.begin(ctx, "serve", "--listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer stop()
		receivers = append(receivers, &url.URL{Scheme: "http", Host: strings.TrimPrefix(line, "callbacks on ")})
	}
	var next atomic.Int64
	balancer := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(receivers[next.Add(1)%2])
	}})
	defer balancer.Close()
	for range 3 {
		_, stop, err := s.begin(ctx, "work", "--base-url", s.url, "--webhook-url", balancer.URL+"/scriptix", "--root", s.root, "--plan", "gold")
		if err != nil {
			return err
		}
		defer stop()
	}
	_, _ = fmt.Fprintln(out, "2 receivers and 3 workers are ready")
	n, err := recordings(s.root)
	if err != nil {
		return err
	}
	if err := s.call(ctx, out, "enqueue", "--language", "en", "--root", s.root, s.root); err != nil {
		return err
	}
	if err := s.call(ctx, out, "outcomes", "--follow", "--text", "--count", strconv.Itoa(n)); err != nil {
		return err
	}
	return s.call(ctx, out, "budget")
}

// call runs a command of scriptix-fleet to its end.
func (s *stage) call(ctx context.Context, out io.Writer, args ...string) error {
	_, _ = fmt.Fprintln(out, "$ scriptix-fleet", strings.Join(args, " "))
	cmd := s.command(ctx, args)
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("scriptix-fleet %s: %w", args[0], err)
	}
	return nil
}

// begin starts one that runs until stop, and returns its first line.
func (s *stage) begin(ctx context.Context, args ...string) (line string, stop func(), err error) {
	cmd := s.command(context.WithoutCancel(ctx), args)
	output, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	line, err = bufio.NewReader(output).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("scriptix-fleet %s did not get ready: %w", args[0], err)
	}
	return strings.TrimSpace(line), stop, nil
}

func (s *stage) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...) //nolint:gosec // our own program
	cmd.Env, cmd.Stderr = s.env, os.Stderr
	return cmd
}

// recordings counts what enqueue will find in the example's folder.
func recordings(root string) (n int, err error) {
	found, err := filepath.Glob(filepath.Join(root, "*.wav"))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: %w", root, http.ErrMissingFile)
	}
	return len(found), err
}
