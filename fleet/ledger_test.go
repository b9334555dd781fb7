package fleet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/batch/ledgertest"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
)

func TestTheLedgerInPostgreSQLConforms(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) batch.Ledger {
		t.Helper()
		return newFleet(t, newPool(t), fleet.Options{}).Ledger()
	})
}

func TestTwoProcessesHaveOneLedgerInPostgreSQL(t *testing.T) {
	t.Parallel()
	ledgertest.RunShared(t, func(t *testing.T) (a, b batch.Ledger) {
		t.Helper()
		// Two pools, because two processes share no connection either.
		url := fleettest.Database(t)
		first, second := poolOn(t, url), poolOn(t, url)
		require.NoError(t, fleet.Migrate(t.Context(), first, ""))
		return newFleet(t, first, fleet.Options{}).Ledger(), newFleet(t, second, fleet.Options{}).Ledger()
	})
}

func TestAccountsDoNotSeeEachOthersRecords(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	ours, theirs := newFleet(t, pool, fleet.Options{Account: "ours"}).Ledger(), newFleet(t, pool, fleet.Options{Account: "theirs"}).Ledger()
	claimed, _, err := ours.Claim(t.Context(), batch.Record{Key: "k", Token: "t", Phase: batch.Claimed})
	require.NoError(t, err)

	for by, value := range map[batch.Index]string{batch.ByKey: "k", batch.ByToken: claimed.Token} {
		_, err := theirs.Get(t.Context(), by, value)
		assert.ErrorIs(t, err, batch.ErrNoRecord)
	}
	for r, err := range theirs.Records(t.Context()) {
		t.Errorf("a record of another account was walked over: %v, %v", r, err)
	}
	stored, claimedToo, err := theirs.Claim(t.Context(), batch.Record{Key: "k", Token: "t2", Phase: batch.Claimed})
	require.NoError(t, err)
	assert.True(t, claimedToo, "the key is another account's: %+v", stored)
}
