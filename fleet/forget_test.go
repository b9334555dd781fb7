package fleet_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
)

func TestWhatIsForgottenWhileItWaitsForAWorkerStaysClaimed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Concurrency = 1
	opened, goOn := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(opened) })
	o.Openers = map[string]fleet.Opener{"mem": func(context.Context, string) (scriptix.Audio, error) {
		once()
		<-goOn
		return scriptix.Bytes("call.wav", wav(time.Second, 1)), nil
	}}
	f := s.start(t, o)
	var in []fleet.Input
	for _, key := range []string{"a", "b", "c", "d"} {
		in = append(in, fleet.Input{Source: "mem:" + key, Key: key, Params: scriptix.SubmitParams{Language: "en"}})
	}
	_, err := f.Enqueue(t.Context(), slices.Values(in))
	require.NoError(t, err)
	<-opened
	var waiting int
	require.Eventually(t, func() bool {
		const count = "select count(*) from scriptix.river_job where state = 'available' and queue like 'submit%'"
		return s.pool.QueryRow(t.Context(), count).Scan(&waiting) == nil && waiting == 3
	}, 20*time.Second, 20*time.Millisecond)
	left := 0
	for _, key := range []string{"a", "b", "c", "d"} {
		if f.Forget(t.Context(), key) == nil {
			left++
		}
	}
	close(goOn)
	assert.Equal(t, 3, left, "one is in hand")
	require.Eventually(t, func() bool {
		const count = "select count(*) from scriptix.river_job where state <> 'completed' and queue like 'submit%'"
		return s.pool.QueryRow(t.Context(), count).Scan(&waiting) == nil && waiting == 0
	}, 20*time.Second, 20*time.Millisecond)
	await(t, f, 1)
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Claimed: 3, batch.Done: 1}, status.Counts)
}
