package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// create makes the files that measure.SmallFiles makes, all of the same content,
// with a few threads and as few system calls as it takes: what the file system
// alone costs.
func create(dir string, count, size int) error {
	const inOne = 1000
	data := make([]byte, size)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for w := range errs {
		wg.Go(func() {
			for {
				sub := int(next.Add(1)) - 1
				if sub*inOne >= count {
					return
				}
				at := filepath.Join(dir, strconv.Itoa(sub))
				if errs[w] = os.MkdirAll(at, 0o777); errs[w] != nil {
					return
				}
				for i := sub * inOne; i < min(count, (sub+1)*inOne); i++ {
					if errs[w] = createOne(filepath.Join(at, strconv.Itoa(i)), data); errs[w] != nil {
						return
					}
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("create files: %w", err)
		}
	}
	return nil
}
