package fleet

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// sharedBudget is the request budget of an account's key at a moment, as its row
// holds it: the meter, who has requests in flight, and who waits. It is a value,
// which one process at a time changes in a transaction.
//
// Who waits has a ticket for each class of request, by which the order is kept
// among processes; how many callers stand behind it is the process's own
// business. A ticket is told when to come back. It ends a little after that
// time, so that a process that is gone does not hold up those behind it.
type sharedBudget struct {
	meter   *rate.Meter
	limits  scriptix.Limits
	flights []flight
	tickets []ticket
	nextSeq uint64
	last    rate.Millis // of the latest turn: time does not go back, even where the database's clock does
}

// flight is a request that was granted and has not ended.
type flight struct {
	number uint64 // the meter's
	class  rate.Class
	holder string
}

// ticket is one process's place in the order.
type ticket struct {
	seq    uint64
	class  rate.Class
	holder string
	until  rate.Millis
}

const (
	// ticketGrace is how long a ticket outlives the time at which its holder was
	// to come back. With 30 s, dead processes at the head stopped the queue.
	ticketGrace = 2 * rate.Second
	// slotWait is when a holder comes back for whom only a concurrency slot is
	// missing. Whoever frees one sends a notice, which may be lost.
	slotWait = 4 * rate.Second
)

func newSharedBudget(l scriptix.Limits) *sharedBudget {
	return &sharedBudget{meter: rate.New(rateLimits(l)), limits: l}
}

func rateLimits(l scriptix.Limits) rate.Limits {
	return rate.Limits{PerMinute: l.PerMinute, PerHour: l.PerHour, PerDay: l.PerDay, Concurrent: l.Concurrent}
}

// landing is the end of a flight.
type landing struct {
	number uint64
	sent   bool // or may have been
	answer rate.Answer
}

// turn is what a process wants of the budget: to note what has landed, and to
// ask for requests.
type turn struct {
	holder string
	now    rate.Millis
	living map[string]bool
	landed []landing
	flying map[uint64]bool // what the holder knows to be its own
	wants  [rate.Classes]int
}

// told is what comes of a turn.
type told struct {
	granted []flight
	at      [rate.Classes]rate.Millis // when to ask again for what was not granted
	notify  string                    // another process that may go now
	changed bool
}

// take makes a turn.
func (b *sharedBudget) take(t turn) told {
	var r told
	t.now = max(t.now, b.last)
	b.last = t.now
	r.changed = b.dropDead(t)
	r.changed = b.land(t) || r.changed
	r.changed = b.enter(t) || r.changed
	for {
		head, ok := b.head()
		if !ok {
			break
		}
		at, _ := b.meter.Earliest(t.now, 1)
		if at > t.now {
			break
		}
		if head.holder != t.holder {
			r.notify = head.holder
			b.shorten(head, t.now)
			break
		}
		r.granted = append(r.granted, b.grant(&t, head))
		r.changed = true
	}
	b.tellTimes(t, &r)
	return r
}

// dropDead lets go of what the dead hold. Nobody will ever hear how their
// requests went, hence these count as answered now.
func (b *sharedBudget) dropDead(t turn) (changed bool) {
	b.flights = slices.DeleteFunc(b.flights, func(f flight) bool {
		dead := !t.living[f.holder] && f.holder != t.holder
		if dead {
			b.meter.Done(t.now, f.class, f.number, rate.Answer{})
			changed = true
		}
		return dead
	})
	b.tickets = slices.DeleteFunc(b.tickets, func(k ticket) bool {
		gone := k.holder != t.holder && (k.until < t.now || !t.living[k.holder])
		changed = changed || gone
		return gone
	})
	return changed
}

