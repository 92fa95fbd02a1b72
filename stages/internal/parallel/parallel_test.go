package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestBlocksCoverOnce(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 11, 95} {
		for _, workers := range []int{-1, 1, 3, 100} {
			seen := make([]atomic.Int32, n)
			err := Blocks(context.Background(), n, 10, workers, func(lo, hi int) error {
				if lo%10 != 0 || hi-lo > 10 || hi <= lo {
					t.Errorf("block [%d,%d)", lo, hi)
				}
				for i := lo; i < hi; i++ {
					seen[i].Add(1)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range seen {
				if c := seen[i].Load(); c != 1 {
					t.Errorf("n %d, %d workers: %d done %d times", n, workers, i, c)
				}
			}
		}
	}
}

func TestErrorsStop(t *testing.T) {
	broken := errors.New("broken")
	for _, workers := range []int{1, 4} {
		var calls atomic.Int32
		err := Blocks(context.Background(), 100000, 1, workers, func(lo, _ int) error {
			calls.Add(1)
			if lo == 5 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("%d workers: error %v", workers, err)
		}
		if calls.Load() == 100000 {
			t.Errorf("%d workers: went on after the error", workers)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := Blocks(ctx, 100, 1, workers, func(int, int) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers: cancelled: %v", workers, err)
		}
	}
}
