//go:build !race

package batch_test

const (
	raceFactor = 1
	volume     = 10_000
)
