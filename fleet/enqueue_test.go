package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
)

func inputs(n int) iter.Seq[fleet.Input] {
	return func(yield func(fleet.Input) bool) {
		for i := range n {
			if !yield(fleet.Input{Source: fmt.Sprintf("https://files.example.com/%d.wav", i), Params: scriptix.SubmitParams{Language: "en"}}) {
				return
			}
		}
	}
}

func TestEnqueueCountsWhatIsFreshAndWhatIsKnown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newPool(t), fleet.Options{})
	first, err := f.Enqueue(t.Context(), inputs(2500))
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Fresh: 2500}, first)

	second, err := f.Enqueue(t.Context(), inputs(2501))
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Fresh: 1, Known: 2500}, second)

	twice := slices.Values([]fleet.Input{{Source: "https://x.example/a", Key: "k"}, {Source: "https://x.example/b", Key: "k"}})
	third, err := f.Enqueue(t.Context(), twice)
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Fresh: 1, Known: 1}, third)

	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Claimed: 2502}, status.Counts)
}

func TestOtherParametersAreAnotherRecording(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newPool(t), fleet.Options{})
	counted, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{
		{Source: "https://x.example/a", Params: scriptix.SubmitParams{Language: "en"}},
		{Source: "https://x.example/a", Params: scriptix.SubmitParams{Language: "nl"}},
		{Source: "https://x.example/b", Params: scriptix.SubmitParams{Language: "en"}},
	}))
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Fresh: 3}, counted)
}

func TestEnqueueTxIsTheCallersTransaction(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	f := newFleet(t, pool, fleet.Options{})
	changedTheirMind := errors.New("rolled back")
	for _, end := range []error{changedTheirMind, nil} {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			counted, err := f.EnqueueTx(t.Context(), tx, slices.Collect(inputs(3))...)
			require.NoError(t, err)
			assert.Equal(t, fleet.Enqueued{Fresh: 3}, counted)
			return end
		})
		require.ErrorIs(t, err, end)
		status, err := f.Status(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[bool]int{true: 3}[end == nil], status.Counts[batch.Claimed])
	}
}

func TestManyEnqueueTheSameAtOnce(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	var mu sync.Mutex
	var total fleet.Enqueued
	var wg sync.WaitGroup
	for i := range 8 {
		f := newFleet(t, pool, fleet.Options{})
		all := slices.Collect(inputs(1500))
		if i%2 == 1 {
			slices.Reverse(all) // in another order they must not wait for each other for ever
		}
		wg.Go(func() {
			counted, err := f.Enqueue(t.Context(), slices.Values(all))
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			total.Fresh += counted.Fresh
			total.Known += counted.Known
		})
	}
	wg.Wait()
	assert.Equal(t, fleet.Enqueued{Fresh: 1500, Known: 7 * 1500}, total)
}

func TestALocatorThatNobodyCouldOpenIsNotEnqueued(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.wav"), []byte("RIFF"), 0o600))
	client := func(b scriptix.Budget) (*scriptix.Client, error) { return scriptix.New("key", scriptix.WithBudget(b)) }
	f := newFleet(t, newPool(t), fleet.Options{Root: root, Client: client})
	for _, locator := range []string{
		"", "a.wav", "/etc/passwd", "ftp://x.example/a", "file:../a.wav", "file:a/../../b", "file:///etc/passwd",
		"file://host/a.wav", "file:", "file:.", "https:", "https:///a", "https:a.wav", "file:a\x00.wav", "file:caf\xe9.wav",
	} {
		_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: locator}}))
		refused, ok := errors.AsType[*fleet.RefusedError](err)
		assert.True(t, ok, "%q: %v", locator, err)
		if ok {
			assert.NotEmpty(t, refused.Reason)
		}
	}
	for _, locator := range []string{"file:a.wav", "FILE:a.wav", "file:sub/../a.wav", "file://" + root + "/a.wav"} {
		_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: locator}}))
		assert.NoError(t, err, locator)
	}
}

func TestAProcessThatDoesNotWorkLeavesRootAndOpenersToTheWorkers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newPool(t), fleet.Options{})
	for _, locator := range []string{"file:a.wav", "file:///srv/calls/a.wav", "s3:bucket/a.wav"} {
		_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: locator}}))
		assert.NoError(t, err, locator)
	}
	_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "file:../a.wav"}}))
	assert.Error(t, err)
}

func TestMetaThatIsNotJSONIsNotEnqueued(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newPool(t), fleet.Options{})
	for _, meta := range []string{"{", "plain", `"\u0000"`} {
		_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "https://x.example/a", Meta: json.RawMessage(meta)}}))
		assert.Error(t, err, meta)
	}
}
