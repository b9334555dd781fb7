package due

// State is what a record holds of its job. The first end stays.
type State uint8

// The states of a record.
const (
	Running State = iota
	Succeeded
	Failed
)

// Verdict is what comes of news about a job.
type Verdict uint8

// The verdicts.
const (
	Nothing       Verdict = iota // a poll brought nothing that counts
	Progress                     // still running: only its details may change
	End                          // the record takes the state that was told
	Confirm                      // one status request, then the record ends
	Duplicate                    // acknowledged and counted
	Contradiction                // acknowledged and counted; the record stays as it is
)

// Judge decides what a callback or a poll that tells of a state does to a
// record. A failure told by a callback is asked after, for it brings no reason
// and nothing proves it; a success is believed, for the result proves it.
func Judge(have, told State, callback bool) Verdict {
	switch {
	case have == Running && told == Running:
		return Progress
	case have == Running && told == Failed && callback:
		return Confirm
	case have == Running:
		return End
	case told == Running:
		return Nothing // the API lags behind its callback
	case told != have:
		return Contradiction
	case callback:
		return Duplicate
	}
	return Nothing
}
