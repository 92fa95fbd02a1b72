package serve_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flowrepro/flow/serve"
)

func texts(n int, text string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = text
	}
	data, _ := json.Marshal(map[string]any{"texts": list})
	return string(data)
}

func TestLimits(t *testing.T) {
	s := start(t, func(o *serve.Options) { o.Limits = serve.Limits{Body: 10_000, Texts: 10, Text: 1000} })
	s.do("POST", "/api/v1/predict", texts(10, "good"), asJSON).want(t, 200, "")
	s.do("POST", "/api/v1/predict", texts(11, "good"), asJSON).want(t, 413, `{"error":"11 texts; the limit is 10 a request"}`)
	s.do("POST", "/api/v1/predict", texts(1, strings.Repeat("x", 1000)), asJSON).want(t, 200, "")
	s.do("POST", "/api/v1/predict", texts(2, strings.Repeat("x", 1001)), asJSON).want(t, 413, `{"error":"text 0 has 1001 bytes; the limit is 1000"}`)
	large := texts(10, strings.Repeat("x", 1001))
	s.do("POST", "/invocations", large, asJSON).want(t, 413, `{"error_code":"BAD_REQUEST"}`)
	r, err := http.NewRequest("POST", s.url+"/invocations", io.MultiReader(strings.NewReader(large))) // of unknown length
	check(t, err)
	r.Header.Set("Content-Type", "application/json")
	s.send(r).want(t, 413, `{"message":"the body has more than 10000 bytes, which is the limit"}`)
	s.do("POST", "/invocations", "text\n"+strings.Repeat("a\n", 3000), asCSV).want(t, 413, "")
	s.do("POST", "/predict", "text="+strings.Repeat("x", 20_000), asForm, wantsJSON).want(t, 413, "")
	s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON, "Content-Encoding: gzip").want(t, 415, "")
	m := s.do("GET", "/metrics", "").body
	for _, line := range []string{`flow_rejected_total{reason="body"} 3`, `flow_rejected_total{reason="texts"} 2`, `flow_rejected_total{reason="text"} 1`} {
		if !strings.Contains(m, line) {
			t.Errorf("no %s", line)
		}
	}
}

func TestDeadline(t *testing.T) {
	s := start(t, func(o *serve.Options) { o.Limits.Request = time.Nanosecond })
	s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON).want(t, 504, "")
	s.do("POST", "/invocations", `{"inputs":["good","bad"]}`, asJSON).want(t, 504, `{"error_code":"DEADLINE_EXCEEDED"}`)
	s.do("GET", "/readyz", "").want(t, 200, "")
}

// TestBusy fills all places with one request that takes long.
func TestBusy(t *testing.T) {
	s := start(t, func(o *serve.Options) {
		o.Limits = serve.Limits{Requests: 1, Body: 64 << 20, Buffered: 200 << 20, Text: 32 << 20}
	})
	done := make(chan int)
	large := texts(1, strings.Repeat("good dull film ", 1<<20))
	go func() { done <- s.do("POST", "/api/v1/predict", large, asJSON).StatusCode }()
	refused := false
	for !refused {
		select {
		case code := <-done:
			// It was faster than the others, or came after one of them; once more.
			if code != 200 && code != 503 {
				t.Fatalf("the large request: %d", code)
			}
			go func() { done <- s.do("POST", "/api/v1/predict", large, asJSON).StatusCode }()
		default:
		}
		a := s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON)
		if refused = a.StatusCode == 503; refused && a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		s.do("GET", "/readyz", "").want(t, 200, "")
	}
	if code := <-done; code != 200 && code != 503 {
		t.Errorf("the large request: %d", code)
	}
}

