//go:build !linux

package cache

import "os"

// reflink is not available: the copy falls to the system, which clones by
// itself where it can.
func reflink(_, _ *os.File) error { return errUnsupported }

func tooManyLinks(error) bool { return false }
