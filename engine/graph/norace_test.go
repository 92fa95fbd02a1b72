//go:build !race

package graph

// slowdown is what time limits are multiplied by, or large inputs divided by.
const slowdown = 1
