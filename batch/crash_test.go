package batch_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// full is `go test ./batch -run Killed -full`, which takes minutes.
var full = flag.Bool("full", false, "run the crash test with 500 recordings and 50 kills instead of 60 and 8")

// crash is what the child of a crash test is told.
type crash struct {
	URL, Key, Secret, Callback, Dir string
	Recordings                      int
	Plan                            scriptix.Limits
	UnknownAfter, ResubmitAfter     time.Duration
	Hold                            bool // wait for more recordings in the end, so that there is something to kill
}

func (c crash) ledger() string         { return filepath.Join(c.Dir, "ledger") }
func (c crash) out(name string) string { return filepath.Join(c.Dir, "out", name+".json") }

func audioOf(n int) []byte { return makeWAV(n, 400+n%100) }

func audioSum(n int) string {
	sum := sha256.Sum256(audioOf(n))
	return hex.EncodeToString(sum[:])
}

func TestABatchThatIsKilledAgainAndAgainPaysOnceAndLosesNothing(t *testing.T) {
	t.Parallel()
	if spec := os.Getenv("BATCH_TEST_CRASH"); spec != "" {
		crashingBatch(t, spec)
		return
	}
	// In full the minute is what holds the batch up, as it does outside; the short one should not take minutes.
	recordings, kills, plan := 60, 8, scriptix.Limits{PerMinute: 600, PerHour: 1000, PerDay: 2000, Concurrent: 6}
	if *full {
		recordings, kills, plan = 500, 50, scriptix.Limits{PerMinute: 500, PerHour: 5000, PerDay: 8000, Concurrent: 6}
	}
	fake := scriptixtest.New(t, scriptixtest.WithPlan(scriptixtest.Limits(plan)), scriptixtest.WithProcessing(300*time.Millisecond),
		scriptixtest.WithCallbackRetries(500*time.Millisecond, time.Second, 2*time.Second, 4*time.Second, 8*time.Second))
	faults := misbehave(fake, recordings)

	// The callbacks' listener stays with this process, so that its port does too.
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own listener
	require.NoError(t, err)
	socket, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = socket.Close(), listener.Close() })

	spec := crash{
		URL: fake.URL(), Key: fake.APIKey(), Secret: fake.WebhookSecret(), Callback: "http://" + listener.Addr().String() + "/hook",
		Dir: t.TempDir(), Recordings: recordings, Plan: plan, UnknownAfter: 8 * time.Second,
	}
	require.NoError(t, os.MkdirAll(filepath.Join(spec.Dir, "out"), 0o700))
	// run runs the batch, and kills it after so many more requests; 0: never.
	run := func(spec crash, life int) (killed bool) {
		data, err := json.Marshal(spec)
		require.NoError(t, err)
		cmd := child(t, t.Name(), "BATCH_TEST_CRASH="+string(data))
		cmd.ExtraFiles = []*os.File{socket}
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		if life > 0 {
			go killAfter(fake, life, ended, cmd.Process)
		}
		err = cmd.Wait()
		close(ended)
		killed = cmd.ProcessState.String() == "signal: killed"
		require.True(t, err == nil || killed && life > 0, "%v\n%s", err, out.String())
		return killed
	}

	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	began := time.Now()
	spec.Hold = true
	for range kills {
		require.True(t, run(spec, 1+random.IntN(3*recordings/kills)), "it ended by itself")
	}
	spec.Hold = false
	run(spec, 0)
	t.Logf("%d kills, %v, %d faults struck, %+v", kills, time.Since(began).Round(time.Second), faults(), fake.Stats())

	// Every input is done, or reported as unknown; nothing was sent twice.
	sums := make(map[string]int)
	for _, job := range fake.Jobs() {
		sums[job.SHA256]++
	}
	unknown := reported(t, spec, batch.StateUnknown)
	for n := range recordings {
		assert.LessOrEqual(t, sums[audioSum(n)], 1, "recording %d was sent twice", n)
		if !unknown[fmt.Sprintf("%04d.wav", n)] {
			assertTranscript(t, spec, n)
		}
	}
	t.Logf("%d jobs, %d unknown outcomes reported", len(fake.Jobs()), len(unknown))
	assertBudget(t, fake, plan)

	// The operator looks into the unknown ones: what has a job is told by its
	// callback, which is sent once more, and the rest may be sent again.
	fake.ClearFaults()
	fake.Script(nil)
	if len(unknown) > 0 {
		stop := receive(t, socket, spec)
		for _, job := range fake.Jobs() {
			_ = fake.Redeliver(job.ID)
		}
		stop()
		spec.ResubmitAfter = time.Nanosecond
		run(spec, 0)
	}
	require.Len(t, fake.Jobs(), recordings, "as many jobs as inputs")
	for n := range recordings {
		assertTranscript(t, spec, n)
	}
	assert.Len(t, reported(t, spec, batch.StateSkipped), recordings-len(unknown))
	assertBudget(t, fake, plan)
}

