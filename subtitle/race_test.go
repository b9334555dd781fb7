//go:build race

package subtitle_test

const (
	giantSize = 1_000_000 // bytes: ten times as much would take a minute with the race detector
	mostTimes = 12        // the detector itself allocates
)
