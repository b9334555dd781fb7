package watch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// A key whose minute is not limited is not one of 60 requests a minute.
func TestAMinuteWithoutALimitIsAskedAsOneWithAHighLimit(t *testing.T) {
	t.Parallel()
	late := func(limits scriptix.Limits) (total time.Duration) {
		for seed := range 3 {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t)
				c := s.client(scriptix.WithLimits(limits))
				w := c.STT.NewWatcher()
				const jobs = 150
				for i := range jobs {
					id := fmt.Sprint("stt_", i)
					s.start(id, time.Duration(10+(i*37+seed)%200)*time.Second)
					w.Add(scriptix.Job{ID: id})
				}
				for job, err := range w.All(t.Context()) {
					require.NoError(t, err)
					if job.Status.Terminal() {
						total += time.Since(s.job(job.ID).ended) / jobs / 3
					}
				}
			})
		}
		return total
	}
	none, high, sixty := late(scriptix.Limits{}), late(scriptix.Limits{PerMinute: 6_000}), late(scriptix.Limits{PerMinute: 60})
	t.Log("late on average:", none, "without a limit,", high, "with 6,000 a minute,", sixty, "with 60")
	assert.Less(t, none, high*5/4)
	assert.Less(t, none, sixty/2)
}
