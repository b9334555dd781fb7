//go:build !race

package subtitle_test

const (
	giantSize = 10_000_000 // bytes
	mostTimes = 4          // what may be allocated, by the text's size
)
