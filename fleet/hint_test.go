package fleet_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

const (
	hintSecret = "a-secret-of-more-than-16-bytes"
	hintBody   = `{"sessionId":"job","zoom_id":"1"}`
)

// hinting is a receiver of hints on records made by hand.
func hinting(t *testing.T) (*fleet.Fleet, http.Handler) {
	t.Helper()
	f := newFleet(t, newPool(t), fleet.Options{})
	h, err := f.HintHandler("the-secret-before-the-rotation", hintSecret)
	require.NoError(t, err)
	return f, h
}

// hint posts an unsigned callback.
func hint(t *testing.T, h http.Handler, method, path, body string, header ...string) (status int, said string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func record(t *testing.T, f *fleet.Fleet, key string) batch.Record {
	t.Helper()
	r, err := f.Ledger().Get(t.Context(), batch.ByKey, key)
	require.NoError(t, err)
	return r
}

func TestAHintMakesARecordDueNowAtMostOnceIn30Seconds(t *testing.T) {
	t.Parallel()
	f, h := hinting(t)
	submitted(t, f.Ledger(), "k", "job")
	before := record(t, f, "k")
	require.Greater(t, time.Until(before.Due), 10*time.Minute)

	status, said := hint(t, h, http.MethodPost, "/hook/"+hintSecret, hintBody, "X-Scriptix-Session", "job")
	assert.Equal(t, http.StatusOK, status)
	assert.Empty(t, said)
	hinted := record(t, f, "k")
	assert.Less(t, time.Since(hinted.Due).Abs(), 5*time.Second)
	changed := hinted
	changed.Due, changed.Revision = before.Due, before.Revision
	assert.Equal(t, before, changed, "nothing else changes")

	_, err := f.Ledger().Due(t.Context(), 1, time.Hour) // it is looked at
	require.NoError(t, err)
	handed := record(t, f, "k")
	for range 20 {
		status, _ = hint(t, h, http.MethodPut, "/hook", hintBody, "Authorization", "Bearer the-secret-before-the-rotation")
		assert.Equal(t, http.StatusOK, status)
	}
	assert.Equal(t, handed, record(t, f, "k"), "within 30 s it is forgotten")
}

func TestAHintIsHeardAgainAfter30Seconds(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	f := newFleet(t, pool, fleet.Options{})
	h, err := f.HintHandler(hintSecret)
	require.NoError(t, err)
	submitted(t, f.Ledger(), "k", "job")
	for _, c := range []struct {
		more  int // seconds since the last one that was heard
		heard bool
	}{{0, true}, {29, false}, {2, true}, {0, false}} {
		const older = "update scriptix.scriptix_record set due = now() + interval '1 h', hinted = hinted - make_interval(secs => $1)"
		_, err := pool.Exec(t.Context(), older, c.more)
		require.NoError(t, err)
		before := record(t, f, "k")
		hint(t, h, http.MethodPost, "/"+hintSecret, hintBody)
		assert.Equal(t, c.heard, record(t, f, "k").Due.Before(before.Due), "%+v", c)
	}
}

func TestAHintWithoutTheSecretOrAboutNothingChangesNoRecord(t *testing.T) {
	t.Parallel()
	f, h := hinting(t)
	submitted(t, f.Ledger(), "k", "job")
	before := record(t, f, "k")
	bearer := []string{"Authorization", "Bearer " + hintSecret}
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		want               int
	}{
		"no secret":                {http.MethodPost, "/hook", hintBody, nil, 401},
		"a wrong one":              {http.MethodPost, "/hook/" + hintSecret + "0", hintBody, []string{"Authorization", "Bearer x"}, 401},
		"half of it":               {http.MethodPut, "/hook/" + hintSecret[:16], hintBody, nil, 401},
		"a signature instead":      {http.MethodPost, "/hook", hintBody, []string{webhook.SignatureHeader, webhook.Sign(hintSecret, []byte(hintBody))}, 401},
		"another session's header": {http.MethodPost, "/hook", hintBody, append([]string{"X-Scriptix-Session", "other"}, bearer...), 400},
		"no JSON":                  {http.MethodPost, "/hook", "job", bearer, 400},
		"too long":                 {http.MethodPost, "/hook", strings.Repeat(" ", 65<<10), bearer, 413},
		"GET":                      {http.MethodGet, "/hook", "", bearer, 405},
		"a job that nobody knows":  {http.MethodPost, "/hook", `{"sessionId":"nobody's"}`, bearer, 200},
		"a job that cannot be":     {http.MethodPost, "/hook", `{"sessionId":"a\u0000b"}`, bearer, 200},
	} {
		status, said := hint(t, h, c.method, c.path, c.body, c.header...)
		assert.Equal(t, c.want, status, name)
		assert.Empty(t, said, name)
	}
	assert.Equal(t, before, record(t, f, "k"))
	for _, secrets := range [][]string{nil, {"fifteen bytes.."}, {hintSecret, ""}} {
		_, err := f.HintHandler(secrets...)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "fifteen")
	}
}

