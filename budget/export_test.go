package budget

// What only tests see.

// WithoutJitter makes stops as long as they were asked to be.
func (k *Key) WithoutJitter() { k.jitter = func() float64 { return 0 } }
