package watch

import "iter"

// subscription is one watcher's interest in one record. Wake-ups are hints and
// the record is the truth: a watcher subscribes first and reads the record when
// it is woken, so nothing can come between.
type subscription struct {
	watcher *Watcher
	record  *record // nil once the subscription is dropped
	index   int32   // in the watcher's list
	pending bool    // in the watcher's ready list
	wants   bool    // counted in the crowd as waiting now
	hurries bool    // counted in the crowd as urgent
}

// crowd is the followers of a record beyond the first. It counts what records
// ask of all of them, so that many waits for one job cost no more each than a
// single one.
type crowd struct {
	byWatcher               map[*Watcher]*subscription
	pending, wants, hurries int
	results                 int // that want the end with its result
}

// wanting reports whether the subscription's watcher waits for the record now.
func (sub *subscription) wanting() bool {
	return sub.watcher.active && sub.watcher.refused[sub] == nil
}

// hurrying reports whether it does so until a deadline.
func (sub *subscription) hurrying() bool { return sub.watcher.active && sub.watcher.hurry }

func (r *record) crowd() *crowd {
	if r.details == nil {
		return nil
	}
	return r.details.crowd
}

func (r *record) followed() bool { return r.follower != nil || r.crowd() != nil }

// followers are the subscriptions to the record, in no order.
func (r *record) followers() iter.Seq[*subscription] {
	return func(yield func(*subscription) bool) {
		if r.follower != nil && !yield(r.follower) {
			return
		}
		if c := r.crowd(); c != nil {
			for _, sub := range c.byWatcher {
				if !yield(sub) {
					return
				}
			}
		}
	}
}

// followerOf is a watcher's subscription to the record, or nil.
func (r *record) followerOf(w *Watcher) *subscription {
	if r.follower != nil && r.follower.watcher == w {
		return r.follower
	}
	if c := r.crowd(); c != nil {
		return c.byWatcher[w]
	}
	return nil
}

// join adds a follower.
func (r *record) join(sub *subscription) {
	sub.record = r
	if r.follower == nil {
		r.follower = sub
		return
	}
	d := r.detail()
	if d.crowd == nil {
		d.crowd = &crowd{byWatcher: make(map[*Watcher]*subscription)}
	}
	d.crowd.byWatcher[sub.watcher] = sub
	count(&d.crowd.results, false, sub.watcher.options.Results)
	r.recount(sub)
}

// leave removes a follower.
func (r *record) leave(sub *subscription) {
	if r.follower == sub {
		r.follower = nil
	} else if c := r.crowd(); c != nil {
		delete(c.byWatcher, sub.watcher)
		count(&c.pending, sub.pending, false)
		count(&c.wants, sub.wants, false)
		count(&c.hurries, sub.hurries, false)
		count(&c.results, sub.watcher.options.Results, false)
		if len(c.byWatcher) == 0 {
			r.details.crowd = nil
			r.trimDetails()
		}
	}
	sub.record = nil
}

// recount corrects the crowd's counts after a follower's watcher has changed.
func (r *record) recount(sub *subscription) {
	c := r.crowd()
	if c == nil || r.follower == sub {
		return
	}
	wants, hurries := sub.wanting(), sub.hurrying()
	count(&c.wants, sub.wants, wants)
	count(&c.hurries, sub.hurries, hurries)
	sub.wants, sub.hurries = wants, hurries
}

// setPending moves a follower into its watcher's ready list, or out of it.
func (r *record) setPending(sub *subscription, pending bool) {
	if c := r.crowd(); c != nil && r.follower != sub {
		count(&c.pending, sub.pending, pending)
	}
	sub.pending = pending
}

// count changes a number of subscriptions of which one was counted and now is,
// or is not.
func count(n *int, was, is bool) {
	if was {
		*n--
	}
	if is {
		*n++
	}
}

// wanted reports whether somebody waits for the record now.
func (r *record) wanted() bool {
	if r.follower != nil && r.follower.wanting() {
		return true
	}
	c := r.crowd()
	return c != nil && c.wants > 0
}

// hurried reports whether a caller with a deadline waits for the record.
func (r *record) hurried() bool {
	if r.follower != nil && r.follower.hurrying() {
		return true
	}
	c := r.crowd()
	return c != nil && c.hurries > 0
}

// wantsResult reports whether every follower wants the end with its result.
func (r *record) wantsResult() bool {
	if r.follower != nil && !r.follower.watcher.options.Results {
		return false
	}
	c := r.crowd()
	return c == nil || c.results == len(c.byWatcher)
}

// unseen reports whether a follower has a change to take.
func (r *record) unseen() bool {
	if r.follower != nil && r.follower.pending {
		return true
	}
	c := r.crowd()
	return c != nil && c.pending > 0
}

// notify wakes every follower.
func (r *record) notify() {
	for sub := range r.followers() {
		sub.notify()
	}
}

func (sub *subscription) notify() {
	if !sub.pending {
		sub.record.setPending(sub, true)
		sub.watcher.ready = append(sub.watcher.ready, sub)
	}
	sub.watcher.signal()
}
