package fleet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// retained is a fleet that has one recording done, one failed, one rejected, one
// rejected and then failed, and one that waits.
func retained(t *testing.T, keep fleet.Retention) (*site, *fleet.Fleet) {
	t.Helper()
	s := newSite(t)
	s.fake.Script(func(u scriptixtest.Upload) scriptixtest.Outcome {
		return scriptixtest.Outcome{Failure: map[bool]string{true: "no speech"}[u.FileName == "call-1.wav"]}
	})
	o := s.options()
	o.Retention = keep
	f := newFleet(t, s.pool, fleet.Options{Root: s.root})
	in := s.record(t, 2)
	for _, name := range []string{"missing.wav", `"gone".wav`} {
		in = append(in, fleet.Input{Source: "file:calls/" + name, Key: name, Params: scriptix.SubmitParams{Language: "en"}})
	}
	later := fleet.Input{Source: "file:later.wav", Key: "later", NotBefore: time.Now().Add(24 * time.Hour)}
	_, err := f.Enqueue(t.Context(), slices.Values(append(in, later)))
	require.NoError(t, err)
	rejectAndFail(t.Context(), f.Ledger(), "twice")
	s.start(t, o)
	return s, f
}

// eventually waits until a condition holds that the leader brings about.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 50*time.Millisecond)
}

func TestTranscriptsGoAfterTheirRetentionAndNothingElse(t *testing.T) {
	t.Parallel()
	s, f := retained(t, fleet.Retention{Transcripts: time.Second})
	eventually(t, func() bool { return len(soFar(t, f)) == 6 })
	before := soFar(t, f)
	eventually(t, func() bool {
		var kept int
		return s.pool.QueryRow(t.Context(), "select count(*) from scriptix.scriptix_transcript").Scan(&kept) == nil && kept == 0
	})
	_, err := f.Transcript(t.Context(), "call-0.wav")
	require.ErrorIs(t, err, fleet.ErrNoTranscript)
	assert.Equal(t, before, soFar(t, f))
	assert.Contains(t, words(t, s), "file:call-0.wav")
}

func TestSourcesGoAfterTheirRetentionAndWhatIsOpenKeepsThem(t *testing.T) {
	t.Parallel()
	s, f := retained(t, fleet.Retention{Sources: time.Second})
	eventually(t, func() bool { return len(soFar(t, f)) == 6 })
	before := soFar(t, f)
	eventually(t, func() bool {
		var kept int
		const count = "select count(*) from scriptix.scriptix_record where source <> ''"
		return s.pool.QueryRow(t.Context(), count).Scan(&kept) == nil && kept == 1
	})
	left := words(t, s)
	for _, gone := range []string{"call-", "calls/", "missing", "gone", "number"} {
		assert.NotContains(t, left, gone)
	}
	assert.Contains(t, left, "file:later.wav", "it is still to be sent")
	assert.Contains(t, left, "no speech", "which names nothing")
	after := soFar(t, f)
	assert.Equal(t, states(before), states(after))
	for _, o := range after {
		assert.Empty(t, o.Meta)
	}
	transcript, err := f.Transcript(t.Context(), "call-0.wav")
	require.NoError(t, err)
	assert.NotEmpty(t, transcript.Text)
	counted, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 2)))
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Known: 2}, counted)
	require.ErrorIs(t, batch.Resubmit(t.Context(), f.Ledger(), "missing.wav"), fleet.ErrSourceErased, "no worker could open it")
}

func TestRecordsGoWholeAfterTheirRetentionAndWhatIsOpenStays(t *testing.T) {
	t.Parallel()
	s, f := retained(t, fleet.Retention{Records: 3 * time.Second})
	eventually(t, func() bool {
		status, err := f.Status(t.Context())
		return err == nil && len(status.Counts) == 1 && status.Counts[batch.Claimed] == 1
	})
	assert.Empty(t, soFar(t, f))
	for _, table := range []string{"scriptix_transcript", "scriptix_outcome"} {
		var kept int
		require.NoError(t, s.pool.QueryRow(t.Context(), "select count(*) from scriptix."+table).Scan(&kept))
		assert.Zero(t, kept, table)
	}
	jobs := len(s.fake.Jobs())
	counted, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 1)))
	require.NoError(t, err)
	assert.Equal(t, fleet.Enqueued{Fresh: 1}, counted, "it is paid for again, as Retention says")
	eventually(t, func() bool { return len(s.fake.Jobs()) == jobs+1 })
}

// soFar reads the outcomes that are there.
func soFar(t *testing.T, f *fleet.Fleet) (all []fleet.Outcome) {
	t.Helper()
	for o, err := range f.OutcomesSoFar(t.Context(), 0) {
		require.NoError(t, err)
		all = append(all, o)
	}
	return all
}

func TestWithoutNotificationsAFleetWorksAndHoldsNoConnectionThatListens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.PollOnly = true
	f := s.start(t, o)
	s.start(t, o)
	_, err := f.Enqueue(t.Context(), slices.Values(s.record(t, 3)))
	require.NoError(t, err)
	began := time.Now()
	for key, o := range await(t, f, 3) {
		assert.Equal(t, batch.StateDone, o.State, "%s: %v", key, o.Err)
	}
	assert.Less(t, time.Since(began), 30*time.Second)
	var listening int
	const count = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen %'"
	require.NoError(t, s.pool.QueryRow(t.Context(), count).Scan(&listening))
	assert.Zero(t, listening)
	t.Logf("three recordings in %v", time.Since(began).Round(time.Millisecond))
}
