package cache

import (
	"os"
	"time"
)

// staging returns the directory in which to make what takes its name in dir,
// which exists: the store's own temporary directory, so that nothing is left in
// the workspace when the process is killed, or else dir itself.
func (s *Store) staging(dir string) string {
	if s.temp == "" || s.beside.Load() {
		return dir
	}
	s.tempOnce.Do(func() {
		if os.MkdirAll(s.temp, 0o777) == nil { // where it cannot be made, no device is the same
			sweepDir(s.temp, time.Now())
		}
	})
	same, known := s.near.Load(dir)
	if !known {
		same = sameDevice(s.temp, dir)
		s.near.Store(dir, same)
	}
	if same.(bool) {
		return s.temp
	}
	return dir
}

// staged calls fn with the name of a file to make and to rename into dir.
func (s *Store) staged(dir string, fn func(tmp string) error) error {
	err := fn(tempName(s.staging(dir)))
	if s.unstage(err) {
		err = fn(tempName(dir))
	}
	return err
}

// unstage reports whether err tells that files cannot be renamed out of the
// temporary directory, which bind mounts hide until it is tried. From then on
// it is not used.
func (s *Store) unstage(err error) bool {
	if s.temp == "" || !crossDevice(err) {
		return false
	}
	s.beside.Store(true)
	return true
}
