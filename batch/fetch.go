package batch

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// maxSinks is how often a sink is asked to take one transcript.
const maxSinks = 5

// collect gets the transcript of a job that has ended well, after so many tries,
// as soon as there is room for it. No worker waits for that: those who have room
// need one to get on.
func (r *run) collect(it *item, tries int) {
	held := r.room.Queue(max(it.needs, step.LeastRoom), func(held *step.Held) {
		r.tasks.push(func() { r.fetch(it, tries, held) })
	})
	if held != nil {
		r.fetch(it, tries, held)
	}
}

// fetch gets the transcript within the room that was made for it.
func (r *run) fetch(it *item, tries int, held *step.Held) {
	fetched := held.Fetch(r.ctx, r.c, it.jobID, tries)
	if fetched.Needs > 0 {
		it.needs = fetched.Needs
		r.collect(it, tries)
		return
	}
	var rec Record
	var verdict step.Verdict
	if fetched.Failed == nil {
		_, verdict = fetched.Settle(rec, time.Now()) // the record stays as it is
	} else {
		var err error
		rec, err = r.try(it.key, func(rec Record) Record {
			rec, verdict = fetched.Settle(rec, time.Now())
			return rec
		})
		if err != nil {
			r.finish(it, StateInterrupted, fmt.Errorf("%w: %w: %w", ErrLedger, err, fetched.Failed))
			return
		}
	}
	if verdict.Halt {
		r.halt(verdict.Err)
	}
	switch verdict.Then {
	case step.Deliver:
		it.room = held
		r.deliver(it, fetched.Transcript, 0, 0)
	case step.Advance:
		r.advance(it, rec)
	case step.Again:
		it.timer = time.AfterFunc(verdict.After, func() {
			r.tasks.push(func() { r.collect(it, tries+1) })
		})
	case step.Interrupt:
		r.finish(it, StateInterrupted, verdict.Err)
	case step.Stop, step.Reject, step.Doubt:
		// It was stopped, and is yielded as interrupted.
	}
}

// deliver hands the transcript to the sink for each input of the item, of which
// so many have it already, and then marks it as done.
func (r *run) deliver(it *item, t *scriptix.Transcript, sunk, tries int) {
	for r.o.Sink != nil {
		r.mu.Lock()
		all := sunk == len(it.inputs)
		var input Input
		if all {
			delete(r.items, it.key) // an input of the key that comes now has its own way
		} else {
			input = it.inputs[sunk]
		}
		r.mu.Unlock()
		if all {
			break
		}
		o := r.outcome(it, input, StateDone)
		o.Transcript = t
		if err := r.sink(o); err != nil {
			r.notTaken(it, t, sunk, tries+1, err)
			return
		}
		sunk++
	}
	if r.o.Sink == nil {
		r.hand(it, t)
		return
	}
	rec, err := r.try(it.key, r.afterwards)
	inputs := r.end(it)
	if err == nil && rec.Phase == Erasing {
		r.erase(&eraser{item: it, inputs: inputs, transcript: t, state: StateDone}, 0)
		return
	}
	var why error
	if err != nil {
		why = fmt.Errorf("%w: the sink has the transcript, and that is not stored: %w", ErrLedger, err)
	}
	r.handOver(it, inputs, StateDone, t, why, nil)
}

// handOver yields the outcomes of an item that has a transcript, interrupted with
// err if that is not nil. Once the consumer has seen the last of them the item's
// room is given back, and after is called.
func (r *run) handOver(it *item, inputs []Input, s State, t *scriptix.Transcript, err error, after func()) {
	for i, input := range inputs {
		o := r.outcome(it, input, s)
		o.Transcript = t
		if err != nil {
			o.State, o.Err = StateInterrupted, err
		}
		var last func()
		if i == len(inputs)-1 {
			last = func() {
				it.room.Release()
				if after != nil {
					after()
				}
			}
		}
		r.emit(o, last)
	}
}

// hand gives the transcript to the consumer alone. It is marked as done once the
// last of them was seen.
func (r *run) hand(it *item, t *scriptix.Transcript) {
	// If it cannot be stored, the next run brings the transcript again.
	after := func() { _, _ = r.try(it.key, ledger.Finished) }
	if r.o.Erase {
		r.hold()
		after = func() { r.eraseOnceSeen(it) }
	}
	r.handOver(it, r.end(it), StateDone, t, nil, after)
}

// notTaken tries the sink again later, or reports it.
func (r *run) notTaken(it *item, t *scriptix.Transcript, sunk, tries int, err error) {
	if tries < maxSinks && r.ctx.Err() == nil {
		it.timer = time.AfterFunc(time.Second<<(tries-1), func() {
			r.tasks.push(func() { r.deliver(it, t, sunk, tries) })
		})
		return
	}
	r.handOver(it, r.end(it), StateInterrupted, t, fmt.Errorf("%w %d times: %w", ErrSink, tries, err), nil)
}

// sink calls the caller's function, on a goroutine of its own: a test's FailNow
// in it ends that one, and not a worker.
func (r *run) sink(o Outcome) error {
	done := make(chan error, 1)
	go func() {
		err, returned := error(nil), false
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
			} else if !returned {
				err = errors.New("it ended its goroutine, as FailNow does")
			}
			done <- err
		}()
		err = r.o.Sink(r.ctx, o)
		returned = true
	}()
	return <-done
}
