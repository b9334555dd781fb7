package batch

import (
	"errors"
	"fmt"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// item is one recording on its way through a run. Whoever has set its stage to
// working owns it, and all of it but what the run's lock guards.
type item struct {
	key    string
	digest *scriptix.Digest // of the first input, if the key was made of it; nil once it is not needed

	inputs []Input // guarded by the run's lock; the first one is sent
	stage  stage   // guarded by the run's lock

	held     string     // the token of the record, once the item has it in hand
	room     *step.Held // what its transcript takes, once that is here
	needs    int64      // more room than any transcript gets at first, where that is known
	jobID    string
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
	elsewhere               // somebody else is at its record
	ended
)

// begin takes up one input.
func (r *run) begin(input Input) {
	key, digest := input.Key, input.Digest
	if key == "" {
		var err error
		if key, digest, err = r.keyOf(input); err != nil {
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
	it := &item{key: key, digest: digest, inputs: []Input{input}}
	r.items[key] = it
	r.mu.Unlock()
	r.claim(it)
}

// keyOf is the key of an input. A panic of its reader stops the run, and the
// input is yielded as interrupted.
func (r *run) keyOf(input Input) (key string, digest *scriptix.Digest, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			r.caught(panicked)
			err = errPanicked
		}
	}()
	return keyOf(r.ctx, input.Audio, input.Params)
}

// claim makes the item's record, or finds what an earlier run has left of it. A
// record that somebody else is at is left to them until they let go.
func (r *run) claim(it *item) {
	halted := r.halting()
	var rec Record
	var err error
	if halted == nil {
		rec, _, err = r.l.Claim(r.always, ledger.Speaking(ledger.New(it.key, r.first(it).Audio.Name(), newToken(), r.id, time.Now()), r.dialect))
	} else {
		// Nothing new; but what was paid for is still brought home.
		rec, err = r.l.Get(r.always, ByKey, it.key)
		if errors.Is(err, ErrNoRecord) || err == nil && (rec.Phase == Claimed || rec.Phase == Rejected) {
			r.finish(it, r.refusal(halted), fmt.Errorf("batch: not submitted: %w", halted))
			return
		}
	}
	if err == nil {
		if !r.takeInHand(it, rec) || r.foreign(it, rec) {
			return
		}
		if rec, err = r.storeLate(it, rec); err == nil {
			rec, err = r.takeOver(it, rec)
		}
	}
	switch {
	case err == nil:
		r.advance(it, rec)
	case halted != nil:
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w; nothing is submitted: %w", ErrLedger, err, halted))
	default:
		r.finish(it, StateInterrupted, fmt.Errorf("%w, so nothing was sent: %w", ErrLedger, err))
	}
}

// takeInHand makes the item the one in this process that is at its record. While
// another one is, of this run or of another, it rests.
func (r *run) takeInHand(it *item, rec Record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !inHand.take(rec.Token, it, func() { r.tasks.push(func() { r.look(it, false) }) }) {
		it.stage = elsewhere
		return false
	}
	it.held = rec.Token
	return true
}

// takeOver turns what a run has left that is no more into what this one can go
// on from.
func (r *run) takeOver(it *item, rec Record) (Record, error) {
	next, err := r.next(it, rec)
	if err != nil || next.Do != step.TakeOver && rec.Phase != Rejected {
		return rec, err
	}
	dead := rec.Owner
	return r.l.Apply(r.always, rec.Key, func(rec Record) (Record, error) {
		rec, err := step.TakenOver(rec, r.id, allBut(dead), time.Now())
		return ledger.Speaking(rec, r.dialect), err
	})
}

// next is what the item's record needs. Its owner is dead if it is another run
// of this process, because this item has the record in hand.
func (r *run) next(it *item, rec Record) (step.Action, error) {
	alive := false
	if owners, ok := r.l.(ledger.Owners); ok && rec.Owner != "" && rec.Owner != r.id {
		var err error
		if alive, err = owners.Alive(r.always, rec.Owner); err != nil {
			return step.Action{Do: step.Leave}, err
		}
	}
	return step.Next(rec, time.Now(), alive, r.patience(it)), nil
}

// allBut takes every owner for alive but the one that is known to be dead: a
// record that changed hands since it was asked for is left alone.
func allBut(dead string) ledger.Alive {
	return func(owner string) bool { return owner != dead }
}

// advance goes on with an item from what its record says. The caller owns it.
func (r *run) advance(it *item, rec Record) {
	it.attempts, it.source = rec.Attempts, scriptix.Source(rec.Source)
	if rec.JobID != "" {
		it.jobID = rec.JobID
	}
	if r.foreign(it, rec) {
		return
	}
	next, err := r.next(it, rec)
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w", ErrLedger, err))
		return
	}
	switch next.Do {
	case step.Leave:
		r.rest(it, elsewhere, reread)
	case step.Send:
		r.again.push(it)
	case step.TakeOver:
		r.claim(it)
	case step.Await, step.Resend, step.Report:
		r.resolve(it, rec)
	case step.Follow, step.Confirm:
		// It rests before it is watched: an end that the client knows already is reported at once.
		r.rest(it, waiting, 0)
		r.watcher.Add(scriptix.Job{ID: rec.JobID, CreatedAt: rec.SubmittedAt, Duration: rec.Duration})
		r.look(it, false)
	case step.Erase:
		e := &eraser{item: it, inputs: r.end(it), state: StateSkipped}
		r.tasks.push(func() { r.erase(e, 0) })
	case step.Collect:
		r.tasks.push(func() { r.collect(it, 0) })
	case step.End:
		r.conclude(it, rec)
	}
}