// killAfter kills a process at a random moment after so many requests, or when
// it has waited for a while.
func killAfter(fake *scriptixtest.Server, requests int, ended <-chan struct{}, p *os.Process) {
	until := fake.Stats().Requests + requests
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	patience := time.After(3 * time.Second)
	for fake.Stats().Requests < until {
		select {
		case <-ticker.C:
		case <-ended:
			return
		case <-patience:
			_ = p.Kill()
			return
		}
	}
	select {
	case <-time.After(time.Duration(rand.IntN(20_000)) * time.Microsecond):
		_ = p.Kill()
	case <-ended:
	}
}

// misbehave has one request in twenty go wrong in some way, and as many callbacks.
func misbehave(fake *scriptixtest.Server, recordings int) (struck func() int) {
	kinds := []scriptixtest.Fault{
		{Status: 500}, {Status: 502}, {Status: 503}, {Status: 503, RetryAfter: "1"}, {Status: 504, Accept: true}, {Status: 500, NoBody: true},
		{Cut: scriptixtest.BeforeBody}, {Cut: scriptixtest.WithinBody}, {Cut: scriptixtest.AfterBody}, {Cut: scriptixtest.WithinAnswer},
		{Delay: 300 * time.Millisecond}, {Status: 200, Body: "<html>"}, {Status: 200, NoBody: true}, {Stall: 200 * time.Millisecond}, {Status: 408},
	}
	added := 0
	for at := 10; at < 8*recordings; at += 20 {
		f := kinds[added%len(kinds)]
		f.Skip = at
		if at == 50 {
			f = scriptixtest.Fault{Status: 429, RetryAfter: "1", Skip: at} // one is enough: each halves the minute
		}
		fake.Fault(f)
		added++
	}
	var mu sync.Mutex
	n := 0
	callbacks := []scriptixtest.Callback{
		{Drop: 1}, {Before: true}, {Repeat: 2}, {Contradict: true}, {Delay: time.Second}, {Untrue: true}, {Behind: 2},
	}
	if *full {
		// The polls that find these take three minutes.
		callbacks = append(callbacks, scriptixtest.Callback{Lose: true}, scriptixtest.Callback{Unsigned: true}, scriptixtest.Callback{Forged: true})
	}
	fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		mu.Lock()
		defer mu.Unlock()
		n++
		o := scriptixtest.Outcome{Text: "transcript of " + u.SHA256}
		if n%20 == 7 {
			o.Callback = callbacks[n/20%len(callbacks)]
		}
		if n%20 == 13 {
			o.ResultDelay = time.Second
		}
		return o
	})
	return func() int {
		failed := 0
		for _, r := range fake.Requests() {
			if r.Status == 0 || r.Status >= 400 && r.Status != 409 {
				failed++
			}
		}
		return failed
	}
}

func assertTranscript(t *testing.T, spec crash, n int) {
	t.Helper()
	data, err := os.ReadFile(spec.out(fmt.Sprintf("%04d.wav", n)))
	if !assert.NoError(t, err, "the transcript of recording %d is lost", n) {
		return
	}
	var got scriptix.Transcript
	if assert.NoError(t, json.Unmarshal(data, &got)) && !strings.Contains(got.Text, audioSum(n)) {
		// The last ones are made when there is no script any more.
		assert.Contains(t, got.Text, fmt.Sprintf("%q", fmt.Sprintf("%04d.wav", n)), "another recording's transcript")
	}
}

