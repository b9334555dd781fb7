package batch_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// killing is what the children of the kill test are told.
type killing struct {
	Role                 string // "service" or "batch"
	URL, Callback, Dir   string
	Secret               string
	Recordings, Limit    int
	Seed                 uint64 // of the service's faults
	Lose, Hold, Resubmit bool
	Busy                 bool // a 429 now and then while it is killed
}

func (k killing) ledger() string         { return filepath.Join(k.Dir, "ledger") }
func (k killing) out(name string) string { return filepath.Join(k.Dir, "out", name) }

// killAudio is a recording. Every fifth one is sent as a resumable upload, and
// every third of the rest as a form that is more than sockets hold.
func killAudio(n int) []byte {
	switch {
	case n%5 == 0:
		return makeWAV(n, 600_000)
	case n%3 == 1:
		return makeWAV(n, 450_000)
	}
	return makeWAV(n, 4000)
}

// smallSockets keeps what lies in sockets below 300 kB in all: what is beyond it
// the client still has, and knows that it has.
const smallSockets = 32 << 10

var seed = flag.Uint64("seed", 0, "of the faults in the kill test; 0: another one each time")

// What the fake and the code have in common may be wrong in both. So the service
// here is another one, in another process, and what it received is what counts. It
// commits each of its manners with five of a hundred requests that the manner can
// spoil: see [manners].
// `go test ./batch -run Foreign -full` has 400 recordings and 100 kills.
func TestKillsOnAForeignServicePayOnceAndLoseNothing(t *testing.T) {
	t.Parallel()
	if spec := os.Getenv("BATCH_TEST_KILL"); spec != "" {
		var k killing
		require.NoError(t, json.Unmarshal([]byte(spec), &k))
		if k.Role == "service" {
			serveForeign(t, k)
		} else {
			killedBatch(t, k)
		}
		return
	}
	if testing.Short() {
		t.Skip("-short: it takes half a minute")
	}
	// Each kill costs the minute up to ten requests that were stored ahead and never sent, so the limit is reached while
	// the batch is killed. In full it stays, and minutes go by; the short test has the plan upgraded after the last kill,
	// and the service busy from then on, because each 429 halves the limit for minutes.
	k, kills, longest, upgraded := killing{Recordings: 40, Limit: 80}, 10, 2*time.Second, 600
	if *full {
		k, kills, longest, upgraded = killing{Recordings: 400, Limit: 600, Lose: true, Busy: true}, 100, 5*time.Second, 600
	}
	if k.Seed = *seed; k.Seed == 0 {
		k.Seed = rand.Uint64()
	}
	t.Logf("-seed %d", k.Seed)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own listener
	require.NoError(t, err)
	socket, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = socket.Close(), listener.Close() })
	k.Secret, k.Callback, k.Dir = "a secret of nobody's", "http://"+listener.Addr().String()+"/hook", t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(k.Dir, "out"), 0o700))
	k.URL = startForeign(t, k)

	began := time.Now()
	var killedAt []time.Time
	k.Hold = true // the batch waits for more recordings, so that it is there to be killed
	for range kills {
		life := 200*time.Millisecond + rand.N(longest)
		killedAt = append(killedAt, runKilled(t, k, socket, life))
		control(t, k, "killed")
	}
	k.Hold = false
	killed := ask(t, k)
	assertWithin(t, killed, k.Limit)
	if k.Limit != upgraded {
		k.Limit = upgraded
		control(t, k, fmt.Sprint("limit?", k.Limit))
	}
	runToTheEnd(t, k, socket)
	took := time.Since(began).Round(time.Second)

	r := ask(t, k)
	unknown := checkForeign(t, k, r, killedAt)
	t.Logf("%d recordings, %d kills, %v: %d jobs, %d of them by the last kill (%d requests), %d unknown outcomes, %d requests, at most %d of %d in a minute, %d refused, %d resumable uploads, %d forms cut",
		k.Recordings, kills, took, len(r.Jobs), len(killed.Jobs), killed.Requests, len(unknown), r.Requests, r.Most, k.Limit, r.Refused, r.Uploads, r.Cut)
	if *full {
		assert.Positive(t, r.Cut)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Committed)) {
		t.Logf("%4d: %s", r.Committed[name], name)
	}

	// The operator's decision: what has a job tells so, and the rest is sent again.
	if len(unknown) > 0 {
		redeliver(t, k, socket)
		k.Resubmit = true
		runToTheEnd(t, k, socket)
	}
	r = ask(t, k)
	assert.Len(t, r.Jobs, k.Recordings, "as many jobs as recordings")
	for n := range k.Recordings {
		assertKept(t, k, n)
	}
	assertWithin(t, r, k.Limit)
}

