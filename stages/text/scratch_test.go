package text

import (
	"runtime"
	"testing"
)

// Of the scratches that are given back as many are kept as there are processors,
// no two calls work in the same one, and collections leave them their words.
func TestScratches(t *testing.T) {
	c, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	limit := runtime.GOMAXPROCS(0)
	seen := map[*scratch]bool{}
	for range limit + 3 {
		seen[c.take()] = true
	}
	if len(seen) != limit+3 {
		t.Fatalf("%d scratches for %d calls", len(seen), limit+3)
	}
	for sc := range seen {
		c.scratch.put(sc)
	}
	if len(c.scratch.free) != limit {
		t.Errorf("%d kept of %d", len(c.scratch.free), limit)
	}
	c.Clean("films watched")
	runtime.GC()
	runtime.GC()
	used := 0
	for _, m := range c.scratch.free[len(c.scratch.free)-1].memos {
		used += m.used
	}
	if used == 0 {
		t.Error("the words are forgotten")
	}
}
