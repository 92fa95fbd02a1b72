package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flowrepro/flow/internal/plainfile"
)

// patience is how often, and how far apart, one tries again for a lock.
type patience struct {
	retries int
	delay   time.Duration
	// forever tries for as long as the context lasts.
	forever bool
}

// lockDelay is the time between two tries for a lock.
const lockDelay = 500 * time.Millisecond

// patient returns the patience of DVC: three seconds.
func patient(wait bool) patience { return patience{retries: 6, delay: lockDelay, forever: wait} }

// next waits for the next try, or reports that there is none. busy is the
// error then.
func (p patience) next(ctx context.Context, attempt int, busy *BusyError) error {
	if attempt >= p.retries && !p.forever {
		return busy
	}
	if err := sleep(ctx, p.delay); err != nil {
		return fmt.Errorf("wait for lock: %w", err)
	}
	return nil
}

// BusyError says that another process holds a lock.
type BusyError struct {
	// LockFile is the file that is locked, or that names the holders.
	LockFile string
	// Path is the path that was asked for; "" for the lock of the project.
	Path string
	// Blockers are the holders, as far as they are known.
	Blockers []Blocker
}

// Blocker is a process that holds a lock. Cmd may be empty.
type Blocker struct {
	PID int
	Cmd string
}

func (e *BusyError) Error() string {
	if e.Path == "" {
		return "Unable to acquire lock. Most likely another DVC process is running or was terminated abruptly."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "'%s' is busy, it is being blocked by:\n", e.Path)
	for _, h := range e.Blockers {
		fmt.Fprintf(&b, "  (PID %d): %s\n", h.PID, h.Cmd)
	}
	fmt.Fprintf(&b, "\nIf there are no processes with such PIDs, you can manually remove '%s' and try again.", e.LockFile)
	return b.String()
}

// Hint names the holder of the lock.
func (e *BusyError) Hint() string {
	if e.Path != "" {
		return ""
	}
	for _, h := range e.Blockers {
		if alive(h.PID) {
			return fmt.Sprintf("process %d holds %s; --wait-for-lock waits for it", h.PID, e.LockFile)
		}
	}
	return fmt.Sprintf("%s is locked; --wait-for-lock waits for it", e.LockFile)
}

// Lock takes the lock of the whole project: an exclusive lock on tmp/lock in
// the control directory, which holds the number of this process. When it is
// taken, Lock tries again for three seconds, or with wait for as long as it
// takes or ctx lasts. The error is then a *BusyError or that of ctx. release
// may be called once.
//
// The file itself stays; only the lock on it counts, so that a process that
// dies leaves nothing behind.
func (p *Project) Lock(ctx context.Context, wait bool) (release func() error, err error) {
	if err := p.EnsureControl(); err != nil {
		return nil, err
	}
	path := filepath.Join(p.TempDir(), "lock")
	if p.Config != nil && p.Config.Bool("core", "hardlink_lock", false) {
		return lockHardlink(ctx, path, patient(wait))
	}
	return lockFile(ctx, path, patient(wait))
}

func lockFile(ctx context.Context, path string, patience patience) (release func() error, err error) {
	for attempt := 0; ; attempt++ {
		release, err := tryLockFile(path)
		if release != nil || err != nil {
			return release, err
		}
		if err := patience.next(ctx, attempt, &BusyError{LockFile: path, Blockers: lockHolder(path)}); err != nil {
			return nil, err
		}
	}
}

// tryLockFile returns neither a release nor an error when the lock is taken.
func tryLockFile(path string) (release func() error, err error) {
	// Not truncated: until the lock is ours the content is the holder's.
	f, err := plainfile.Open(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	ok, err := tryLock(f)
	if err != nil || !ok {
		f.Close()
		return nil, err
	}
	text := " " + strconv.Itoa(os.Getpid()) + "\n"
	_, err = f.WriteAt([]byte(text), 0)
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	if err != nil {
		_ = unlock(f)
		f.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return func() error { return errors.Join(unlock(f), f.Close()) }, nil
}

// lockHolder reads the process that wrote the lock file.
func lockHolder(path string) []Blocker {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return nil
	}
	return []Blocker{{PID: pid}}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
