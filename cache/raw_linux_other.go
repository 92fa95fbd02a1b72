//go:build linux && !amd64 && !arm64

package cache

import "golang.org/x/sys/unix"

func rawOpen(path string, flag int, mode uint32) (int, error) {
	return unix.Open(path, flag|unix.O_CLOEXEC, mode)
}

func rawRead(fd int, buf []byte) (int, error) { return unix.Read(fd, buf) }

func rawWrite(fd int, data []byte) (int, error) { return unix.Write(fd, data) }

func rawClose(fd int) error { return unix.Close(fd) }

func rawFstat(fd int, st *unix.Stat_t) error { return unix.Fstat(fd, st) }

func rawFstatat(dir int, name string, st *unix.Stat_t, flag int) error {
	return unix.Fstatat(dir, name, st, flag)
}
