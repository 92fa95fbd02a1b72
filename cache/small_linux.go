package cache

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// readSmall reads the file at path, which is taken to be shorter than buf, and
// returns how much there was and what it is. These are the system calls that
// it takes and no more: of a small file everything else would cost as much as
// reading it.
func readSmall(path string, buf []byte) (int, fileStat, error) {
	// What became a pipe since it was looked at must not be waited for.
	fd, err := openFD(path, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.EAGAIN) {
		fd, err = openFD(path, syscall.O_RDONLY, 0) // another process has a lease on it, and is asked to give it up
	}
	if err != nil {
		return 0, fileStat{}, err
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	n := 0
	var st unix.Stat_t
	for {
		got, err := retry(func() (int, error) { return unix.Read(fd, buf[n:]) })
		if err != nil {
			return 0, fileStat{}, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		n += got
		if _, err := retry(func() (int, error) { return 0, unix.Fstat(fd, &st) }); err != nil {
			return 0, fileStat{}, &fs.PathError{Op: "fstat", Path: path, Err: err}
		}
		// Some file systems give a file in more than one read.
		if got == 0 || n == len(buf) || int64(n) >= st.Size {
			break
		}
	}
	return n, fileStatOf(&st), nil
}

// writeSmall makes the new file path of data, with the mode less the umask, and
// returns what it is then when that is asked for. On error there is none.
func writeSmall(path string, data []byte, mode fs.FileMode, look bool) (st fileStat, err error) {
	fd, err := openFD(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL, mode)
	if err != nil {
		return st, err
	}
	op := "write"
	for err == nil && len(data) > 0 {
		var n int
		n, err = retry(func() (int, error) { return unix.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if err == nil && look {
		var raw unix.Stat_t
		op = "fstat"
		_, err = retry(func() (int, error) { return 0, unix.Fstat(fd, &raw) })
		st = fileStatOf(&raw)
	}
	if cerr := unix.Close(fd); err == nil && cerr != nil && cerr != syscall.EINTR { //nolint:errorlint // a bare errno
		op, err = "close", cerr
	}
	if err != nil {
		_ = os.Remove(path) // the first error is the one to tell
		return st, &fs.PathError{Op: op, Path: path, Err: err}
	}
	return st, nil
}

func openFD(path string, flag int, mode fs.FileMode) (int, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, flag|unix.O_CLOEXEC, uint32(mode.Perm())) })
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR { //nolint:errorlint // a bare errno
			return n, err
		}
	}
}
