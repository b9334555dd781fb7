package watch_test

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/scriptix-io/scriptix-go"
)

// wav is what the tests submit; their service does not look at it.
var wav = []byte("RIFF\x00\x00\x00\x00WAVE")

var english = scriptix.SubmitParams{Language: "en"}

// permits counts those that are out.
type permits struct {
	scriptix.Budget
	out *atomic.Int64
}

func (p permits) Acquire(ctx context.Context, class scriptix.Class) (scriptix.Permit, error) {
	permit, err := p.Budget.Acquire(ctx, class)
	if err != nil {
		return nil, err
	}
	p.out.Add(1)
	return &counted{Permit: permit, out: p.out}, nil
}

type counted struct {
	scriptix.Permit
	out  *atomic.Int64
	once sync.Once
}

func (c *counted) Done(info scriptix.RateInfo) {
	c.once.Do(func() { c.out.Add(-1) })
	c.Permit.Done(info)
}
