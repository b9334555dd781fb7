package step

import (
	"context"
	"errors"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Room bounds the memory of the transcripts that are fetched, decoded and handed
// over at once. The client bounds what it decodes, which ends when Result returns;
// a sink may hold a transcript for much longer.
//
// An answer takes twice its length: once as it came, and once as what was decoded
// from it. How long it is shows when it comes, while the call holds a permit of the
// budget for which a sink may be waiting. So a call never waits for room: it begins
// with a little, takes more as the answer grows, and where there is no more it is
// given up, to be made again once there is. Nobody who has room waits for more.
type Room struct{ gate *lenient.Gate }

// DefaultRoom is the bound where the caller gave none, in bytes.
const DefaultRoom = 512 << 20

// LeastRoom is what a fetch begins with, which is enough for most answers.
const LeastRoom = 1 << 20

// decodedCost is what an answer takes by the byte, with what is decoded from it.
const decodedCost = 2

// NewRoom makes a room of so many bytes.
func NewRoom(total int64) *Room { return &Room{lenient.NewGate(total)} }

// Held is what one transcript takes of a room. A nil Held is not bounded.
type Held struct {
	place *lenient.Place
	began int64 // what it was asked for
	asked int64 // what was refused to it
}

// Enter waits for so much room, as long as ctx lasts. Who asks for more than there
// is in all gets all of it.
func (r *Room) Enter(ctx context.Context, size int64) (*Held, error) {
	place, err := r.gate.Enter(ctx, size)
	if err != nil {
		return nil, err
	}
	return &Held{place: place, began: size}, nil
}

// Queue is Enter for a worker whom others need: where there is no room it returns
// nil, and in is called later, by whoever makes room. It must not block.
func (r *Room) Queue(size int64, in func(*Held)) *Held {
	place := r.gate.Queue(size, func(place *lenient.Place) { in(&Held{place: place, began: size}) })
	if place == nil {
		return nil
	}
	return &Held{place: place, began: size}
}

// Take is the room for a transcript that came with a poll, or nil: then it has to
// be dropped, and fetched when there is as much as it needs.
func (r *Room) Take(t *scriptix.Transcript) (held *Held, needs int64) {
	needs = decodedCost * int64(len(t.Raw))
	place := r.gate.Try(needs)
	if place == nil {
		return nil, needs + decodedCost // one byte more is asked for, to find the end
	}
	return &Held{place: place}, needs
}

// Release gives the room back. It may be called more than once.
func (h *Held) Release() {
	if h != nil {
		h.place.Keep(0)
	}
}

func (h *Held) grow(size int64) bool {
	if h.place.Grow(decodedCost * size) {
		return true
	}
	h.asked = max(h.asked, decodedCost*size)
	return false
}

// Fetch is [Fetch] within the room that h has. While Fetched holds a transcript
// the room stays taken for it, and Release is for the caller to call; else it is
// given back. Where the room was too small for the answer, Needs says how much to
// ask for before the next Fetch, which is no try that counts.
func (h *Held) Fetch(ctx context.Context, c *scriptix.Client, jobID string, tries int) Fetched {
	f := Fetched{}
	defer func() {
		if f.Transcript == nil {
			h.Release()
		}
	}()
	if h == nil {
		f = Fetch(ctx, c, jobID, tries)
		return f
	}
	f = Fetch(lenient.WithRoom(ctx, h.grow), c, jobID, tries)
	switch {
	case f.Transcript != nil:
		h.place.Keep(decodedCost * int64(len(f.Transcript.Raw)))
	case errors.Is(f.Err, lenient.ErrNoRoom) && !f.stopped:
		f.Needs = h.asked
		if h.began > LeastRoom {
			f.Needs *= 2 // its length is not known: it was more than it seemed before
		}
	}
	return f
}

// Fetch is [Fetch] for a worker that nobody waits for: it waits for the room that
// the answer takes, as long as ctx lasts. Held is that of the transcript, if there
// is one.
func (r *Room) Fetch(ctx context.Context, c *scriptix.Client, jobID string, tries int) (Fetched, *Held) {
	for needs := int64(LeastRoom); ; {
		held, err := r.Enter(ctx, needs)
		if err != nil {
			return Fetched{Err: err, stopped: true, tries: tries}, nil
		}
		f := held.Fetch(ctx, c, jobID, tries)
		if f.Needs == 0 {
			return f, held
		}
		needs = f.Needs
	}
}