func assertBudget(t *testing.T, fake *scriptixtest.Server, plan scriptix.Limits) {
	t.Helper()
	stats := fake.Stats()
	assert.Zero(t, stats.Refused, "the plan's limits were exceeded")
	assert.LessOrEqual(t, stats.PerMinute, plan.PerMinute)
	assert.LessOrEqual(t, stats.PerHour, plan.PerHour)
	assert.LessOrEqual(t, stats.Concurrent, plan.Concurrent)
}

// reported are the names that the last run of the child yielded in a state.
func reported(t *testing.T, spec crash, s batch.State) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(spec.Dir, "outcomes"))
	require.NoError(t, err)
	names := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == string(s) {
			names[f[1]] = true
		}
	}
	return names
}

// receive takes callbacks into the ledger while no batch runs.
func receive(t *testing.T, socket *os.File, spec crash) (stop func()) {
	t.Helper()
	listener, err := net.FileListener(socket)
	require.NoError(t, err)
	l, err := batch.Open(spec.ledger())
	require.NoError(t, err)
	h, err := batch.NewHandler(nil, l, spec.Secret)
	require.NoError(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	return func() {
		require.NoError(t, server.Shutdown(t.Context()))
		<-served
		require.NoError(t, l.Close())
	}
}

// crashingBatch is the process that is killed.
func crashingBatch(t *testing.T, text string) {
	t.Helper()
	var spec crash
	require.NoError(t, json.Unmarshal([]byte(text), &spec))
	l, err := batch.Open(spec.ledger())
	require.NoError(t, err)
	budget, err := batch.Budget(l, spec.Plan)
	require.NoError(t, err)
	c, err := scriptix.New(spec.Key, scriptix.WithBaseURL(spec.URL), scriptix.WithWebhook(spec.Callback, spec.Secret), scriptix.WithBudget(budget),
		scriptix.WithRetry(scriptix.RetryPolicy{MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond}))
	require.NoError(t, err)
	socket, err := net.FileListener(os.NewFile(3, "callbacks"))
	require.NoError(t, err)
	server := &http.Server{Handler: c.WebhookHandler(), ReadHeaderTimeout: time.Minute}

	in := func(yield func(batch.Input) bool) {
		// Run is there by now. A callback that came before it would be known to a process alone that is about to be killed,
		// and its job be found by a poll, minutes later.
		go func() { _ = server.Serve(socket) }()
		for n := range spec.Recordings {
			if !yield(batch.Input{Audio: scriptix.Bytes(fmt.Sprintf("%04d.wav", n), audioOf(n)), Params: english}) {
				return
			}
		}
		if spec.Hold {
			<-t.Context().Done()
		}
	}
	var outcomes strings.Builder
	for o := range batch.Run(t.Context(), c, in, batch.Options{
		Ledger: l, UnknownAfter: spec.UnknownAfter, ResubmitAfter: spec.ResubmitAfter,
		Sink: func(_ context.Context, o batch.Outcome) error {
			data, err := json.Marshal(o.Transcript)
			if err != nil {
				return err
			}
			tmp := spec.out(o.Input.Audio.Name()) + ".tmp"
			if err := os.WriteFile(tmp, data, 0o600); err != nil {
				return err
			}
			return os.Rename(tmp, spec.out(o.Input.Audio.Name()))
		},
	}) {
		_, _ = fmt.Fprintln(&outcomes, o.State, o.Input.Audio.Name(), o.Err)
		if o.State != batch.StateDone && o.State != batch.StateSkipped && o.State != batch.StateUnknown {
			t.Errorf("%s is %s: %v", o.Input.Audio.Name(), o.State, o.Err)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(spec.Dir, "outcomes"), []byte(outcomes.String()), 0o600))
	require.NoError(t, server.Close())
	require.NoError(t, l.Close())
}
