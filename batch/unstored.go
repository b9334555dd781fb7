package batch

import (
	"errors"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// unstored are the jobs that the service has made and no ledger has stored, by
// the tokens of their records: a run ended while its ledger was away. The next
// run of this process stores them, and until then Export names them. Like inHand
// it belongs to the process, whichever wrapper a ledger is used through.
var unstored = jobsByToken{jobs: make(map[string]scriptix.Job)}

type jobsByToken struct {
	mu   sync.Mutex
	jobs map[string]scriptix.Job
}

// add keeps the job that an upload has brought, if it has brought one.
func (u *jobsByToken) add(token string, job *scriptix.Job) {
	if job == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.jobs[token] = scriptix.Job{ID: job.ID, Duration: job.Duration}
}

func (u *jobsByToken) get(token string) (scriptix.Job, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	job, ok := u.jobs[token]
	return job, ok
}

func (u *jobsByToken) remove(token string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.jobs, token)
}

// storeLate stores the job that an earlier run of this process could not store.
func (r *run) storeLate(it *item, rec Record) (Record, error) {
	job, ok := unstored.get(rec.Token)
	if !ok {
		return rec, nil
	}
	it.jobID = job.ID
	sent := step.Sent{Kind: step.JobMade, Job: &job, Owner: r.id}
	stored, err := r.insist(it.key, func(rec Record) Record {
		rec, _ = sent.Settle(rec, 1, time.Now())
		return rec
	})
	if err == nil || errors.Is(err, ErrJobTaken) || errors.Is(err, ErrRule) {
		unstored.remove(rec.Token)
	}
	if err != nil {
		return rec, notStored(sent, err)
	}
	return stored, nil
}
