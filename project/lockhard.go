package project

import (
	"context"
	"crypto/md5" //nolint:gosec // names a file, protects nothing
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The lock of core.hardlink_lock, for file systems without flock(2): whoever
// manages to link a file of his own to the lock's name has the lock. The
// modification time of the file is when it expires.
const (
	hardlinkLifetime = 365 * 24 * time.Hour
	hardlinkSlop     = 10 * time.Second
)

func lockHardlink(ctx context.Context, path string, patience patience) (release func() error, err error) {
	claim, err := writeClaim(path)
	if err != nil {
		return nil, fmt.Errorf("claim lock: %w", err)
	}
	for attempt := 0; ; attempt++ {
		err := os.Link(claim, path)
		if err == nil {
			return func() error { return releaseHardlink(path, claim) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			_ = os.Remove(claim)
			return nil, fmt.Errorf("take lock: %w", err)
		}
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > hardlinkSlop {
			_ = os.Remove(path) // expired, or left over from a flock
			continue
		}
		if err := patience.next(ctx, attempt, &BusyError{LockFile: path}); err != nil {
			_ = os.Remove(claim)
			return nil, err
		}
	}
}

// writeClaim makes the file that is linked: its content is its own name, and
// the name is unique among hosts and processes.
func writeClaim(path string) (string, error) {
	host, _ := os.Hostname()
	id := fmt.Sprintf("%s|%s|%d|%s", path, host, os.Getpid(), rand.Text())
	sum := md5.Sum([]byte(id)) //nolint:gosec // see above
	claim := filepath.Join(filepath.Dir(path), hex.EncodeToString(sum[:])+".lock")
	if err := os.WriteFile(claim, []byte(claim), 0o666); err != nil {
		return "", err
	}
	expiry := time.Now().Add(hardlinkLifetime)
	return claim, os.Chtimes(claim, expiry, expiry)
}

func releaseHardlink(path, claim string) error {
	owner, err := os.ReadFile(path)
	if err == nil && string(owner) == claim {
		err = os.Remove(path)
	}
	return errors.Join(err, os.Remove(claim))
}