func TestMemoryOfBodies(t *testing.T) {
	s := start(t, func(o *serve.Options) { o.Limits = serve.Limits{Body: 50_000, Buffered: 100_000} })
	var open []net.Conn
	addr := strings.TrimPrefix(s.url, "http://")
	for range 4 {
		c, err := net.Dial("tcp", addr)
		check(t, err)
		defer c.Close()
		fmt.Fprintf(c, "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n\r\n%s", strings.Repeat(" ", 40_000))
		open = append(open, c)
	}
	// Two of them fit.
	refused := make(chan bool, len(open))
	for _, c := range open {
		go func() {
			line, _ := bufio.NewReader(c).ReadString('\n')
			refused <- strings.Contains(line, "503")
		}()
	}
	for range 2 {
		if !<-refused {
			t.Fatal("not refused")
		}
	}
	for _, c := range open {
		c.Close()
	}
	// What they held is given back.
	for s.do("POST", "/invocations", strings.Repeat(" ", 49_000)+`{"inputs":["good"]}`, asJSON).StatusCode != 200 {
		time.Sleep(time.Millisecond)
	}
}

// Hostile clients are answered by limits, and others meanwhile as ever.
func TestHostile(t *testing.T) {
	s := start(t, func(o *serve.Options) {
		o.Limits = serve.Limits{Header: 200 * time.Millisecond, Read: 400 * time.Millisecond, Headers: 8 << 10, Idle: time.Second}
	})
	addr := strings.TrimPrefix(s.url, "http://")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", addr)
		check(t, err)
		t.Cleanup(func() { c.Close() })
		check(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		return c
	}
	var slow []net.Conn
	for i := range 200 {
		c := dial()
		switch i % 4 {
		case 0: // says nothing
		case 1: // headers that do not end
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nX-A: ")
		case 2: // a body that does not end
			fmt.Fprint(c, "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ntext=")
		case 3: // pieces of a body that do not end
			fmt.Fprint(c, "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n")
		}
		slow = append(slow, c)
	}
	s.do("GET", "/readyz", "").want(t, 200, "")
	s.do("POST", "/api/v1/predict", `{"text":"good"}`, asJSON).want(t, 200, `{"label":1}`)

	for _, raw := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 400) + "\r\n",
		"GET /" + strings.Repeat("a", 20_000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\nHost: a\r\n\r\n", "\x00\x01\x02\x03\r\n\r\n", "GET\r\n\r\n",
		"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
		"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
		"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
	} {
		c := dial()
		_, _ = io.WriteString(c, raw) // the server may have closed it
		line, _ := bufio.NewReader(c).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 4") && !strings.HasPrefix(line, "HTTP/1.1 5") {
			t.Errorf("%.60q: %q", raw, line)
		}
	}
	for _, path := range []string{"/../../etc/passwd", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v2/models/..%2f..%2fetc/infer", "/predict/", "/PREDICT", "/metrics/../readyz", "/%00", "/v2/models/%0d%0aX-Evil:1"} {
		c := dial()
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
		data, _ := io.ReadAll(c)
		if head := string(data); !strings.HasPrefix(head, "HTTP/1.1 4") && !strings.HasPrefix(head, "HTTP/1.1 3") || strings.Contains(head, "\nX-Evil") {
			t.Errorf("%s: %.100s", path, head)
		}
	}
	deep := strings.Repeat("[", 200_000)
	for _, body := range []string{deep, `{"inputs":` + deep, `{"inputs":{"text":` + strings.Repeat(`{"text":`, 100_000), `{"inputs":["\ud800"]}`, "{\"inputs\":[\"\xff\xfe\"]}", strings.Repeat("\x00", 1000), `{"inputs":["a"],"inputs":["b"]}`} {
		for _, path := range []string{"/invocations", "/api/v1/predict", "/v2/models/sentiment/infer", "/predict"} {
			if a := s.do("POST", path, body, asJSON, wantsJSON); a.StatusCode >= 500 || a.StatusCode < 200 {
				t.Errorf("%s %.40q: %d %s", path, body, a.StatusCode, a.body)
			}
		}
	}
	// The slow ones are cut off: with 408, or without a word.
	for i, c := range slow {
		data, err := io.ReadAll(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open", i)
		}
		if head := string(data); i%4 >= 2 && !strings.HasPrefix(head, "HTTP/1.1 408") {
			t.Errorf("connection %d: %.80q", i, head)
		}
	}
	s.do("GET", "/readyz", "").want(t, 200, "")
	if m := s.do("GET", "/metrics", "").body; !strings.Contains(m, "flow_panics_total 0") || !strings.Contains(m, `flow_rejected_total{reason="slow"} 100`) {
		t.Error("panics, or slow bodies that are not counted")
	}
}
