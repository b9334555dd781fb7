package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := fleettest.Close(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// shell calls the program as a shell would.
type shell struct {
	t         *testing.T
	variables map[string]string
	stdin     string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	return &shell{t: t, variables: map[string]string{"DATABASE_URL": fleettest.Database(t)}}
}

func (s *shell) env() (*env, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	return &env{
		stdin: strings.NewReader(s.stdin), stdout: &stdout, stderr: &stderr,
		getenv: func(name string) string { return s.variables[name] },
	}, &stdout, &stderr
}

// call runs a command to its end.
func (s *shell) call(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	e, out, failed := s.env()
	args = append(args, "--database-url", s.variables["DATABASE_URL"])
	code = run(s.t.Context(), e, args)
	return code, out.String(), failed.String()
}

// must runs a command that has to go well.
func (s *shell) must(args ...string) string {
	s.t.Helper()
	code, stdout, stderr := s.call(args...)
	require.Zero(s.t, code, "%v: %s", args, stderr)
	return stdout
}

// begin runs a command until the test ends, and waits for a line of its output.
func (s *shell) begin(line string, args ...string) (found []string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	e, _, stderr := s.env()
	reader, writer := io.Pipe()
	e.stdout = writer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, e, append(args, "--database-url", s.variables["DATABASE_URL"]))
		_ = writer.Close()
	}()
	s.t.Cleanup(func() {
		cancel()
		assert.Zero(s.t, <-ended, "%v: %s", args, stderr)
	})
	var said []byte
	buffer := make([]byte, 1000)
	for {
		n, err := reader.Read(buffer)
		said = append(said, buffer[:n]...)
		if found = regexp.MustCompile(line).FindStringSubmatch(string(said)); found != nil {
			break
		}
		require.NoError(s.t, err, "%s%s", said, stderr)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	return found
}

func TestAFleetIsRunFromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	fake := scriptixtest.New(t)
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "calls", "monday"), 0o700))
	for _, name := range []string{"calls/a.wav", "calls/monday/b.wav", "calls/notes.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), append([]byte("RIFF....WAVE"), name...), 0o600))
	}
	s.variables["SCRIPTIX_API_KEY"], s.variables["SCRIPTIX_WEBHOOK_SECRET"] = fake.APIKey(), fake.WebhookSecret()
	assert.Contains(t, s.must("migrate"), "up to date")

	callbacks := s.begin(`callbacks on (\S+)`, "serve", "--listen", "127.0.0.1:0")[1]
	metrics := freeAddress(t)
	s.begin(`metrics on (\S+)`, "work", "--base-url", fake.URL(), "--webhook-url", "http://"+callbacks+"/hook",
		"--root", root, "--plan", "gold", "--metrics", metrics, "--lease", "2s")
	assert.JSONEq(t, `{"fresh":2,"known":0}`, s.must("enqueue", "-l", "en", "--root", root, "--meta", `{"day":1}`, filepath.Join(root, "calls")))
	s.stdin = "{\"source\":\"file:calls/a.wav\",\"key\":\"again\",\"language\":\"nl\"}\nfile:missing.wav\n"
	assert.JSONEq(t, `{"fresh":2,"known":0}`, s.must("enqueue", "-l", "en"))

	states := make(map[string]int)
	lines := s.must("outcomes", "--follow", "--count", "4", "--text")
	for line := range strings.Lines(lines) {
		var o outcomeLine
		require.NoError(t, json.Unmarshal([]byte(line), &o))
		states[string(o.State)]++
		assert.Equal(t, o.State == "done", o.Text != "", line)
	}
	assert.Equal(t, map[string]int{"done": 3, "rejected": 1}, states)
	assert.JSONEq(t, `{"done":3,"rejected":1}`, s.must("status"))
	assert.Contains(t, s.must("budget"), `"minute":{"limit":120,`)
	said := get(t, "http://"+metrics)
	assert.Contains(t, said, `scriptix_fleet_records{account="default",phase="done"} 3`)
	assert.Contains(t, said, `scriptix_fleet_requests_total{account="default",class="submit"} 3`)
	assert.Contains(t, said, `scriptix_fleet_database_up{account="default"} 1`)
	s.must("forget", "again")
	code, _, stderr := s.call("abandon", "again", "nobody")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "nobody: ")
}

func TestJobsAreErasedAtTheServiceInTheDialectThatCan(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	fake := scriptixtest.New(t, scriptixtest.WithDialect(scriptixtest.Session))
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.wav"), []byte("RIFF....WAVE"), 0o600))
	s.variables["SCRIPTIX_API_KEY"] = fake.APIKey()
	s.must("migrate")
	code, _, stderr := s.call("work", "--base-url", fake.URL(), "--erase")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "--dialect session")
	assert.Empty(t, fake.Requests())

	s.variables["SCRIPTIX_WEBHOOK_SECRET"] = fake.WebhookSecret()
	callbacks := s.begin(`callbacks on (\S+)`, "serve", "--listen", "127.0.0.1:0", "--dialect", "session")[1]
	s.begin("working", "work", "--base-url", fake.URL(), "--webhook-url", "http://"+callbacks+"/hook", "--root", root,
		"--dialect", "session", "--erase", "--lease", "2s")
	s.must("enqueue", "-l", "en", "file:a.wav")
	assert.Contains(t, s.must("outcomes", "--follow", "--count", "1"), `"state":"done"`)
	require.Len(t, fake.Jobs(), 1)
	assert.False(t, fake.Jobs()[0].DeletedAt.IsZero())
	require.NotEmpty(t, fake.Jobs()[0].Deliveries)
	assert.Equal(t, http.StatusOK, fake.Jobs()[0].Deliveries[0].Status, "the callback was taken as a hint")
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(url) //nolint:noctx // of a test
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestACallThatIsWrongSaysSoAndEndsWith2(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"nonsense"}, {"status"}, {"status", "--database-url", "no url at all ://"}, {"status", "--database-url-file", "/nowhere"},
		{"work", "--database-url", "postgres:///x"}, {"serve", "--database-url", "postgres:///x"}, {"resubmit"},
		{"enqueue", "--database-url", "postgres:///x", "some/path.wav"},
	} {
		s := &shell{t: t, variables: map[string]string{}}
		e, _, stderr := s.env()
		assert.Equal(t, exitUsage, run(t.Context(), e, args), "%v: %s", args, stderr)
		assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one line: %s", stderr)
	}
}
