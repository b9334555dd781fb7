package fleet_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/fleet"
)

// roleVariable makes the test binary a process of a fleet, which can be killed.
const roleVariable = "FLEET_TEST_ROLE"

// role is what such a process needs to know.
type role struct {
	Kind        string // worker, receiver or spender
	Database    string
	Account     string
	Service     string // base URL
	APIKey      string
	Callback    string
	Secret      string
	Root        string
	Listen      string // of a receiver
	Lease       time.Duration
	Limits      scriptix.Limits
	Concurrency int
	Unknown     time.Duration
	Resumable   bool // all uploads are
	PollOnly    bool
	Erase       bool // and speaks the session dialect, which can
	Verbose     bool
}

// play runs a role until the process is told to end.
func play(encoded string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var r role
	if err := json.Unmarshal([]byte(encoded), &r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := r.play(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (r role) play(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, r.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	o := fleet.Options{
		Account: r.Account, Root: r.Root, Lease: r.Lease, Limits: r.Limits, Concurrency: r.Concurrency, UnknownAfter: r.Unknown, PollOnly: r.PollOnly,
		Erase: r.Erase,
	}
	if r.Verbose {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("pid", os.Getpid())
	}
	if r.Kind == "worker" {
		o.Client = func(b scriptix.Budget) (*scriptix.Client, error) {
			opts := []scriptix.Option{scriptix.WithBaseURL(r.Service), scriptix.WithBudget(b)}
			if r.Erase {
				opts = append(opts, scriptix.WithDialect(scriptix.DialectSession))
			}
			if r.Resumable {
				opts = append(opts, scriptix.WithResumableAbove(0))
			}
			if r.Callback != "" {
				opts = append(opts, scriptix.WithWebhook(r.Callback, r.Secret))
			}
			return scriptix.New(r.APIKey, opts...)
		}
	}
	f, err := fleet.New(pool, o)
	if err != nil {
		return err
	}
	if r.Kind == "receiver" {
		return r.receive(ctx, f)
	}
	if err := f.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	if r.Kind == "spender" {
		r.spend(ctx, f.Budget())
	}
	<-ctx.Done()
	ended, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return f.Stop(ended) //nolint:contextcheck // ctx is over
}

// spend sends as many requests as the budget lets out.
func (r role) spend(ctx context.Context, b *fleet.Budget) {
	for class := range 4 {
		go func() {
			for ctx.Err() == nil {
				permit, err := b.Acquire(ctx, scriptix.Class(class%3))
				if err != nil {
					continue
				}
				answer, err := http.Get(r.Service) //nolint:noctx // of a test
				info := scriptix.RateInfo{Sent: true}
				if err == nil {
					info.StatusCode = answer.StatusCode
					_ = answer.Body.Close()
				}
				permit.Done(info)
			}
		}()
	}
}

func (r role) receive(ctx context.Context, f *fleet.Fleet) error {
	handler, err := f.Handler(r.Secret)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", r.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Println("ready", listener.Addr())
	_ = server.Serve(listener)
	return nil
}

// actor is a process that plays a role.
type actor struct {
	cmd   *exec.Cmd
	addr  string  // of a receiver
	said  *speech // its standard error
	ended chan struct{}
}

// speech keeps what a process says while it says it.
type speech struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *speech) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *speech) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// begin starts a process and waits until it is ready.
func (r role) begin(t *testing.T) *actor {
	t.Helper()
	a, err := r.spawn()
	require.NoError(t, err)
	t.Cleanup(a.kill)
	return a
}

func (r role) spawn() (*actor, error) {
	encoded, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self) //nolint:noctx // it is killed
	cmd.Env = append(os.Environ(), roleVariable+"="+string(encoded))
	said := new(speech)
	cmd.Stderr = io.MultiWriter(os.Stderr, said)
	cmd.SysProcAttr = dieWithParent()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	a := &actor{cmd: cmd, said: said, ended: make(chan struct{})}
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		defer close(a.ended)
		_ = cmd.Wait()
	}()
	word, addr, _ := strings.Cut(strings.TrimSpace(line), " ")
	if word != "ready" {
		a.kill()
		return nil, fmt.Errorf("the process did not get ready: %q: %w", line, err)
	}
	a.addr = addr
	return a, nil
}

// kill ends the process as a crash would.
func (a *actor) kill() {
	_ = a.cmd.Process.Kill()
	<-a.ended
}

func (a *actor) signal(s os.Signal) { _ = a.cmd.Process.Signal(s) }
