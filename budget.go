package scriptix

import "github.com/scriptix-io/scriptix-go/budget"

// The request budget of a key is the package [budget], which stands alone.
// These are its names as a user of the client needs them.
type (
	// Limits are what one API key may send: requests per sliding minute, hour
	// and day, and requests at once. A zero field is not limited; a negative
	// one is refused.
	Limits = budget.Limits

	// Class ranks a request. Where several wait, results go before submits and
	// submits before polls, but a class that waits gets at least every tenth
	// grant.
	Class = budget.Class

	// Budget decides when a request may be sent: see [WithBudget]. Every
	// attempt passes it, retries included. [NewBudget] makes the in-process
	// one; an implementation must be safe for concurrent use.
	Budget = budget.Budget

	// Permit allows one request.
	Permit = budget.Permit

	// RateInfo is what an attempt taught about the key's budget.
	RateInfo = budget.RateInfo

	// BudgetError is an attempt that cannot be sent before its context's
	// deadline. [errors.Is] finds [ErrBudget] in it, and
	// [context.DeadlineExceeded] only if the deadline passed while it waited.
	BudgetError = budget.Error

	// KeyBudget is the request budget of one API key in this process. Several
	// clients share it through [WithBudget].
	KeyBudget = budget.Key

	// BudgetSnapshot is a budget at one moment: see [Client.Budget].
	BudgetSnapshot = budget.Snapshot

	// WindowUse is one window of a budget.
	WindowUse = budget.WindowUse

	// BudgetState is what a budget remembers, for a store that outlives the
	// process: see [NewBudgetFrom].
	BudgetState = budget.State

	// BudgetSlot is the first and last answer of a slot of a [BudgetState], in
	// Unix milliseconds, and how many it holds.
	BudgetSlot = budget.Slot
)

// The published plans, and the limits of a client that was given none. They
// are per key: two processes on one key share a [Budget], or half a plan each.
var (
	PlanFree   = budget.PlanFree
	PlanBronze = budget.PlanBronze
	PlanSilver = budget.PlanSilver
	PlanGold   = budget.PlanGold

	DefaultLimits = budget.DefaultLimits
)

// The classes, the most urgent first.
const (
	ClassResult = budget.ClassResult // fetches a transcript that is paid for
	ClassSubmit = budget.ClassSubmit // starts a job; leaves one of two or more concurrency slots free
	ClassPoll   = budget.ClassPoll   // asks how a job is
)

// NewBudget makes the budget of one key: [budget.New]. It starts with empty
// windows and fails on a negative limit. See [NewBudgetFrom] where a restart
// must not forget the day.
func NewBudget(l Limits) (*KeyBudget, error) { return budget.New(l) }

// NewBudgetFrom makes the budget of one key with the requests of an earlier
// process in its windows: [budget.Restore]. It fails on a negative limit.
func NewBudgetFrom(l Limits, s BudgetState) (*KeyBudget, error) { return budget.Restore(l, s) }