// land ends the holder's flights: those that have landed, and those of which it
// knows nothing, because it never learned that they were granted.
func (b *sharedBudget) land(t turn) (changed bool) {
	flew := make(map[uint64]bool)
	b.flights = slices.DeleteFunc(b.flights, func(f flight) bool {
		if f.holder != t.holder {
			return false
		}
		flew[f.number] = true
		i := slices.IndexFunc(t.landed, func(l landing) bool { return l.number == f.number })
		switch {
		case i >= 0 && t.landed[i].sent:
			b.meter.Done(t.now, f.class, f.number, t.landed[i].answer)
		case i >= 0 || !t.flying[f.number]:
			b.meter.Cancel(f.class)
		default:
			return false
		}
		changed = true
		return true
	})
	for _, l := range t.landed {
		if l.sent && !flew[l.number] {
			// The others took this process for dead and let go of the flight: it counts once more, from now.
			b.meter.Done(t.now, rate.Poll, b.meter.Grant(t.now, rate.Poll), l.answer)
			changed = true
		}
	}
	return changed
}

// enter makes the holder's tickets those that it needs.
func (b *sharedBudget) enter(t turn) (changed bool) {
	b.tickets = slices.DeleteFunc(b.tickets, func(k ticket) bool {
		unwanted := k.holder == t.holder && t.wants[k.class] == 0
		changed = changed || unwanted
		return unwanted
	})
	for class := range rate.Classes {
		if t.wants[class] > 0 && b.own(t.holder, class) == nil {
			b.push(t.holder, class, t.now)
			changed = true
		}
	}
	return changed
}

func (b *sharedBudget) own(holder string, class rate.Class) *ticket {
	for i := range b.tickets {
		if b.tickets[i].holder == holder && b.tickets[i].class == class {
			return &b.tickets[i]
		}
	}
	return nil
}

func (b *sharedBudget) push(holder string, class rate.Class, now rate.Millis) {
	b.nextSeq++
	b.tickets = append(b.tickets, ticket{b.nextSeq, class, holder, now + ticketGrace})
}

func (b *sharedBudget) waiting() (w rate.Waiting) {
	for _, k := range b.tickets {
		w[k.class]++
	}
	return w
}

// head is the ticket that goes next, if there is a slot for it.
func (b *sharedBudget) head() (ticket, bool) {
	class, ok := b.meter.Next(b.waiting())
	if !ok {
		return ticket{}, false
	}
	for _, k := range b.tickets { // in the order of their numbers
		if k.class == class {
			return k, true
		}
	}
	return ticket{}, false
}

// grant lets a request of the holder fly. If more are wanted they go behind
// those of the others.
func (b *sharedBudget) grant(t *turn, head ticket) flight {
	b.tickets = slices.DeleteFunc(b.tickets, func(k ticket) bool { return k.seq == head.seq })
	if t.wants[head.class]--; t.wants[head.class] > 0 {
		b.push(t.holder, head.class, t.now)
	}
	f := flight{b.meter.Grant(t.now, head.class), head.class, t.holder}
	b.meter.PassOver(head.class, b.waiting())
	b.flights = append(b.flights, f)
	return f
}

// shorten gives a holder that is notified a moment to come.
func (b *sharedBudget) shorten(head ticket, now rate.Millis) {
	if k := b.own(head.holder, head.class); k.until > now+ticketGrace {
		k.until = now + ticketGrace
	}
}

// tellTimes says when the holder's tickets are worth another turn.
func (b *sharedBudget) tellTimes(t turn, r *told) {
	for class := range rate.Classes {
		own := b.own(t.holder, class)
		if own == nil {
			continue
		}
		at, _ := b.meter.Earliest(t.now, b.position(*own))
		if at <= t.now {
			// Only a slot is missing, or whoever is before it has not come yet.
			at = t.now + slotWait
			if r.notify != "" {
				at = t.now + ticketGrace
			}
		}
		r.at[class] = at
		if own.until != at+ticketGrace {
			own.until, r.changed = at+ticketGrace, true
		}
	}
}

