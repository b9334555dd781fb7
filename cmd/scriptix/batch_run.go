package main

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go/batch"
)

// run transcribes the recordings and reports each of them.
func (t *transcription) run(ctx context.Context, list []recording, judge *judge) error {
	started := time.Now()
	var size int64
	for _, r := range list {
		if info, err := os.Stat(r.path); err == nil {
			size += info.Size()
		}
	}
	size = max(size, 1)
	if slices.ContainsFunc(list, func(r recording) bool { return r.remote != nil }) {
		size = -1 // how large all of it is, is known only in the end
	}
	t.view = newProgress(t.env, len(list), size)
	ctx, err := t.work(ctx, judge, func(context.Context) iter.Seq[recording] { return slices.Values(list) })
	if err != nil {
		return err
	}
	return t.conclude(ctx, len(list), time.Since(started))
}

// runWatch transcribes what a watcher finds, until ctx ends.
func (t *transcription) runWatch(ctx context.Context, w *watcher, judge *judge) error {
	started := time.Now()
	t.watched, t.view = w, newLines(t.env, 0)
	ctx, err := t.work(ctx, judge, w.recordings)
	if err != nil {
		return err
	}
	return t.concludeWatch(ctx, time.Since(started))
}

// work transcribes recordings. The context that it returns says why it stopped, if
// it did.
func (t *transcription) work(ctx context.Context, judge *judge, list func(context.Context) iter.Seq[recording]) (context.Context, error) {
	t.judge, t.causes, t.fetch.force = judge, newCauses(t.view), judge.force
	ctx, stop := t.watch(ctx)
	options := batch.Options{
		Ledger: t.ledger, Concurrency: t.flags.Jobs, ResubmitAfter: t.flags.ResubmitAfter, Sink: t.sink, Erase: t.flags.Erase,
		OnProgress: t.sending, OnRetry: func(_ batch.Input, err error, after time.Duration) { t.health.retried(err, after) },
	}
	t.execs = newExecs(ctx, t)
	err := t.consume(ctx, batch.Run(ctx, t.client, t.feed(ctx, list(ctx)), options))
	t.execs.wait()
	stop()
	t.causes.flush(true)
	t.view.close()
	for _, one := range t.finished {
		one.finish()
	}
	if saved := errors.Join(t.files.save(t.files.entries...), t.files.keepURLs()); err == nil {
		err = saved
	}
	return ctx, err
}
