package cache

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls fn for 0 to n-1 from up to workers goroutines, in ascending
// order of start; worker numbers below the effective count let fn keep
// scratch space. It stops at the first error, and returns the one with the
// lowest index among those that occurred, so that a run with one fault always
// tells the same.
func parallel(ctx context.Context, workers, n int, fn func(worker, i int) error) error {
	workers = min(workerCount(workers), n)
	if workers <= 1 {
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(0, i); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	var (
		next atomic.Int64
		stop atomic.Bool
		wg   sync.WaitGroup
		mu   sync.Mutex
		at   = n
		rc   error
	)
	for w := range workers {
		wg.Go(func() {
			for !stop.Load() {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := fn(w, i); err != nil {
					stop.Store(true)
					mu.Lock()
					if i < at {
						at, rc = i, err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if rc != nil {
		return rc
	}
	return ctx.Err()
}

func workerCount(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}
