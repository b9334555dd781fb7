package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// work is what a started process does about records.
type work struct {
	fleet   *Fleet
	process *process
	client  *scriptix.Client
	room    *step.Room // of transcripts on their way to where they are kept

	mu     sync.Mutex
	halted time.Time // nothing is uploaded before: the key was refused, or its quota is used up
}

const (
	haltFor = time.Minute // after the key was refused
	parked  = 5 * time.Minute
	// mostTries keeps the pauses between two tries from growing further, and no
	// record from being tried: an outage stops a fleet, it does not fail it.
	mostTries = 9
	// orphanTries is how often a job is erased again that was made of a recording
	// which was forgotten meanwhile.
	orphanTries = 5
)

// input is what beside its record a recording is made of.
type input struct {
	locator string
	params  scriptix.SubmitParams
	meta    json.RawMessage
}

var errNotOurs = errors.New("fleet: somebody else has it in hand")

// begin makes a record this process's own, before anything of it is opened. It
// does not go by the due time, because that was moved when the record was handed
// out.
func (w *work) begin(ctx context.Context, key string, change func(ledger.Record, ledger.Alive) (ledger.Record, error)) (row, input, error) {
	s := w.fleet.store
	var old row
	var in input
	stored, err := s.apply(ctx, key, changing{
		before: func(tx pgx.Tx, r row) error {
			old = r
			if err := s.readInput(ctx, tx, key, &in); err != nil {
				return err
			}
			switch {
			case !r.enqueued && r.Phase == ledger.Claimed:
				return ledger.ErrMoved // it was forgotten while its job stood in River's queue
			case w.foreign(r.Record) != nil:
				return w.foreign(r.Record)
			case r.Owner == "" || r.Owner == w.process.id:
				return nil
			}
			alive, err := s.isAlive(ctx, tx, r.Owner)
			if err == nil && alive {
				err = errNotOurs
			}
			return err
		},
		change: func(r ledger.Record) (ledger.Record, error) { return change(r, nil) },
		adjust: func(_ row, _ ledger.Record, f *follows) { f.due = s.lease },
	})
	old.Record = stored
	return old, in, err
}

func (s *store) readInput(ctx context.Context, tx pgx.Tx, key string, in *input) error {
	var params, meta []byte
	read := s.sql("select source, params, meta from {s}.scriptix_record where account = $1 and key = $2")
	if err := tx.QueryRow(ctx, read, s.account, key).Scan(&in.locator, &params, &meta); err != nil {
		return err
	}
	in.meta = compact(meta)
	if params == nil {
		return nil
	}
	return json.Unmarshal(params, &in.params)
}

// submit uploads a record, if it still is to be and nobody else is at it.
func (w *work) submit(ctx context.Context, key string) {
	if !w.process.take(key) {
		return
	}
	defer w.process.release(key)
	r, in, err := w.begin(ctx, key, func(r ledger.Record, alive ledger.Alive) (ledger.Record, error) {
		r, err := ledger.Begin(r, w.process.id, alive)
		return ledger.Speaking(r, w.dialect()), err
	})
	if err != nil {
		w.skipped(ctx, key, err)
		return
	}
	if wait := w.haltedFor(); wait > 0 {
		w.putBack(ctx, r, wait, r.tries)
		return
	}
	sent, verdict := w.send(ctx, r, in)
	if verdict.Halt {
		w.halt(ctx, verdict.Err)
	}
	if sent.Kind != step.JobMade {
		w.fleet.store.log.InfoContext(ctx, "fleet: an upload made no job", "key", key, "what", string(sent.Kind), "error", sent.Err)
	}
}

// skipped says why a record was not begun, unless that is as it should be. One
// whose job was made in another dialect waits for a process that speaks it.
func (w *work) skipped(ctx context.Context, key string, err error) {
	if errors.Is(err, ledger.ErrDialect) {
		w.leaveForeign(ctx, key)
	}
	for _, expected := range []error{ledger.ErrMoved, ledger.ErrNoRecord, errNotOurs, context.Canceled} {
		if errors.Is(err, expected) {
			return
		}
	}
	w.fleet.store.log.WarnContext(ctx, "fleet: a record was not begun, and comes again", "key", key, "error", err)
}

// send opens a record's source, uploads it and stores what came of that.
func (w *work) send(ctx context.Context, r row, in input) (step.Sent, step.Verdict) {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	whole := w.process.uploading(cut)
	defer whole(true)
	audio, err := w.fleet.open(ctx, in.locator)
	if err != nil {
		sent := step.Sent{Kind: step.Refused, Err: err, Owner: w.process.id}
		if !errors.Is(err, scriptix.ErrAudio) && mayPass(in.locator, err) {
			sent.Kind = step.Deferred
		}
		if ctx.Err() != nil {
			sent.Kind = step.Interrupted
		}
		return sent, w.settle(ctx, r, sent)
	}
	if in.params.WebhookURL == "" {
		in.params.WebhookURL = w.client.CallbackURL()
	}
	// What is all out waits for its answer, though the fleet stops or the lease is over.
	sending, stopSending := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopSending(nil)
	link := func() (unlink func() bool) {
		return context.AfterFunc(ctx, func() { stopSending(context.Cause(ctx)) })
	}
	unlink := link()
	defer func() { unlink() }()
	upload := step.Upload{
		Client: w.client, Owner: w.process.id, Audio: audio, Params: in.params, Store: w.storeOwn,
		Whole: func(out bool) {
			if whole(out); out {
				unlink()
			} else {
				unlink = link()
			}
		},
	}
	sent := upload.Send(sending, r.Record)
	if sent.Kind == step.Refused && errors.Is(sent.Err, scriptix.ErrAudio) && mayPass(in.locator, sent.Err) {
		sent.Kind = step.Deferred // what it is read from broke off
	}
	return sent, w.settle(ctx, r, sent)
}

