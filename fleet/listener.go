package fleet

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// note is what a notification tells. It is a hint: the tables are the truth.
type note struct {
	about string // recordNote, outcomeNote or budgetNote; "" stands for any number of each
	name  string // the record's key, or the process whose turn it is
}

const (
	recordNote  = "record"  // a record changed
	dueNote     = "due"     // and somebody should look at it now
	outcomeNote = "outcome" // and an outcome was numbered
	budgetNote  = "budget"  // a ticket may go
)

// payload is a note as NOTIFY carries it.
func (n note) payload(account string) string { return account + "\n" + n.about + "\n" + n.name }

// parseNote reads a payload, unless it is of another account.
func parseNote(account, payload string) (n note, ok bool) {
	of, rest, _ := strings.Cut(payload, "\n")
	if of != account {
		return note{}, false
	}
	n.about, n.name, ok = strings.Cut(rest, "\n")
	return n, ok
}

// listener hands notifications to whoever wants them. It has a connection and a
// goroutine while somebody does.
type listener struct {
	pool     *pgxpool.Pool
	schema   string
	account  string
	pollOnly bool
	log      *slog.Logger

	mu     sync.Mutex
	subs   map[int]func(note)
	nextID int
	up     chan struct{} // closed once it listens; nil when nothing runs
	failed error         // why it never began to, once up is closed
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
}

const (
	pollEvery  = time.Second // where there is no LISTEN
	pingEvery  = 30 * time.Second
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// channel is the name of the schema's channel.
func channel(schema string) string { return schema + ".scriptix" }

// subscribe calls fn with each note from the moment that subscribe returns, on
// one goroutine, so fn must be quick. After a connection was lost it is called
// with the zero note, because anything may have been missed.
func (l *listener) subscribe(ctx context.Context, fn func(note)) (stop func(), err error) {
	l.mu.Lock()
	if l.up == nil {
		l.run() //nolint:contextcheck // it outlives the one who asks first
	}
	id := l.nextID
	l.nextID++
	l.subs[id] = fn
	up := l.up
	l.mu.Unlock()
	stop = sync.OnceFunc(func() { l.unsubscribe(id) })
	select {
	case <-up:
	case <-ctx.Done():
		stop()
		return nil, ctx.Err()
	}
	l.mu.Lock()
	err = l.failed
	l.mu.Unlock()
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// run starts the goroutine. The lock is held.
func (l *listener) run() {
	ctx, cancel := context.WithCancel(context.Background())
	before := l.done
	l.up, l.failed, l.cancel, l.done = make(chan struct{}), nil, cancel, make(chan struct{})
	up, done := l.up, l.done
	if l.subs == nil {
		l.subs = make(map[int]func(note))
	}
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		l.listen(ctx, up)
	}()
}

func (l *listener) unsubscribe(id int) {
	l.mu.Lock()
	delete(l.subs, id)
	var ended chan struct{}
	if len(l.subs) == 0 && l.up != nil {
		l.cancel()
		l.up, ended = nil, l.done
	}
	l.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// listen runs until ctx ends, through any number of connections.
func (l *listener) listen(ctx context.Context, up chan struct{}) {
	listening := sync.OnceFunc(func() { close(up) })
	defer listening()
	pause := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := l.session(ctx, listening)
		if ctx.Err() != nil {
			return
		}
		if !isClosed(up) {
			// Whoever asked first is told; what subscribes later tries anew.
			l.mu.Lock()
			l.failed = err
			l.up = nil
			l.mu.Unlock()
			return
		}
		if time.Since(began) > lastRetry {
			pause = firstRetry
		}
		l.log.WarnContext(ctx, "fleet: the connection that listens was lost", "error", err, "again_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastRetry)
	}
}

// session listens on one connection until that fails.
func (l *listener) session(ctx context.Context, listening func()) error {
	if l.pollOnly {
		listening()
		for {
			select {
			case <-time.After(pollEvery):
				l.tell(note{})
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	conn, err := connect(ctx, l.pool)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{channel(l.schema)}.Sanitize()); err != nil {
		return err
	}
	listening()
	l.tell(note{})
	for {
		if err := l.receive(ctx, conn); err != nil {
			return err
		}
	}
}

// receive takes one notification, or finds out whether the connection still is.
func (l *listener) receive(ctx context.Context, conn *pgx.Conn) error {
	limited, cancel := context.WithTimeout(ctx, pingEvery)
	defer cancel()
	notification, err := conn.WaitForNotification(limited)
	switch {
	case err == nil:
		if n, ok := parseNote(l.account, notification.Payload); ok {
			l.tell(n)
		}
		return nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		pinged, cancel := context.WithTimeout(ctx, pingEvery)
		defer cancel()
		return conn.Ping(pinged)
	}
	return err
}

func (l *listener) tell(n note) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range l.subs {
		fn(n)
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// connect opens a connection beside the pool, as the pool would.
func connect(ctx context.Context, pool *pgxpool.Pool) (*pgx.Conn, error) {
	pooled := pool.Config()
	config := pooled.ConnConfig
	if pooled.BeforeConnect != nil {
		if err := pooled.BeforeConnect(ctx, config); err != nil {
			return nil, err
		}
	}
	return pgx.ConnectConfig(ctx, config)
}
