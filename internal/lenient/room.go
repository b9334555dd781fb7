package lenient

import (
	"context"
	"errors"
)

// ErrNoRoom is the error of an answer that whoever asked for it has no room for
// now. The same call may go well later.
var ErrNoRoom = errors.New("there is no room for an answer of its size now")

type roomKey struct{}

// WithRoom returns a context for a call whose caller bounds the memory of several
// answers by itself. Before more is read of an answer, room is asked for so many
// bytes in all; where it returns false the reading ends with [ErrNoRoom]. It must
// not wait, because the call holds a permit of the budget and a connection.
func WithRoom(ctx context.Context, room func(size int64) bool) context.Context {
	return context.WithValue(ctx, roomKey{}, room)
}

// Room asks the room of a context.
func Room(ctx context.Context, size int64) error {
	if room, ok := ctx.Value(roomKey{}).(func(int64) bool); ok && !room(size) {
		return ErrNoRoom
	}
	return nil
}

// Final reports whether the error of a reading is the reader's own decision, which
// the same request would meet again.
func Final(err error) bool { return errors.Is(err, ErrTooLong) || errors.Is(err, ErrNoRoom) }
