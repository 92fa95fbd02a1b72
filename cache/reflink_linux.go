package cache

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reflink makes dst, which is empty, share src's blocks, copy-on-write.
func reflink(dst, src *os.File) error {
	err := unix.IoctlFileClone(int(dst.Fd()), int(src.Fd()))
	if err != nil {
		return &os.LinkError{Op: "reflink", Old: src.Name(), New: dst.Name(), Err: err}
	}
	return nil
}

// tooManyLinks tells an error that is about one object from one that is about
// the file system.
func tooManyLinks(err error) bool { return errors.Is(err, unix.EMLINK) }
