package batch_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
)

func TestWhatIsForgottenIsInNoByteOfTheFile(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l := openFile(t, path)
	secrets := []string{"confidential interview", "token of confidential", "the judge said", "upload token"}
	for _, key := range []string{"confidential", "other"} {
		_, claimed, err := l.Claim(t.Context(), batch.Record{Key: key, Name: key + " interview.wav", Token: "token of " + key, Phase: batch.Claimed, ClaimedAt: time.Now()})
		require.NoError(t, err)
		require.True(t, claimed)
		move(t.Context(), t, l, key, func(r *batch.Record) { r.Upload = "upload token" })
		move(t.Context(), t, l, key, func(r *batch.Record) { r.Phase, r.JobID, r.Upload = batch.Submitted, "job "+key, "" })
	}
	require.ErrorIs(t, batch.Forget(t.Context(), l, "confidential"), batch.ErrMoved, "it is still open")
	move(t.Context(), t, l, "confidential", func(r *batch.Record) { r.Phase, r.Failure = batch.Failed, "the judge said" })

	err := batch.Forget(t.Context(), l, "confidential", "nobody's")
	require.ErrorIs(t, err, batch.ErrNoRecord)
	r, err := l.Get(t.Context(), batch.ByKey, "confidential")
	require.NoError(t, err)
	assert.Equal(t, []string{"", "", "job confidential", "failed"}, []string{r.Name, r.Failure, r.JobID, string(r.Phase)})
	_, err = l.Get(t.Context(), batch.ByToken, "token of confidential")
	require.ErrorIs(t, err, batch.ErrNoRecord)
	_, claimed, err := l.Claim(t.Context(), newRecord("confidential"))
	require.NoError(t, err)
	assert.False(t, claimed, "it is not paid for again")

	other, err := l.Get(t.Context(), batch.ByToken, "token of other")
	require.NoError(t, err)
	assert.Equal(t, "other interview.wav", other.Name, "the rest is as it was")
	require.NoError(t, l.Close())
	for _, file := range []string{path, path + ".snapshot"} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, secret := range secrets {
			if secret != "upload token" || file != path {
				assert.NotContains(t, string(data), secret, file)
			}
		}
		assert.Equal(t, file == path, bytes.Contains(data, []byte("other interview")), file)
	}
	again := openFile(t, path)
	r, err = again.Get(t.Context(), batch.ByJob, "job confidential")
	require.NoError(t, err)
	assert.Equal(t, batch.Failed, r.Phase)
}

func TestForgettingWhileOthersReadAndWriteBreaksNothing(t *testing.T) {
	t.Parallel()
	path := fastPath(t)
	l := openFile(t, path)
	var keys []string
	for i := range 200 {
		key := "k" + string(rune('a'+i%26)) + time.Duration(i).String()
		keys = append(keys, key)
		claim(t.Context(), t, l, key)
		move(t.Context(), t, l, key, func(r *batch.Record) { r.Phase = batch.Rejected })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			assert.NoError(t, batch.Forget(t.Context(), l, keys[i*10:i*10+10]...))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			n := 0
			for _, err := range l.Records(t.Context()) {
				require.NoError(t, err)
				n++
			}
			require.GreaterOrEqual(t, n, 200)
			claim(t.Context(), t, l, time.Now().String()+"x")
		}
	}
	require.NoError(t, l.Close())
	again := openFile(t, path) // which checks every page and index
	for _, key := range keys {
		r, err := again.Get(t.Context(), batch.ByKey, key)
		require.NoError(t, err)
		assert.Empty(t, r.Name)
	}
}