func TestAHintNeverMovesARecordThatHasEndedOrWaitsForSomethingElse(t *testing.T) {
	t.Parallel()
	f, h := hinting(t)
	later := time.Now().Add(time.Hour)
	polled := func(succeeded bool) func(batch.Record) batch.Record {
		return func(r batch.Record) batch.Record { return ledger.Polled(r, succeeded, "", "poll", 0, later) }
	}
	for key, changes := range map[string][]func(batch.Record) batch.Record{
		"completed": {polled(true)},
		"failed":    {polled(false)},
		"done":      {polled(true), ledger.Finished},
		"erasing":   {polled(true), func(r batch.Record) batch.Record { return ledger.Handed(r, later) }},
		"to be confirmed": {func(r batch.Record) batch.Record {
			return ledger.Heard(r, ledger.Event{JobID: r.JobID, Failed: true, At: later})
		}},
	} {
		submitted(t, f.Ledger(), key, "job of "+key)
		for _, change := range changes {
			_, err := f.Ledger().Apply(t.Context(), key, func(r batch.Record) (batch.Record, error) { return change(r), nil })
			require.NoError(t, err)
		}
		before := record(t, f, key)
		status, _ := hint(t, h, http.MethodPost, "/"+hintSecret, `{"sessionId":"job of `+key+`"}`)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, before, record(t, f, key), key)
	}
	told := 0
	for _, err := range f.OutcomesSoFar(t.Context(), 0) {
		require.NoError(t, err)
		told++
	}
	assert.Equal(t, 2, told, "of the end that was polled, and of the failure")
}

func TestAHintIsWorthOneEarlyPollAndTheSecondNone(t *testing.T) {
	t.Parallel()
	s := newSite(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithProcessing(time.Hour))
	o := s.sessions()
	o.Limits = scriptix.Limits{PerDay: 100} // nothing is to spare for early polls
	f := s.start(t, o)
	h, err := f.Handler(s.fake.WebhookSecret())
	require.NoError(t, err, "the client says that its callbacks are hints")
	s.enqueue(t, f, 1)
	job := inPhase(t, f, "call-0.wav", batch.Submitted).JobID
	sent := s.fake.Stats().Requests

	// hinted sends a hint and returns how many requests were made so far.
	hinted := func() int {
		status, _ := hint(t, h, http.MethodPost, "/"+s.fake.WebhookSecret(), `{"sessionId":"`+job+`"}`)
		require.Equal(t, http.StatusOK, status)
		_, err := s.pool.Exec(t.Context(), "select pg_sleep(0.05)")
		require.NoError(t, err)
		return s.fake.Stats().Requests - sent
	}
	for patience := time.Now().Add(20 * time.Second); hinted() < 1; {
		require.True(t, time.Now().Before(patience), "no poll came")
	}
	for range 40 {
		require.Less(t, hinted(), 3, "more came than one, and what it learned the variant by")
	}
	r := record(t, f, "call-0.wav")
	assert.Equal(t, batch.Submitted, r.Phase)
	for o, err := range f.OutcomesSoFar(t.Context(), 0) {
		t.Errorf("a hint made an outcome: %+v, %v", o, err)
	}
}

func TestTheServicesOwnHintBringsTheTranscriptHomeEarly(t *testing.T) {
	t.Parallel()
	s := newSite(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithProcessing(3*time.Second))
	receiver := newFleet(t, s.pool, fleet.Options{})
	h, err := receiver.HintHandler(s.fake.WebhookSecret())
	require.NoError(t, err)
	server := httptest.NewServer(h)
	defer server.Close()
	s.callback = server.URL
	o := s.sessions()
	o.Limits = scriptix.Limits{PerDay: 100}
	f := s.start(t, o)
	s.enqueue(t, f, 1)
	began := time.Now()
	done := await(t, f, 1)["call-0.wav"]
	assert.Equal(t, batch.StateDone, done.State, "%v", done.Err)
	assert.Equal(t, scriptix.SourcePoll, done.Source, "which alone tells of an end")
	assert.Less(t, time.Since(began), 30*time.Second, "the first poll would come after a minute and a half")
}

func TestAHintThatCannotBeStoredComesAgain(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	f := newFleet(t, pool, fleet.Options{})
	h, err := f.HintHandler(hintSecret)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/"+hintSecret, strings.NewReader(hintBody))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
}
