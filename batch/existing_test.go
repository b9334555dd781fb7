package batch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// existing is a copy of testdata/ledger.gz, which the first version of the file
// format wrote: a record in each phase, parked callbacks and a budget. It is never
// written anew, because it stands for the ledgers that exist.
func existing(t *testing.T) batch.Ledger {
	t.Helper()
	packed, err := os.Open("testdata/ledger.gz")
	require.NoError(t, err)
	defer func() { _ = packed.Close() }()
	r, err := gzip.NewReader(packed)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	path := newPath(t)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return openFile(t, path)
}

// The recordings of the existing ledger, as recording makes them.
const (
	wasDone = iota
	wasFailed
	wasRejected
	wasUnknown
	wasSubmitted
	wasCompleted
	wasAbandoned
	wasSent
	wasClaimed
	_          // sent, with a resumable upload that is all out
	_          // the same
	wasFailing // submitted, of which a callback has said that it failed
	_          // claimed, with a resumable upload that is not all out
)

func TestALedgerThatExistsIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/ledger.jsonl")
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, batch.Export(t.Context(), existing(t), &got))
	assert.Equal(t, string(want), got.String())
}

func TestOfALedgerThatExistsWhatIsOverIsSkippedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var requests []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer service.Close()
	c, err := scriptix.New("key", scriptix.WithBaseURL(service.URL))
	require.NoError(t, err)
	l := existing(t)
	got := make(map[string]batch.State)
	for o := range batch.Run(t.Context(), c, only(recording(t, wasDone), recording(t, wasFailed), recording(t, wasUnknown), recording(t, wasAbandoned), recording(t, wasSent)), batch.Options{Ledger: l}) {
		got[o.Input.Audio.Name()] = o.State
	}
	assert.Equal(t, map[string]batch.State{
		"0000.wav": batch.StateSkipped, "0001.wav": batch.StateFailed, "0003.wav": batch.StateUnknown,
		"0006.wav": batch.StateUnknown, "0007.wav": batch.StateUnknown,
	}, got)
	assert.Empty(t, requests)
}

func TestOfALedgerThatExistsWhatIsOpenGoesOnAndNoKnownJobIsPaidForAgain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	requests := make(map[string]int)
	asked := func() map[string]int { // a copy, since what a run leaves as it stops may still arrive
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(requests)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		requests[r.Method+" "+r.URL.Path]++
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api/v3/stt/stt_178bf0000006/result":
			_, _ = io.WriteString(w, `{"id":"stt_178bf0000006","status":"completed","transcript":[{"start":0,"end":1,"text":"hello"}]}`)
		default:
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, `{"error":"no_credit","message":"no credit"}`)
		}
	}))
	defer service.Close()
	c, err := scriptix.New("key", scriptix.WithBaseURL(service.URL))
	require.NoError(t, err)
	l := existing(t)
	sink := func(context.Context, batch.Outcome) error { return nil }
	o := one(t, collect(t.Context(), c, only(recording(t, wasCompleted)), batch.Options{Ledger: l, Sink: sink}))
	require.NoError(t, o.Err)
	assert.Equal(t, batch.StateDone, o.State)
	assert.Equal(t, map[string]int{"GET /api/v3/stt/stt_178bf0000006/result": 1}, asked())

	// What runs is waited for, and what was begun is begun again.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	outcomes := collect(ctx, c, only(recording(t, wasSubmitted), recording(t, wasFailing)), batch.Options{Ledger: l, Sink: sink})
	assert.Equal(t, map[batch.State]int{batch.StateInterrupted: 2}, states(outcomes))
	assert.Zero(t, asked()["POST /api/v3/stt"])
	outcomes = collect(t.Context(), c, only(recording(t, wasClaimed), recording(t, wasRejected)), batch.Options{Ledger: l, Sink: sink, Concurrency: 1})
	assert.Equal(t, map[batch.State]int{batch.StateRejected: 2}, states(outcomes))
	assert.Equal(t, 1, asked()["POST /api/v3/stt"], "the first refusal for want of credit stops the rest")

	// A callback that was parked is found when its job's id is learned.
	r, err := l.Apply(t.Context(), outcomes[0].Key, func(r batch.Record) (batch.Record, error) {
		r.Phase, r.JobID = batch.Submitted, "stt_parked_0"
		return r, nil
	})
	require.NoError(t, err)
	assert.Equal(t, batch.Completed, r.Phase)
}

func TestTheBudgetOfALedgerThatExistsIsTakenUp(t *testing.T) {
	t.Parallel()
	l := existing(t)
	state, err := l.LoadBudget(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, state)
	_, err = batch.Budget(l, scriptix.PlanSilver)
	require.NoError(t, err)
}

func TestAKeyIsWhatItHasAlwaysBeen(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]scriptix.SubmitParams{
		"b03f16565eaf59cdcb62b460e67952107ced90ac35cfa298f5a711fec049fe71": {Language: "en"},
		"8cf305504c13eca8c5f49913280bf5cb338f172898144c0451cbd8997540e05b": {Language: "nl", Diarization: true},
		"a32af4cd3dfdf2e03cc1fa4145cf2de6f245b3c25fee29478e1f4dbf14b1c625": {Language: "en", Timestamps: scriptix.TimestampsWord, Model: "m"},
		"4e79ac9d82119d4789f18e5190e5d82810b649d3d4ec8ba7ef404b20d8fca678": {Language: "auto", GlossaryID: 42, WebhookURL: "https://example.com/"},
		"948d96cb0bf297d75fb83c52e7be07c7290bde339b520ce172d51da7e5a7f111": {Language: "en", Extra: url.Values{"b": {"2", ""}, "a": {"1"}, "c": {}}},
	} {
		key, err := batch.Key(t.Context(), scriptix.Bytes("x.wav", makeWAV(7, 400)), p)
		require.NoError(t, err)
		assert.Equal(t, want, key, "%+v", p)
	}
}
