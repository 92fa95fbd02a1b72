// Package parallel splits a range into fixed blocks. The blocks depend on the
// range alone and never on the number of workers, so that what is summed by
// block is the same on every machine.
package parallel
