package rate_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// row is a budget that several processes share, as a database row would hold it:
// each change decodes the meter and encodes it again. Processes that are dead
// leave flights and tickets behind.
type row struct {
	limits  rate.Limits
	meter   []byte
	flights []held
	tickets []held // in the order in which they were drawn
}

// held is a flight or a ticket of a process.
type held struct {
	holder int
	class  rate.Class
	number uint64
}

func (r *row) change(t *testing.T, do func(*rate.Meter)) {
	t.Helper()
	m, err := rate.Decode(r.limits, r.meter)
	require.NoError(t, err)
	do(m)
	r.meter = encode(t, m)
}

// ask grants a request, or says when it is worth asking again.
func (r *row) ask(t *testing.T, now rate.Millis, holder int, class rate.Class, alive func(int) bool) (f held, granted bool, again rate.Millis) {
	t.Helper()
	r.change(t, func(m *rate.Meter) {
		dead := func(h held) bool { return !alive(h.holder) }
		for _, left := range r.flights {
			if dead(left) {
				m.Done(now, left.class, left.number, rate.Answer{}) // counts as answered now
			}
		}
		r.flights, r.tickets = slices.DeleteFunc(r.flights, dead), slices.DeleteFunc(r.tickets, dead)
		mine := func(h held) bool { return h.holder == holder && h.class == class }
		if !slices.ContainsFunc(r.tickets, mine) {
			r.tickets = append(r.tickets, held{holder: holder, class: class})
		}
		var waiting, before rate.Waiting
		oldest := map[rate.Class]held{}
		for _, ticket := range r.tickets {
			if waiting[ticket.class] == 0 {
				oldest[ticket.class] = ticket
			}
			waiting[ticket.class]++
		}
		own := slices.IndexFunc(r.tickets, mine)
		for _, ticket := range r.tickets[:own] {
			before[ticket.class]++
		}
		first, ok := m.Next(waiting)
		if at, _ := m.Earliest(now, 1); !ok || at > now || !mine(oldest[first]) {
			again, _ = m.Earliest(now, m.Position(class, before))
			again = max(again, now+4*rate.Second)
			return
		}
		r.tickets = slices.Delete(r.tickets, own, own+1)
		waiting[class]--
		m.PassOver(class, waiting)
		f, granted = held{holder, class, m.Grant(now, class)}, true
		r.flights = append(r.flights, f)
	})
	return f, granted, again
}

// process sends one request after another until it is killed.
type process struct {
	id     int
	wakeAt rate.Millis
	flight *held
	class  rate.Class
}

func TestAMeterInARowServesProcessesThatDie(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 11))
		shared := &row{limits: rate.Limits{PerMinute: 40, PerHour: 600, Concurrent: 6}}
		shared.meter = encode(t, rate.New(shared.limits))
		alive := map[int]bool{}
		var processes []*process
		born := 0
		add := func(now rate.Millis) {
			born++
			alive[born] = true
			processes = append(processes, &process{id: born, wakeAt: now, class: rate.Class(r.IntN(3))})
		}
		for range 12 {
			add(begin)
		}
		var sent []rate.Millis
		var count rate.Waiting
		for now := begin; now < begin+3*rate.Hour; now += 100 {
			for i, p := range processes {
				if now < p.wakeAt {
					continue
				}
				if r.IntN(200) == 0 { // killed, whatever it does; another takes its place
					delete(alive, p.id)
					add(now + rate.Second)
					processes[i] = processes[len(processes)-1]
					processes = processes[:len(processes)-1]
					continue
				}
				if p.flight != nil {
					f := *p.flight
					shared.change(t, func(m *rate.Meter) { m.Done(now, f.class, f.number, rate.Answer{}) })
					shared.flights = slices.DeleteFunc(shared.flights, func(h held) bool { return h == f })
					p.flight, p.class, p.wakeAt = nil, rate.Class(r.IntN(3)), now+rate.Millis(r.IntN(2_000))
					continue
				}
				f, granted, again := shared.ask(t, now, p.id, p.class, func(id int) bool { return alive[id] })
				p.wakeAt = again
				if granted {
					sent = append(sent, now)
					count[p.class]++
					p.flight, p.wakeAt = &f, now+rate.Millis(100+r.IntN(5_000))
				}
				require.LessOrEqual(t, len(shared.flights), 6)
			}
		}
		for i := range sent {
			if i >= 40 {
				require.Greater(t, sent[i]-sent[i-40], rate.Minute, "seed %d", seed)
			}
			if i >= 600 {
				require.Greater(t, sent[i]-sent[i-600], rate.Hour, "seed %d", seed)
			}
		}
		assert.Greater(t, len(sent), 1_500, "of 1,800")
		for class, n := range count {
			assert.Greater(t, n, 100, "class %d", class)
		}
		assert.Less(t, len(shared.meter), 1_500)
	}
}
