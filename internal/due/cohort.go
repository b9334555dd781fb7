package due

import (
	"maps"
	"math/bits"
	"time"
)

const (
	cohortWidth = 10 * time.Second
	cohortReach = 360 // cohorts that are searched for peers: an hour
	cohortNear  = 30  // of these, those that are searched on both sides
	fewPeers    = 20  // too few to tell
	manyPeers   = 100 // enough

	blockBits = 4
	blockSize = 1 << blockBits // cohorts that are kept together
	maxBlocks = 1250           // more than two days

	// outstanding is the share of a job's peers that may still be running when
	// the job counts as late, beside those whose callback was lost.
	outstanding = 0.07
)

// Cohorts count the jobs submitted in each ten seconds, and how many of them have
// ended. While callbacks arrive a job is late only when nearly all of its peers
// have ended: the jobs submitted around it with audio no longer than its own.
// That holds however long jobs take and queue, and before the model can know it.
// The zero value is empty. It is not safe for concurrent use.
type Cohorts struct {
	blocks map[int32]*block // by time, in blocks
	latest int32
}

// block keeps neighbours together: a search for peers reads hundreds of cohorts.
type block [blockSize]cohort

// cohort counts by class of duration.
type cohort struct{ started, ended [classes]int32 }

const classes = 16

// Member is a job's place in its cohort.
type Member int32

func (m Member) time() int32 { return int32(m) >> 4 }
func (m Member) class() int  { return int(m) & (classes - 1) }

// Start counts a job. Its duration, 0 if unknown, stays that of its class.
func (c *Cohorts) Start(submitted, duration time.Duration) Member {
	at := int32(submitted / cohortWidth) //nolint:gosec // good for decades
	m := Member(at<<4 | class(duration))
	i := at >> blockBits
	if c.blocks == nil {
		c.blocks, c.latest = make(map[int32]*block), i
	}
	c.latest = max(c.latest, i)
	oldest := c.latest - maxBlocks/2
	if i < oldest && c.blocks[i] == nil {
		return m // its peers are forgotten, and nothing is known of them
	}
	if c.blocks[i] == nil {
		c.blocks[i] = new(block)
	}
	c.cohort(at).started[m.class()]++
	if len(c.blocks) > maxBlocks {
		maps.DeleteFunc(c.blocks, func(i int32, _ *block) bool { return i < oldest })
	}
	return m
}

func (c *Cohorts) cohort(at int32) *cohort {
	if b := c.blocks[at>>blockBits]; b != nil {
		return &b[at&(blockSize-1)]
	}
	return nil
}

// class is 0 for an unknown duration, else one of two to each power of two of
// minutes: the peers of a class and below are at most half as long again.
func class(duration time.Duration) int32 {
	if duration <= 0 {
		return 0
	}
	minutes := uint64(duration/time.Minute) + 1
	power := bits.Len64(minutes) - 1
	c := 1 + 2*power
	if power > 0 && minutes>>(power-1)&1 == 1 {
		c++
	}
	return int32(min(c, classes-1)) //nolint:gosec // bounded
}

// End counts the end of a job.
func (c *Cohorts) End(m Member) {
	if b := c.cohort(m.time()); b != nil {
		b.ended[m.class()]++
	}
}

// Leave takes out a running job whose end nobody will report.
func (c *Cohorts) Leave(m Member) {
	if b := c.cohort(m.time()); b != nil {
		b.started[m.class()]--
	}
}

// Late reports whether a running job lags behind its peers, where a share of the
// ends is learned by callback; known is false where there are too few peers.
func (c *Cohorts) Late(m Member, share float64) (late, known bool) {
	first, last := max(m.class()-1, 0), m.class()
	if last == 0 {
		last = classes - 1
	}
	var started, ended int32
	at := m.time()
	here := cursor{c.blocks[at>>blockBits], at >> blockBits}
	back, ahead := here, here
	count := func(cur *cursor, at int32) {
		if i := at >> blockBits; i != cur.i {
			*cur = cursor{c.blocks[i], i}
		}
		if cur.block != nil {
			b := &cur.block[at&(blockSize-1)]
			for i := first; i <= last; i++ {
				started += b.started[i]
				ended += b.ended[i]
			}
		}
	}
	count(&here, at)
	for i := int32(1); i < cohortReach && started < manyPeers; i++ {
		count(&back, at-i)
		if i <= cohortNear {
			count(&ahead, at+i) // further on, where jobs queue, they end much later
		}
	}
	for i := int32(cohortNear + 1); i < cohortReach && started < fewPeers; i++ {
		count(&ahead, at+i)
	}
	return float64(ended) >= float64(started-1)*(share-outstanding), started >= fewPeers
}

// cursor remembers the block that was read last.
type cursor struct {
	block *block
	i     int32
}
