package fleet_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/fleet"
)

func TestMigrateOnceOrOftenOrByManyAtOnceIsTheSame(t *testing.T) {
	t.Parallel()
	pool := emptyPool(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { assert.NoError(t, fleet.Migrate(t.Context(), pool, "")) })
	}
	wg.Wait()
	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))

	var ours, rivers, public int
	require.NoError(t, pool.QueryRow(t.Context(), `
		select count(*) filter (where schemaname = 'scriptix' and tablename like 'scriptix%'),
			count(*) filter (where schemaname = 'scriptix' and tablename like 'river%'),
			count(*) filter (where schemaname = 'public') from pg_tables`).Scan(&ours, &rivers, &public))
	assert.Equal(t, 9, ours)
	assert.GreaterOrEqual(t, rivers, 4)
	assert.Zero(t, public, "the schema public stays as it is")
}

func TestMigrateNeedsOneConnectionOfThePool(t *testing.T) {
	t.Parallel()
	config := emptyPool(t).Config()
	config.MaxConns = 1
	pool := poolWith(t, config)
	require.NoError(t, fleet.Migrate(t.Context(), pool, "elsewhere"))
	f := newFleet(t, pool, fleet.Options{Schema: "elsewhere"})
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Empty(t, status.Counts)
}

func TestANameThatIsNoSchemaIsRefused(t *testing.T) {
	t.Parallel()
	pool := emptyPool(t)
	for _, name := range []string{"with space", `quo"te`, "1st", "a-b", "averyverylongnamethatleavesnoroomforthenamesofchannels"} {
		require.Error(t, fleet.Migrate(t.Context(), pool, name), name)
		_, err := fleet.New(pool, fleet.Options{Schema: name})
		require.Error(t, err, name)
	}
}

func TestMigrateBringsADatabaseOfTheFirstVersionUpToDate(t *testing.T) {
	t.Parallel()
	pool := emptyPool(t)
	dump, err := os.ReadFile("testdata/version1.sql") // as pg_dump wrote it
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), string(dump))
	require.NoError(t, err)
	f := newFleet(t, pool, fleet.Options{})
	require.ErrorIs(t, f.Start(t.Context()), fleet.ErrNotMigrated)

	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))
	require.NoError(t, f.Start(t.Context()))
	require.NoError(t, f.Stop(t.Context()))
	status, err := f.Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[batch.Phase]int{batch.Claimed: 1, batch.Unknown: 1, batch.Rejected: 1, batch.Done: 1, batch.Failed: 1}, status.Counts)
	transcript, err := f.Transcript(t.Context(), "call-0.wav")
	require.NoError(t, err)
	assert.NotEmpty(t, transcript.Text)
	before := states(history(t, f, 4))
	assert.Equal(t, []string{"missing.wav rejected", "call-0.wav done", "call-1.wav failed", "unknown.wav unknown"}, before)

	_, err = f.Ledger().Apply(t.Context(), "unknown.wav", func(r batch.Record) (batch.Record, error) {
		return ledger.Accepted(r, "job", 0, time.Now(), time.Now()), nil
	})
	require.NoError(t, err)
	_, err = f.Ledger().Apply(t.Context(), "unknown.wav", func(r batch.Record) (batch.Record, error) {
		return ledger.Polled(r, false, "no speech", "poll", 0, time.Now()), nil
	})
	require.NoError(t, err)
	after := states(history(t, f, 5))
	assert.Equal(t, append(before, "unknown.wav failed"), after)
}
