package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// orphans are the records that are claimed or sent by a process whose lease is
// over, each with its owner.
const orphans = `
	select key || ' ' || owner from scriptix.scriptix_record r where phase in ('claimed', 'sent') and owner <> ''
		and not exists (select from scriptix.scriptix_process where id = r.owner and until > clock_timestamp())`

// vigil watches how long records stay the dead's.
type vigil struct {
	since   map[string]time.Time // when each was first seen as the dead's
	longest time.Duration
	stop    context.CancelFunc
	over    chan struct{}
}

// keepVigil watches from now on, also while a backlog waits on the plan.
func (c *chaos) keepVigil() *vigil {
	ctx, stop := context.WithCancel(context.WithoutCancel(c.t.Context()))
	v := &vigil{since: make(map[string]time.Time), stop: stop, over: make(chan struct{})}
	go func() {
		defer close(v.over)
		for ctx.Err() == nil {
			if rows, err := c.pool.Query(ctx, orphans); err == nil {
				if found, err := pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
					v.saw(found)
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	return v
}

// saw takes in what is the dead's now.
func (v *vigil) saw(found []string) {
	now, before := time.Now(), v.since
	v.since = make(map[string]time.Time, len(found))
	for _, one := range found {
		v.since[one] = now
		if first, ok := before[one]; ok {
			v.since[one] = first
			v.longest = max(v.longest, now.Sub(first))
		}
	}
}

// end stops watching, and says how long at most a record was the dead's after
// their lease.
func (v *vigil) end() time.Duration {
	v.stop()
	<-v.over
	return v.longest
}

// calmDown checks that soon nothing is in the hands of the dead.
func (c *chaos) calmDown(last time.Time) {
	for {
		var n int
		require.NoError(c.t, c.pool.QueryRow(c.t.Context(), "select count(*) from ("+orphans+") as dead").Scan(&n))
		if n == 0 && time.Since(last) > c.role.Lease+time.Second { // by then the last one's lease is over
			open, _ := c.open()
			c.t.Logf("nothing was the dead's %v after the last kill, with %d recordings open", time.Since(last).Round(100*time.Millisecond), open)
			return
		}
		require.Less(c.t, time.Since(last), 60*time.Second, "%d records are still the dead's", n)
		time.Sleep(200 * time.Millisecond)
	}
}

// reader reads outcomes from the first one on, while processes and the database
// are killed.
type reader struct {
	stop context.CancelFunc
	over chan struct{}

	mu   sync.Mutex
	seen []string
}

func (c *chaos) read() *reader {
	ctx, stop := context.WithCancel(context.WithoutCancel(c.t.Context()))
	r := &reader{stop: stop, over: make(chan struct{})}
	go func() {
		defer close(r.over)
		for o, err := range c.fleet.Outcomes(ctx, 0) {
			if err != nil {
				continue // the database is away
			}
			r.mu.Lock()
			r.seen = append(r.seen, fmt.Sprint(o.Cursor, " ", o.Key, " ", o.State))
			r.mu.Unlock()
		}
	}()
	return r
}

// compare checks that a reader that comes after all of it sees the same.
func (r *reader) compare(c *chaos) {
	defer func() {
		r.stop()
		<-r.over
	}()
	var late []string
	for o, err := range c.fleet.OutcomesSoFar(c.t.Context(), 0) {
		require.NoError(c.t, err)
		late = append(late, fmt.Sprint(o.Cursor, " ", o.Key, " ", o.State))
	}
	require.Eventually(c.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.seen) >= len(late)
	}, 30*time.Second, 100*time.Millisecond, "the early reader missed some of %d outcomes", len(late))
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Equal(c.t, late, r.seen[:len(late)])
	c.t.Logf("%d outcomes, the same for an early and a late reader", len(late))
}
