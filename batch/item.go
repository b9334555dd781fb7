package batch

import (
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// item is one recording on its way through a run. Whoever has set its stage to
// working owns it, and all of it but what the run's lock guards.
type item struct {
	key string

	inputs []Input // guarded by the run's lock; the first one is sent
	stage  stage   // guarded by the run's lock

	jobID    string
	token    string // of the callback URL
	source   scriptix.Source
	attempts int
	lost     error // why the outcome is unknown
	lostAt   time.Time
	timer    *time.Timer
}

type stage int

const (
	working    stage = iota // somebody does something about it, or is about to
	unresolved              // its outcome is unknown, and a callback may tell
	waiting                 // its job runs
	ended
)

// begin takes up one input.
func (r *run) begin(input Input) {
	key := input.Key
	if key == "" {
		var err error
		if key, err = Key(r.ctx, input.Audio, input.Params); err != nil {
			o := Outcome{Input: input, State: StateRejected, Err: err}
			if r.ctx.Err() != nil {
				o.State, o.Err = StateInterrupted, r.stopped()
			}
			r.emit(o, nil)
			return
		}
	}
	if err := ledger.CheckName(key); err != nil {
		r.emit(Outcome{Input: input, Key: key, State: StateRejected, Err: err}, nil)
		return
	}
	r.mu.Lock()
	if it, ok := r.items[key]; ok {
		it.inputs = append(it.inputs, input)
		r.mu.Unlock()
		return
	}
	it := &item{key: key, inputs: []Input{input}}
	r.items[key] = it
	r.mu.Unlock()
	r.claim(it)
}

// claim makes the item's record, or finds what an earlier run has left of it.
func (r *run) claim(it *item) {
	if err := r.halting(); err != nil {
		// Nothing new; but what was paid for is still brought home.
		rec, getErr := r.l.Get(r.always, ByKey, it.key)
		if errors.Is(getErr, ErrNoRecord) || getErr == nil && (rec.Phase == Claimed || rec.Phase == Rejected) {
			r.finish(it, r.refusal(err), fmt.Errorf("batch: not submitted: %w", err))
			return
		}
		if getErr == nil {
			rec, getErr = r.takeOver(rec)
		}
		if getErr != nil {
			r.finish(it, StateInterrupted, fmt.Errorf("%w: %w; nothing is submitted: %w", ErrLedger, getErr, err))
			return
		}
		r.advance(it, rec)
		return
	}
	rec, _, err := r.l.Claim(r.always, ledger.New(it.key, r.first(it).Audio.Name(), newToken(), r.id, time.Now()))
	if err == nil {
		rec, err = r.takeOver(rec)
	}
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w, so nothing was sent: %w", ErrLedger, err))
		return
	}
	r.advance(it, rec)
}

// takeOver turns what a run has left that is no more into what this one can go
// on from.
func (r *run) takeOver(rec Record) (Record, error) {
	switch {
	case rec.Phase == Rejected:
		return r.l.Apply(r.always, rec.Key, func(rec Record) (Record, error) { return ledger.Reclaimed(rec, r.id) })
	case rec.Phase == Sent && rec.Owner != r.id && rec.Upload == "":
		return r.l.Apply(r.always, rec.Key, func(rec Record) (Record, error) {
			return ledger.Lost(rec, "the process ended before the service's answer was stored", time.Now()), nil
		})
	}
	return rec, nil
}

// advance goes on with an item from what its record says. The caller owns it.
func (r *run) advance(it *item, rec Record) {
	it.attempts, it.source, it.token = rec.Attempts, scriptix.Source(rec.Source), rec.Token
	if rec.JobID != "" {
		it.jobID = rec.JobID
	}
	switch rec.Phase {
	case Claimed:
		r.again.push(it)
	case Sent, Unknown:
		if rec.Upload != "" {
			r.again.push(it) // a resumable upload finds its job by itself
			return
		}
		r.resolve(it, rec)
	case Submitted:
		// It rests before it is watched: an end that the client knows already is heard of at once.
		r.rest(it, waiting, 0)
		r.watcher.Add(scriptix.Job{ID: rec.JobID, CreatedAt: rec.SubmittedAt, Duration: rec.Duration})
		r.look(it, false)
	case Completed:
		r.tasks.push(func() { r.fetch(it, 0) })
	case Done:
		r.finish(it, StateSkipped, nil)
	case Failed:
		job := scriptix.Job{ID: rec.JobID, Status: scriptix.StatusFailed, Failure: rec.Failure, Duration: rec.Duration, Source: it.source}
		r.finish(it, StateFailed, &scriptix.JobFailedError{Job: job})
	case Abandoned:
		r.finish(it, StateUnknown, r.unknown(it, errors.New("it was abandoned")))
	default:
		r.finish(it, StateRejected, fmt.Errorf("batch: the record is %s: %s", rec.Phase, rec.Failure))
	}
}

