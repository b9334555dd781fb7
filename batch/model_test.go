package batch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// model is what a ledger and its records should be, in a few lines: for each key
// its phase and its job, and for each job that nobody knows its events.
type model struct {
	phase, job map[string]string
	owner      map[string]string // who has begun it
	parked     map[string][]bool // whether each says that the job failed
}

func (m *model) event(job string, failed bool) {
	for key, id := range m.job {
		if id == job {
			m.end(key, failed)
			return
		}
	}
	if len(m.parked[job]) < 4 {
		m.parked[job] = append(m.parked[job], failed)
	}
}

// end is an event about a key's job: a failure is confirmed by a poll first.
func (m *model) end(key string, failed bool) {
	if !failed && m.phase[key] == "submitted" {
		m.phase[key] = "completed"
	}
}

func (m *model) bind(key, job string) {
	m.phase[key], m.job[key] = "submitted", job
	for _, failed := range m.parked[job] {
		m.end(key, failed)
	}
	delete(m.parked, job)
}

func TestLedgersAndRecordsFollowTheModel(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]bool{"in memory": false, "in a file that is closed and opened now and then": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(12) {
				walk(t, rand.New(rand.NewPCG(seed, 7)), file)
			}
		})
	}
}

// walk does random things to a ledger and to the model, and compares them.
func walk(t *testing.T, random *rand.Rand, file bool) {
	t.Helper()
	ctx, now, path := t.Context(), time.Now(), fastPath(t)
	open := func() batch.Ledger {
		if !file {
			return batch.Memory()
		}
		l, err := batch.Open(path)
		require.NoError(t, err)
		return l
	}
	l := open()
	m := &model{map[string]string{}, map[string]string{}, map[string]string{}, map[string][]bool{}}
	// apply reports whether the rules let the change pass.
	apply := func(key string, change func(batch.Record) (batch.Record, error)) bool {
		_, err := l.Apply(ctx, key, change)
		if errors.Is(err, batch.ErrMoved) || errors.Is(err, batch.ErrJobTaken) || errors.Is(err, batch.ErrNoRecord) {
			return false
		}
		require.NoError(t, err)
		return true
	}
	for range 250 {
		key, job := fmt.Sprint("k", random.IntN(6)), fmt.Sprint("j", random.IntN(9))
		was, taken := m.phase[key], false
		for other, id := range m.job {
			taken = taken || other != key && id == job
		}
		switch random.IntN(10) {
		case 0:
			_, claimed, err := l.Claim(ctx, newRecord(key))
			require.NoError(t, err)
			require.Equal(t, was == "", claimed)
			if claimed {
				m.phase[key] = "claimed"
			}
		case 1:
			owner := fmt.Sprint(random.IntN(2))
			if apply(key, func(r batch.Record) (batch.Record, error) { return ledger.Sending(r, owner, now) }) {
				require.Contains(t, []string{"claimed", "sent"}, was)
				require.Contains(t, []string{"", owner}, m.owner[key], "two send one recording")
				m.phase[key], m.owner[key] = "sent", owner
			} else if was == "claimed" {
				require.NotContains(t, []string{"", owner}, m.owner[key])
			}
		case 2:
			apply(key, func(r batch.Record) (batch.Record, error) { return ledger.Lost(r, r.Owner, nil, "cut", now), nil })
			if was == "sent" {
				m.phase[key] = "unknown"
			}
		case 3, 4: // the answer of a submit
			if was != "sent" && was != "unknown" {
				continue
			}
			done := apply(key, func(r batch.Record) (batch.Record, error) { return ledger.Accepted(r, job, 0, now, now), nil })
			require.Equal(t, !taken, done, "a job is bound to one record")
			if done {
				m.bind(key, job)
			}
		case 5, 6: // a callback
			failed := random.IntN(3) == 0
			known, err := l.Park(ctx, batch.Event{JobID: job, Failed: failed, At: now})
			require.NoError(t, err)
			if known != "" {
				require.Equal(t, job, m.job[known])
				require.True(t, apply(known, func(r batch.Record) (batch.Record, error) {
					return ledger.Heard(r, batch.Event{JobID: job, Failed: failed, At: now}), nil
				}))
			}
			m.event(job, failed)
		case 7: // a poll
			ok := random.IntN(2) == 0
			apply(key, func(r batch.Record) (batch.Record, error) { return ledger.Polled(r, ok, "why", "poll", 0, now), nil })
			if was == "submitted" {
				m.phase[key] = map[bool]string{true: "completed", false: "failed"}[ok]
			}
		case 8:
			apply(key, func(r batch.Record) (batch.Record, error) { return ledger.Finished(r), nil })
			if was == "completed" {
				m.phase[key] = "done"
			}
		case 9:
			if file && random.IntN(5) == 0 {
				require.NoError(t, l.Close())
				l = open()
			} else if apply(key, func(r batch.Record) (batch.Record, error) { return ledger.Reclaimed(r, "0") }) {
				require.Equal(t, "unknown", was, "only what nobody knows is claimed again")
				m.phase[key], m.owner[key] = "claimed", "0"
			}
		}
		compare(t, l, m)
	}
	require.NoError(t, l.Close())
}

func compare(t *testing.T, l batch.Ledger, m *model) {
	t.Helper()
	n := 0
	for r, err := range l.Records(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, m.phase[r.Key], string(r.Phase), r.Key)
		require.Equal(t, m.job[r.Key], r.JobID, r.Key)
		if r.JobID != "" {
			found, err := l.Get(t.Context(), batch.ByJob, r.JobID)
			require.NoError(t, err)
			require.Equal(t, r, found)
		}
		n++
	}
	require.Len(t, m.phase, n)
}
