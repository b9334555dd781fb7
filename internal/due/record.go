package due

// State is what a record holds of its job. The first end stays.
type State uint8

// The states of a record.
const (
	Running State = iota
	Succeeded
	Failed
)

// Verdict is what a callback or a poll does to a record.
type Verdict uint8

// The verdicts.
const (
	Nothing       Verdict = iota // a poll brought nothing that counts
	Progress                     // still running: only its details may change
	End                          // the record takes the reported state
	Confirm                      // one status request, then the record ends
	Duplicate                    // acknowledged and counted
	Contradiction                // acknowledged and counted; the record stays as it is
)

// Judge decides what a callback or a poll that reports a state does to a record.
// A failure that a callback reports is confirmed by a status request, because
// the callback brings no reason and nothing proves it; a success is believed,
// because the result proves it.
func Judge(have, reported State, callback bool) Verdict {
	switch {
	case have == Running && reported == Running:
		return Progress
	case have == Running && reported == Failed && callback:
		return Confirm
	case have == Running:
		return End
	case reported == Running:
		return Nothing // the API lags behind its callback
	case reported != have:
		return Contradiction
	case callback:
		return Duplicate
	}
	return Nothing
}
