// Package ledger holds what the ledger of a batch keeps of one recording, the
// rules by which that moves, and the parts that every ledger needs. The rules
// are pure functions, so that a file and a database that many machines share
// apply the same ones.
//
// A record begins as claimed: its key is taken, and no job can exist. Before the
// last byte of the audio goes out it is marked as sent; from then on a job may
// exist, and nothing is sent again without proof that none does. A refusal is
// such a proof and takes the record back to claimed, or ends it as rejected.
// The service's answer makes it submitted. When the answer is lost, or its
// process dies before it is stored, the record becomes unknown, which only the
// job's callback or the caller's own decision resolves. The job's end makes a
// submitted record completed or failed, and a completed one becomes done once
// its transcript was handed over.
//
//	claimed -> sent -> submitted -> completed -> done
//	   |        |  \-> unknown ------^    \----> failed
//	   v        v
//	rejected  claimed
//
// A record moves forward only, however late and however often a callback comes:
// the first end stays, and [Check] refuses whatever would take it back. Each
// record names the owner that uploads it. [Begin] and [Sending] refuse everybody
// else while that owner lives, so that a recording is sent by one at a time.
//
// A ledger in another store keeps [Record] as it is, looks it up by [Index],
// runs each change through [Change], wakes its watchers when [Wakes] says so,
// with a [Hub] if it has none of its own, and passes package ledgertest.
package ledger