// foreign ends an item whose job was made in another dialect of the API than the
// client speaks: nothing can be asked about it, and another job must not be made.
func (r *run) foreign(it *item, rec Record) bool {
	err := ledger.CheckDialect(rec, r.dialect)
	if err != nil {
		it.jobID = rec.JobID
		r.finish(it, StateInterrupted, err)
	}
	return err != nil
}

// conclude reports an item whose record is over.
func (r *run) conclude(it *item, rec Record) {
	switch rec.Phase {
	case Done:
		if r.o.Erase && rec.ErasedAt.IsZero() && r.eraseLate(it) {
			return
		}
		r.finish(it, StateSkipped, nil)
	case Failed:
		job := scriptix.Job{ID: rec.JobID, Status: scriptix.StatusFailed, Failure: rec.Failure, Duration: rec.Duration, Source: it.source}
		r.finish(it, StateFailed, &scriptix.JobFailedError{Job: job})
	case Abandoned:
		r.finish(it, StateUnknown, step.UnknownOutcome(it.attempts, errors.New("it was abandoned")))
	default:
		r.finish(it, StateRejected, fmt.Errorf("batch: the record is %s: %s", rec.Phase, rec.Failure))
	}
}

// patience is how long the callback of an unknown outcome is waited for.
func (r *run) patience(it *item) step.Patience {
	p := step.Patience{UnknownAfter: r.o.UnknownAfter, ResubmitAfter: r.o.ResubmitAfter, Since: it.lostAt}
	if p.UnknownAfter == 0 {
		if r.callbackURL(it) != "" && r.c.Dialect().SignedCallbacks() {
			p.UnknownAfter = 30 * time.Minute
		}
		p.UnknownAfter = max(p.UnknownAfter, p.ResubmitAfter)
	}
	return p
}

// resolve waits for the callback of an upload whose answer was lost, or reports
// it, or sends it again where the caller has said so.
func (r *run) resolve(it *item, rec Record) {
	if it.lost == nil {
		it.lost = step.UnknownOutcome(it.attempts, errors.New(rec.Failure))
	}
	if it.lostAt.IsZero() {
		it.lostAt = time.Now()
	}
	switch next := step.Resolve(rec, time.Now(), r.patience(it)); next.Do {
	case step.Resend:
		r.resend(it)
	case step.Await:
		r.rest(it, unresolved, next.After)
		r.look(it, false)
	default:
		r.finish(it, StateUnknown, it.lost)
	}
}

// resend has an unknown outcome sent again, unless its job was reported meanwhile.
func (r *run) resend(it *item) {
	rec, err := r.l.Apply(r.always, it.key, func(rec Record) (Record, error) { return step.Resent(rec, r.id, time.Now()) })
	if errors.Is(err, ErrMoved) {
		rec, err = r.l.Get(r.always, ByKey, it.key)
	}
	if err != nil {
		r.finish(it, StateInterrupted, fmt.Errorf("%w: %w: %w", ErrLedger, err, it.lost))
		return
	}
	it.lost, it.lostAt = nil, time.Time{}
	r.advance(it, rec)
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
	case elsewhere:
		it.stage = working
		r.mu.Unlock()
		it.disarm()
		r.claim(it) // it rests again while somebody else is at the record
		return
	case working, ended:
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
		// The ledger has the end, so the client need not poll for it any more.
		r.watcher.Remove(it.jobID)
	}
	defer inHand.release(it.held, it)
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