// position is a ticket's place: how many grants go before it, as far as is known.
func (b *sharedBudget) position(own ticket) int {
	var before rate.Waiting
	for _, k := range b.tickets {
		if k.class < own.class || k.class == own.class && k.seq < own.seq {
			before[k.class]++
		}
	}
	return b.meter.Position(own.class, before)
}

const budgetEncoding = 1

// encode is the row's state: about 1,500 bytes where a minute of 120 requests is
// full. What has more than 2,000 goes to a table of its own in PostgreSQL, which
// made each change several times as dear.
func (b *sharedBudget) encode() ([]byte, error) {
	data := []byte{budgetEncoding}
	var holders []string
	holder := func(name string) uint64 {
		i := slices.Index(holders, name)
		if i < 0 {
			i = len(holders)
			holders = append(holders, name)
		}
		return uint64(i)
	}
	var refs []byte
	refs = binary.AppendUvarint(refs, uint64(len(b.flights)))
	for _, f := range b.flights {
		refs = binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(refs, f.number), number(f.class)), holder(f.holder))
	}
	refs = binary.AppendUvarint(refs, uint64(len(b.tickets)))
	for _, k := range b.tickets {
		refs = binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(refs, k.seq), number(k.class)), holder(k.holder))
		refs = binary.AppendUvarint(refs, number(k.until))
	}
	data = binary.AppendUvarint(binary.AppendUvarint(data, number(b.last)), b.nextSeq)
	data = binary.AppendUvarint(data, uint64(len(holders)))
	for _, name := range holders {
		data = binary.AppendUvarint(data, uint64(len(name)))
		data = append(data, name...)
	}
	return b.meter.AppendBinary(append(data, refs...))
}

// number is a figure that is not negative, as it is written.
func number[T ~int | ~int64](n T) uint64 { return uint64(max(0, n)) }

var errBudgetState = errors.New("fleet: the state of the budget cannot be read")

// decodeBudget reads a state, under limits that need not be those under which it
// was written.
func decodeBudget(l scriptix.Limits, data []byte) (*sharedBudget, error) {
	if len(data) == 0 {
		return newSharedBudget(l), nil
	}
	r := reader{data: data}
	b := &sharedBudget{limits: l}
	if r.uvarint() != budgetEncoding {
		return nil, errBudgetState
	}
	b.last, b.nextSeq = r.time(), r.uvarint()
	holders := make([]string, r.count())
	for i := range holders {
		holders[i] = r.text()
	}
	holder := func() string {
		if i := r.uvarint(); i < uint64(len(holders)) {
			return holders[i]
		}
		r.bad = true
		return ""
	}
	b.flights = make([]flight, r.count())
	for i := range b.flights {
		b.flights[i] = flight{r.uvarint(), r.class(), holder()}
	}
	b.tickets = make([]ticket, r.count())
	for i := range b.tickets {
		b.tickets[i] = ticket{r.uvarint(), r.class(), holder(), r.time()}
	}
	if r.bad {
		return nil, errBudgetState
	}
	var err error
	b.meter, err = rate.Decode(rateLimits(l), r.data)
	return b, err
}

// reader takes numbers from the front of data.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.data, r.bad = nil, true
		return 0
	}
	r.data = r.data[size:]
	return n
}

// count is a number of things that take a byte each at least.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.bad = true
		return 0
	}
	return int(n) //nolint:gosec // no more than there are bytes
}

func (r *reader) time() rate.Millis {
	n := r.uvarint()
	if n > 1<<50 {
		r.bad = true
		return 0
	}
	return rate.Millis(n)
}

func (r *reader) text() string {
	n := r.count()
	text := string(r.data[:n])
	r.data = r.data[n:]
	return text
}

func (r *reader) class() rate.Class {
	n := r.uvarint()
	if n >= uint64(rate.Classes) {
		r.bad = true
		return 0
	}
	return rate.Class(n)
}
