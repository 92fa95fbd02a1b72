//go:build !race

package text

// raceDetector says that pools forget at random, so that allocations cannot be
// counted.
const raceDetector = false
