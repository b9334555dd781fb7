package step_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// answering is a client of a service that answers every request alike.
func answering(t *testing.T, body string, header http.Header) *scriptix.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := scriptix.New("key", scriptix.WithBaseURL(server.URL), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	require.NoError(t, err)
	return c
}

func enter(t *testing.T, room *step.Room, size int64) *step.Held {
	t.Helper()
	held, err := room.Enter(t.Context(), size)
	require.NoError(t, err)
	return held
}

func TestAFetchIsMadeAgainWithTheRoomThatItNeeds(t *testing.T) {
	t.Parallel()
	body := `{"id":"stt_1","status":"completed","transcript":"` + strings.Repeat("word ", 300_000) + `","segments":[]}`
	for name, header := range map[string]http.Header{
		"its length known":   {"Content-Length": {strconv.Itoa(len(body))}},
		"its length unknown": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, body, header)
			room := step.NewRoom(5 << 20)
			other := enter(t, room, 3<<20)
			fetched := enter(t, room, step.LeastRoom).Fetch(t.Context(), client, "stt_1", 0)
			require.Nil(t, fetched.Transcript)
			require.Greater(t, fetched.Needs, int64(step.LeastRoom))
			if header != nil {
				assert.Equal(t, int64(2*(len(body)+1)), fetched.Needs)
			}

			other.Release()
			fetches := 0
			for ; fetched.Transcript == nil; fetches++ {
				require.Less(t, fetches, 3)
				held := enter(t, room, fetched.Needs)
				fetched = held.Fetch(t.Context(), client, "stt_1", 0)
				other = held
			}
			assert.Equal(t, 1, fetches, "alone, it grows as far as it must")
			assert.Nil(t, mustTake(room, fetched.Transcript), "its room is taken")
			other.Release()
			other.Release()
			taken := mustTake(room, fetched.Transcript)
			assert.NotNil(t, taken)
			taken.Release()
		})
	}
}

func TestAWorkerThatNobodyWaitsForWaitsForRoom(t *testing.T) {
	t.Parallel()
	body := `{"id":"stt_1","status":"completed","transcript":"` + strings.Repeat("word ", 300_000) + `","segments":[]}`
	client := answering(t, body, http.Header{"Content-Length": {strconv.Itoa(len(body))}})
	room := step.NewRoom(4 << 20)
	var all sync.WaitGroup
	var atOnce, most atomic.Int32
	for range 6 {
		all.Go(func() {
			fetched, held := room.Fetch(t.Context(), client, "stt_1", 0)
			if assert.NotNil(t, fetched.Transcript, "%v", fetched.Err) {
				most.Store(max(most.Load(), atOnce.Add(1)))
				runtime.Gosched()
				atOnce.Add(-1)
			}
			held.Release()
		})
	}
	all.Wait()
	assert.Equal(t, int32(1), most.Load())

	enter(t, room, 4<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fetched, held := room.Fetch(ctx, client, "stt_1", 0)
	_, verdict := fetched.Settle(record(ledger.Completed), now)
	assert.Equal(t, step.Stop, verdict.Then)
	held.Release()
}

func mustTake(room *step.Room, t *scriptix.Transcript) *step.Held {
	held, _ := room.Take(t)
	return held
}

func TestWhoGivesUpOrFailsLeavesNoRoomTaken(t *testing.T) {
	t.Parallel()
	room := step.NewRoom(1 << 20)
	held := enter(t, room, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := room.Enter(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)

	fetched := held.Fetch(t.Context(), answering(t, `{"no":"transcript"}`, nil), "stt_1", 0)
	require.ErrorIs(t, fetched.Err, scriptix.ErrBadAnswer)
	assert.Zero(t, fetched.Needs)
	enter(t, room, 1<<20).Release()

	panicking, err := scriptix.New("key", scriptix.WithHTTPClient(&http.Client{Transport: panicker{}}))
	require.NoError(t, err)
	held = enter(t, room, 1<<20)
	assert.Panics(t, func() { held.Fetch(t.Context(), panicking, "stt_1", 0) })
	enter(t, room, 1<<20).Release()
}

type panicker struct{}

func (panicker) RoundTrip(*http.Request) (*http.Response, error) { panic("the caller's") }
