package text

import (
	"context"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// All cleans all texts on several goroutines and returns the results in
// order. Progress, when not nil, is told how many more are done; it is called
// concurrently. All stops early with ctx's error.
func (c *Cleaner) All(ctx context.Context, texts []string, workers int, progress func(n int)) ([]string, error) {
	out := make([]string, len(texts))
	err := parallel.Blocks(ctx, len(texts), 256, workers, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			out[i] = c.Clean(texts[i])
		}
		if progress != nil {
			progress(hi - lo)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
