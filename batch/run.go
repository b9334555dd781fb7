package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// Input is one recording.
type Input struct {
	Audio  scriptix.Audio
	Params scriptix.SubmitParams

	// Key names the recording in the ledger: two inputs of one key are one
	// recording, and are paid for once. Empty: [Key] of the recording, which reads
	// the audio once more. A [scriptix.Reader] can be read once, so it needs one.
	Key string

	// Digest is what the audio held when Key was made of it, as [KeyAndDigest]
	// returns it: the audio is sent only if it still holds that. It is not needed
	// without a Key, and nil where Key is made of something else.
	Digest *scriptix.Digest

	// Duration is how long the audio is, where that is known: the job is asked for when one of that length has likely ended.
	// What the service says of it counts more. 0: not known.
	Duration time.Duration
}

// State is what became of an input.
type State string

// The states. Of those in which a record stays open, running the same input
// again on the same ledger goes on where it stopped.
const (
	StateDone        State = "done"        // the transcript is there, and the sink took it
	StateFailed      State = "failed"      // the service ended the job without a transcript; a later run does not try again
	StateRejected    State = "rejected"    // no job was made, Err says why; a later run tries again
	StateUnknown     State = "unknown"     // the audio went out and nothing proves or excludes a job; stays open
	StateSkipped     State = "skipped"     // an earlier run did it; the transcript is not fetched again
	StateInterrupted State = "interrupted" // stays open: ctx ended, the ledger or the sink failed, or the service keeps the result back
)

// Outcome is what became of an input.
type Outcome struct {
	Input      Input
	Key        string // "" when the audio could not be read
	JobID      string // "" when none is known
	State      State
	Transcript *scriptix.Transcript // when done, and when the sink would not take it
	Err        error                // nil when done or skipped
	Source     scriptix.Source      // how the job's end was learned
	Attempts   int                  // uploads whose last byte may have gone out, over all runs
}

// The reasons of interrupted outcomes, for [errors.Is] beside the cause.
var (
	ErrLedger  = ledger.ErrStore
	ErrSink    = errors.New("batch: the sink failed")
	ErrStopped = errors.New("batch: stopped before it was done; run it again to go on")
)

// Run transcribes recordings and yields what became of each input, as it ends:
// every one exactly once, in no particular order.
//
// Each is claimed in the ledger before its first byte goes out, and its job's id
// is stored before anything else happens to it. A run that is killed is resumed
// by running the same inputs on the same ledger: what is done is skipped, known
// jobs are waited for, interrupted uploads go on, and what the service may have
// but never reported is not sent again unless Options.ResubmitAfter says so.
// The callback URL gets a parameter that tells of such a job even so. While Run
// lasts, callbacks received by the client are stored in the ledger before they
// are acknowledged; [NewHandler] does it at any time.
//
// Inputs of one key are one recording: while it is open each of them gets its
// outcome, and the sink is called for each; later ones are skipped.
//
// When ctx ends nothing is submitted any more, an upload that is all out gets
// five seconds for its answer, and what is in flight is yielded as interrupted.
// Inputs not yet taken from in are not yielded. Leaving the loop stops the same
// way. Either way nothing is lost, and no goroutine stays: in is pulled from
// one, so it must not block for ever. When in panics, or a function, a reader or a
// ledger of the caller's, that stops the run as ctx does, and comes out of the
// loop over Run in the end. When the ledger fails the inputs concerned are
// yielded with the error; nothing is sent that it has not stored. A job's id that
// arrived is stored for as long as ctx lasts, however long the ledger is away. A
// key that is refused, or a quota that is used up, rejects what is left
// without trying. Other failures of a submit that made no job are tried again for
// a quarter of an hour, so that an outage stops the batch and does not fail it.
//
// It costs two requests per recording, and polls when callbacks do not come; one
// more for a transcript that Options.AtHand has no room for when it comes. The
// ledger keeps the windows of the client's request budget, so that a restart
// does not forget the day. What the client sends between runs counts too if it
// has the budget of [Budget].
func Run(ctx context.Context, c *scriptix.Client, in iter.Seq[Input], o Options) iter.Seq[Outcome] {
	return func(yield func(Outcome) bool) {
		if in == nil {
			return
		}
		if err := o.check(ctx, c); err != nil {
			for input := range in {
				if !yield(Outcome{Input: input, Key: input.Key, State: StateRejected, Err: err}) {
					return
				}
			}
			return
		}
		r := newRun(ctx, c, o)
		if r.serve(in, yield); r.panicked != nil { //nolint:contextcheck // the run carries it
			panic(r.panicked) //nolint:forbidigo // the caller's own, from where it can be recovered
		}
	}
}

