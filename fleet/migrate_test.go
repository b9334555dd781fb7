package fleet_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	assert.Equal(t, 8, ours)
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
