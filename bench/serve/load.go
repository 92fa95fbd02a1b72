package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// job is a request that is sent again and again, with the bodies in turn.
type job struct {
	url, kind string
	bodies    [][]byte
	texts     int // of a request
}

// result is what a run of load gave.
type result struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
	failed   int64
	cpu      time.Duration // of the server, a request
}

// load sends requests over connections until the time is over: each as soon as
// the answer before it is there or, with a rate above 0, that many a second of
// all connections, late ones counted from when they were due.
func load(ctx context.Context, j job, connections int, rate float64, during time.Duration, cpu func() time.Duration) result {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var (
		mu     sync.Mutex
		times  []time.Duration
		next   atomic.Int64
		failed atomic.Int64
		wg     sync.WaitGroup
	)
	before, start := cpu(), time.Now()
	end := start.Add(during)
	for range connections {
		wg.Go(func() {
			var own []time.Duration
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				due := time.Now()
				if rate > 0 {
					due = start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
					time.Sleep(time.Until(due))
				}
				if due.After(end) {
					break
				}
				if err := send(&client, j, int(i)); err != nil {
					failed.Add(1)
					continue
				}
				own = append(own, time.Since(due))
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
		})
	}
	wg.Wait()
	took, used := time.Since(start), cpu()-before
	r := result{failed: failed.Load(), rate: float64(len(times)) / took.Seconds()}
	if len(times) > 0 {
		slices.Sort(times)
		r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
		r.cpu = used / time.Duration(len(times))
	}
	return r
}

func send(client *http.Client, j job, i int) error {
	a, err := client.Post(j.url, j.kind, bytes.NewReader(j.bodies[i%len(j.bodies)]))
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", a.StatusCode)
	}
	return nil
}
