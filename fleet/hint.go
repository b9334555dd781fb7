package fleet

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/hint"
)

// hintGap is the least time between two hints about a record that are listened
// to: a leaked secret must not be able to spend the budget.
const hintGap = 30 * time.Second

// HintHandler makes the handler for the unsigned callbacks of the session
// dialect, to be mounted at the URL of [scriptix.WithWebhook] and everything below
// it. The secrets are one, or several while they are rotated, of at least 16 bytes.
//
// Such a callback proves nothing, so it is a hint and no more: it has the record of
// a job that runs due now, for the account's leader to poll the job once within the
// budget, and then none for that record for 30 seconds. It never ends a job and
// makes no outcome. One that cannot be stored is answered with 503 and comes
// again. Every replica behind a load balancer may have one, with or without a
// Client; nothing of it is signed, so it takes no signed callback either.
func (f *Fleet) HintHandler(secrets ...string) (http.Handler, error) {
	handler, err := hint.NewHandler(f.hint, slices.Clone(secrets))
	if err != nil {
		return nil, fmt.Errorf("fleet: HintHandler: %w", err)
	}
	return f.counted(handler), nil
}

// hint makes the record of a job due now, unless that was done of late.
func (f *Fleet) hint(ctx context.Context, jobID string) error {
	s := f.store
	if hasNUL(jobID) {
		return nil // no record can ever have this job
	}
	// Both times are one value, by which the pump knows why the record is due.
	hasten := s.sql(`
		with hint as materialized (select clock_timestamp() as at),
		hinted as (
			update {s}.scriptix_record set due = hint.at, hinted = hint.at, rev = rev + 1 from hint
			where account = $1 and job_id = $2 and phase = 'submitted' and rec ->> 'confirm' is null
				and (due is null or due > hint.at) and (hinted is null or hinted <= hint.at - make_interval(secs => $3))
			returning key)
		select pg_notify($4, $5 || key) from hinted`)
	_, err := s.pool.Exec(ctx, hasten, s.account, jobID, hintGap.Seconds(), channel(s.schema), note{dueNote, ""}.payload(s.account))
	if err != nil {
		s.log.WarnContext(ctx, "fleet: a hint was not stored, and comes again", "job_id", jobID, "error", err)
	}
	return err
}

// unsigned reports whether the callbacks of the fleet's client are hints.
func (f *Fleet) unsigned() (bool, error) {
	if f.options.Client == nil {
		return false, nil
	}
	client, err := f.newClient()
	if err != nil {
		return false, err
	}
	return !client.Dialect().SignedCallbacks(), nil
}
