package parallel

import "runtime"

// Workers returns how many goroutines a number of workers stands for: below 1
// it is one for each processor.
func Workers(workers int) int {
	if workers < 1 {
		return runtime.GOMAXPROCS(0)
	}
	return workers
}
