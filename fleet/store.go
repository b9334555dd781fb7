package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

// store is an account's rows in the database.
type store struct {
	pool     *pgxpool.Pool
	schema   string
	account  string
	lease    time.Duration
	patience step.Patience // with an unknown outcome
	unheard  step.Patience // with one of which no callback can tell
	log      *slog.Logger
	river    *river.Client[pgx.Tx]
	notes    *listener
}

// sql puts the schema's name into a statement.
func (s *store) sql(statement string) string { return inSchema(s.schema, statement) }

// inTx runs do in a transaction, once more where PostgreSQL ended it for the
// sake of another one.
func (s *store) inTx(ctx context.Context, do func(tx pgx.Tx) error) error {
	const tries = 5
	var err error
	for range tries {
		err = pgx.BeginFunc(ctx, s.pool, do)
		if !isCode(err, "40001", "40P01") { // serialization failure, deadlock
			return err
		}
	}
	return err
}

// isCode reports whether err is PostgreSQL's with one of the codes.
func isCode(err error, codes ...string) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	return slices.Contains(codes, failure.Code)
}

// patienceWith is how long the outcome of a record's upload may stay unknown.
// Callbacks that are not signed tell of none, so there is nothing to wait for.
func (s *store) patienceWith(r ledger.Record) step.Patience {
	if r.Dialect == scriptix.DialectSession.String() && !scriptix.DialectSession.SignedCallbacks() {
		return s.unheard
	}
	return s.patience
}

// row is a record with what stands beside it.
type row struct {
	ledger.Record
	enqueued bool // it has a source, so a worker can open its audio
	outcome  bool // an outcome of it was numbered
	tries    int  // of the step that it is at
}

// rowColumns are what scanRow reads.
const rowColumns = `key, rev, phase, token, coalesce(job_id, ''), owner, due, rec, source <> '', outcome is not null, tries`

func scanRow(from pgx.Row) (row, error) {
	var r row
	var rest []byte
	var key, phase, token, jobID, owner string
	var revision int64
	var due *time.Time
	err := from.Scan(&key, &revision, &phase, &token, &jobID, &owner, &due, &rest, &r.enqueued, &r.outcome, &r.tries)
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, ledger.ErrNoRecord
	}
	if err != nil {
		return row{}, err
	}
	if r.Record, err = decodeRest(rest); err != nil {
		return row{}, fmt.Errorf("fleet: the record %q cannot be read: %w", key, err)
	}
	r.Key, r.Revision, r.Phase, r.Token, r.JobID, r.Owner = key, revision, ledger.Phase(phase), token, jobID, owner
	if due != nil {
		r.Due = due.UTC()
	}
	return r, nil
}

// encodeRest is what of a record has no column of its own. PostgreSQL's text
// has no NUL, and JSON nothing but UTF-8, hence what a service's message holds
// of either is replaced: else the record would never move again.
func encodeRest(r ledger.Record) ([]byte, error) {
	r.Key, r.Revision, r.Phase, r.Token, r.JobID, r.Owner, r.Due = "", 0, "", "", "", "", time.Time{}
	for _, text := range []*string{&r.Name, &r.Upload, &r.Sum, &r.Source, &r.Failure, &r.FollowFailure} {
		*text = storable(*text)
	}
	return json.Marshal(r)
}

func decodeRest(rest []byte) (r ledger.Record, err error) {
	err = json.Unmarshal(rest, &r)
	return r, err
}

// storable is a text that PostgreSQL can keep.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// hasNUL reports whether a name has a byte that no column holds, so that nothing
// stored can have that name.
func hasNUL(names ...string) bool {
	for _, name := range names {
		if strings.ContainsRune(name, 0) {
			return true
		}
	}
	return false
}

// find reads one record, in a statement of its own.
func (s *store) find(ctx context.Context, column, value string) (row, error) {
	if hasNUL(value) {
		return row{}, ledger.ErrNoRecord
	}
	statement := s.sql("select " + rowColumns + " from {s}.scriptix_record where account = $1 and " + column + " = $2")
	return scanRow(s.pool.QueryRow(ctx, statement, s.account, value))
}

// lock reads one record for a change. Nobody else changes it before tx ends.
func (s *store) lock(ctx context.Context, tx pgx.Tx, key string) (row, error) {
	if hasNUL(key) {
		return row{}, ledger.ErrNoRecord
	}
	statement := s.sql("select " + rowColumns + " from {s}.scriptix_record where account = $1 and key = $2 for update")
	return scanRow(tx.QueryRow(ctx, statement, s.account, key))
}

// lockJob has everybody else who parks an event for a job, or binds it to a
// record, wait until tx ends: else one of them would not see the other's row,
// and the event would be lost.
func (s *store) lockJob(ctx context.Context, tx pgx.Tx, jobID string) error {
	const statement = "select pg_advisory_xact_lock(hashtextextended($1 || chr(10) || $2 || chr(10) || $3, 0))"
	_, err := tx.Exec(ctx, statement, s.schema, s.account, jobID)
	return err
}

// tell has the processes that listen hear of something once tx is committed.
func (s *store) tell(ctx context.Context, tx pgx.Tx, n note) error {
	_, err := tx.Exec(ctx, "select pg_notify($1, $2)", channel(s.schema), n.payload(s.account))
	return err
}
