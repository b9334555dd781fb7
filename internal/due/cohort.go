package due

import "time"

const (
	cohortWidth = 10 * time.Second
	cohortReach = 360 // buckets that are searched for peers: an hour
	cohortNear  = 12  // of these, buckets that are searched on both sides
	fewPeers    = 20  // too few to tell
	manyPeers   = 100 // enough
	maxCohorts  = 20_000

	// outstanding is the share of its peers that may still be running when a
	// job counts as late, beside those whose callback was lost.
	outstanding = 0.07
)

// Cohorts count the jobs of each ten seconds, and how many of them have ended. While
// callbacks arrive a job is late only when nearly all of its peers have ended:
// that holds however long jobs take, and also before the model can know it. Jobs
// are peers when they would end at the same time if none queued. The zero value
// is empty. It is not safe for concurrent use.
type Cohorts struct{ buckets map[int32]cohort }

type cohort struct{ started, ended int32 }

// Start counts a job of a key ([Model.Key]) and returns its bucket.
func (c *Cohorts) Start(key time.Duration) (bucket int32) {
	if c.buckets == nil {
		c.buckets = make(map[int32]cohort)
	}
	bucket = int32(key / cohortWidth) //nolint:gosec // thousands of years
	b := c.buckets[bucket]
	b.started++
	c.buckets[bucket] = b
	if len(c.buckets) > maxCohorts {
		for old := range c.buckets {
			if old < bucket-maxCohorts/2 {
				delete(c.buckets, old)
			}
		}
	}
	return bucket
}

// End counts the end of a job in its bucket.
func (c *Cohorts) End(bucket int32) {
	if b, ok := c.buckets[bucket]; ok {
		b.ended++
		c.buckets[bucket] = b
	}
}

// Leave takes out a job of which nothing more will be heard.
func (c *Cohorts) Leave(bucket int32) {
	b, ok := c.buckets[bucket]
	if !ok {
		return
	}
	if b.started--; b.started <= 0 {
		delete(c.buckets, bucket)
		return
	}
	c.buckets[bucket] = b
}

// Late reports whether a running job lags behind its peers, when a share of the
// ends comes by callback. Where there are too few of them it does.
func (c *Cohorts) Late(bucket int32, share float64) bool {
	var peers cohort
	add := func(at int32) {
		b := c.buckets[at]
		peers.started += b.started
		peers.ended += b.ended
	}
	add(bucket)
	for i := int32(1); i < cohortReach && peers.started < manyPeers; i++ {
		add(bucket - i)
		if i <= cohortNear {
			add(bucket + i) // further on, where jobs queue, they end much later
		}
	}
	for i := int32(cohortNear + 1); i < cohortReach && peers.started < fewPeers; i++ {
		add(bucket + i)
	}
	others := float64(peers.started - 1)
	return peers.started < fewPeers || float64(peers.ended) >= others*(share-outstanding)
}
