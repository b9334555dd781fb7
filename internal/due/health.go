package due

const healthEnds = 50

// CallbackHealth is the share of ends that were learned by callback, as a moving
// average over 50 of them. The zero value trusts callbacks. It is not safe for
// concurrent use.
type CallbackHealth struct{ missing float64 }

// Ended counts an end: learned by callback, or by a poll although a callback was
// expected.
func (h *CallbackHealth) Ended(byCallback bool) {
	var missing float64
	if !byCallback {
		missing = 1
	}
	h.missing += (missing - h.missing) / healthEnds
}

// Share is the share of ends learned by callback, 0 to 1.
func (h *CallbackHealth) Share() float64 { return 1 - h.missing }

// Arrive reports whether callbacks are worth waiting for.
func (h *CallbackHealth) Arrive() bool { return h.missing <= 0.5 }
