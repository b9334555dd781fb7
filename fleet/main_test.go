package fleet_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	code := m.Run()
	if err := fleettest.Close(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// newPool is a pool on an empty database that is migrated.
func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := emptyPool(t)
	require.NoError(t, fleet.Migrate(t.Context(), pool, ""))
	return pool
}

// emptyPool is a pool on an empty database.
func emptyPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return poolOn(t, fleettest.Database(t))
}

func poolOn(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.MaxConns = 16
	return poolWith(t, config)
}

func poolWith(t *testing.T, config *pgxpool.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func newFleet(t *testing.T, pool *pgxpool.Pool, o fleet.Options) *fleet.Fleet {
	t.Helper()
	f, err := fleet.New(pool, o)
	require.NoError(t, err)
	return f
}
