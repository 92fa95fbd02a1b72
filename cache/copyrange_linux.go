package cache

import (
	"os"

	"golang.org/x/sys/unix"
)

// copyRange has the kernel copy n bytes at off to the same place in dst, and
// returns how many it did. Any may be copied by other means instead.
func copyRange(dst, src *os.File, off, n int64) (done int64) {
	for done < n {
		from, to := off+done, off+done
		k, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(n-done), 0)
		if err == unix.EINTR { //nolint:errorlint // a bare errno
			continue
		}
		if err != nil || k <= 0 {
			break
		}
		done += int64(k)
	}
	return done
}
