package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

const (
	perTransaction = 1000 // inputs that are claimed at once
	lastYear       = 9999 // that a time may be in
)

// Enqueue claims recordings, to be uploaded by the workers of the account, a
// thousand a transaction. What is known already stays as it is, whatever became
// of it: [batch.Resubmit] sends it again. When it fails, what the counts tell is
// claimed, and to repeat the call is safe.
//
// It sends nothing and opens no source. A locator that no worker could take, and
// what PostgreSQL cannot keep, such as a Meta with \u0000, is an error that names
// the input by its key or its locator; nothing of its thousand is claimed then.
func (f *Fleet) Enqueue(ctx context.Context, in iter.Seq[Input]) (Enqueued, error) {
	var total Enqueued
	if in == nil {
		return total, nil
	}
	chunk := make([]Input, 0, perTransaction)
	flush := func() error {
		if len(chunk) == 0 {
			return ctx.Err()
		}
		counted, err := Enqueued{}, error(nil)
		err = f.store.inTx(ctx, func(tx pgx.Tx) error {
			counted, err = f.EnqueueTx(ctx, tx, chunk...)
			return err
		})
		if err != nil {
			return err
		}
		total.Fresh += counted.Fresh
		total.Known += counted.Known
		chunk = chunk[:0]
		return nil
	}
	for input := range in {
		chunk = append(chunk, input)
		if len(chunk) < perTransaction {
			continue
		}
		if err := flush(); err != nil {
			return total, err
		}
	}
	return total, flush()
}

// EnqueueTx is [Fleet.Enqueue] in the caller's transaction: the recordings are
// claimed if that is committed. An error of the database leaves the transaction
// unusable, as ever.
func (f *Fleet) EnqueueTx(ctx context.Context, tx pgx.Tx, in ...Input) (Enqueued, error) {
	if len(in) == 0 {
		return Enqueued{}, ctx.Err()
	}
	if tx == nil {
		return Enqueued{}, errors.New("fleet: enqueue: the transaction is nil")
	}
	rows := make([]claim, 0, len(in))
	for _, input := range in {
		row, err := f.claim(input)
		if err != nil {
			return Enqueued{}, fmt.Errorf("fleet: enqueue: %w", err)
		}
		rows = append(rows, row)
	}
	// Two transactions that claim the same keys wait for each other in one order only.
	slices.SortStableFunc(rows, func(a, b claim) int { return strings.Compare(a.key, b.key) })
	fresh, err := f.store.claimAll(ctx, tx, rows)
	if err != nil {
		return Enqueued{}, fmt.Errorf("fleet: enqueue: %w", err)
	}
	return Enqueued{Fresh: fresh, Known: len(in) - fresh}, nil
}

// claim is a record to be made.
type claim struct {
	key, token, source string
	rest, params       []byte
	meta               *string
	notBefore          *time.Time
}

// claim checks all that PostgreSQL could refuse, because it would not say of
// which of a thousand inputs.
func (f *Fleet) claim(in Input) (claim, error) {
	if err := f.checkLocator(in.Source); err != nil {
		return claim{}, err
	}
	params, err := json.Marshal(in.Params)
	if err == nil {
		err = checkJSON(params)
	}
	if err != nil {
		return claim{}, fmt.Errorf("the parameters of %s: %w", in.called(), err)
	}
	key := in.Key
	if key == "" {
		key = defaultKey(in.Source, params)
	}
	if err := ledger.CheckName(key); err != nil {
		return claim{}, fmt.Errorf("the key of %q: %w", shown(in.Source), err)
	}
	if hasNUL(key) {
		return claim{}, fmt.Errorf("the key of %q: %w", shown(in.Source), errNUL)
	}
	r := ledger.New(key, displayName(in.Source), newToken(), "", time.Now())
	rest, err := encodeRest(r)
	if err != nil {
		return claim{}, fmt.Errorf("%s: %w", in.called(), err)
	}
	c := claim{key: key, token: r.Token, source: in.Source, rest: rest, params: params}
	if len(in.Meta) > 0 {
		if err := checkJSON(in.Meta); err != nil {
			return claim{}, fmt.Errorf("the Meta of %s: %w", in.called(), err)
		}
		meta := string(in.Meta)
		c.meta = &meta
	}
	if !in.NotBefore.IsZero() {
		if year := in.NotBefore.UTC().Year(); year < 1 || year > lastYear {
			return claim{}, fmt.Errorf("the NotBefore of %s is in the year %d", in.called(), year)
		}
		c.notBefore = &in.NotBefore
	}
	return c, nil
}

// called is what an error calls an input by: its key, or its locator without
// what may be secret.
func (in Input) called() string {
	if in.Key != "" {
		return strconv.Quote(in.Key)
	}
	return strconv.Quote(shown(in.Source))
}

// claimAll stores the claims whose keys are free, and counts them.
func (s *store) claimAll(ctx context.Context, tx pgx.Tx, claims []claim) (fresh int, err error) {
	n := len(claims)
	keys, tokens, sources := make([]string, n), make([]string, n), make([]string, n)
	rests, params, metas, dues := make([]string, n), make([]string, n), make([]*string, n), make([]*time.Time, n)
	for i, c := range claims {
		keys[i], tokens[i], sources[i] = c.key, c.token, c.source
		rests[i], params[i], metas[i], dues[i] = string(c.rest), string(c.params), c.meta, c.notBefore
	}
	insert := s.sql(`
		insert into {s}.scriptix_record (account, key, rev, phase, token, source, rec, params, meta, due)
		select $1, key, 1, 'claimed', token, source, rec::jsonb, params::jsonb, meta::jsonb, coalesce(due, clock_timestamp())
		from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
			as claims (key, token, source, rec, params, meta, due)
		on conflict (account, key) do nothing`)
	tag, err := tx.Exec(ctx, insert, s.account, keys, tokens, sources, rests, params, metas, dues)
	if err != nil {
		return 0, err
	}
	if tag.RowsAffected() > 0 {
		err = s.tell(ctx, tx, note{dueNote, ""})
	}
	return int(tag.RowsAffected()), err
}

// defaultKey names a recording by its locator and what is asked about it.
func defaultKey(source string, params []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "scriptix fleet 1 %d %s %s", len(source), source, params)
	return hex.EncodeToString(h.Sum(nil))
}
