package cmd

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// headroom is how much the heap of a server may grow between two collections.
// A collection of a small heap costs a millisecond or two of processor time and
// a request leaves some tens of kilobytes behind, so that more of it would save
// little.
const headroom = 10 << 20

// keepHeadroom lets the heap grow by the same amount between collections,
// however large the model is: by a fixed percentage a small one would be
// collected around all the time, and garbage as large as a large one would
// spare little, as that has few pointers. After each collection it looks at what
// is left and sets the percentage anew. Stop ends that.
//
// What loading left behind goes back to the system first.
func keepHeadroom() (stop func()) {
	debug.FreeOSMemory()
	var stopped atomic.Bool
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	set := 0
	adjust := func() {
		metrics.Read(samples)
		var base uint64 // what the percentage is of
		for _, s := range samples {
			base += s.Value.Uint64()
		}
		percent := int(min(400, max(25, headroom*100/max(base, 1))))
		// Setting it stops all goroutines for a moment.
		if math.Abs(float64(percent-set)) > 0.1*float64(set) {
			debug.SetGCPercent(percent)
			set = percent
		}
	}
	adjust()
	// A cleanup runs after the collection that finds its object unreachable.
	type cycle struct{ _ *byte } // with a pointer: small objects without one share memory
	var again func(struct{})
	again = func(struct{}) {
		if stopped.Load() {
			return
		}
		adjust()
		runtime.AddCleanup(new(cycle), again, struct{}{})
	}
	runtime.AddCleanup(new(cycle), again, struct{}{})
	return func() { stopped.Store(true) }
}
