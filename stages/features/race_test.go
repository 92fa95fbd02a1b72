//go:build race

package features

// raceDetector says that pools forget at random, so that allocations cannot be
// counted.
const raceDetector = true
