package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// metricsTimeout is how long a scrape may ask the database.
const metricsTimeout = 10 * time.Second

// counters are what a process counts of its own.
type counters struct {
	mu        sync.Mutex
	requests  [rate.Classes]uint64 // granted
	callbacks map[int]uint64       // answered, by status
}

func (c *counters) granted(class rate.Class) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[class]++
}

func (c *counters) answered(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callbacks == nil {
		c.callbacks = make(map[int]uint64)
	}
	c.callbacks[status]++
}

// Metrics returns a handler that tells, in the text format of Prometheus, what
// an operator of the account should watch: records by phase, the budget's
// windows, how late ends are brought home, and of this process the requests by
// class and the callbacks by status. A scrape costs four statements; where the
// database does not answer, what is the process's own is told all the same.
func (f *Fleet) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), metricsTimeout)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m := &exposition{account: f.options.Account}
		f.describeProcess(m)
		if err := f.describeAccount(ctx, m); err != nil {
			m.gauge("scriptix_fleet_database_up", "Whether the database answered this scrape.").value(0)
			f.store.log.WarnContext(ctx, "fleet: metrics without the database", "error", err)
		} else {
			m.gauge("scriptix_fleet_database_up", "Whether the database answered this scrape.").value(1)
		}
		_, _ = io.WriteString(w, m.text.String())
	})
}

// describeProcess tells what this process counts.
func (f *Fleet) describeProcess(m *exposition) {
	c := &f.counters
	c.mu.Lock()
	defer c.mu.Unlock()
	m.counter("scriptix_fleet_requests_total", "Requests that the budget let this process send, by class.")
	for class, n := range c.requests {
		m.value(n, "class", scriptix.Class(class).String())
	}
	m.counter("scriptix_fleet_callbacks_total", "Callbacks that this process answered, by status.")
	statuses := make([]int, 0, len(c.callbacks))
	for status := range c.callbacks {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		m.value(c.callbacks[status], "status", strconv.Itoa(status))
	}
}

// describeAccount tells what the database holds.
func (f *Fleet) describeAccount(ctx context.Context, m *exposition) error {
	status, err := f.Status(ctx)
	if err != nil {
		return err
	}
	m.gauge("scriptix_fleet_records", "Records of the account, by phase.")
	for _, phase := range []batch.Phase{
		batch.Claimed, batch.Sent, batch.Unknown, batch.Submitted, batch.Completed, batch.Failed, batch.Erasing, batch.Done,
		batch.Rejected, batch.Abandoned,
	} {
		m.value(status.Counts[phase], "phase", string(phase))
	}
	m.gauge("scriptix_fleet_unknown_outcomes", "Records of which nobody knows whether a job exists.").value(status.Counts[batch.Unknown])
	budget, err := f.budget.Read(ctx)
	if err != nil {
		return err
	}
	m.gauge("scriptix_fleet_window_used", "Requests in each window of the budget, those in flight included.")
	windows := map[string]scriptix.WindowUse{"minute": budget.Minute, "hour": budget.Hour, "day": budget.Day}
	for _, name := range []string{"minute", "hour", "day"} {
		m.value(windows[name].Used, "window", name)
	}
	m.gauge("scriptix_fleet_window_limit", "Requests that each window of the budget allows; 0: not limited.")
	for _, name := range []string{"minute", "hour", "day"} {
		m.value(windows[name].Limit, "window", name)
	}
	m.gauge("scriptix_fleet_requests_in_flight", "Requests on their way, of all processes.").value(budget.InFlight)
	return f.describeLateness(ctx, m)
}

// describeLateness tells how long after a job's end its outcome was there, over
// the latest thousand, and how long the record waits that is most overdue.
func (f *Fleet) describeLateness(ctx context.Context, m *exposition) error {
	var half, most, overdue float64
	s := f.store
	late := s.sql(`
		with latest as (
			select extract(epoch from changed - (rec ->> 'ended_at')::timestamptz) as late from {s}.scriptix_record
			where account = $1 and outcome is not null and rec ->> 'ended_at' is not null order by outcome desc limit 1000)
		select coalesce(percentile_cont(0.5) within group (order by late), 0)::float8,
			coalesce(percentile_cont(0.95) within group (order by late), 0)::float8,
			coalesce((select extract(epoch from clock_timestamp() - min(due)) from {s}.scriptix_record
				where account = $1 and due is not null and phase <> 'claimed'), 0)::float8
		from latest`)
	if err := s.pool.QueryRow(ctx, late, s.account).Scan(&half, &most, &overdue); err != nil {
		return err
	}
	m.gauge("scriptix_fleet_lateness_seconds", "From a job's end as it was heard of to its outcome, over the latest thousand.")
	m.value(half, "quantile", "0.5")
	m.value(most, "quantile", "0.95")
	m.gauge("scriptix_fleet_overdue_seconds", "How long the record waits that should have been looked at first.").value(max(0, overdue))
	return nil
}

// exposition is a text in the format of Prometheus.
type exposition struct {
	text    strings.Builder
	account string
	name    string // of the metric that values are written of
}

func (m *exposition) gauge(name, help string) *exposition {
	m.begin(name, help, "gauge")
	return m
}

func (m *exposition) counter(name, help string) { m.begin(name, help, "counter") }

func (m *exposition) begin(name, help, kind string) {
	m.name = name
	fmt.Fprintf(&m.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// value writes a sample with the account and one more label.
func (m *exposition) value(v any, label ...string) {
	quote := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	fmt.Fprintf(&m.text, `%s{account="%s"`, m.name, quote.Replace(m.account))
	if len(label) == 2 {
		fmt.Fprintf(&m.text, `,%s="%s"`, label[0], quote.Replace(label[1]))
	}
	fmt.Fprintf(&m.text, "} %v\n", v)
}

// counted is a handler whose answers are counted.
func (c *counters) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r)
		c.answered(status.status)
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