// assertWithin says that no minute had more requests than the limit.
func assertWithin(t *testing.T, r report, limit int) {
	t.Helper()
	assert.Zero(t, r.Refused, "the minute's limit was exceeded")
	assert.LessOrEqual(t, r.Most, limit)
}

// checkForeign compares what the service received with what the batch says, and
// returns the recordings whose outcome is unknown.
func checkForeign(t *testing.T, k killing, r report, killedAt []time.Time) map[string]bool {
	t.Helper()
	jobs := make(map[string]int)
	for _, job := range r.Jobs {
		jobs[job.Sum]++
	}
	l, err := batch.Open(k.ledger())
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	unknown := make(map[string]bool)
	for rec, err := range l.Records(t.Context()) {
		require.NoError(t, err)
		if rec.Phase != batch.Unknown {
			assert.Equal(t, batch.Done, rec.Phase, rec.Name)
			continue
		}
		unknown[rec.Name] = true
		if !r.Whole[rec.Token] {
			// Between the mark and the last byte lies a moment in which a kill leaves nothing else to say.
			assert.True(t, killedSoon(killedAt, rec.SentAt), "%s is unknown, and the service did not get all of it", rec.Name)
		}
	}
	for n := range k.Recordings {
		assert.LessOrEqual(t, jobs[sum(killAudio(n))], 1, "recording %d was paid for twice", n)
		if !unknown[killName(n)] {
			assertKept(t, k, n)
		}
	}
	assertWithin(t, r, k.Limit)
	return unknown
}

func killedSoon(killedAt []time.Time, sent time.Time) bool {
	for _, at := range killedAt {
		if after := at.Sub(sent); after > -100*time.Millisecond && after < 500*time.Millisecond {
			return true
		}
	}
	return false
}

func killName(n int) string { return fmt.Sprintf("%04d.wav", n) }

func assertKept(t *testing.T, k killing, n int) {
	t.Helper()
	data, err := os.ReadFile(k.out(killName(n)))
	if assert.NoError(t, err, "the transcript of recording %d is lost", n) {
		assert.Equal(t, "audio "+sum(killAudio(n)), string(data), "another recording's transcript")
	}
}

// killChild is a process of this test's binary.
func killChild(t *testing.T, k killing, socket *os.File) *exec.Cmd {
	t.Helper()
	spec, err := json.Marshal(k)
	require.NoError(t, err)
	cmd := child(t, t.Name(), "BATCH_TEST_KILL="+string(spec))
	if socket != nil {
		cmd.ExtraFiles = []*os.File{socket}
	}
	return cmd
}

func startForeign(t *testing.T, k killing) (url string) {
	t.Helper()
	k.Role = "service"
	cmd := killChild(t, k, nil)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if url, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			return url
		}
	}
	require.Fail(t, "the service did not start")
	return ""
}

func serveForeign(t *testing.T, k killing) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own listener
	require.NoError(t, err)
	fmt.Println("listening on http://" + listener.Addr().String())
	server := &http.Server{Handler: newForeign(t.Context(), k), ReadHeaderTimeout: time.Minute}
	_ = server.Serve(smallListener{listener}) // until it is killed
}

// smallListener accepts connections that hold little.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetReadBuffer(smallSockets))
	}
	return conn, err
}

func ask(t *testing.T, k killing) (r report) {
	t.Helper()
	require.NoError(t, json.Unmarshal(control(t, k, "report"), &r))
	return r
}

