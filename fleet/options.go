package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// Options are those of [New]. The zero value can enqueue, receive callbacks and
// read; to work, it needs a Client.
type Options struct {
	// Account names whose key, budget and records these are. Empty: "default".
	// Several accounts are a Fleet each, on one pool.
	Account string

	// Client makes a client of the account's key with the given budget, as by
	// [scriptix.WithBudget]; nil: this process does not work. It is called by
	// Start, more than once, and by Handler. Its callback URL is what jobs are
	// submitted with. All processes of an account speak one dialect: a job of
	// another one is asked for by nobody, and reported once, with [batch.ErrDialect].
	Client func(scriptix.Budget) (*scriptix.Client, error)

	// Limits are the plan of the account's key, the same in all its processes.
	// Zero: [scriptix.DefaultLimits]; in a process without a Client, whatever the
	// others have.
	Limits scriptix.Limits

	// Openers open sources by the scheme of their locator. One of them replaces
	// what is built in for "https" and "file".
	Openers map[string]Opener

	// Root is the directory that "file:" locators are relative to, and below
	// which they stay, symbolic links included. Empty: such locators are refused.
	Root string

	// AllowPrivate lets "https:" locators lead to private addresses, such as
	// those of loopback and of local networks.
	AllowPrivate bool

	// Concurrency is how many recordings this process uploads at once. Zero: 4.
	Concurrency int

	// Results keeps the transcripts. Nil: PostgreSQL.
	Results Results

	// Sink takes each transcript before its record is marked done. It is called
	// at least once for a recording, from several goroutines, so it must be
	// idempotent. An error or a panic has it called again later, with pauses that
	// grow from Lease to ten minutes.
	Sink func(context.Context, Outcome) error

	// Erase has each job erased at the service, by [scriptix.STTService.Delete],
	// once its transcript is stored and the Sink has taken it. That is a phase of
	// its own, [batch.Erasing], in which a process that dies leaves the record to
	// the others, whatever their options. It costs one more request per recording.
	// The outcome comes once the service says that the job is gone. Where that
	// cannot be, it is interrupted, with [batch.ErrErase]; erasing is tried again
	// every hour, and the recording has a second outcome once it is done. A job
	// that the service does not know counts as gone. Start fails with
	// [scriptix.ErrUnsupported] in a dialect that cannot delete.
	Erase bool

	// AtHand bounds the memory of the transcripts that this process fetches,
	// decodes, hands to the Sink and stores at once, in bytes: others wait. Each
	// counts twice its length as it came, for what was decoded from it. One that is
	// larger than all of it is alone. Zero: 512 MiB.
	AtHand int64

	// UnknownAfter is how long an unknown outcome waits for its callback before
	// it is reported. Zero: half an hour, which is longer than the service tries
	// to deliver one; where callbacks are not signed none can tell, so at once.
	UnknownAfter time.Duration

	// ResubmitAfter has an unknown outcome sent again, which may be billed a
	// second time, when no callback has told of its job for so long since the
	// upload. Zero: never.
	ResubmitAfter time.Duration

	// Lease is how long the others wait for a process that is not heard of before
	// they take over what it holds. Zero: 20 s; at least 1 s.
	Lease time.Duration

	// Retention is how long what has ended is kept.
	Retention Retention

	// Schema is where the tables are. Empty: [DefaultSchema].
	Schema string

	// PollOnly does without LISTEN, which a pooler such as PgBouncer in
	// transaction mode does not pass on. What is noticed at once otherwise then
	// takes up to a second. PgBouncer before 1.21 also needs pgx to do without
	// named statements: default_query_exec_mode=cache_describe in the pool's URL.
	// Migrate needs a direct connection, because its lock is a session's.
	PollOnly bool

	// Logger is told what an operator should know. Nil: silent.
	Logger *slog.Logger
}

// Opener opens the source that a locator names. An error that lasts, such as one
// about a file that is not there, is a [RefusedError] or wraps
// [scriptix.ErrAudio]; after any other one the source is opened again later.
type Opener func(ctx context.Context, locator string) (scriptix.Audio, error)

