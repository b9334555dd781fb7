//go:build linux

package interop_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// builds returns the programs that are receivers, by their names.
func builds(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	made := make(map[string]string)
	for name, from := range map[string][2]string{"listen": {"../cmd/scriptix", "."}, "webhookserver": {"..", "./examples/webhookserver"}} {
		made[name] = filepath.Join(dir, name)
		cmd := exec.CommandContext(t.Context(), program(t, "go"), "build", "-o", made[name], from[1])
		cmd.Dir, cmd.Env = from[0], append(os.Environ(), "GOWORK=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return made
}

// receiver is a process that takes callbacks, at an address that it keeps when it restarts.
type receiver struct {
	kind, program, addr, dir string

	process *child
}

// begin starts it with these secrets, and waits until it listens. Its events are added to those of the one before.
func (r *receiver) begin(t *testing.T, secrets ...string) {
	t.Helper()
	file := filepath.Join(r.dir, "secrets")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(secrets, "\n")+"\n"), 0o600))
	line := `exec "$0" listen --addr "$1" --secret-file "$2" >>"$3"`
	if r.kind == "webhookserver" {
		line = `SCRIPTIX_WEBHOOK_SECRET=$(paste -sd, "$2") exec "$0" -addr "$1" -out "$3"`
	}
	r.process = start(t, nil, "sh", "-c", line, r.program, r.addr, file, filepath.Join(r.dir, "events"))
	ready(t, r.addr)
}

// restart ends it as an operator would and starts it anew.
func (r *receiver) restart(t *testing.T, secrets ...string) {
	t.Helper()
	require.NoError(t, r.process.cmd.Process.Signal(syscall.SIGTERM))
	<-r.process.ended
	require.NoError(t, r.process.err, "%s ends in peace", r.kind)
	r.begin(t, secrets...)
}

// events are the ids of the jobs that it was told of.
func (r *receiver) events(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "events"))
	require.NoError(t, err)
	return regexp.MustCompile(`stt_nginx_\d+`).FindAllString(string(data), -1)
}

const (
	senders      = 4
	mostSent     = 20_000 // callbacks of one stream
	betweenPosts = 2 * time.Millisecond
)

// stream is a service that has jobs ending all the time. It sends each callback once, so that what is refused shows.
type stream struct {
	client *http.Client
	over   chan struct{}
	ended  sync.WaitGroup

	signing sync.RWMutex // held for reading from the signature to the answer
	secrets []string     // signed with in turns

	mu     sync.Mutex
	count  int
	status map[string]string // of the first answer, by job
}

func newStream(client *http.Client) *stream {
	return &stream{client: client, over: make(chan struct{}), status: make(map[string]string)}
}

// sign says which secrets are signed with from now on, and returns once nothing else is under way.
func (s *stream) sign(secrets ...string) {
	s.signing.Lock()
	defer s.signing.Unlock()
	s.secrets = secrets
}

// begin sends until end.
func (s *stream) begin(t *testing.T) {
	t.Helper()
	for range senders {
		s.ended.Go(func() {
			tick := time.NewTicker(betweenPosts)
			defer tick.Stop()
			for s.next(t) {
				select {
				case <-tick.C:
				case <-s.over:
					return
				}
			}
		})
	}
	s.flows(t, 200)
}

func (s *stream) end() {
	close(s.over)
	s.ended.Wait()
}

// next sends the callback of one more job, and reports whether there may be another.
func (s *stream) next(t *testing.T) bool {
	t.Helper()
	s.signing.RLock()
	defer s.signing.RUnlock()
	s.mu.Lock()
	s.count++
	n := s.count
	s.mu.Unlock()
	job := fmt.Sprintf("stt_nginx_%d", n)
	status, err := s.send(t, job, s.secrets[n%len(s.secrets)])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[job] = fmt.Sprint(status)
	if err != nil {
		s.status[job] = err.Error()
	}
	return n < mostSent
}

// post sends one callback beside the stream.
func (s *stream) post(t *testing.T, secret string) int {
	t.Helper()
	status, err := s.send(t, "stt_beside", secret)
	require.NoError(t, err)
	return status
}

func (s *stream) send(t *testing.T, job, secret string) (int, error) {
	t.Helper()
	body := fmt.Sprintf(`{"event":"transcription.completed","timestamp":"2025-01-17T10:30:00Z","data":{"id":%q,"status":"completed"}}`, job)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+domain+"/scriptix?token="+job, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.GetBody = nil // net/http must not repeat it by itself
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, []byte(body)))
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// flows waits until so many more callbacks were answered.
func (s *stream) flows(t *testing.T, more int) {
	t.Helper()
	before := s.sent()
	require.Eventually(t, func() bool { return s.sent() >= before+more }, 60*time.Second, 5*time.Millisecond)
}

func (s *stream) sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.status)
}

// accepted are the jobs whose callback was answered with 200 at once.
func (s *stream) accepted() []string {
	var jobs []string
	for job, status := range s.status {
		if status == "200" {
			jobs = append(jobs, job)
		}
	}
	slices.Sort(jobs)
	return jobs
}

// refused are the other answers, by job.
func (s *stream) refused() map[string]string {
	others := make(map[string]string)
	for job, status := range s.status {
		if status != "200" {
			others[job] = status
		}
	}
	return others
}
