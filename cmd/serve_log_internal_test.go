package cmd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written remembers each write.
type written struct {
	mu     sync.Mutex
	writes []string
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, string(p))
	return len(p), nil
}

func (w *written) lines() (writes, lines int, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text = strings.Join(w.writes, "")
	return len(w.writes), strings.Count(text, "\n"), text
}

func TestGatheredLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &written{}
		log, flush := serverLog("json", w)
		for i := range 10 {
			log.Info("request", "number", i)
		}
		if n, _, _ := w.lines(); n != 0 {
			t.Errorf("%d writes at once", n)
		}
		time.Sleep(logDelay + time.Millisecond)
		synctest.Wait()
		if n, lines, _ := w.lines(); n != 1 || lines != 10 {
			t.Errorf("%d lines in %d writes after the delay, want 10 in 1", lines, n)
		}
		log.With("a", 1).Info("request")
		log.WithGroup("g").Warn("fault")
		if n, lines, text := w.lines(); n != 2 || lines != 12 || !strings.HasSuffix(text, `"msg":"fault"}`+"\n") {
			t.Errorf("%d lines in %d writes after a warning, want 12 in 2: %s", lines, n, text)
		}
		log.Info("request")
		flush()
		flush()
		if n, lines, _ := w.lines(); n != 3 || lines != 13 {
			t.Errorf("%d lines in %d writes at the end, want 13 in 3", lines, n)
		}
		time.Sleep(time.Second) // no timer is left
		synctest.Wait()
		if n, _, _ := w.lines(); n != 3 {
			t.Errorf("%d writes after the end", n)
		}
	})
}

func TestGatheredLogIsWhole(t *testing.T) {
	w := &written{}
	log, flush := serverLog("text", w)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 500 {
				log.Info("request", slog.String("id", fmt.Sprintf("<%d-%d>", i, k)))
			}
		})
	}
	wg.Wait()
	flush()
	n, lines, text := w.lines()
	if lines != 4000 || n > lines/2 {
		t.Errorf("%d lines in %d writes", lines, n)
	}
	for i := range 8 {
		for k := range 500 {
			if strings.Count(text, fmt.Sprintf("<%d-%d>", i, k)) != 1 {
				t.Fatalf("line %d-%d is not there once", i, k)
			}
		}
	}
}
