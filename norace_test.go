//go:build !race

package scriptix_test

const raceDetector = false