// serve yields the outcomes, and leaves nothing behind.
func (r *run) serve(in iter.Seq[Input], yield func(Outcome) bool) {
	defer r.leave()
	r.start(in)
	for res := range r.out {
		more := yield(res.Outcome)
		if res.after != nil {
			res.after()
		}
		if !more {
			return
		}
	}
}

// run is one call of Run.
type run struct {
	ctx     context.Context //nolint:containedctx // ends with the caller's, when the consumer leaves, and when all is done
	cancel  context.CancelCauseFunc
	always  context.Context //nolint:containedctx // for the ledger: what happened is stored though ctx ended
	c       *scriptix.Client
	l       Ledger
	o       Options
	id      string
	dialect string // of the API that the client speaks

	inputs  chan Input
	again   queue[*item]  // to be uploaded, found in the ledger or decided so
	tasks   queue[func()] // everything else
	room    *step.Room    // of transcripts on their way to the sink and the consumer
	watcher *scriptix.Watcher
	stop    func() // ends OnEvent, and the keeping of the budget
	out     chan result
	gone    chan struct{} // the consumer has left
	wg      sync.WaitGroup

	mu      sync.Mutex
	items   map[string]*item // by key, until they end
	jobs    map[string]*item // by job id, those waited for
	erasing map[*eraser]bool // handed over, and being erased
	left    []Input          // taken from in when it was too late
	pending int              // inputs taken and not yielded
	fed     bool             // in has ended
	halted  error            // why nothing is submitted any more

	panicked any // of the caller's code; read once all goroutines have ended
}

// result is an outcome, and what is done once the consumer has seen it.
type result struct {
	Outcome
	after func()
}

// errComplete ends a run that has nothing left to do.
var errComplete = errors.New("batch: all done")

var errPanicked = errors.New("the caller's code panicked")

