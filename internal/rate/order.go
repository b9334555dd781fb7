package rate

// fairShare: a class that waits is passed over at most this often, so that it
// gets at least every tenth grant.
const fairShare = 9

// Waiting counts those who wait, by class. Within a class the first to come is
// the first to go; who that is, the holder of the meter knows.
type Waiting [Classes]int

// Total is how many wait.
func (w Waiting) Total() int { return w[Result] + w[Submit] + w[Poll] }

// Next returns the class that goes next; not ok when nobody waits, or nobody for
// whom there is a concurrency slot.
func (m *Meter) Next(w Waiting) (class Class, ok bool) {
	for class := Classes - 1; class > 0; class-- {
		if w[class] > 0 && m.passed[class] >= fairShare && m.Room(class) {
			return class, true
		}
	}
	for class := range Classes {
		if w[class] > 0 && m.Room(class) {
			return class, true
		}
	}
	return 0, false
}

// PassOver notes that a request of the class is granted while others wait, those
// of its own class behind it included. It goes with each Grant of one that waited.
func (m *Meter) PassOver(class Class, others Waiting) {
	m.passed[class] = 0
	for other := range Classes {
		if other != class && others[other] > 0 {
			m.passed[other]++
		}
	}
}

// Position is the place of a request of the class that has these others before
// it, as far as is known: more urgent ones may still come. Uploads that wait for
// one of their slots stand in nobody else's way.
func (m *Meter) Position(class Class, before Waiting) int {
	own, above := before[class], 0
	for higher := range class {
		if higher != Submit || !m.uploadsFull() {
			above += before[higher]
		}
	}
	return own + min(above, (own+1)*fairShare) + 1
}
