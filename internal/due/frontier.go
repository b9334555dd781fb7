package due

import "time"

// Frontier is how far the service has come: the keys ([Model.Key]) of the five
// latest jobs that ended. The zero value knows none. It is not safe for
// concurrent use.
type Frontier struct {
	keys  [5]time.Duration
	known int
}

// Ended moves the frontier when a job with a later key has ended.
func (f *Frontier) Ended(key time.Duration) {
	if f.known < len(f.keys) {
		f.keys[f.known] = key
		f.known++
		return
	}
	earliest := 0
	for i := range f.keys {
		if f.keys[i] < f.keys[earliest] {
			earliest = i
		}
	}
	f.keys[earliest] = max(f.keys[earliest], key)
}

// Overtook reports whether five jobs have ended that are later than key by more
// than margin. A job with that key has probably ended as well.
func (f *Frontier) Overtook(key, margin time.Duration) bool {
	if f.known < len(f.keys) {
		return false
	}
	for _, k := range f.keys {
		if k <= key+margin {
			return false
		}
	}
	return true
}