// Results keeps transcripts.
type Results interface {
	// Put stores the transcript of a record. It runs in the transaction that
	// marks the record done, so what it writes through tx is there if and only if
	// that is; a store elsewhere overwrites by key.
	Put(ctx context.Context, tx pgx.Tx, account, key string, t *scriptix.Transcript) error
	Get(ctx context.Context, account, key string) (*scriptix.Transcript, error) // [ErrNoTranscript] where there is none
	Delete(ctx context.Context, account, key string) error                      // nil where there is none
}

// Retention says for how long what has ended is kept. Zero: for ever.
type Retention struct {
	Transcripts time.Duration // since the transcript was stored
	Sources     time.Duration // locators, parameters, names and Meta, since the end
	Records     time.Duration // whole records, since the end: the same key is then sent and paid for again
}

// Input is one recording to be transcribed.
type Input struct {
	// Source is the audio's locator, such as "file:calls/1.wav" or
	// "https://files.example.com/1.wav". Nothing is opened before a worker does.
	Source string

	// Key names the recording: what has the same key is paid for once. Empty: a
	// hash of Source and Params. The audio is not read.
	Key string

	Params    scriptix.SubmitParams
	Meta      json.RawMessage // any JSON, handed back with the outcome
	NotBefore time.Time       // when the upload may begin; zero: at once
}

// Enqueued counts what [Fleet.Enqueue] did.
type Enqueued struct {
	Fresh int // claimed by this call
	Known int // claimed before, or repeated within the call
}

// Cursor is a place in the order of an account's outcomes. Zero is the start.
type Cursor int64

// Outcome is what became of a recording. That one is unknown, and then done, are
// two outcomes of one key.
type Outcome struct {
	Cursor Cursor // resumes after this outcome
	Key    string
	JobID  string // "" when none is known
	State  batch.State
	Err    error // nil when done
	Meta   json.RawMessage

	// Transcript is set for the Sink. From Outcomes it is nil: see
	// [Fleet.Transcript].
	Transcript *scriptix.Transcript

	Source   scriptix.Source // how the job's end was learned
	Attempts int             // uploads whose last byte may have gone out
}

// Status is how far an account's records are.
type Status struct {
	Counts map[batch.Phase]int // phases without records are left out
}

const (
	defaultConcurrency  = 4
	defaultLease        = 20 * time.Second
	defaultUnknownAfter = 30 * time.Minute
	minLease            = time.Second
	maxAccount          = 64
)

// complete fills in the defaults and refuses what makes no sense.
func (o Options) complete() (Options, error) {
	defaultTo(&o.Account, "default")
	defaultTo(&o.Schema, DefaultSchema)
	defaultTo(&o.Concurrency, defaultConcurrency)
	defaultTo(&o.Lease, defaultLease)
	defaultTo(&o.UnknownAfter, max(defaultUnknownAfter, o.ResubmitAfter))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Limits == (scriptix.Limits{}) && o.Client != nil {
		o.Limits = scriptix.DefaultLimits
	}
	switch {
	case len(o.Account) > maxAccount || !utf8.ValidString(o.Account) || !printable(o.Account):
		return o, fmt.Errorf("fleet: the account %q: printable UTF-8 of up to %d bytes is allowed", o.Account, maxAccount)
	case o.Concurrency < 0 || o.AtHand < 0 || o.UnknownAfter < 0 || o.ResubmitAfter < 0:
		return o, errors.New("fleet: an option is negative; zero stands for its default")
	case o.Lease < minLease:
		return o, fmt.Errorf("fleet: a lease of %v: it has to be at least %v", o.Lease, minLease)
	case min(o.Limits.PerMinute, o.Limits.PerHour, o.Limits.PerDay, o.Limits.Concurrent) < 0:
		return o, errors.New("fleet: a limit is negative; zero means not limited")
	case min(o.Retention.Transcripts, o.Retention.Sources, o.Retention.Records) < 0:
		return o, errors.New("fleet: a retention is negative; zero means for ever")
	}
	for scheme, open := range o.Openers {
		if open == nil {
			return o, fmt.Errorf("fleet: the opener of %q is nil", scheme)
		}
	}
	return o, checkSchema(o.Schema)
}

func defaultTo[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// printable reports whether a text has no control characters.
func printable(text string) bool {
	for _, c := range text {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
