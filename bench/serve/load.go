package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
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
// It collects no garbage meanwhile, and leaves next to none: a collection here
// takes both processors of a small machine from the server.
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

// connection sends requests that are ready as bytes and reads of the answers only
// what it needs: the load takes as little as it can of the processors that it
// shares with the server.
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
	status, size, last, err := c.head()
	if err != nil {
		return err
	}
	switch {
	case size >= 0:
		_, err = c.in.Discard(size)
	case last:
		_, err = io.Copy(io.Discard, c.in)
	default:
		err = errors.New("an answer without a length")
	}
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d", status)
	}
	if last {
		c.close()
	}
	return nil
}

// head reads the head of an answer: its status, the length of its body, -1 if it
// has none, and whether the server ends the connection after it.
func (c *connection) head() (status, size int, last bool, err error) {
	size = -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if status == 0 {
			_, rest, _ := bytes.Cut(line, []byte(" "))
			if status, err = strconv.Atoi(string(rest[:min(3, len(rest))])); err != nil {
				return 0, 0, false, fmt.Errorf("status line %q", line)
			}
			last = bytes.HasPrefix(line, []byte("HTTP/1.0"))
			continue
		}
		if len(line) == 0 {
			return status, size, last, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if size, err = strconv.Atoi(string(value)); err != nil || size < 0 {
				return 0, 0, false, fmt.Errorf("content length %q", value)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(value, []byte("close"))
		}
	}
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
