package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// job is a request that is sent again and again, with the bodies in turn.
type job struct {
	path, kind string
	bodies     [][]byte

	host     string
	requests [][]byte
}

// result is what a run of load gave.
type result struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
	failed   int64
	requests int
	slow     int           // requests of more than slowest
	cpu      time.Duration // of the server, a request
}

// slowest is how long a request should take at half load.
const slowest = 5 * time.Millisecond

// load sends requests over connections until the time is over: each as soon as
// the answer before it is there or, with a rate above 0, that many a second of
// all connections, late ones counted from when they were due.
//
// It collects no garbage meanwhile, which would count as waiting for the server.
func load(ctx context.Context, j job, connections int, rate float64, during time.Duration, cpu func() time.Duration) result {
	var (
		mu     sync.Mutex
		times  []time.Duration
		next   atomic.Int64
		failed atomic.Int64
		wg     sync.WaitGroup
	)
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before, start := cpu(), time.Now()
	end := start.Add(during)
	for range connections {
		wg.Go(func() {
			c := connection{job: &j, until: end.Add(30 * time.Second)}
			defer c.close()
			own := make([]time.Duration, 0, 1<<16)
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
				if err := c.send(int(i)); err != nil {
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
	r := result{failed: failed.Load(), requests: len(times), rate: float64(len(times)) / took.Seconds()}
	if len(times) > 0 {
		slices.Sort(times)
		r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
		r.cpu = used / time.Duration(len(times))
		fast, _ := slices.BinarySearch(times, slowest+1)
		r.slow = len(times) - fast
	}
	return r
}

// connection sends requests that are ready as bytes, which costs a fifth of what
// net/http's client does.
type connection struct {
	job   *job
	until time.Time // when the load gives up
	conn  net.Conn
	in    *bufio.Reader
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	c.conn = nil
}

// send sends request i and reads its answer. It dials where there is no
// connection, which some servers end after every answer.
func (c *connection) send(i int) (err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.job.host); err != nil {
			return err
		}
		if err := c.conn.SetDeadline(c.until); err != nil {
			return err
		}
		c.in = bufio.NewReaderSize(c.conn, 32<<10)
	}
	if _, err := c.conn.Write(c.job.requests[i%len(c.job.requests)]); err != nil {
		return err
	}
	a, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer a.Body.Close() //nolint:errcheck // the connection is what is kept
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", a.StatusCode)
	}
	if a.Close {
		c.close()
	}
	return nil
}

// address makes the requests for a server.
func (j *job) address(server string) {
	j.host = strings.TrimPrefix(server, "http://")
	j.requests = nil
	for _, body := range j.bodies {
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", j.path, j.host, j.kind, len(body))
		j.requests = append(j.requests, append([]byte(head), body...))
	}
}
