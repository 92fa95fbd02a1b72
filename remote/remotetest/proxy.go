package remotetest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault answers a request in the place of the server, or with its help: next is
// the way to it.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Proxy stands before a server and injects faults.
type Proxy struct {
	// URL is what clients use.
	URL string
	// Requests counts what came.
	Requests atomic.Int64

	mu    sync.Mutex
	fault func(r *http.Request) Fault
	stop  chan struct{}
}

// StartProxy starts a proxy before the server at target. It ends with the test.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{stop: make(chan struct{})}
	// The Host header stays: it is signed.
	next := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = u.Scheme, u.Host, r.In.Host
		},
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Requests.Add(1)
		p.mu.Lock()
		decide := p.fault
		p.mu.Unlock()
		if decide != nil {
			if f := decide(r); f != nil {
				f(w, r, next)
				return
			}
		}
		next.ServeHTTP(w, r)
	}))
	p.URL = server.URL
	tb.Cleanup(func() {
		close(p.stop)
		server.CloseClientConnections()
		server.Close()
	})
	return p
}

// Inject makes decide choose the fault of each request; nil means none. It is
// called from several goroutines.
func (p *Proxy) Inject(decide func(r *http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = decide
}

// Status answers with a status and an error in S3's form; wait, if not 0, goes
// into Retry-After.
func Status(status int, code string, wait time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body) // as servers do
		if wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
		}
	}
}

// Hang reads nothing and answers nothing for as long as the client waits.
func (p *Proxy) Hang() Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		select {
		case <-r.Context().Done():
		case <-p.stop:
		}
		panic(http.ErrAbortHandler)
	}
}

// ResetBefore closes the connection without an answer.
func ResetBefore(w http.ResponseWriter, _ *http.Request, _ http.Handler) { reset(w) }

// ResetAfter lets the server do its work and then closes the connection without
// an answer.
func ResetAfter(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	reset(w)
}

func reset(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	c, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset instead of an orderly end
	}
	_ = c.Close()
}

// ResetMid sends the beginning of the answer's body and closes the connection.
func ResetMid(w http.ResponseWriter, r *http.Request, next http.Handler) {
	a := answer(r, next)
	a.head(w, len(a.body))
	_, _ = w.Write(a.body[:len(a.body)/2])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// Truncate sends the beginning of the body as if it were all.
func Truncate(w http.ResponseWriter, r *http.Request, next http.Handler) {
	a := answer(r, next)
	a.head(w, len(a.body)/2)
	_, _ = w.Write(a.body[:len(a.body)/2])
}

// Corrupt changes a byte of the body.
func Corrupt(w http.ResponseWriter, r *http.Request, next http.Handler) {
	a := answer(r, next)
	if len(a.body) > 0 {
		a.body[len(a.body)/2] ^= 1
	}
	a.head(w, len(a.body))
	_, _ = w.Write(a.body)
}

// Body answers with other bytes.
func Body(data []byte) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write(data)
	}
}

// CorruptUpload changes a byte of what the client sends.
func CorruptUpload(w http.ResponseWriter, r *http.Request, next http.Handler) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(data) > 0 {
		data[len(data)/2] ^= 1
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	next.ServeHTTP(w, r)
}

// recorded is a server's whole answer.
type recorded struct {
	status int
	header http.Header
	body   []byte
}

func answer(r *http.Request, next http.Handler) recorded {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	return recorded{rec.Code, rec.Header(), rec.Body.Bytes()}
}

func (a *recorded) head(w http.ResponseWriter, length int) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if a.header.Get("Content-Length") == "" || length > 0 {
		// That of an answer to HEAD tells of a body that is not there.
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(a.status)
}

// Skewed is a server whose clock is off by a time: it refuses what is not signed
// near its own.
func Skewed(off time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		now := time.Now().Add(off)
		if err == nil && now.Sub(at).Abs() < off.Abs()/2 {
			a := answer(r, next)
			a.header.Set("Date", now.UTC().Format(http.TimeFormat))
			a.head(w, len(a.body))
			_, _ = w.Write(a.body)
			return
		}
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		Status(http.StatusForbidden, "RequestTimeTooSkewed", 0)(w, r, next)
	}
}

// Times returns a decision that injects f into the first n requests that match.
func Times(n int64, match func(r *http.Request) bool, f Fault) func(*http.Request) Fault {
	var left atomic.Int64
	left.Store(n)
	return func(r *http.Request) Fault {
		if (match == nil || match(r)) && left.Add(-1) >= 0 {
			return f
		}
		return nil
	}
}

// IsObject matches requests of a method on objects and packs.
func IsObject(method string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && (strings.Contains(r.URL.Path, "/files/") || strings.Contains(r.URL.Path, "/packs/"))
	}
}
