package fleet

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// submitJob is the hint that a claimed record is to be uploaded. The record
// tells what with: no locator, token or text stands in River's tables.
type submitJob struct {
	Account string `json:"account"`
	Key     string `json:"key"`
}

// Kind names the job in River's tables.
func (submitJob) Kind() string { return "scriptix_submit" }

// finishJob is the hint that a job has ended, and that its transcript is to be
// fetched or its failure confirmed.
type finishJob struct {
	Account  string `json:"account"`
	Key      string `json:"key"`
	Revision int64  `json:"rev"` // of the record that called for it, which tells two such jobs apart
}

// Kind names the job in River's tables.
func (finishJob) Kind() string { return "scriptix_finish" }

const (
	jobTimeout   = 6 * time.Hour
	rescueAfter  = 7 * time.Hour    // River goes by time alone; our own lease is far quicker
	noticeEvery  = time.Millisecond // else River drops a notice that comes soon after another, and none follows
	finishPolls  = time.Second      // where a notice was lost all the same
	submitPolls  = 5 * time.Second
	keepFinished = time.Hour // River's jobs that are done
	finishers    = 4
)

// riverConfig is River as a fleet needs it. Without a Client it only inserts.
func (f *Fleet) riverConfig() *river.Config {
	config := &river.Config{
		Schema: f.store.schema, Logger: quietRiver(f.options.Logger), PollOnly: f.options.PollOnly,
		FetchCooldown: noticeEvery, FetchPollInterval: submitPolls,
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter,
		CompletedJobRetentionPeriod: keepFinished, CancelledJobRetentionPeriod: keepFinished,
	}
	if f.options.Client == nil {
		return config
	}
	config.Workers = river.NewWorkers()
	river.AddWorker(config.Workers, &submitWorker{fleet: f})
	river.AddWorker(config.Workers, &finishWorker{fleet: f})
	config.Queues = map[string]river.QueueConfig{
		queueName("submit", f.options.Account): {MaxWorkers: f.options.Concurrency},
		queueName("finish", f.options.Account): {MaxWorkers: finishers, FetchPollInterval: finishPolls},
	}
	return config
}

type submitWorker struct {
	river.WorkerDefaults[submitJob]
	fleet *Fleet
}

// Work uploads a record, if it still is to be.
func (w *submitWorker) Work(ctx context.Context, job *river.Job[submitJob]) error {
	if work := w.fleet.working(); work != nil && job.Args.Account == w.fleet.options.Account {
		work.submit(ctx, job.Args.Key)
	}
	return nil // the record tells what is next, not River's tries
}

type finishWorker struct {
	river.WorkerDefaults[finishJob]
	fleet *Fleet
}

// Work brings the end of a record's job home, if that is still to be done.
func (w *finishWorker) Work(ctx context.Context, job *river.Job[finishJob]) error {
	if work := w.fleet.working(); work != nil && job.Args.Account == w.fleet.options.Account {
		work.finish(ctx, job.Args.Key)
	}
	return nil
}

// quietRiver passes on what River says from a warning on: the rest is about its
// own machinery.
func quietRiver(log *slog.Logger) *slog.Logger {
	return slog.New(atLeast{log.Handler(), slog.LevelWarn})
}

type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}

// insertJobs hands a record on to whoever is free.
func (s *store) insertJobs(ctx context.Context, tx pgx.Tx, r ledger.Record, f follows) error {
	if f.finish {
		opts := &river.InsertOpts{Queue: queueName("finish", s.account), MaxAttempts: 1}
		if _, err := s.river.InsertTx(ctx, tx, finishJob{s.account, r.Key, r.Revision}, opts); err != nil {
			return err
		}
	}
	if f.submit {
		_, err := s.river.InsertTx(ctx, tx, submitJob{s.account, r.Key}, s.submitOpts())
		return err
	}
	return nil
}

func (s *store) submitOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: queueName("submit", s.account), MaxAttempts: 1}
}