func control(t *testing.T, k killing, what string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.URL+"/control/"+what, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	var body strings.Builder
	_, err = bufio.NewReader(res.Body).WriteTo(&body)
	require.NoError(t, err)
	return []byte(body.String())
}

// runKilled runs the batch for so long, and returns when it was killed.
func runKilled(t *testing.T, k killing, socket *os.File, life time.Duration) time.Time {
	t.Helper()
	k.Role = "batch"
	cmd := killChild(t, k, socket)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	select {
	case <-time.After(life):
	case <-ended:
		require.Fail(t, "the batch ended by itself", out.String())
	}
	require.NoError(t, cmd.Process.Kill())
	at := time.Now()
	<-ended
	return at
}

func runToTheEnd(t *testing.T, k killing, socket *os.File) {
	t.Helper()
	k.Role = "batch"
	out, err := killChild(t, k, socket).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// redeliver takes the callbacks of all jobs once more, while no batch runs. There
// are no more faults from then on.
func redeliver(t *testing.T, k killing, socket *os.File) {
	t.Helper()
	stop := receive(t, socket, crash{Dir: k.Dir, Secret: k.Secret})
	control(t, k, "redeliver")
	stop()
}

// spoken is the text of a transcript, wherever the service put it.
func spoken(t *scriptix.Transcript) string {
	if t.Text == "" && len(t.Segments) > 0 {
		return t.Segments[0].Text
	}
	return t.Text
}

// killedBatch is the process that is killed.
func killedBatch(t *testing.T, k killing) {
	t.Helper()
	l, err := batch.Open(k.ledger())
	require.NoError(t, err)
	limits := scriptix.Limits{PerMinute: k.Limit, Concurrent: 6}
	budget, err := batch.Budget(l, limits)
	require.NoError(t, err)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok {
			err = errors.Join(err, tcp.SetWriteBuffer(smallSockets))
		}
		return conn, err
	}}
	c, err := scriptix.New("key", scriptix.WithBaseURL(k.URL), scriptix.WithWebhook(k.Callback, k.Secret), scriptix.WithBudget(budget),
		scriptix.WithHTTPClient(&http.Client{Transport: transport}), scriptix.WithAnswerTimeout(5*time.Second),
		scriptix.WithResumableAbove(1_000_000), scriptix.WithRetry(scriptix.RetryPolicy{MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond}))
	require.NoError(t, err)
	socket, err := net.FileListener(os.NewFile(3, "callbacks"))
	require.NoError(t, err)
	server := &http.Server{Handler: c.WebhookHandler(), ReadHeaderTimeout: time.Minute}

	in := func(yield func(batch.Input) bool) {
		// Run is there by now. A callback that came before it would be known to a process alone that is about to be killed,
		// and its job be found by a poll, minutes later.
		go func() { _ = server.Serve(socket) }()
		for n := range k.Recordings {
			if !yield(batch.Input{Audio: scriptix.Bytes(killName(n), killAudio(n)), Params: english}) {
				return
			}
		}
		if k.Hold {
			<-t.Context().Done()
		}
	}
	o := batch.Options{Ledger: l, UnknownAfter: 8 * time.Second, Sink: func(_ context.Context, o batch.Outcome) error {
		tmp := k.out(o.Input.Audio.Name()) + ".tmp"
		if err := os.WriteFile(tmp, []byte(spoken(o.Transcript)), 0o600); err != nil {
			return err
		}
		return os.Rename(tmp, k.out(o.Input.Audio.Name()))
	}}
	if k.Resubmit {
		o.ResubmitAfter = time.Nanosecond
	}
	for o := range batch.Run(t.Context(), c, in, o) {
		if o.State != batch.StateDone && o.State != batch.StateSkipped && (o.State != batch.StateUnknown || k.Resubmit) {
			t.Errorf("%s is %s: %v", o.Input.Audio.Name(), o.State, o.Err)
		}
	}
	require.NoError(t, server.Close())
	require.NoError(t, l.Close())
}
