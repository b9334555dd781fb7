package main

import (
	"context"
	"errors"
)

// Queue is whatever your platform has: SQS, Pub/Sub, Service Bus, a table. Put returns nil once the message is stored
// where the end of this instance does not lose it, and heeds ctx. Messages may come twice and out of order.
type Queue interface {
	Put(ctx context.Context, m Message) error
}

// Message is one authentic event.
type Message struct {
	ID     string // the same for a callback that comes again: for queues that can leave doubles out
	Body   []byte // the event as it came, for webhook.Parse
	Target string // path and query it was posted to: webhook.Event.Target, in which batches carry a token
}

// errFull is answered with 503, after which the sender tries again.
var errFull = errors.New("the queue is full")

// memory is a queue for trying this out. What it holds is lost with the process.
type memory chan Message

// Put stores a message, or fails at once when there is no room.
func (q memory) Put(_ context.Context, m Message) error {
	select {
	case q <- m:
		return nil
	default:
		return errFull
	}
}
