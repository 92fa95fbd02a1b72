package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// latencies counts durations in steps of 2 %, so that any number takes the same
// memory.
type latencies struct {
	counts [1024]atomic.Int64
}

const step = 1.02

func (l *latencies) add(d time.Duration) {
	i := int(math.Log(max(1, float64(d.Microseconds()))) / math.Log(step))
	l.counts[min(i, len(l.counts)-1)].Add(1)
}

// quantile returns the upper end of the step that has it.
func (l *latencies) quantile(q float64) time.Duration {
	var all, below int64
	for i := range l.counts {
		all += l.counts[i].Load()
	}
	for i := range l.counts {
		below += l.counts[i].Load()
		if all > 0 && float64(below) >= q*float64(all) {
			return time.Duration(math.Pow(step, float64(i+1)) * float64(time.Microsecond))
		}
	}
	return 0
}

// load asks over connections that are kept, each as soon as the answer before is
// there, until the time is over. Requests on their way then are waited for.
func load(ctx context.Context, url string, clients int, c *checker, l *latencies) (connections int64) {
	var dialed atomic.Int64
	var d net.Dialer
	transport := &http.Transport{
		MaxIdleConnsPerHost: clients, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed.Add(1)
			return d.DialContext(ctx, network, address)
		},
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: transport}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			for i := n; ctx.Err() == nil; i++ {
				goods := 1 + i%mostGoods
				s, start := c.send(), time.Now()
				a, err := ask(client, url, goods)
				if err != nil {
					c.fail(err)
					time.Sleep(10 * time.Millisecond) // a server that is gone is asked no faster
					continue
				}
				l.add(time.Since(start))
				c.answered(s, a, goods)
			}
		})
	}
	wg.Wait()
	return dialed.Load()
}

// padding is what a review has of words that decide nothing.
var padding = strings.Repeat("the film was a long story of two people and their house by the sea ", 10)

func ask(client *http.Client, url string, goods int) (*answer, error) {
	body := `{"text":"` + padding + strings.Repeat("good ", goods) + `"}`
	r, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", r.StatusCode, data)
	}
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("answer %q: %w", data, err)
	}
	return &a, nil
}
