package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often a taken lock is looked at again.
const lockPoll = 50 * time.Millisecond

// using marks this process as one that writes to the cache, for as long as it
// has objects there that no lock file names yet. Any number may; garbage
// collection waits for all of them.
func (e *Engine) using(ctx context.Context) (func(), error) {
	return e.hold(ctx, (*flock.Flock).TryRLockContext)
}

// collecting keeps writers to the cache out.
func (e *Engine) collecting(ctx context.Context) (func(), error) {
	return e.hold(ctx, (*flock.Flock).TryLockContext)
}

func (e *Engine) hold(ctx context.Context, take func(*flock.Flock, context.Context, time.Duration) (bool, error)) (func(), error) {
	if err := e.opt.Project.EnsureControl(); err != nil {
		return nil, err
	}
	// The lock goes with the cache, which several projects may share. Where it
	// cannot be written, nobody collects garbage either; then the project's own
	// directory does.
	var errs []error
	for _, dir := range []string{e.opt.Store.Dir(), e.opt.Project.TempDir()} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			errs = append(errs, err)
			continue
		}
		f := flock.New(filepath.Join(dir, "users.lock"), flock.SetPermissions(0o666))
		if _, err := take(f, ctx, lockPoll); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			errs = append(errs, err)
			continue
		}
		return func() { _ = f.Close() }, nil // the lock goes with the descriptor
	}
	return nil, fmt.Errorf("lock the cache: %w", errors.Join(errs...))
}
