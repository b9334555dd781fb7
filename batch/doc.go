// Package batch transcribes many recordings, and survives whatever happens on
// the way: nothing is paid for twice, no transcript is lost, and the key's
// request budget holds across restarts.
//
// [Run] takes recordings and yields what became of each. A [Ledger] remembers
// them: [Open] keeps it in one file, so that a batch that was killed goes on
// where it was when it is run again.
package batch
