package text

import (
	"context"
	"sync"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// All cleans all texts on several goroutines and returns the results in
// order. Progress, when not nil, is told how many more are done; it is called
// concurrently. All stops early with ctx's error.
func (c *Cleaner) All(ctx context.Context, texts []string, workers int, progress func(n int)) ([]string, error) {
	out := make([]string, len(texts))
	// One for each goroutine, with more room than those of single texts.
	free := sync.Pool{New: func() any { return c.newScratch(corpusWords) }}
	err := parallel.Blocks(ctx, len(texts), 256, workers, func(lo, hi int) error {
		sc := free.Get().(*scratch)
		defer free.Put(sc)
		for i := lo; i < hi; i++ {
			sc.out = c.append(sc, sc.out[:0], texts[i])
			out[i] = string(sc.out)
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
