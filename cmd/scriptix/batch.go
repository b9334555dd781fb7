package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

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
	client *scriptix.Client
	hooks  *receiver // nil when jobs are polled
	view   progress

	mu      sync.Mutex
	waiting map[string][]*entry // by key, those fed and not yet reported
	written map[*entry]bool     // by the sink of this run
	counts  map[batch.State]int
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
		env: e, flags: f, hooks: hooks, hint: resumeHint(e, s, c, f),
		waiting: make(map[string][]*entry), written: make(map[*entry]bool), counts: make(map[batch.State]int),
	}
	defer func() { //nolint:contextcheck // what is open is closed though ctx has ended
		if err != nil {
			t.close()
		}
	}()
	for _, dir := range []string{f.Out, filepath.Dir(f.ledgerPath())} {
		if err := os.MkdirAll(dir, 0o777); err != nil { //nolint:gosec // the umask decides
			return nil, usage("%w", err)
		}
	}
	t.ledger, err = openLedger(f.ledgerPath())
	if err != nil {
		return nil, err
	}
	if t.files, err = openManifest(f.ledgerPath()); err != nil {
		return nil, err
	}
	budget, err := batch.Budget(t.ledger, s.limits()) //nolint:contextcheck // it belongs to no one call
	if err != nil {
		return nil, err
	}
	opts := []scriptix.Option{scriptix.WithBudget(budget)}
	if hooks != nil {
		opts = append(opts, scriptix.WithWebhook(c.callbackURL(hooks), secrets.values...))
	}
	if t.client, err = s.client(e, opts...); err != nil {
		return nil, err
	}
	if hooks != nil {
		h, err := batch.NewHandler(t.client, t.ledger, secrets.values...)
		if err != nil {
			return nil, usage("%s: %w", secrets.place, err)
		}
		hooks.serve(h)
	}
	return t, nil
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
	if t.ledger != nil {
		if err := t.ledger.Close(); err != nil {
			t.env.complain("%s", explain(err))
		}
	}
}

// run transcribes the entries and reports each of them.
func (t *transcription) run(ctx context.Context, entries []*entry) error {
	if err := t.files.save(); err != nil {
		return err
	}
	started := time.Now()
	var size int64
	for _, one := range entries {
		if info, err := os.Stat(one.Path); err == nil {
			one.size = info.Size()
			size += one.size
		}
	}
	t.view = newProgress(t.env, len(entries), max(size, 1))
	options := batch.Options{
		Ledger: t.ledger, Concurrency: t.flags.Jobs, ResubmitAfter: t.flags.ResubmitAfter, Sink: t.sink,
		OnProgress: func(in batch.Input, sent, total int64) {
			t.view.sending(in.Key, t.nameOf(in), sent, total)
		},
	}
	stop := context.AfterFunc(ctx, func() {
		t.view.complain("stopping: nothing new is sent, uploads that are all out get 5 s for their answer; Ctrl-C again ends at once")
	})
	err := t.consume(ctx, batch.Run(ctx, t.client, t.feed(ctx, entries), options))
	stop()
	t.view.close()
	if saved := t.files.save(); err == nil {
		err = saved
	}
	if err != nil {
		return err
	}
	return t.conclude(ctx, len(entries), time.Since(started))
}

// feed hands the recordings to the batch, each under the key of its content.
func (t *transcription) feed(ctx context.Context, entries []*entry) iter.Seq[batch.Input] {
	return func(yield func(batch.Input) bool) {
		for _, one := range entries {
			in := batch.Input{Audio: scriptix.File(one.Path), Params: one.Params.submit()}
			key, err := batch.Key(ctx, in.Audio, in.Params)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.fail(one, err)
				continue
			}
			in.Key = key
			t.mu.Lock()
			t.waiting[key] = append(t.waiting[key], one)
			t.mu.Unlock()
			if !yield(in) {
				return
			}
		}
	}
}

// sink writes the files of every recording with this content.
func (t *transcription) sink(_ context.Context, o batch.Outcome) error {
	t.mu.Lock()
	var missing []*entry
	for _, one := range t.waiting[o.Key] {
		if !t.written[one] {
			missing = append(missing, one)
		}
	}
	t.mu.Unlock()
	for _, one := range missing {
		if err := one.write(o.Transcript, t.flags.EmbedAudio); err != nil {
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
		if o.State == batch.StateSkipped {
			o = t.complete(ctx, one, o)
		}
		if err := t.report(one, o); err != nil {
			return err
		}
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
		return list[0].shown
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
		err = one.write(transcript, t.flags.EmbedAudio)
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
	r, err := t.ledger.Get(ctx, batch.ByKey, o.Key)
	if err != nil {
		return ""
	}
	return r.JobID
}