// resolve waits for the callback of an upload whose answer was lost, or reports
// it, or sends it again where the caller has said so.
func (r *run) resolve(it *item, rec Record) {
	if it.lost == nil {
		it.lost = r.unknown(it, errors.New(rec.Failure))
	}
	patience := r.o.UnknownAfter
	if patience == 0 {
		if r.callbackURL(it) != "" {
			patience = 30 * time.Minute
		}
		patience = max(patience, r.o.ResubmitAfter)
	}
	if it.lostAt.IsZero() {
		it.lostAt = time.Now()
	}
	// The stored time may be of a clock that was ahead: it must not wait for ever.
	age := max(time.Since(rec.SentAt), time.Since(it.lostAt))
	switch {
	case r.o.ResubmitAfter > 0 && age >= r.o.ResubmitAfter:
		rec, err := r.l.Apply(r.always, it.key, func(rec Record) (Record, error) {
			return ledger.Reclaimed(ledger.Lost(rec, it.lost.Error(), time.Now()), r.id)
		})
		if errors.Is(err, ErrMoved) {
			rec, err = r.l.Get(r.always, ByKey, it.key)
		}
		if err != nil {
			r.finish(it, StateInterrupted, fmt.Errorf("%w: %w: %w", ErrLedger, err, it.lost))
			return
		}
		it.lost, it.lostAt = nil, time.Time{}
		r.advance(it, rec)
	case age >= patience:
		r.finish(it, StateUnknown, it.lost)
	default:
		next := patience - age
		if r.o.ResubmitAfter > 0 {
			next = min(next, r.o.ResubmitAfter-age)
		}
		r.rest(it, unresolved, next)
		r.look(it, false)
	}
}

// unknown is the error of an outcome that is not known.
func (r *run) unknown(it *item, why error) error {
	return &scriptix.UnknownOutcomeError{Size: -1, Err: &scriptix.Error{Op: "stt.submit", Attempts: it.attempts, Err: why}}
}

// rest gives an item up until something happens to it, or its time is up.
// Whoever waits registers first and looks at the record second.
func (r *run) rest(it *item, s stage, patience time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	it.stage = s
	if s == waiting {
		r.jobs[it.jobID] = it
		return
	}
	it.timer = time.AfterFunc(patience, func() {
		r.tasks.push(func() { r.look(it, true) })
	})
}

// look reads the record of an item that rests, and goes on with it if that has
// moved, or if its time is up.
func (r *run) look(it *item, timeUp bool) {
	rec, err := r.l.Get(r.always, ByKey, it.key)
	r.mu.Lock()
	var moved bool
	switch it.stage {
	case unresolved:
		if err != nil {
			moved = timeUp // before that, a later look finds it
			break
		}
		moved = timeUp || rec.Phase != Unknown && rec.Phase != Sent
	case waiting:
		moved = err == nil && rec.Phase != Submitted
	}
	if moved {
		it.stage = working
	}
	r.mu.Unlock()
	if !moved {
		return
	}
	it.disarm()
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w: %w", ErrLedger, err, it.lost))
		return
	}
	r.advance(it, rec)
}

// take makes the caller the owner of an item that waits for its job.
func (r *run) take(it *item) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it.stage != waiting {
		return false
	}
	it.stage = working
	return true
}

// finish ends an item that has no transcript to hand over.
func (r *run) finish(it *item, s State, err error) {
	for _, input := range r.end(it) {
		o := r.outcome(it, input, s)
		o.Err = err
		r.emit(o, nil)
	}
}

// end takes an item out of the run and returns its inputs.
func (r *run) end(it *item) []Input {
	if it.jobID != "" {
		// By now the client has heard of what the ledger has heard of, or never will: it need not poll.
		r.watcher.Remove(it.jobID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	it.stage = ended
	if r.items[it.key] == it {
		delete(r.items, it.key)
	}
	if r.jobs[it.jobID] == it {
		delete(r.jobs, it.jobID)
	}
	return it.inputs
}

// first is the input that is sent. Others of its key may join it.
func (r *run) first(it *item) Input {
	r.mu.Lock()
	defer r.mu.Unlock()
	return it.inputs[0]
}

func (r *run) outcome(it *item, input Input, s State) Outcome {
	return Outcome{Input: input, Key: it.key, JobID: it.jobID, State: s, Source: it.source, Attempts: it.attempts}
}

func (r *run) callbackURL(it *item) string {
	if u := r.first(it).Params.WebhookURL; u != "" {
		return u
	}
	return r.c.CallbackURL()
}

// refusal is the state of what was not tried because of err.
func (r *run) refusal(err error) State {
	if errors.Is(err, ErrLedger) {
		return StateInterrupted
	}
	return StateRejected
}

func (it *item) disarm() {
	if it.timer != nil {
		it.timer.Stop()
		it.timer = nil
	}
}
