package parallel

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Blocks calls do for [0,size), [size,2*size), … up to n, on at most workers
// goroutines; workers below 1 means one for each processor. It returns the
// first error, or ctx's.
func Blocks(ctx context.Context, n, size, workers int, do func(lo, hi int) error) error {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	count := (n + size - 1) / size
	workers = min(workers, count)
	if workers <= 1 {
		for lo := 0; lo < n; lo += size {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(lo, min(lo+size, n)); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error {
			for {
				lo := int(next.Add(1)-1) * size
				if lo >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(lo, min(lo+size, n)); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
