package budget_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/budget"
)

// What testdata holds was written by the budget as it was when it still stood in
// the client's package and counted in nanoseconds. Each of the two lists has a hash
// for each of 1,000 schedules, those of a row of seeds in which everything fell on
// whole milliseconds. The jitter of the stops after a 429 is random, so the first
// list has only schedules that do not depend on it. It was zero when the second one
// was written.
func TestSchedulesAreGrantedAsTheyAlwaysWere(t *testing.T) {
	t.Parallel()
	replay(t, "testdata/grants.txt", func(*budget.Key) {})
}

func TestSchedulesWithoutJitterAreGrantedAsTheyAlwaysWere(t *testing.T) {
	t.Parallel()
	replay(t, "testdata/grants_without_jitter.txt", (*budget.Key).WithoutJitter)
}

func replay(t *testing.T, file string, prepare func(*budget.Key)) {
	t.Helper()
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	n := 0
	for line := range strings.Lines(string(golden)) {
		n++
		var seed uint64
		var want string
		_, err := fmt.Sscan(line, &seed, &want)
		require.NoError(t, err)
		got, _, _ := play(t, seed, prepare)
		require.Equal(t, want, got, "seed %d", seed)
	}
	require.Equal(t, 1000, n)
}

func TestAStateThatAnEarlierVersionWroteIsRestored(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/state.json")
	require.NoError(t, err)
	var state budget.State
	require.NoError(t, json.Unmarshal(data, &state))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(5*time.Hour + 94739*time.Millisecond) // when it was written
		for _, want := range []struct {
			minute, hour int // used
			limit        int
			next         int64
		}{
			{9, 1949, 30, 946703201212},
			{8, 1649, 30, 946703254739},
			{8, 1289, 60, 946703614739},
			{8, 929, 60, 946703974739},
		} {
			b, err := budget.Restore(budget.PlanSilver, state)
			require.NoError(t, err)
			s := b.Snapshot()
			assert.Equal(t, budget.WindowUse{Limit: want.limit, Used: want.minute, Left: want.limit - want.minute}, s.Minute)
			assert.Equal(t, budget.WindowUse{Limit: 2000, Used: want.hour, Left: 2000 - want.hour}, s.Hour)
			assert.Equal(t, budget.WindowUse{Limit: 20_000, Used: 10_009, Left: 9991}, s.Day)
			assert.Equal(t, want.next, s.NextPoll.UnixMilli())
			time.Sleep(6 * time.Minute)
		}
	})
}
