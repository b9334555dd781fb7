// Package fleet runs one batch on many machines: uploads from many workers,
// callbacks that land on any replica, and one key's request budget, shared by
// all of them through PostgreSQL.
//
// What becomes of a recording is decided by its record in the table
// scriptix_record, under the rules of package batch/ledger, and each step of it
// is one transaction. River executes: a job in its queues is a hint that
// somebody should look at a record, and no more than that. Each open record has
// a time at which somebody looks at it even so, hence whatever is lost,
// cancelled or deleted among River's jobs comes back.
//
// A recording is claimed with [Fleet.Enqueue]. One process of an account, its
// leader, hands out as many claimed records as the request budget lets out
// within a minute. A worker makes a record its own before it opens the audio,
// and marks it before the last byte is let go, so that of any number of workers
// one sends it. The job's end is heard of by callback, through [Fleet.Handler],
// or by the leader, which asks when it is due. The transcript is fetched, handed
// to the Sink and stored together with the record's last change, which numbers
// an outcome for [Fleet.Outcomes].
//
// A process holds what it works on by one lease in scriptix_process, which it
// renews every quarter of [Options.Lease]. When it dies others go on with what
// it held: an upload whose last byte had not gone is begun again, a resumable
// one is continued, and one whose answer may have been lost becomes an unknown
// outcome, which is never sent again by itself. All leases are in the
// database's clock.
package fleet
