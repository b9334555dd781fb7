package budget

import (
	"slices"
	"sync"

	"github.com/scriptix-io/scriptix-go/internal/rate"
)

// keeper stores the budget's state ahead of its grants.
type keeper struct {
	ahead   int
	persist func(State) error
}

// Keep calls persist from now on, so that a store knows of every request
// before it is sent. It is called for each block of ahead grants (10 where
// ahead is not positive) and after a 429; Reserved in the state says that the
// block may have been used. A process killed at any moment and restored from
// the last stored state never counts too few requests, and at most ahead too
// many; what was in flight counts anew.
//
// Persist runs one call at a time, while a caller is in Acquire or Done; grants
// wait for it. It must be durable when it returns, and must not use the budget.
// When it fails, everyone who waits in Acquire gets its error. When it panics,
// the panic comes out of one of these calls, and the others get an error.
//
// Stop stores the state with nothing reserved, returns persist's error and ends
// the calls: later grants are not stored. To go on from a stored state, Merge
// it first.
func (k *Key) Keep(ahead int, persist func(State) error) (stop func() error) {
	if ahead <= 0 {
		ahead = 10
	}
	added := &keeper{ahead, persist}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keepers = append(k.keepers, added)
	k.unkept = true
	return sync.OnceValue(func() error { return persist(k.remove(added)) })
}

// remove ends the calls of a keeper, once one that is under way is through, and
// returns its last state.
func (k *Key) remove(ended *keeper) State {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.storing != nil {
		stored := k.storing
		k.mu.Unlock()
		<-stored
		k.mu.Lock()
	}
	k.keepers = slices.DeleteFunc(k.keepers, func(other *keeper) bool { return other == ended })
	s := k.state()
	k.pump()
	return s
}

// mustStore reports whether the keepers come before the next grant.
func (k *Key) mustStore(now rate.Millis) bool {
	if len(k.keepers) == 0 || k.storing != nil {
		return false
	}
	if k.unkept {
		return true
	}
	if k.reserved > 0 {
		return false
	}
	if _, ok := k.meter.Next(k.waiting()); !ok {
		return false
	}
	at, _ := k.meter.Earliest(now, 1)
	return at <= now
}

// store reserves a block of grants with every keeper. It lets the lock go
// meanwhile; nothing is granted then, so the state stays true. When a keeper does
// not return, because it panicked, nobody is left waiting.
func (k *Key) store() (err error) {
	keepers := slices.Clone(k.keepers)
	block := slices.MinFunc(keepers, func(x, y *keeper) int { return x.ahead - y.ahead }).ahead
	s := k.state()
	s.Reserved = block
	k.reserved, k.unkept, k.storing = 0, false, make(chan struct{})
	returned := false
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		close(k.storing)
		k.storing = nil
		switch {
		case !returned:
			k.unkept = true
			k.aborted = new(abortedError)
			k.failAll(k.aborted)
			k.settle(k.clock.now())
		case err == nil:
			k.reserved = block
		}
	}()
	for _, keeper := range keepers {
		if err = keeper.persist(s); err != nil {
			break
		}
	}
	returned = true
	return err
}

// abortedError ends the wait of those who waited for a keeper that panicked.
type abortedError struct {
	panicked any // what it panicked with, if that came out of no call yet
}

func (e *abortedError) Error() string { return "storing the request budget: the keeper did not return" }

// take returns what the keeper panicked with, to the first who asks.
func (k *Key) take(e *abortedError) (panicked any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	panicked, e.panicked = e.panicked, nil
	return panicked
}
