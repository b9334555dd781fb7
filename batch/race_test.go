//go:build race

package batch_test

const (
	raceFactor = 5     // how much longer things may take with the race detector
	volume     = 2_000 // recordings of the test of many: all of them would take minutes
)
