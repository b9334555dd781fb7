package fleet

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	retainEvery = time.Hour
	retainPage  = 500
	deadProcess = 24 * time.Hour // after which nobody wants to know of it any more
)

// retain lets go of what Retention says, in the account's leader.
func (f *Fleet) retain(ctx context.Context) {
	every := min(retainEvery, max(time.Second, f.shortestRetention()/4))
	for ctx.Err() == nil {
		pause(ctx, every, nil) // not right at the start, when a new leader has other work
		if err := f.retainOnce(ctx); err != nil && ctx.Err() == nil {
			f.store.log.WarnContext(ctx, "fleet: what is over its retention could not be erased", "error", err)
		}
	}
}

func (f *Fleet) shortestRetention() time.Duration {
	shortest := retainEvery * 4
	for _, span := range []time.Duration{f.options.Retention.Transcripts, f.options.Retention.Sources, f.options.Retention.Records} {
		if span > 0 {
			shortest = min(shortest, span)
		}
	}
	return shortest
}

func (f *Fleet) retainOnce(ctx context.Context) error {
	s, keep := f.store, f.options.Retention
	if keep.Transcripts > 0 {
		if err := f.dropTranscripts(ctx, keep.Transcripts, "stored < clock_timestamp() - make_interval(secs => $2)"); err != nil {
			return err
		}
	}
	if keep.Sources > 0 {
		if err := s.eraseSources(ctx, keep.Sources); err != nil {
			return err
		}
	}
	if keep.Records > 0 {
		over := "phase in ('done', 'failed', 'rejected', 'abandoned') and changed < clock_timestamp() - make_interval(secs => $2)"
		if err := f.dropTranscripts(ctx, keep.Records, "stored is not null and "+over); err != nil {
			return err
		}
		if _, err := s.pool.Exec(ctx, s.sql("delete from {s}.scriptix_record where account = $1 and stored is null and "+over), s.account, keep.Records.Seconds()); err != nil {
			return err
		}
	}
	if err := s.trimParked(ctx); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, s.sql("delete from {s}.scriptix_process where until < clock_timestamp() - make_interval(secs => $1)"), deadProcess.Seconds())
	return err
}

// dropTranscripts deletes the transcripts of the records that a condition names.
func (f *Fleet) dropTranscripts(ctx context.Context, age time.Duration, condition string) error {
	s := f.store
	for {
		find := s.sql("select key from {s}.scriptix_record where account = $1 and " + condition + " limit $3")
		rows, err := s.pool.Query(ctx, find, s.account, age.Seconds(), retainPage)
		if err != nil {
			return err
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, key := range keys {
			if err := f.results.Delete(ctx, s.account, key); err != nil {
				return err
			}
			forget := s.sql("update {s}.scriptix_record set stored = null where account = $1 and key = $2")
			if _, err := s.pool.Exec(ctx, forget, s.account, key); err != nil {
				return err
			}
		}
	}
}

// eraseSources erases what records that are over tell of their sources, in what
// they say of a failure as well: a source that was refused is named there.
func (s *store) eraseSources(ctx context.Context, age time.Duration) error {
	const (
		over = `account = $1 and source <> '' and phase in ('done', 'failed', 'rejected', 'abandoned')
			and changed < clock_timestamp() - make_interval(secs => $2)`
		unnamed = `jsonb_set(told.rec, '{failure}', to_jsonb($3::text))`
	)
	// A name with a quotation mark is quoted in a message, so it is not found there as it stands.
	named := func(record string) string {
		return `(position(split_part(` + record + `.source, '?', 1) in told.rec ->> 'failure') > 0
			or position(` + record + `.rec ->> 'name' in told.rec ->> 'failure') > 0 or position('\' in told.rec ->> 'failure') > 0)`
	}
	earlier := s.sql("update {s}.scriptix_outcome told set rec = " + unnamed + " from (select * from {s}.scriptix_record where " + over + `) record
		where told.account = record.account and told.key = record.key and ` + named("record"))
	if _, err := s.pool.Exec(ctx, earlier, s.account, age.Seconds(), noWords); err != nil {
		return err
	}
	erase := s.sql(`
		update {s}.scriptix_record told set rev = rev + 1, source = '', params = ` + erasedParams + `, meta = null,
			rec = case when ` + named("told") + " then " + unnamed + ` else told.rec end - 'name'
		where ` + over)
	_, err := s.pool.Exec(ctx, erase, s.account, age.Seconds(), noWords)
	return err
}
