//go:build linux && (amd64 || arm64)

package cache

import (
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls that are made for each of very many small files. They take
// microseconds, and of all of them some are held up for longer than the 20 µs
// after which Go's scheduler takes the processor from a goroutine in a system
// call and looks for another to give it to. With as many workers as processors
// there is none, but the looking and the getting back cost up to a third of the
// time that a checkout of 100,000 files takes. So the scheduler is not told. A file
// system that does not answer holds up a processor until it does.
//
// Go's race detector does not see what the kernel writes.

// pathBuffer holds most paths as the kernel wants them, without allocating.
type pathBuffer [512]byte

// terminated returns the path with a NUL at its end, in buf when it fits.
func terminated(buf *pathBuffer, path string) (*byte, error) {
	if len(path) >= len(buf) || strings.IndexByte(path, 0) >= 0 {
		return syscall.BytePtrFromString(path)
	}
	copy(buf[:], path)
	buf[len(path)] = 0
	return &buf[0], nil
}

func errnoOf(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func rawOpen(path string, flag int, mode uint32) (int, error) {
	var buf pathBuffer
	p, err := terminated(&buf, path)
	if err != nil {
		return -1, err
	}
	at := unix.AT_FDCWD
	fd, _, e := syscall.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(p)), uintptr(flag|unix.O_CLOEXEC), uintptr(mode), 0, 0)
	return int(fd), errnoOf(e)
}

func rawRead(fd int, buf []byte) (int, error) {
	n, _, e := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
	return int(n), errnoOf(e)
}

func rawWrite(fd int, data []byte) (int, error) {
	n, _, e := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)))
	return int(n), errnoOf(e)
}

func rawClose(fd int) error {
	_, _, e := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return errnoOf(e)
}

func rawFstat(fd int, st *unix.Stat_t) error {
	_, _, e := syscall.RawSyscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(st)), 0)
	return errnoOf(e)
}

func rawFstatat(dir int, name string, st *unix.Stat_t, flag int) error {
	var buf pathBuffer
	p, err := terminated(&buf, name)
	if err != nil {
		return err
	}
	_, _, e := syscall.RawSyscall6(unix.SYS_NEWFSTATAT, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(st)), uintptr(flag), 0, 0)
	return errnoOf(e)
}
