package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// transcription is one run over a ledger.
type transcription struct {
	env    *env
	flags  *batchFlags
	hint   string // how to go on
	ledger batch.Ledger
	files  *manifest
	fetch  *fetcher
	judge  *judge
	client *scriptix.Client
	hooks  *receiver // nil when jobs are polled
	view   progress
	health *health
	causes *causes
	execs  *execs

	watched *watcher // nil where the recordings are those that were named

	mu       sync.Mutex
	waiting  map[string][]*entry // by key, those fed and not yet reported
	written  map[*entry]bool     // by the sink of this run
	uploaded map[string]bool     // keys of which a byte went out
	givenUp  map[string]bool     // keys of unknown outcomes that were given up before
	finished []*entry
	counts   map[batch.State]int
	refused  int

	execFailed, execOpen int // programs of --exec
	hinted               map[string]bool
	halted               error // why nothing more is sent: every other recording would fail the same way
	sent                 hours

	bad     []string // what the trees hold that is no recording, told at the end
	leftOut string   // and what was left out of them
}

// openBatch makes everything a run needs. What it refuses has sent nothing.
func openBatch(ctx context.Context, e *env, s *service, c *callbacks, f *batchFlags) (_ *transcription, err error) {
	// The key first: without one nothing is to be left behind.
	if _, err := e.apiKey(s.KeyFile); err != nil {
		return nil, err
	}
	hooks, secrets, err := c.open(ctx, e, s.BaseURL)
	if err != nil {
		return nil, err
	}
	t := &transcription{
		env: e, flags: f, hooks: checkHooks(ctx, e, c, hooks), hint: resumeHint(e, s, c, f), health: newHealth(s),
		waiting: make(map[string][]*entry), written: make(map[*entry]bool), uploaded: make(map[string]bool), givenUp: make(map[string]bool), counts: make(map[batch.State]int), hinted: make(map[string]bool),
	}
	defer func() { //nolint:contextcheck // what is open is closed though ctx has ended
		if err != nil {
			t.close()
		}
	}()
	if err := t.openFiles(); err != nil {
		return nil, err
	}
	budget, err := batch.Budget(t.ledger, s.limits()) //nolint:contextcheck // it belongs to no one call
	if err != nil {
		return nil, err
	}
	opts := []scriptix.Option{scriptix.WithBudget(budget), scriptix.WithLogger(t.health.logger(s.handler(e)))}
	if t.hooks != nil {
		opts = append(opts, scriptix.WithWebhook(c.callbackURL(t.hooks), secrets.values...))
	}
	if t.client, err = s.client(e, opts...); err != nil {
		return t, err
	}
	if f.Erase && errors.Is(t.client.STT.Delete(ctx, ""), scriptix.ErrUnsupported) { // which sends nothing
		return nil, usage("--erase: the %s API cannot erase jobs; scriptix documents delete erases their documents", t.client.Dialect())
	}
	if t.hooks == nil {
		return t, nil
	}
	return t, t.receive(secrets)
}

// receive takes callbacks in: signed ones into the ledger, others as hints.
func (t *transcription) receive(secrets found) error {
	var h http.Handler
	var err error
	if t.client.Dialect().SignedCallbacks() {
		h, err = batch.NewHandler(t.client, t.ledger, secrets.values...)
		t.client.OnEvent(t.health.called)
	} else {
		h, err = t.client.HintHandler()
	}
	if err != nil {
		return usage("%s: %w", secrets.place, err)
	}
	t.hooks.hand(h)
	return nil
}

// openFiles opens ledger and manifest, and removes what dead processes left.
func (t *transcription) openFiles() (err error) {
	for _, dir := range []string{t.flags.Out, filepath.Dir(t.flags.ledgerPath())} {
		if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // the umask decides
			return usage("%w", err)
		}
	}
	out, err := filepath.Abs(t.flags.Out)
	if err != nil {
		return err
	}
	if t.ledger, err = openLedger(t.flags.ledgerPath()); err != nil {
		return err
	}
	if t.files, err = openManifest(t.flags.ledgerPath(), out, t.flags.Ledger == ""); err != nil {
		return err
	}
	t.files.sweep(out)
	t.fetch = newFetcher(t.env, filepath.Dir(t.flags.ledgerPath()), t.flags.AllowPrivate, t.flags.Audio)
	t.files.sweepSound(t.flags.ledgerPath())
	return nil
}

func openLedger(path string) (batch.Ledger, error) {
	l, err := batch.Open(path)
	if errors.Is(err, batch.ErrLocked) {
		return nil, fmt.Errorf("%s: another scriptix works on this ledger; look at it with scriptix jobs, or wait for its end", path)
	}
	return l, err
}

// close ends the receiver before the ledger, which stores what that takes in.
func (t *transcription) close() {
	if t.hooks != nil {
		t.hooks.close()
	}
	if t.files != nil {
		t.files.close()
		t.fetch.opener.Close()
	}
	if t.ledger != nil {
		if err := t.ledger.Close(); err != nil {
			t.env.complain("%s", explain(err))
		}
	}
}

func (t *transcription) sending(in batch.Input, sent, total int64) {
	if sent == 0 {
		return // there may be no connection yet
	}
	t.mu.Lock()
	t.uploaded[in.Key] = true
	t.mu.Unlock()
	t.health.moved()
	t.view.sending(in.Key, t.nameOf(in), sent, total)
}

