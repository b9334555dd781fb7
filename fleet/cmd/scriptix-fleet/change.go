package main

import (
	"context"
	"fmt"

	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
)

// keys are the records that a command changes.
type keys struct {
	database
	Keys []string `arg:"" help:"Keys of the records."`
}

// each changes every one of them, and tells of each that could not be.
func (c *keys) each(ctx context.Context, e *env, change func(f *fleet.Fleet, key string) error) error {
	f, done, err := c.open(ctx, e, fleet.Options{})
	if err != nil {
		return err
	}
	defer done()
	failed := false
	for _, key := range c.Keys {
		if err := change(f, key); err != nil {
			e.complain(fmt.Errorf("%s: %w", key, err))
			failed = true
		}
	}
	if failed {
		return errTold
	}
	return nil
}

type resubmitCmd struct{ keys }

// Help shows how it is used.
func (*resubmitCmd) Help() string {
	return `An unknown outcome that is sent again may be billed a second time.

Examples:
  scriptix-fleet resubmit call-17
  scriptix-fleet outcomes | jq -rs 'group_by(.key)[] | last | select(.state=="unknown").key' | xargs scriptix-fleet resubmit`
}

// Run has the records uploaded again.
func (c *resubmitCmd) Run(ctx context.Context, e *env) error {
	return c.each(ctx, e, func(f *fleet.Fleet, key string) error { return batch.Resubmit(ctx, f.Ledger(), key) })
}

type abandonCmd struct{ keys }

// Help shows how it is used.
func (*abandonCmd) Help() string {
	return `Examples:
  scriptix-fleet abandon call-17
  scriptix-fleet abandon call-17 call-18 --account acme`
}

// Run gives the records up.
func (c *abandonCmd) Run(ctx context.Context, e *env) error {
	return c.each(ctx, e, func(f *fleet.Fleet, key string) error { return batch.Abandon(ctx, f.Ledger(), key) })
}

type forgetCmd struct{ keys }

// Help shows how it is used.
func (*forgetCmd) Help() string {
	return `The key, the phase and the times stay, so that no recording is paid for again.

Examples:
  scriptix-fleet forget call-17
  scriptix-fleet forget call-17 call-18`
}

// Run erases what is kept of the records.
func (c *forgetCmd) Run(ctx context.Context, e *env) error {
	return c.each(ctx, e, func(f *fleet.Fleet, key string) error { return f.Forget(ctx, key) })
}
