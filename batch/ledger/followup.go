package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// Followed notes that what a caller does with a transcript after it was handed
// over has succeeded, for one of the places that the transcript went to. A place
// is the caller's own word for it, without blanks. Only what was handed over can
// be followed up; the error is [ErrMoved].
func Followed(r Record, place string) (Record, error) {
	if err := checkFollowing(r, place); err != nil || r.WasFollowed(place) {
		return r, err
	}
	r.Followed = strings.TrimSpace(r.Followed + " " + place)
	r.FollowFailure = ""
	return r, nil
}

// NotFollowed notes why that has failed. What has succeeded before stays so.
func NotFollowed(r Record, place, why string) (Record, error) {
	if err := checkFollowing(r, place); err != nil || r.WasFollowed(place) {
		return r, err
	}
	r.FollowFailure = why
	return r, nil
}

// WasFollowed reports whether what a caller does with a transcript after it was
// handed over has succeeded for a place.
func (r Record) WasFollowed(place string) bool {
	return slices.Contains(strings.Fields(r.Followed), place)
}

func checkFollowing(r Record, place string) error {
	switch {
	case place == "" || len(strings.Fields(place)) != 1 || strings.TrimSpace(place) != place:
		return fmt.Errorf("%w: a place that is followed up is a word without blanks", ErrRule)
	case !r.Phase.handedOver():
		return fmt.Errorf("%w: it is %s, and nothing was handed over", ErrMoved, r.Phase)
	}
	return CheckName(place)
}

// handedOver reports whether the transcript is durable at the caller's.
func (p Phase) handedOver() bool { return p == Erasing || p == Done }
