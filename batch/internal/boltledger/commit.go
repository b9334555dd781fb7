package boltledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// write is one change that waits for its commit.
type write struct {
	run   func(*bbolt.Tx) error // reads and checks everything before it changes anything
	after func()                // once it is durable
	err   error
	done  chan struct{}
}

// maxGroup bounds how many writes share a commit.
const maxGroup = 256

// errNothing ends a commit in which no write changed anything.
var errNothing = errors.New("nothing to store")

// update makes run durable. Those that come while the disk is busy are
// committed together: one writer alone waits for one sync, and a hundred too.
// What is begun is finished, so that no caller is in doubt because its ctx ended.
func (f *Ledger) update(ctx context.Context, run func(*bbolt.Tx) error, after func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{run: run, after: after, done: make(chan struct{})}
	f.mu.Lock()
	if err := f.usable(); err != nil {
		f.mu.Unlock()
		return err
	}
	f.queue = append(f.queue, w)
	if !f.committing {
		f.committing, f.idle = true, make(chan struct{})
		go f.commitAll()
	}
	f.mu.Unlock()
	<-w.done
	return w.err
}

// view runs a read.
func (f *Ledger) view(ctx context.Context, run func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	err := f.usable()
	f.mu.Unlock()
	if err != nil {
		return err
	}
	f.reading.RLock()
	defer f.reading.RUnlock()
	_, err = guarded(func() (struct{}, error) { return struct{}{}, f.db.View(run) })
	if _, panicked := errors.AsType[*panicError](err); panicked {
		f.spoil(err)
	}
	return f.named(err)
}

func (f *Ledger) usable() error {
	if f.closed {
		return ledger.ErrClosed
	}
	return f.broken
}

// spoil ends all use of a file that turned out to be damaged: to write to it
// could make the damage worse.
func (f *Ledger) spoil(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.broken = f.named(err)
	}
}

// commitAll commits until nothing waits. It is the one goroutine that writes,
// and there is none while nobody does.
func (f *Ledger) commitAll() {
	for {
		f.mu.Lock()
		n := min(len(f.queue), maxGroup)
		group := f.queue[:n:n]
		f.queue = f.queue[n:]
		if n == 0 {
			f.committing, f.queue = false, nil
			close(f.idle)
			f.mu.Unlock()
			return
		}
		broken := f.broken
		f.mu.Unlock()
		if broken == nil {
			f.commit(group)
		}
		for _, w := range group {
			switch {
			case broken != nil:
				w.err = broken
			case w.err == nil && w.after != nil:
				w.after()
			}
			close(w.done)
		}
	}
}

// commit makes a group durable. One that fails when it had begun to change
// things takes the whole commit back; the others then go again without it.
func (f *Ledger) commit(group []*write) {
	for {
		failed := f.tryCommit(group)
		if failed == nil {
			return
		}
		group = slices.DeleteFunc(slices.Clone(group), func(w *write) bool { return w == failed })
	}
}

func (f *Ledger) tryCommit(group []*write) (failed *write) {
	_, err := guarded(func() (struct{}, error) {
		return struct{}{}, f.db.Update(func(tx *bbolt.Tx) error {
			stored := false
			for _, w := range group {
				w.err = w.run(tx)
				stored = stored || w.err == nil
				if errors.Is(w.err, errPartial) {
					failed = w
					return w.err
				}
			}
			if !stored {
				return errNothing
			}
			return nil
		})
	})
	if _, panicked := errors.AsType[*panicError](err); panicked {
		f.spoil(err)
	}
	if failed != nil {
		failed.err = f.named(storeError(failed.err))
		return failed
	}
	for _, w := range group {
		switch {
		case errors.Is(w.err, errNothing):
			w.err, w.after = nil, nil
		case w.err != nil:
			// Its own: it changed nothing.
		case err != nil && !errors.Is(err, errNothing):
			w.err = f.named(storeError(err))
		}
	}
	return nil
}

// errPartial marks a write that failed when it had begun to change things.
var errPartial = errors.New("batch: a write failed half way")

func partial(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errPartial, err)
}

// named puts the file's name in front of errors that are about the file.
func (f *Ledger) named(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ledger.ErrClosed // it was closed since the call began
	}
	if err == nil || errors.Is(err, ledger.ErrNoRecord) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("ledger %s: %w", f.path, err)
}
