package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/rate"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// running is a fleet between Start and Stop.
type running struct {
	fleet     *Fleet
	process   *process
	work      *work            // nil without a client
	polls     *scriptix.Client // of the leader's poller
	pollsMade time.Time
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	stop      []func() // of subscriptions
	over      chan struct{}
	started   atomic.Bool // River runs

	stopOnce sync.Once
	stopped  error
}

// ErrStarted means that the fleet is started already.
var ErrStarted = errors.New("fleet: it is started already")

// Start takes the process's part in the account until Stop, or until ctx ends:
// then what is not all out is cut at once. It fails when the database is not
// migrated or cannot be reached, and when the members of the account have
// different Limits; it may be called again then.
//
// Without a Client it holds the process's lease and listens, so that Budget
// grants.
func (f *Fleet) Start(ctx context.Context) error {
	if ctx == nil {
		return errors.New("fleet: Start: the context is nil")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.run != nil {
		return ErrStarted
	}
	r, err := f.start(ctx)
	if err != nil {
		return fmt.Errorf("fleet: start: %w", err)
	}
	f.run = r
	go func() {
		select {
		case <-ctx.Done():
			ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
			cancel()
			_ = f.Stop(ended)
		case <-r.over:
		}
	}()
	return nil
}

func (f *Fleet) start(ctx context.Context) (_ *running, err error) {
	s := f.store
	if err := validate(ctx, s.pool, s.schema); err != nil {
		return nil, err
	}
	f.warnOfSettings(ctx)
	always, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{fleet: f, process: newProcess(s, f.options.Limits, f.options.Client != nil), cancel: cancel, over: make(chan struct{})}
	defer func() {
		if err != nil {
			ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
			defer cancel()
			err = errors.Join(err, r.end(ended))
		}
	}()
	if err := r.process.join(ctx); err != nil {
		return nil, err
	}
	if err := f.budget.start(ctx, r.process); err != nil {
		return nil, err
	}
	stop, err := s.notes.subscribe(ctx, f.budget.notified)
	if err != nil {
		return nil, err
	}
	r.stop = append(r.stop, stop)
	r.wg.Go(func() { r.process.beat(always) })
	r.wg.Go(func() { r.process.watchLease(always) })
	r.wg.Go(func() { f.budget.run(always) })
	if f.options.Client == nil {
		return r, nil
	}
	return r, r.startWork(ctx, always)
}

// startWork starts what needs a client.
func (r *running) startWork(ctx, always context.Context) error {
	f := r.fleet
	client, err := f.newClient()
	if err != nil {
		return err
	}
	if f.options.Erase {
		if err := client.STT.Delete(ctx, ""); errors.Is(err, scriptix.ErrUnsupported) { // sends nothing
			return err
		}
	}
	r.pollsMade = time.Now()
	if r.polls, err = f.newClient(); err != nil {
		return err
	}
	r.work = &work{fleet: f, process: r.process, client: client, room: step.NewRoom(cmp.Or(f.options.AtHand, step.DefaultRoom))}
	f.work.Store(r.work)
	if err := f.store.river.Start(always); err != nil {
		return err
	}
	r.started.Store(true)
	r.wg.Go(func() { r.lead(always) })
	return ctx.Err()
}

func (f *Fleet) newClient() (*scriptix.Client, error) {
	client, err := f.options.Client(f.budget)
	if err == nil && client == nil {
		err = errors.New("it is nil")
	}
	if err != nil {
		return nil, fmt.Errorf("the client: %w", err)
	}
	return client, nil
}

// working is what River's workers work with; nil when they must not.
func (f *Fleet) working() *work { return f.work.Load() }

// warnOfSettings says what of the database's settings could lose what was paid
// for.
func (f *Fleet) warnOfSettings(ctx context.Context) {
	var setting string
	if err := f.store.pool.QueryRow(ctx, "show synchronous_commit").Scan(&setting); err == nil && setting == "off" {
		f.store.log.WarnContext(ctx, "fleet: synchronous_commit is off: after a crash of the database, recordings may be paid for twice")
	}
}

const (
	leaveTimeout = 10 * time.Second
	// answerGrace is how long an upload that is all out may wait for its answer
	// after Stop's context has ended: without it the outcome is unknown.
	answerGrace = 5 * time.Second
)

// Stop ends the process's part. No upload is begun any more, those under way go
// on, and it returns nil once all have ended. When ctx ends before that, it cuts
// what is not all out, which stays claimed and is free for others at once, gives
// what is all out five seconds for its answer, and returns ctx's error. Without
// a Start before it does nothing.
func (f *Fleet) Stop(ctx context.Context) error {
	f.mu.Lock()
	r := f.run
	f.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stopOnce.Do(func() { r.stopped = r.shut(ctx) })
	return r.stopped
}

// shut stops in the order in which nothing is left behind.
func (r *running) shut(ctx context.Context) (err error) {
	f := r.fleet
	f.budget.closeClass(rate.Submit, errStopping)
	if r.started.Load() {
		if err = f.store.river.Stop(ctx); err != nil {
			inHand := len(r.process.working()) > 0
			r.process.cutAll(errStopping)
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerGrace)
			if cutErr := f.store.river.StopAndCancel(limited); cutErr == nil && !inHand {
				err = nil // ctx was over, but there was nothing to cut
			}
			cancel()
		}
	}
	f.work.Store(nil)
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	leaveErr := r.end(ended)
	f.mu.Lock()
	f.run = nil
	f.mu.Unlock()
	close(r.over)
	return errors.Join(err, leaveErr)
}

// end stops the goroutines and gives back the lease.
func (r *running) end(ctx context.Context) error {
	r.cancel()
	for _, stop := range r.stop {
		stop()
	}
	r.wg.Wait()
	close(r.process.over)
	err := r.fleet.budget.stop(ctx)
	return errors.Join(err, r.process.leave(ctx))
}
