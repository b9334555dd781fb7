package batch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// foreignCrash is what the child of a kill test in the session dialect is told.
type foreignCrash struct {
	URL, Key, Dir string
	Recordings    int
	ByURL, Hold   bool
}

func (c foreignCrash) ledger() string { return filepath.Join(c.Dir, "ledger") }

func TestABatchThatIsKilledInAnotherDialectPaysOnceAndErasesAll(t *testing.T) {
	t.Parallel()
	if spec := os.Getenv("BATCH_TEST_DIALECT_CRASH"); spec != "" {
		crashingSessions(t, spec)
		return
	}
	for _, v := range variants()[1:] {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			recordings, kills := 24, 6
			if *full {
				recordings, kills = 200, 40
			}
			fake := scriptixtest.New(t, v.fake, scriptixtest.WithProcessing(50*time.Millisecond))
			misbehaveInSessions(fake, recordings)
			fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
				return scriptixtest.Outcome{Text: "transcript of " + u.FileName}
			})
			spec := foreignCrash{URL: fake.URL(), Key: fake.APIKey(), Dir: t.TempDir(), Recordings: recordings, ByURL: v.byURL, Hold: true}
			require.NoError(t, os.MkdirAll(filepath.Join(spec.Dir, "out"), 0o700))
			for range kills {
				runSessions(t, fake, spec, 1+rand.IntN(4*recordings/kills))
			}
			fake.ClearFaults()
			spec.Hold = false
			runSessions(t, fake, spec, 0)
			assertSessions(t, fake, spec)
		})
	}
}

// misbehaveInSessions has one request in fifteen go wrong in some way.
func misbehaveInSessions(fake *scriptixtest.Server, recordings int) {
	kinds := []scriptixtest.Fault{
		{Status: 500}, {Status: 503, RetryAfter: "1"}, {Cut: scriptixtest.AfterBody}, {Cut: scriptixtest.WithinAnswer}, {Cut: scriptixtest.WithinBody},
		{Delay: 200 * time.Millisecond}, {Status: 200, Body: "<html>"}, {Status: 504, Accept: true},
	}
	for i := range 6 * recordings / 15 {
		f := kinds[i%len(kinds)]
		f.Skip = 5 + 15*i
		fake.Fault(f)
	}
}

// runSessions runs the batch, and kills it after so many more requests; 0: never.
func runSessions(t *testing.T, fake *scriptixtest.Server, spec foreignCrash, life int) {
	t.Helper()
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	cmd := child(t, "TestABatchThatIsKilledInAnotherDialectPaysOnceAndErasesAll", "BATCH_TEST_DIALECT_CRASH="+string(data))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	if life > 0 {
		go killAfter(fake, life, ended, cmd.Process)
	}
	err = cmd.Wait()
	close(ended)
	killed := cmd.ProcessState.String() == "signal: killed"
	require.True(t, err == nil || killed && life > 0, "%v\n%s", err, out.String())
}

// assertSessions says that each recording was paid for once, has its transcript,
// and is erased, unless nobody can know whether there is a job of it.
func assertSessions(t *testing.T, fake *scriptixtest.Server, spec foreignCrash) {
	t.Helper()
	l, err := batch.Open(spec.ledger())
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	jobs := make(map[string][]scriptixtest.Job)
	for _, job := range fake.Jobs() {
		jobs[job.FileName] = append(jobs[job.FileName], job)
	}
	unknown := 0
	for n := range spec.Recordings {
		name := fmt.Sprintf("%04d.wav", n)
		r, err := l.Get(t.Context(), batch.ByKey, name)
		require.NoError(t, err)
		require.LessOrEqual(t, len(jobs[name]), 1, "%s was sent twice", name)
		if r.Phase == batch.Unknown {
			require.True(t, spec.ByURL, "the outcome of an upload is never unknown")
			unknown++
			continue
		}
		require.Equal(t, batch.Done, r.Phase, "%s: %s", name, r.Failure)
		require.Len(t, jobs[name], 1)
		assert.False(t, jobs[name][0].DeletedAt.IsZero(), "%s is not erased", name)
		data, err := os.ReadFile(filepath.Join(spec.Dir, "out", name))
		require.NoError(t, err)
		assert.Equal(t, "transcript of "+name, string(data))
	}
	t.Logf("%d jobs, %d unknown outcomes, %d requests", len(fake.Jobs()), unknown, fake.Stats().Requests)
	// Each kill may catch as many submits under way as go out at once, so how many there are is a matter of luck.
	assert.Less(t, unknown, spec.Recordings)
}

// crashingSessions is the process that is killed.
func crashingSessions(t *testing.T, text string) {
	t.Helper()
	var spec foreignCrash
	require.NoError(t, json.Unmarshal([]byte(text), &spec))
	l, err := batch.Open(spec.ledger())
	require.NoError(t, err)
	c, err := scriptix.New(spec.Key, scriptix.WithBaseURL(spec.URL), scriptix.WithDialect(scriptix.DialectSession), scriptix.WithLimits(scriptix.Limits{PerMinute: 6000, Concurrent: 6}),
		scriptix.WithRetry(scriptix.RetryPolicy{MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond}))
	require.NoError(t, err)
	in := func(yield func(batch.Input) bool) {
		for n := range spec.Recordings {
			name := fmt.Sprintf("%04d.wav", n)
			audio := scriptix.Bytes(name, audioOf(n))
			if spec.ByURL {
				audio = scriptix.FromURL("https://media.example/" + name)
			}
			if !yield(batch.Input{Key: name, Audio: audio, Params: english}) {
				return
			}
		}
		if spec.Hold {
			<-t.Context().Done()
		}
	}
	for o := range batch.Run(t.Context(), c, in, batch.Options{
		Ledger: l, Erase: true,
		Sink: func(_ context.Context, o batch.Outcome) error {
			path := filepath.Join(spec.Dir, "out", o.Key)
			if err := os.WriteFile(path+".tmp", []byte(o.Transcript.Text), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".tmp", path)
		},
	}) {
		if o.State != batch.StateDone && o.State != batch.StateSkipped && o.State != batch.StateUnknown {
			t.Errorf("%s is %s: %v", o.Key, o.State, o.Err)
		}
	}
	require.NoError(t, l.Close())
}
