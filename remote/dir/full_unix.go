//go:build unix

package dir

import (
	"errors"
	"syscall"
)

// full reports whether err says that there is no more space.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