func newRun(ctx context.Context, c *scriptix.Client, o Options) *run {
	if o.Ledger == nil {
		o.Ledger = Memory()
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
		if n := c.Budget().Concurrent; n > 0 {
			o.Concurrency = max(1, n-1)
		}
	}
	r := &run{
		c: c, l: o.Ledger, o: o, id: newToken()[:16], dialect: c.Dialect().String(), always: context.WithoutCancel(ctx),
		inputs: make(chan Input), again: newQueue[*item](), tasks: newQueue[func()](), watcher: c.STT.NewWatcher(scriptix.WantTranscript()),
		out: make(chan result), gone: make(chan struct{}),
		room: step.NewRoom(cmp.Or(o.AtHand, step.DefaultRoom)), items: make(map[string]*item), jobs: make(map[string]*item), erasing: make(map[*eraser]bool),
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	return r
}

// start starts what works on the inputs. The last of it closes out.
func (r *run) start(in iter.Seq[Input]) {
	r.stop = r.c.OnEvent(func(ctx context.Context, e webhook.Event) error { return storeOnce(ctx, r.l, e) })
	giveBack, err := keepBudget(r.c, r.l)
	if err != nil {
		r.halt(fmt.Errorf("%w: %w", ErrLedger, err))
	} else {
		forget := r.stop
		r.stop = func() { forget(); giveBack() }
	}
	changes, err := r.l.Watch(r.ctx)
	if err != nil {
		r.halt(fmt.Errorf("%w: %w", ErrLedger, err))
	}
	r.work(func() { r.feed(in) })
	r.work(func() { r.listen(changes) })
	r.work(r.poll)
	for range r.o.Concurrency {
		r.work(r.intake)
	}
	for range max(2, r.o.Concurrency) {
		r.work(r.toil)
	}
	go func() {
		defer close(r.out)
		r.wg.Wait()
		r.interrupt()
	}()
}

// work runs f on a goroutine of the run's. A panic of the caller's code there, of
// the inputs, a reader or a RoundTripper for example, ends the run, and comes out
// of it once the outcomes of the rest were yielded.
func (r *run) work(f func()) {
	r.wg.Go(func() {
		defer func() { r.caught(recover()) }()
		f()
	})
}

// caught keeps the first panic, and stops the run.
func (r *run) caught(panicked any) {
	if panicked == nil {
		return
	}
	r.mu.Lock()
	if r.panicked == nil {
		r.panicked = panicked
	}
	r.mu.Unlock()
	r.cancel(errPanicked)
}

// leave ends the run and waits for all of it.
func (r *run) leave() {
	close(r.gone)
	r.cancel(ErrStopped)
	for range r.out { //nolint:revive // until it is closed; nobody wants them
	}
	r.stop()
}

// feed takes the inputs.
func (r *run) feed(in iter.Seq[Input]) {
	defer func() {
		r.mu.Lock()
		r.fed = true
		r.mu.Unlock()
		r.release(0)
	}()
	if r.ctx.Err() != nil {
		return
	}
	for input := range in {
		r.mu.Lock()
		r.pending++
		r.mu.Unlock()
		select {
		case r.inputs <- input:
		case <-r.ctx.Done():
			r.mu.Lock()
			r.left = append(r.left, input) // it was taken, so it is yielded
			r.mu.Unlock()
		}
		if r.ctx.Err() != nil {
			return
		}
	}
}

// intake is one of the workers that begin inputs and send their audio.
func (r *run) intake() {
	for r.ctx.Err() == nil {
		if it, ok := r.again.pop(); ok {
			r.submit(it)
			continue
		}
		select {
		case input := <-r.inputs:
			r.begin(input)
		case <-r.again.ready:
		case <-r.ctx.Done():
		}
	}
}

// toil is one of the workers that do everything else.
func (r *run) toil() {
	for r.ctx.Err() == nil {
		if task, ok := r.tasks.pop(); ok {
			task()
			continue
		}
		select {
		case <-r.tasks.ready:
		case <-r.ctx.Done():
		}
	}
}

// halt stops the submitting, not the rest.
func (r *run) halt(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halted == nil {
		r.halted = err
	}
}

func (r *run) halting() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.halted
}

// release counts inputs that were yielded. With the last of them the run ends.
func (r *run) release(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending -= n
	if r.fed && r.pending == 0 {
		r.cancel(errComplete)
	}
}

// emit hands an outcome to the consumer, if there still is one.
func (r *run) emit(o Outcome, after func()) {
	select {
	case r.out <- result{o, after}:
	case <-r.gone:
	}
	r.release(1)
}

// interrupt yields what is left when everything has stopped.
func (r *run) interrupt() {
	r.mu.Lock()
	left := r.left
	var open []*item
	for _, it := range r.items {
		open = append(open, it)
	}
	r.mu.Unlock()
	for _, it := range open {
		it.disarm()
		err := r.stopped()
		if it.lost != nil {
			err = fmt.Errorf("%w: %w", err, it.lost)
		}
		r.finish(it, StateInterrupted, err)
	}
	r.notErased()
	for _, input := range left {
		r.emit(Outcome{Input: input, Key: input.Key, State: StateInterrupted, Err: r.stopped()}, nil)
	}
}

// stopped is why the run ended early.
func (r *run) stopped() error {
	cause := context.Cause(r.ctx)
	if err := r.ctx.Err(); err != nil && !errors.Is(cause, err) {
		cause = fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("%w: %w", ErrStopped, cause)
}