// storeOwn stores a change of a record as long as it is this process's: whoever
// lost it to another one must not let the last byte go.
func (w *work) storeOwn(ctx context.Context, key string, change func(ledger.Record) (ledger.Record, error)) (ledger.Record, error) {
	s := w.fleet.store
	ctx, cancel := context.WithTimeout(ctx, s.lease)
	defer cancel()
	if !w.process.leased() {
		return ledger.Record{}, errLeaseOver
	}
	return s.apply(ctx, key, changing{
		before: func(_ pgx.Tx, old row) error {
			if old.Owner != w.process.id {
				return ledger.ErrMoved
			}
			return nil
		},
		change: change,
	})
}

// settle stores what came of an upload, in as many tries as it takes: this
// process alone knows.
func (w *work) settle(ctx context.Context, r row, sent step.Sent) step.Verdict {
	var verdict step.Verdict
	try := min(r.tries+1, mostTries)
	err := w.insist(ctx, r.Key, changing{
		token: r.Token,
		change: func(r ledger.Record) (ledger.Record, error) {
			settled, v := sent.Settle(r, try, time.Now())
			verdict = v
			if sent.Kind == step.StoreFailed {
				// Nothing went out, even if the mark was stored and only that was not learned.
				settled = ledger.Unsent(settled, w.process.id)
			}
			if v.Halt && settled.Phase == ledger.Rejected {
				// The key is to blame, and not the recording.
				settled, verdict.Then, verdict.After = ledger.Unsent(r, w.process.id), step.Again, haltFor
			}
			if settled.Phase == ledger.Submitted && r.Phase != ledger.Submitted {
				settled.Due = time.Now().Add(pollNet)
			}
			return settled, nil
		},
		adjust: func(old row, r ledger.Record, f *follows) {
			if old.Owner != w.process.id || r.Phase != ledger.Claimed && r.Phase != ledger.Sent && r.Phase != ledger.Unknown {
				return
			}
			switch verdict.Then {
			case step.Again:
				f.release, f.due, f.tries = true, verdict.After, try
			case step.Interrupt, step.Doubt:
				f.release, f.due, f.tries = true, parked, try
				if sent.Kind == step.StoreFailed {
					f.due = w.fleet.store.lease
				}
			case step.Stop:
				f.release, f.due = true, 0
			case step.Advance:
				if r.Phase == ledger.Claimed {
					f.release, f.due = true, w.fleet.store.lease
				}
			case step.Reject, step.Deliver:
			}
		},
	})
	if err != nil && sent.Kind == step.JobMade {
		w.orphaned(ctx, r.Key, sent.Job.ID, err)
	}
	return verdict
}

// orphaned is about a job that was made, and that no record can hold: somebody
// has to be told of it, since it was paid for.
func (w *work) orphaned(ctx context.Context, key, jobID string, why error) {
	log := w.fleet.store.log.With("key", key, "job_id", jobID)
	log.ErrorContext(ctx, "fleet: a job was made that no record holds; its id is told here alone", "error", why)
	if !w.fleet.options.Erase || !errors.Is(why, errForgotten) {
		return
	}
	for tries := 0; ; tries++ {
		erased := step.EraseJob(ctx, w.client, jobID, tries)
		_, verdict := erased.Settle(ledger.Record{Phase: ledger.Erasing}, time.Now())
		if verdict.Then != step.Again || tries == orphanTries {
			if erased.Err == nil {
				log.InfoContext(ctx, "fleet: the job that no record holds was erased")
			} else {
				log.ErrorContext(ctx, "fleet: the job that no record holds could not be erased", "error", erased.Err)
			}
			return
		}
		pause(ctx, verdict.After, nil)
	}
}

// putBack lets go of a record that was begun and not sent.
func (w *work) putBack(ctx context.Context, r row, after time.Duration, tries int) {
	_ = w.insist(ctx, r.Key, changing{
		token:  r.Token,
		change: func(r ledger.Record) (ledger.Record, error) { return r, nil },
		adjust: func(old row, _ ledger.Record, f *follows) {
			if old.Owner == w.process.id {
				f.release, f.due, f.tries = true, after, tries
			}
		},
	})
}

// insist makes a change that must not be forgotten, as long as the process
// lives: a failover of the database may take longer than any number of tries.
func (w *work) insist(ctx context.Context, key string, c changing) error {
	s := w.fleet.store
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		_, err := s.apply(limited, key, c)
		cancel()
		if err == nil {
			return nil
		}
		for _, lasting := range []error{ledger.ErrJobTaken, ledger.ErrRule, ledger.ErrMoved, ledger.ErrNoRecord, errResults} {
			if errors.Is(err, lasting) {
				s.log.ErrorContext(ctx, "fleet: a change was refused", "key", key, "error", err)
				return err
			}
		}
		s.log.WarnContext(ctx, "fleet: a change waits to be stored", "key", key, "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-w.process.over:
			return err // what is left is an unknown outcome to the others
		}
	}
}

func (w *work) halt(ctx context.Context, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halted = time.Now().Add(haltFor)
	w.fleet.store.log.ErrorContext(ctx, "fleet: the key is refused or its quota used up; uploads pause", "error", cause, "for", haltFor)
}

func (w *work) haltedFor() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Until(w.halted)
}
