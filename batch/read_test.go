package batch_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestTheRecordsOfALedgerAreReadWithoutLockingAnybodyOut(t *testing.T) {
	t.Parallel()
	path, want := filled(t)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	got := make(map[string]batch.Record)
	for r, err := range batch.ReadRecords(path) {
		require.NoError(t, err)
		got[r.Key] = r
		if len(got) == 1 {
			l, err := batch.Open(path)
			require.NoError(t, err, "the file is free while its records are looked at")
			require.NoError(t, l.Close())
		}
	}
	assert.Equal(t, want, got)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Len(t, after, len(before))

	l, err := batch.Open(path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	for _, err := range batch.ReadRecords(path) {
		require.ErrorIs(t, err, batch.ErrLocked)
	}
}

func TestWhatIsNoLedgerIsNotReadAsOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	for _, err := range batch.ReadRecords(path) {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	require.NoError(t, os.WriteFile(path, []byte("notes"), 0o600))
	for _, err := range batch.ReadRecords(path) {
		require.ErrorIs(t, err, batch.ErrFormat)
	}
}

func TestARecordingOfACallersKeyIsSentOnlyWhileItHoldsWhatTheKeyWasMadeOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		path := filepath.Join(t.TempDir(), "a.wav")
		require.NoError(t, os.WriteFile(path, makeWAV(1, 400), 0o600))
		params := scriptix.SubmitParams{Language: "en"}
		key, digest, err := batch.KeyAndDigest(t.Context(), scriptix.File(path), params)
		require.NoError(t, err)
		same, err := batch.Key(t.Context(), scriptix.File(path), params)
		require.NoError(t, err)
		assert.Equal(t, same, key)
		in := batch.Input{Audio: scriptix.File(path), Params: params, Key: key, Digest: &digest}

		require.NoError(t, os.WriteFile(path, makeWAV(2, 400), 0o600))
		outcomes := collect(t.Context(), newClient(t, fake), only(in), batch.Options{})
		require.Len(t, outcomes, 1)
		want := batch.StateRejected
		if !variantOf(t).dialect.SignedCallbacks() {
			want = batch.StateInterrupted // an upload stands open for it
		}
		assert.Equal(t, want, outcomes[0].State)
		assert.ErrorIs(t, outcomes[0].Err, scriptix.ErrAudio)
		assert.Empty(t, fake.Jobs())

		require.NoError(t, os.WriteFile(path, makeWAV(1, 400), 0o600))
		outcomes = collect(t.Context(), newClient(t, fake), only(in), batch.Options{})
		assert.Equal(t, map[batch.State]int{batch.StateDone: 1}, states(outcomes))
	})
}