// feed hands the recordings to the batch, each under the key of its content,
// those of which something is still to be done.
func (t *transcription) feed(ctx context.Context, list iter.Seq[recording]) iter.Seq[batch.Input] {
	return func(yield func(batch.Input) bool) {
		for r := range list {
			if r.owed {
				o := batch.Outcome{Key: r.entry.record(), State: batch.StateSkipped}
				o.JobID = t.jobOf(ctx, o)
				t.report(r.entry, o)
				continue
			}
			if err := t.halting(); err != nil {
				t.reject(r, err)
				continue
			}
			if r.remote != nil {
				r.remote.failed = t.fetch.prepare(ctx, &r)
			}
			d := t.judge.decide(ctx, r)
			if ctx.Err() != nil {
				return
			}
			in, ok := t.settle(ctx, r, d)
			if ok && !yield(in) {
				return
			}
			if d.changed && !t.judge.resume {
				d = t.judge.successor(ctx, r, d.entry)
				if in, ok = t.settle(ctx, r, d); ok && !yield(in) {
					return
				}
			}
			if !ok || d.verdict != toSend {
				t.discard(r, d.entry)
			}
		}
	}
}

// discard removes the copy of a recording that is not sent after all.
func (t *transcription) discard(r recording, e *entry) {
	if r.remote == nil || r.remote.file == "" {
		return
	}
	t.fetch.release(r.remote.file)
	if e == nil || string(e.Spool) != r.remote.file {
		_ = os.Remove(r.remote.file) // it is swept by the next run
	}
}

// settle deals with a decision, and returns the input for the batch if there is
// to be one.
func (t *transcription) settle(ctx context.Context, r recording, d decision) (in batch.Input, ok bool) {
	switch d.verdict {
	case toRefuse:
		t.refuse(r, d)
		return in, false
	case toSkip:
		t.report(d.entry, batch.Outcome{Key: d.key, JobID: d.job, State: batch.StateSkipped})
		return in, false
	case toSend:
		d.entry.length = r.length()
		if r.remote != nil {
			d.entry.remote, d.entry.Spool = r.remote, pathText(r.remote.file)
		}
		if err := t.sound(ctx, r, &d); err != nil {
			if ctx.Err() == nil {
				t.reject(r, err)
			}
			return in, false
		}
		if err := t.files.save(d.entry); err != nil { // before a job is made, so that its transcript finds its way
			t.reject(r, err)
			return in, false
		}
	}
	if info, err := os.Stat(d.entry.source()); err == nil {
		d.entry.size = info.Size()
	} else if r.streamed() && r.remote.source != nil {
		d.entry.size = r.remote.source.Size()
	}
	if t.watched != nil && t.idle() {
		t.health.wake()
	}
	t.mu.Lock()
	t.waiting[d.key] = append(t.waiting[d.key], d.entry)
	t.givenUp[d.key] = d.phase == batch.Abandoned
	t.mu.Unlock()
	return batch.Input{Audio: d.entry.audio(), Params: d.entry.Params.submit(), Key: d.key, Digest: d.entry.proof(ctx), Duration: d.entry.length}, true
}

// sink writes the files of every recording with this content.
func (t *transcription) sink(ctx context.Context, o batch.Outcome) error {
	t.mu.Lock()
	var missing []*entry
	for _, one := range t.waiting[o.Key] {
		if !t.written[one] {
			missing = append(missing, one)
		}
	}
	t.mu.Unlock()
	for _, one := range missing {
		if err := t.write(ctx, one, o.Transcript, false); err != nil {
			return err
		}
		t.mu.Lock()
		t.written[one] = true
		t.mu.Unlock()
	}
	return nil
}

func (t *transcription) consume(ctx context.Context, outcomes iter.Seq[batch.Outcome]) error {
	for o := range outcomes {
		one := t.take(o.Key)
		if one == nil {
			return fmt.Errorf("an outcome came for no recording, of key %s", o.Key)
		}
		if o.State == batch.StateSkipped && !(t.flags.follows(one, t.recordOf(ctx, o)) && one.takenAway()) {
			o = t.complete(ctx, one, o)
		}
		t.report(one, o)
		t.release(one, o.Key)
	}
	return nil
}

// take returns the first recording that waits for the outcome of a key: those
// of one key are the same recording in different places.
func (t *transcription) take(key string) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.waiting[key]
	if len(list) == 0 {
		return nil
	}
	t.waiting[key] = list[1:]
	return list[0]
}

// nameOf is what the user calls a recording.
func (t *transcription) nameOf(in batch.Input) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if list := t.waiting[in.Key]; len(list) > 0 {
		return list[0].name()
	}
	return in.Audio.Name()
}

// complete fetches the transcript of a recording that was done before when files
// of it are missing: another format is asked for, or they were removed. It costs
// one request.
func (t *transcription) complete(ctx context.Context, one *entry, o batch.Outcome) batch.Outcome {
	if one.complete() {
		return o
	}
	transcript, err := t.client.STT.Result(ctx, t.jobOf(ctx, o))
	if err == nil {
		// What is there may have been corrected by hand since, unless it is of another recording.
		keep := one.Written == "" || one.Written == one.record()
		err = t.write(ctx, one, transcript, keep)
	}
	switch {
	case err == nil:
		o.State, o.Transcript = batch.StateDone, transcript
	case ctx.Err() != nil:
		o.State, o.Err = batch.StateInterrupted, ctx.Err()
	default:
		o.State, o.Err = batch.StateInterrupted, fmt.Errorf("it is done, but its files are missing and cannot be written again: %w", err)
	}
	return o
}

func (t *transcription) jobOf(ctx context.Context, o batch.Outcome) string {
	if o.JobID != "" {
		return o.JobID
	}
	return t.recordOf(ctx, o).JobID
}

// recordOf is the record of an outcome; the zero record if it cannot be read.
func (t *transcription) recordOf(ctx context.Context, o batch.Outcome) batch.Record {
	r, err := t.ledger.Get(ctx, batch.ByKey, o.Key)
	if err != nil {
		return batch.Record{}
	}
	return r
}
