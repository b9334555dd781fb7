package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestWhatPostgreSQLCannotKeepNamesItsInputAndNothingOfItsChunkIsClaimed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newPool(t), fleet.Options{})
	const source = "https://x.example/bad?signature=hidden"
	for name, bad := range map[string]fleet.Input{
		"no JSON":           {Meta: json.RawMessage("{")},
		"a word":            {Meta: json.RawMessage("plain")},
		"NUL":               {Meta: json.RawMessage(`{"a":["\u0000"]}`)},
		"NUL in a name":     {Meta: json.RawMessage(`{"\u0000":1}`)},
		"lone high half":    {Meta: json.RawMessage(`"\ud83d"`)},
		"lone low half":     {Meta: json.RawMessage(`"\ude00\ud83d"`)},
		"two high halves":   {Meta: json.RawMessage(`"\ud83d\ud83d"`)},
		"no UTF-8":          {Meta: json.RawMessage("\"\xff\"")},
		"too large":         {Meta: json.RawMessage("[1e131072]")},
		"NUL in parameters": {Params: scriptix.SubmitParams{Model: "a\x00b"}},
		"NUL in the key":    {Key: "a\x00b"},
		"a key of no UTF-8": {Key: "a\xff"},
		"a long key":        {Key: strings.Repeat("k", 5000)},
		"a late time":       {NotBefore: time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		bad.Source = source
		chunk := slices.Collect(inputs(3))
		chunk[1] = bad
		counted, err := f.Enqueue(t.Context(), slices.Values(chunk))
		require.Error(t, err, name)
		assert.Zero(t, counted, name)
		assert.Contains(t, err.Error(), "https://x.example/bad", name)
		assert.NotContains(t, err.Error(), "hidden", name)
		assert.NotContains(t, err.Error(), "SQLSTATE", name)
		bad.Key = "call 17"
		if bad.Meta != nil {
			_, err = f.Enqueue(t.Context(), slices.Values([]fleet.Input{bad}))
			require.ErrorContains(t, err, `"call 17"`, name)
		}
	}
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Empty(t, status.Counts)
}

func TestOnlyWhatPostgreSQLCannotKeepIsRefused(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	f := newFleet(t, pool, fleet.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{
		`\u0000`, `\\`, `\ud83d`, `\uDE00`, `\u0041`, `u0000`, `\"`, `\/`, `\n`, "\xff", "é", "a", `\ud83d\ude00`, `\\u0000`, "\x7f",
	}
	numbers := []string{"0", "-0", "1.5", "1e131071", "1E+131072", "0.001e131074", "0.001e131075", "1e-16383", "15e-16384", "0e-16384", "0e999999", "0e9999999999"}
	for i := range 600 {
		var text strings.Builder
		for range r.IntN(5) {
			text.WriteString(parts[r.IntN(len(parts))])
		}
		meta := `{"` + text.String() + `":[` + numbers[r.IntN(len(numbers))] + `,"` + text.String() + `"]}`
		if !json.Valid([]byte(meta)) {
			continue
		}
		_, stored := pool.Exec(t.Context(), "select $1::text::jsonb", meta)
		_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "https://x.example/a", Key: fmt.Sprint(i), Meta: json.RawMessage(meta)}}))
		require.Equal(t, stored == nil, err == nil, "%q: PostgreSQL says %v, Enqueue %v", meta, stored, err)
	}
	_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "https://x.example/a", Params: scriptix.SubmitParams{
		Extra: url.Values{"pattern": {`the six characters \u0000`, `\\u0000`, "é \U0001f600"}},
	}}}))
	require.NoError(t, err, "parameters that hold a backslash are not NUL")
}

func TestALocatorWithAPasswordIsRefusedAndThePasswordIsNotPrinted(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newPool(t), fleet.Options{})
	for _, locator := range []string{
		"https://jane:hunter2@files.example.com/a.wav", "https://hunter2@files.example.com/a.wav", "HTTPS://jane:hunter2@files.example.com",
		"https://jane:hunter2@files.example.com/a.wav#part", "https://jane:hunt%zzer2@files.example.com/a.wav", "https://jane:hunter2/x@files.example.com/a",
		"https://jane:hun?ter2@files.example.com/a.wav", "https://jane:hun#ter2@files.example.com/a.wav", "https://jane:hunter2@/a.wav",
	} {
		_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: locator}}))
		refused, ok := errors.AsType[*fleet.RefusedError](err)
		require.True(t, ok, "%q: %v", locator, err)
		for _, printed := range []string{err.Error(), fmt.Sprintf("%+v %#v", refused, refused), refused.Locator} {
			assert.NotContains(t, printed, "hun")
			assert.NotContains(t, printed, "ter2")
		}
	}
	_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "https://jane:hunter2@files.example.com/a.wav"}}))
	require.ErrorContains(t, err, `"https://files.example.com/a.wav" is refused: it holds a user's name or a password`)

	own := newFleet(t, newPool(t), fleet.Options{Openers: map[string]fleet.Opener{"ftp": func(context.Context, string) (scriptix.Audio, error) {
		return scriptix.Audio{}, errors.New("not here")
	}}})
	_, err = own.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "ftp://jane:hunter2@files.example.com", Key: "k"}}))
	require.NoError(t, err, "an Opener knows what it takes")
	stored, err := own.Ledger().Get(t.Context(), batch.ByKey, "k")
	require.NoError(t, err)
	assert.Equal(t, "files.example.com", stored.Name, "the name is what the service is told")
}
